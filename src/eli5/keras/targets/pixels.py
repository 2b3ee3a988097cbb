"""A segmenter's class over pixels as target: Seg-Grad-CAM, arXiv:2002.11434."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import wrong_type
from eli5.keras.targets.class_names import Names, check_number_of_names, id_of, name_of
from eli5.keras.targets.pixel_scores import OPEN, Grid, SelectPixels
from eli5.keras.targets.target import (
    Array,
    Head,
    Output,
    ScoreKind,
    Select,
    SimilarClasses,
    Target,
    Targets,
)
from eli5.targets import Pixel, Region

# Names of outputs that hold masks which do not exclude each other: Segment Anything's.
_INDEPENDENT = ("masks", "pred_masks")
_SHOWN = 8  # classes in an error
_WHOLE = 0.95  # of the input: an output that covers so much is one of all of it


class PixelTarget(Target):
    """Classes of a segmenter, over regions or at pixels; see `eli5.targets`."""

    has_class = False
    is_of_a_place = True
    argument = "`target`, a class over pixels"

    def __init__(self, asked: Sequence[Any], score: str, names: Names) -> None:
        self.score: str = score
        self._asked = asked
        self._names = names

    def suits(self, spec: keras.KerasTensor) -> bool:
        return len(spec.shape) >= 3 and "float" in str(spec.dtype)

    def check(self, output: Output) -> Head:
        grid = _find_grid(output, self._names)
        n_units = 1 if grid.class_axis is None else output.shape[grid.class_axis]
        n_classes = 2 if n_units == 1 else n_units
        head = Head(n_classes, n_units, output.activation, False, output.activation is None, grid)
        check_number_of_names(self._names, n_classes)
        return head

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Targets:
        """Return the targets of one doc; see `eli5.keras.targets.pixel_scores`."""
        rows = [self._row(one, head) for one in (self._asked if asked is None else asked)]
        names = ("class_id", "is_given", "mask", "pixel")
        return {
            name: np.stack(column)[None]
            for name, column in zip(names, zip(*rows, strict=True), strict=True)
        }

    def _row(self, asked: Any, head: Head) -> tuple[Array, Array, Array, Array]:
        grid: Grid = head.details
        mask, pixel = np.zeros(grid.size, bool), np.full(2, -1, "int32")
        if isinstance(asked, Pixel):
            pixel[:] = asked.row, asked.column
            mask[_cell_of(asked, grid)] = True
        elif isinstance(asked, Region):
            mask = mask if asked.mask is None else _fitted(asked.mask, grid)
        else:
            raise wrong_type("target", asked, "an eli5.targets.Region or Pixel, as the others are")
        class_id = OPEN
        if asked.class_id is not None:
            class_id = id_of(asked.class_id, self._names, head.n_targets)
        return np.array(class_id, "int32"), np.array(mask.any()), mask, pixel

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        return ScoreKind("log-odds" if self.score == "auto" else self.score)

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return SelectPixels(output, head, kinds, sign, reported)

    def check_found(self, found: Mapping[str, Array], targets: Targets, head: Head) -> None:
        for class_id, mask in zip(targets["class_id"], targets["mask"], strict=True):
            if not mask.any():
                raise self._not_predicted(int(class_id), _count(found, head))

    def _not_predicted(self, class_id: int, n_pixels: Array) -> ValueError:
        """Return the error for a class that is predicted nowhere; it says which are."""
        there = [int(one) for one in np.argsort(-n_pixels, kind="stable") if n_pixels[one]]
        names = {one: name_of(self._names, one) for one in there[:_SHOWN]}
        said = [f"{one} {name!r}" if name else f"{one}" for one, name in names.items()]
        more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
        return ValueError(
            "Expected a class that the model predicts somewhere. Received: "
            f"target=Region({class_id}), where it predicts {', '.join(said) or 'none'}{more}. Ask "
            "for one of these, or give a mask"
        )

    def describe(self, asked: Sequence[Any] | None, head: Head) -> Iterator[str]:
        grid: Grid = head.details
        masks = [getattr(one, "mask", None) for one in (self._asked if asked is None else asked)]
        if any(mask is not None and mask.shape != grid.size for mask in masks):
            sizes = "x".join(map(str, grid.input_size)), "x".join(map(str, grid.size))
            yield (
                f"The mask, of the input's size {sizes[0]}, was resized to the output's "
                f"{sizes[1]}: each pixel took the nearest."
            )
        if grid.part is not None:
            rows = zip(grid.part, grid.size, strict=True)
            spans = [f"{first:.0f} to {first + step * (n - 1):.0f}" for (first, step), n in rows]
            yield (
                "The output is of a part of the input alone, as the model cuts off the rest: of "
                f"its pixels {' x '.join(spans)}."
            )

    def name(self, head: Head, kind: ScoreKind) -> str:
        of = {"output": "model's output", "logit": "logit"}.get(kind.name, "log-odds of the class")
        return f"the mean {of} over the pixels"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        class_id, value = int(target["class_id"]), numbers["outputs"]
        row, column = map(int, target["pixel"])
        mask = _on_input(target["mask"], head.details)
        region = Region(class_id, mask) if row < 0 else Pixel(row, column, class_id)
        return TargetExplanation(
            class_id,
            proba=value if head.has_probabilities else None,
            score=value,
            class_name=name_of(self._names, class_id),
            explained=numbers["explained"],
            explained_name=f"mean {kind.name}" if row < 0 else kind.name,
            region=region,
        )


def _count(found: Mapping[str, Array], head: Head) -> Array:
    """Return at how many pixels each class is predicted."""
    if "classes" not in found:
        return np.asarray(found["n_pixels"][0])
    return np.bincount(found["classes"].ravel(), minlength=head.n_targets)


def _cell_of(pixel: Pixel, grid: Grid) -> tuple[int, ...]:
    """Return which of the output's pixels covers one of the input's."""
    size = grid.input_size
    if len(grid.size) != 2 or len(size) != 2:
        raise ValueError(
            "Expected a model of pictures, with an output of height and width, for "
            f"target={pixel!r}. Received: an output of {grid.size} pixels for an input of {size}. "
            "Give a Region with a mask"
        )
    if pixel.row >= size[0] or pixel.column >= size[1]:
        raise ValueError(
            f"Expected a pixel of the input, with row < {size[0]} and column < {size[1]}. "
            f"Received: target={pixel!r}"
        )
    if grid.part is None:
        places = zip((pixel.row, pixel.column), grid.size, size, strict=True)
        return tuple(place * cells // pixels for place, cells, pixels in places)
    parts = zip((pixel.row, pixel.column), grid.part, strict=True)
    cell = tuple(int(_nearest_cells(np.array(place), part)) for place, part in parts)
    if not all(0 <= one < n for one, n in zip(cell, grid.size, strict=True)):
        raise ValueError(
            "Expected a pixel of the part of the input that the output is of. Received: "
            f"target={pixel!r}, where the model cuts the input off. Its output has {grid.size} "
            f"pixels, the first at {tuple(round(first) for first, _ in grid.part)}"
        )
    return cell


def _nearest_cells(places: Array, part: tuple[float, float]) -> Array:
    """Return which of the output's pixels are the nearest to those of the input, on one axis."""
    first, step = part
    return np.floor((places - first) / step + 0.5).astype(int)


def _on_input(mask: Array, grid: Grid) -> Array:
    """Return a mask of the output as one of the input where the output is of a part of it."""
    if grid.part is None:
        return mask
    for axis, (part, pixels) in enumerate(zip(grid.part, grid.input_size, strict=True)):
        cells = _nearest_cells(np.arange(pixels), part)
        is_there = (cells >= 0) & (cells < mask.shape[axis])
        mask = np.take(mask, np.where(is_there, cells, 0), axis=axis)
        mask &= is_there.reshape([-1 if k == axis else 1 for k in range(mask.ndim)])
    return mask


def _fitted(mask: Array, grid: Grid) -> Array:
    """Return a mask of the output's size, from one of the input's by the nearest pixel."""
    if mask.shape == grid.size:
        return mask
    if mask.shape != grid.input_size:
        raise ValueError(
            f"Expected `mask` of the output's size, {grid.size}, or of the input's, "
            f"{grid.input_size}. Received: mask.shape={mask.shape}"
        )
    for axis, (cells, pixels) in enumerate(zip(grid.size, mask.shape, strict=True)):
        nearest = ((np.arange(cells) + 0.5) * pixels / cells).astype(int)
        if grid.part is not None:
            first, step = grid.part[axis]
            nearest = np.round(first + step * np.arange(cells)).astype(int).clip(0, pixels - 1)
        mask = np.take(mask, nearest, axis=axis)
    if not mask.any():
        raise ValueError(
            "Expected `mask` to have a pixel that is the nearest to one of the output's. Received: "
            f"a mask of the input's size {grid.input_size}, too small for the output's "
            f"{grid.size} pixels. Ask for a Pixel, or give a mask of the output's size"
        )
    return mask


# ---- where an output has its classes -------------------------------------------------------------


def _find_grid(output: Output, names: Names) -> Grid:
    """Tell where the output has its pixels and its classes."""
    n_axes, shape = len(output.size), output.shape
    if len(shape) == n_axes + 1 and n_axes >= 2 and _is_like(shape[1:], output.size):
        return Grid(shape[1:], None, True, output.size, _part(shape[1:], output))
    if len(shape) != n_axes + 2 or n_axes < 2:
        raise ValueError(
            "Expected a segmenter, a model with an output of shape (1, H, W, n_classes), (1, "
            f"n_classes, H, W) or (1, H, W), for `target`. Received: output {output.name!r} of "
            f"shape {shape}, for an input of {output.size} pixels. Name another output: `output=`."
        )
    axis = _class_axis(output, names)
    size = shape[2:] if axis == 1 else shape[1:-1]
    is_exclusive = output.activation != "sigmoid" and output.name not in _INDEPENDENT
    is_exclusive = is_exclusive or shape[axis] == 1
    return Grid(size, axis, is_exclusive, output.size, _part(size, output))


def _part(size: tuple[int, ...], output: Output) -> tuple[tuple[float, float], ...] | None:
    """Return where the output's pixels lie if they are clearly of less than the input.

    That is where it is smaller, and its pixels, one beside the other, cover less: of convolutions
    without padding, or a crop. Else they are stretched over the input, as those who train a model
    do with its labels, whatever shift its windows have.
    """
    place = output.placement
    if place is None:
        return None
    steps = place.strides(size)
    rows = list(zip(steps, size, output.size, strict=True))
    covers = all(step * n > _WHOLE * pixels or n >= pixels for step, n, pixels in rows)
    if covers or min(steps) <= 0:
        return None
    return tuple(zip(place.first, steps, strict=True))


def _class_axis(output: Output, names: Names) -> int:
    """Return which axis has the classes: the first behind the batch axis, or the last.

    The other axes have the proportions of the input. Where both would do, the number of class names
    or the caller's `data_format` tell.
    """
    if output.data_format is not None:
        return 1 if output.data_format == "channels_first" else len(output.shape) - 1
    axes = [
        axis
        for axis, size in ((len(output.shape) - 1, output.shape[1:-1]), (1, output.shape[2:]))
        if _is_like(size, output.size)
    ]
    if len(axes) > 1 and isinstance(names, dict):
        axes = [axis for axis in axes if output.shape[axis] == len(names)] or axes
    if len(axes) != 1:
        raise ValueError(
            "Expected an output of which the shape tells where the classes are. Received: output "
            f"{output.name!r} of shape {output.shape}, for an input of {output.size} pixels. Say "
            'it: data_format="channels_last" or data_format="channels_first"'
        )
    return axes[0]


def _is_like(size: tuple[int, ...], input_size: tuple[int, ...]) -> bool:
    """Tell whether a grid has the input's proportions, but for what rounding leaves open."""
    scale = max(size) / max(input_size)
    pairs = zip(size, input_size, strict=True)
    return all(abs(cells - scale * pixels) < 1 for cells, pixels in pairs)

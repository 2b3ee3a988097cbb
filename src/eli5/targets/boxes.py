"""What is asked of a detector: boxes that are there, or missing, and how its outputs are read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.checks import expect_choice, expect_integer, is_number, listed, wrong_type, wrong_value
from eli5.targets.asked import Asked, check_class

if TYPE_CHECKING:
    from numpy.typing import NDArray

OBJECTIVES = ("class", "box", "both")
# How a box of the caller's may be written.
BOX_FORMATS = ("xyxy", "yxyx", "xywh", "rel_xyxy", "rel_yxyx", "rel_xywh")
# How those of a model may be.
CANDIDATE_FORMATS = (*BOX_FORMATS, "center_xywh", "rel_center_xywh")


@dataclass(frozen=True, eq=False, repr=False)
class Box(Asked):
    """A detector's class in a box: why this class here, why this box.

    The box is matched to one of the model's candidates, an anchor, a cell or a query, and what the
    model says of that one is explained, in front of any selection of boxes. Of candidates that
    overlap the box by an IoU of 0.99 at least, it is the one that overlaps the most; of these, to
    a thousandth, the one with the highest score of the class. If there is none, it is the one with
    the highest product of IoU and probability of the class. Of equals it is the first.

    Parameters
    ----------
    xyxy : sequence of four numbers
        The box, as `format` says; within the picture that the model takes.
    class_id : int or str, optional
        The class, by id or by name (of `class_names`); the one that the model predicts for the
        candidate if not given.
    format : {"xyxy", "yxyx", "xywh", "rel_xyxy", "rel_yxyx", "rel_xywh"}
        Corners, left, top, right and bottom, or top first; or left, top, width and height. In
        pixels, or as shares of width and height of the picture.
    objective : {"class", "box", "both"}
        What is explained of the candidate: the log-odds of the class; its IoU with the box as it
        is; or the sum of the log-odds and the logarithm of the IoU, that is, of the odds times the
        IoU. Where the candidate is the box, and the IoU at its largest, the derivative is that from
        inside: what would make the box smaller if it were gone.

    Raises
    ------
    TypeError
        If the box is not of four numbers, or `class_id` no integer or name.
    ValueError
        If the box is empty or looks to be of another format, or the id is negative.
    """

    xyxy: tuple[float, ...]
    class_id: int | str | None = None
    format: str = "xyxy"
    objective: str = "class"

    def __post_init__(self) -> None:
        expect_choice("format", self.format, BOX_FORMATS)
        expect_choice("objective", self.objective, OBJECTIVES)
        object.__setattr__(self, "xyxy", _read_box(self.xyxy, self.format))
        if self.class_id is not None:
            check_class("class_id", self.class_id)

    @property
    def phrase(self) -> str:
        """Where it is, for people: ``"in the box (10, 20, 60, 80)"``."""
        what = {"class": "in", "box": "for the place of", "both": "in, and for the place of,"}
        return f"{what[self.objective]} the box {_in_words(self.xyxy, self.format)}"


@dataclass(frozen=True, eq=False, repr=False)
class Detection(Asked):
    """One of the boxes that the model's own decoder keeps.

    The decoder is the model's ``decode_predictions``, as KerasHub's detectors have it; of a model
    without one, non-maximum suppression per class: of boxes that overlap by an IoU above 0.5 that
    of the highest confidence, if it is above 0.5. What is explained are the raw outputs, those of
    the candidate that the box came from: the one that overlaps the most, to a thousandth of IoU; of
    these the one whose probability of the class is nearest to the decoder's confidence; of equals
    the first.

    Parameters
    ----------
    k : int
        Which, in the order of the decoder, from 0.
    objective : {"class", "box", "both"}
        See `Box`.

    Raises
    ------
    TypeError, ValueError
        If `k` is no integer, or negative.
    """

    k: int
    objective: str = "class"

    def __post_init__(self) -> None:
        expect_integer("k", self.k, least=0)
        expect_choice("objective", self.objective, OBJECTIVES)


@dataclass(frozen=True, eq=False, repr=False)
class Objects(Asked):
    """All boxes of a class that the model's own decoder keeps; see `Detection`.

    The score is the mean of the log-odds of the class over them.

    Parameters
    ----------
    class_id : int or str
        The class, by id or by name (of `class_names`).
    boxes : numpy.ndarray, shape (n, 4), optional
        Of an explanation: the boxes that were found, as ``xyxy`` in pixels. They are not given.

    Raises
    ------
    TypeError, ValueError
        If `class_id` is no integer or name, or negative.
    """

    class_id: int | str
    boxes: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        check_class("class_id", self.class_id)
        if self.boxes is not None:
            boxes = np.asarray(self.boxes, "float32").reshape(-1, 4)
            object.__setattr__(self, "boxes", boxes)

    @property
    def phrase(self) -> str:
        """Where they are, for people: ``"in 3 boxes"``."""
        if self.boxes is None:
            return "in all boxes"
        return f"in {len(self.boxes)} box" + "es" * (len(self.boxes) != 1)


@dataclass(frozen=True, eq=False, repr=False)
class Missing(Asked):
    """Why there is no box: what speaks for a class, and against it, where a box was expected.

    The score is the mean of the log-odds of the class over the five candidates that overlap the box
    the most, weighted by their IoU. What speaks against the class is asked for with
    ``sign="negative"``.

    Parameters
    ----------
    xyxy, format
        See `Box`.
    class_id : int or str
        The class that is missing, by id or by name (of `class_names`).

    Raises
    ------
    TypeError, ValueError
        See `Box`.
    """

    xyxy: tuple[float, ...]
    class_id: int | str
    format: str = "xyxy"

    def __post_init__(self) -> None:
        expect_choice("format", self.format, BOX_FORMATS)
        object.__setattr__(self, "xyxy", _read_box(self.xyxy, self.format))
        check_class("class_id", self.class_id)

    @property
    def phrase(self) -> str:
        """Where it is, for people: ``"missing in the box (10, 20, 60, 80)"``."""
        return f"missing in the box {_in_words(self.xyxy, self.format)}"


class Candidates(NamedTuple):
    """What a detector says before boxes are selected: what an adapter returns.

    An adapter is a function of the model's outputs, for `detector=`; it is traced and
    differentiated, so it is written with `keras.ops`. Of a model that gives one tensor, ``(B, h, w,
    5 + n_classes)``, with an objectness, a centre, a width and a height per cell::

        def adapter(outputs):
            cells = keras.ops.reshape(outputs, (outputs.shape[0], -1, outputs.shape[-1]))
            return eli5.targets.Candidates(
                boxes=cells[..., 1:5],
                scores=cells[..., 5:],
                objectness=cells[..., 0],
                format="rel_center_xywh",
            )

    Attributes
    ----------
    boxes : tensor, shape (B, N, 4)
        One per candidate: an anchor, a cell, a query.
    scores : tensor, shape (B, N, n_classes)
    objectness : tensor, shape (B, N), optional
        Of the same kind as the scores; the probability of a class is the product of the two.
    format : str
        How the boxes are written; those of `Box`, and ``"center_xywh"`` and ``"rel_center_xywh"``.
    activation : {"sigmoid", "softmax"}
        What makes, or has made, probabilities of the scores.
    are_logits : bool
        Whether the scores, and the objectness, are still what goes into that activation.
    background : int, optional
        The class, if there is one, that stands for no object; -1 is the last.
    """

    boxes: Any
    scores: Any
    objectness: Any = None
    format: str = "xyxy"
    activation: str = "sigmoid"
    are_logits: bool = True
    background: int | None = None


def _read_box(box: Any, format: str) -> tuple[float, ...]:
    """Return a box as four numbers; TypeError or ValueError if it is none of that format."""
    items = box.tolist() if isinstance(box, np.ndarray) else listed(box)
    if not isinstance(items, list) or len(items) != 4 or not all(map(is_number, items)):
        raise wrong_type("xyxy", box, f"a box, four numbers, {format!r} of one")
    values = tuple(map(float, items))
    if not np.isfinite(values).all():
        raise wrong_value("xyxy", box, "a box of finite numbers")
    first, second = values[:2], values[2:]
    is_empty = min(second) <= 0 if format.endswith("xywh") else _ends_first(first, second)
    if is_empty:
        expected = "of width and height > 0" if format.endswith("xywh") else "with its ends last"
        other = "xyxy" if format.endswith("xywh") else "xywh"
        other = f"rel_{other}" if format.startswith("rel_") else other
        raise wrong_value(
            "xyxy",
            box,
            f"a box {expected}, as format={format!r} has it",
            f"Another format is said, such as format={other!r}",
        )
    _check_scale(box, values, format)
    return values


def _ends_first(first: tuple[float, ...], second: tuple[float, ...]) -> bool:
    return any(end <= start for start, end in zip(first, second, strict=True))


def _check_scale(box: Any, values: tuple[float, ...], format: str) -> None:
    """Raise ValueError if what is given in pixels looks like shares, or the other way round."""
    if format.startswith("rel_") and (max(values) > 1 or min(values) < 0):
        expected = f"a box of shares in [0, 1], as format={format!r} has it"
        raise wrong_value("xyxy", box, expected, f"Pixels are format={format[4:]!r}")
    if not format.startswith("rel_") and max(values) <= 1:
        expected = f"a box in pixels, as format={format!r} has it"
        raise wrong_value("xyxy", box, expected, f"Shares in [0, 1] are format={'rel_' + format!r}")


def _in_words(values: tuple[float, ...], format: str) -> str:
    if format.startswith("rel_"):
        return f"({', '.join(f'{one:.3g}' for one in values)}) ({format})"
    shown = ", ".join(f"{one:.0f}" for one in values)
    return f"({shown})" if format == "xyxy" else f"({shown}) ({format})"

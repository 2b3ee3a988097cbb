"""The containers that carry a result: plain, writable data that knows nothing of Keras."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.checks import expect_integer, wrong_value
from eli5.explanations import Explanations as Explanations
from eli5.explanations import Shown
from eli5.explanations import missing_picture_libraries as missing_picture_libraries
from eli5.placement import Placement as Placement
from eli5.placement import lay_out, stretch

if TYPE_CHECKING:
    from numpy.typing import NDArray

# What Pillow keeps beside the pixels and belongs to how a picture looks. The rest of its `info` is
# about the file that it came from, down to where a photo was taken.
LOOKS = ("transparency", "icc_profile")


@dataclass(eq=False, repr=False)
class _Container:
    """What all containers have: equality by their fields, and a short text."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return all(_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(self))

    def __repr__(self) -> str:
        """Show the fields that differ from their default; arrays and images by their size alone."""
        values = [(field, getattr(self, field.name)) for field in fields(self)]
        shown = [f"{f.name}={_short(value)}" for f, value in values if value is not f.default]
        return f"{type(self).__name__}({', '.join(shown)})"


@dataclass(eq=False, repr=False)
class DocWeightedSpans(_Container):
    """A text, and how much each part of it weighs.

    Parameters
    ----------
    document : str
        The text.
    spans : list of tuple
        One ``(token, [(start, end), ...], weight)`` per token, in their order: the token as the
        model sees it, where it lies in `document` (in characters, the end excluded; no place if it
        is not in there), and its weight, signed where the method is.
    preserve_density : bool, optional
        Whether weights are of characters rather than of words.
    with_probabilities : bool, optional
        Always ``None`` for Keras models.
    vec_name : str, optional
        The name of the input that the text is, where a model has several.
    """

    document: str
    spans: list[tuple[str, list[tuple[int, int]], float]]
    preserve_density: bool | None = None
    with_probabilities: bool | None = None
    vec_name: str | None = None


@dataclass(eq=False, repr=False)
class WeightedSpans(_Container):
    """The texts that a prediction was made of, with their weights.

    Parameters
    ----------
    docs_weighted_spans : list of DocWeightedSpans
        One per text.
    other : Any, optional
        Always ``None`` for Keras models.
    """

    docs_weighted_spans: list[DocWeightedSpans]
    other: Any = None


@dataclass(eq=False, repr=False)
class Series(_Container):
    """Numbers over time: what the heatmaps of a series belong to.

    Parameters
    ----------
    values : numpy.ndarray, shape (T, F)
        T steps of F channels, in the units of what the model takes. NaN is a gap.
    time : numpy.ndarray, shape (T,), optional
        When each step is, as numbers in the caller's unit or as ``datetime64``; 0, 1, 2, ... if not
        given. It never runs backwards, but steps may lie at any distances, several at one time.
    channel_names : list of str, optional
        F names.
    """

    values: NDArray[Any]
    time: NDArray[Any] | None = None
    channel_names: list[str] | None = None


@dataclass(eq=False, repr=False)
class Grade(_Container):
    """How far a map can be trusted, by what it foretells of the model; docs/grade.md has all of it.

    Parameters
    ----------
    value : float, optional
        In [0, 1], the higher the better; ``None`` if it is not gradable.
    verdict : {"supported", "weak", "contradicted", "not gradable"}
    parts : dict
        What the value is made of, by name; ``None`` for what could not be asked.
    reason : str
        Why it is not gradable, or what could not be asked.
    passes : int
        How often the model ran for it, one doc at a time; a gradient counts as a run of its own.
    baseline : str
        What took the place of what was left out.
    seed : int
        Of the noise, and of where the map was moved to.
    """

    value: float | None = None
    verdict: str = "not gradable"
    parts: dict[str, float | None] = field(default_factory=dict)
    reason: str = ""
    passes: int = 0
    baseline: str = ""
    seed: int = 0


@dataclass(eq=False, repr=False)
class TargetExplanation(_Container):
    """What speaks for one target (a class) of a prediction.

    Parameters
    ----------
    target : int or str
        The class id; for a score that is a user's function, that function's name.
    feature_weights : Any, optional
        Always ``None`` for Keras models.
    proba : float, optional
        Probability of the class, where the model's output is one.
    score : float, optional
        The model's own output for the class.
    weighted_spans : WeightedSpans, optional
        Of texts: what each token weighs. ``None`` for all else.
    heatmap : numpy.ndarray, optional
        Float32 in [0, 1]. Of images rank 2 ``(H, W)``, of volumes and videos rank 3 ``(d, h, w)``;
        its size is the target layer's, not the image's. The image of rank 3 shows ``d`` slices of
        one size, side by side from left to right. Of texts rank 1, one number per token. Of series
        rank 1 ``(t,)``, of the target layer's length, or rank 2 ``(T, F)`` like the series itself.
    class_name : str, optional
        The name of the class, where the caller gave names.
    attribution : numpy.ndarray, optional
        The map as the method's formula gives it: float32, signed where the formula is signed, not
        scaled, at the layer's or the input's resolution. The heatmap is its positive part divided
        by its maximum.
    details : dict, optional
        Numbers that tell how far the attribution can be trusted, such as ``completeness_error``.
    placement : eli5.placement.Placement, optional
        Where the cells of the heatmap lie in the input, as the model may crop, pad, mirror, turn or
        resize it; see `Explanation.heatmap_on_input`.
    explained : float, optional
        The number that the heatmap explains: whose gradients, or changes, it is made of.
    explained_name : str, optional
        What that number is: ``"log-odds"``, ``"logit"`` or ``"output"``; ``"contrasted logit"`` of
        Finer-CAM; for a score that is a user's function its name.
    sign : {"positive", "negative"}
        ``"negative"`` where heatmap, attribution and weights are of that number with the other
        sign, as ``sign="negative"`` asks for: what is high speaks against the target.
    region : eli5.targets.Region or eli5.targets.Pixel, optional
        Where in the input the target is, if it is about a place: with the class and, of a region,
        the mask that were explained, of the output's size.
    grade : Grade, optional
        How far the map can be trusted, where ``grade=True`` asks for it.
    """

    target: int | str
    feature_weights: Any = None
    proba: float | None = None
    score: float | None = None
    weighted_spans: Any = None
    heatmap: NDArray[np.floating[Any]] | None = None
    class_name: str | None = None
    attribution: NDArray[np.floating[Any]] | None = None
    details: dict[str, float] | None = None
    placement: Placement | None = None
    explained: float | None = None
    explained_name: str | None = None
    sign: str = "positive"
    region: Any = None
    grade: Grade | None = None


@dataclass(eq=False, repr=False)
class Explanation(_Container, Shown):
    """An explained prediction, or the reason why there is none.

    In a notebook it shows itself: the image under its heatmaps, or the error; ``print`` writes what
    `eli5.format_as_text` gives. It can be changed, copied, pickled, plotted and saved; two
    explanations are equal if all their fields are. Pictures are equal if they look the same, from
    whichever file they come. Several of them are `eli5.Explanations`.

    Parameters
    ----------
    estimator : str
        Name of the model.
    description : str, optional
        What the explanation shows, and anything that its reader must know before trusting it.
    error : str, optional
        Why there is no explanation; empty if there is one.
    method : str, optional
        Name of the method, such as ``"Grad-CAM"``.
    is_regression : bool
        Whether a value and not a class is explained.
    targets : list of TargetExplanation, optional
        One entry per explained class.
    feature_importances, decision_tree, highlight_spaces, transition_features : Any, optional
        Always ``None`` for Keras models.
    image : PIL.Image.Image, optional
        The picture that the heatmaps belong to; ``None`` for texts and series.
    layer : str, optional
        Name of the target layer: the one whose activations are explained.
    series : Series, optional
        The series that the heatmaps belong to; ``None`` for all else.
    source : str, optional
        Where what is explained came from, such as a picture's file: the headline in a gallery.
    """

    estimator: str
    description: str | None = None
    error: str | None = None
    method: str | None = None
    is_regression: bool = False
    targets: Any = None  # not Optional[list], or a typed caller must check before each use
    feature_importances: Any = None
    decision_tree: Any = None
    highlight_spaces: Any = None
    transition_features: Any = None
    image: Any = None
    layer: str | None = None
    series: Any = None
    source: str | None = None

    def heatmap_on_input(self, k: int = 0) -> NDArray[np.float32]:
        """Return the heatmap of a target where its layer looked: of the input's own size.

        Parameters
        ----------
        k : int, default 0
            Which of the targets.

        Returns
        -------
        numpy.ndarray, float32
            Of shape ``(H, W)``, ``(D, H, W)`` or ``(T,)``; in [0, 1]. Between the middles of the
            heatmap's cells it is interpolated linearly; what the layer does not see, because the
            model cuts it off, is 0.

        Raises
        ------
        TypeError
            If `k` is no integer, or a field is of another type.
        ValueError
            If there is no such target, it has no heatmap, or nothing tells the input's size.
        """
        from eli5.formatters.explanation_fields import check_single

        check_single(self)
        targets = self.targets or []
        if not -len(targets) <= expect_integer("k", k) < len(targets):
            raise wrong_value("k", k, f"to be one of {len(targets)} targets, counted from 0")
        target = targets[k]
        if target.heatmap is None:
            raise ValueError(
                f"Expected a target with a heatmap. Received: targets[{k}].heatmap=None. "
                "eli5.explain_prediction makes one."
            )
        placement = target.placement
        if placement is None:  # made by hand, or by an earlier version
            cells = target.heatmap.shape
            is_flat = self.image is not None and len(cells) == 2
            placement = stretch(cells, (self.image.height, self.image.width) if is_flat else cells)
        return lay_out(target.heatmap, placement)


def _same(one: Any, other: Any) -> bool:
    """Compare two field values; unlike ``==`` it gives one truth for arrays too, and NaN is NaN."""
    arrays = [value for value in (one, other) if isinstance(value, np.ndarray)]
    if arrays:
        has_nan = all(array.dtype.kind in "fcmM" for array in arrays)
        return len(arrays) == 2 and np.array_equal(one, other, equal_nan=has_nan)
    if isinstance(one, float | np.inexact) and isinstance(other, float | np.inexact):
        return bool(one == other or (one != one and other != other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and type(one) is type(other):
        return len(one) == len(other) and all(map(_same, one, other))
    if is_picture(one) and is_picture(other):
        return looks(one) == looks(other) and bool(one.tobytes() == other.tobytes())
    return bool(one == other)


def looks(image: Any) -> dict[str, Any]:
    """Return what a Pillow image has beside its pixels that shows: mode, size, palette, ..."""
    image.load()
    looks = {"mode": image.mode, "width": image.width, "height": image.height}
    if image.palette is not None:
        # In its mode: drawing a picture mixes its transparency into what Pillow would give without.
        mode = image.palette.mode
        looks |= {"palette_mode": mode, "palette": image.getpalette(mode)}
    looks |= {name: image.info.get(name) for name in LOOKS}
    return {name: value for name, value in looks.items() if value is not None}


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array {value.shape} {value.dtype}>"
    if is_picture(value):
        return f"<image {value.mode} {value.width}x{value.height}>"
    return repr(value)


def is_picture(value: object) -> bool:
    """Tell a Pillow image by its attributes, because this module must not import Pillow."""
    return all(hasattr(value, name) for name in ("mode", "width", "height", "getbands"))

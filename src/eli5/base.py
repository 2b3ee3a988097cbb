"""The containers that carry a result: plain, writable data that knows nothing of Keras."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Explanation", "TargetExplanation"]


@dataclass(eq=False, repr=False)
class TargetExplanation:
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
    weighted_spans : Any, optional
        Always ``None`` for images.
    heatmap : numpy.ndarray, optional
        Rank 2 ``(H, W)``, float32 in [0, 1]; its size is the target layer's, not the image's.
    class_name : str, optional
        The name of the class, where the caller gave names.
    """

    target: int | str
    feature_weights: Any = None
    proba: float | None = None
    score: float | None = None
    weighted_spans: Any = None
    heatmap: NDArray[np.floating[Any]] | None = None
    class_name: str | None = None

    def __eq__(self, other: object) -> bool:
        return _same_fields(self, other)

    def __repr__(self) -> str:
        return _short_repr(self)


@dataclass(eq=False, repr=False)
class Explanation:
    """An explained prediction, or the reason why there is none.

    In a notebook it shows itself: the overlay of heatmap and image.

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
        The picture that the heatmaps belong to.
    layer : str, optional
        Name of the target layer: the one whose activations are explained.
    """

    estimator: str
    description: str | None = None
    error: str | None = None
    method: str | None = None
    is_regression: bool = False
    targets: list[TargetExplanation] | None = None
    feature_importances: Any = None
    decision_tree: Any = None
    highlight_spaces: Any = None
    transition_features: Any = None
    image: Any = None
    layer: str | None = None

    def __eq__(self, other: object) -> bool:
        return _same_fields(self, other)

    def __repr__(self) -> str:
        return _short_repr(self)

    # The formatters read this module, so they can only be reached when a picture is asked for.
    def _repr_html_(self) -> str:
        from eli5.formatters.html import format_as_html

        return format_as_html(self)

    def _repr_png_(self) -> bytes | None:
        from eli5.formatters.image import overlay_png

        return overlay_png(self)


def _same_fields(one: Any, other: object) -> bool:
    if type(one) is not type(other):
        return NotImplemented
    return all(_same(getattr(one, f.name), getattr(other, f.name)) for f in fields(one))


def _same(one: Any, other: Any) -> bool:
    """Compare two field values; unlike ``==`` it gives one truth for arrays too, and NaN is NaN."""
    if isinstance(one, np.ndarray) or isinstance(other, np.ndarray):
        if not (isinstance(one, np.ndarray) and isinstance(other, np.ndarray)):
            return False
        inexact = all(np.issubdtype(array.dtype, np.inexact) for array in (one, other))
        return bool(np.array_equal(one, other, equal_nan=inexact))
    if isinstance(one, float) and isinstance(other, float):
        return one == other or (one != one and other != other)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return bool(one == other)


def _short_repr(obj: Any) -> str:
    """Show the fields that differ from their default; arrays and images by their size alone."""
    shown = (
        f"{f.name}={_short(value)}"
        for f in fields(obj)
        if (value := getattr(obj, f.name)) is not f.default
    )
    return f"{type(obj).__name__}({', '.join(shown)})"


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<array {value.shape} {value.dtype}>"
    if hasattr(value, "size") and hasattr(value, "mode"):
        return f"<image {value.mode} {value.size[0]}x{value.size[1]}>"
    return repr(value)

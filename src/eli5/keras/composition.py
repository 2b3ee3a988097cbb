"""The Explanation, put together from what the engine found."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from eli5.base import Explanation, TargetExplanation, missing_picture_libraries
from eli5.keras import scores
from eli5.keras.heatmap import normalize, why_empty
from eli5.keras.picture import to_picture
from eli5.keras.preparation import Preparation

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]
ClassNames = Sequence[str] | Mapping[int, str] | Callable[[int], str]

_METHOD = "Grad-CAM"


def compose(
    prepared: Preparation,
    *,
    maps: Array,
    health: Array,
    classes: Array,
    outputs: Array,
    estimator: str,
    score: Any,
    class_names: ClassNames | None,
    image: Image | None,
) -> Explanation:
    """Return the Explanation of one sample; warn of each heatmap that is empty.

    Parameters
    ----------
    prepared : Preparation
    maps : numpy.ndarray, shape (K, H, W) or (K, D, H, W)
        As the formula gives them.
    health : numpy.ndarray, shape (K, 4)
        See `eli5.keras.heatmap.grad_cam_maps`.
    classes, outputs : numpy.ndarray, shape (K,)
        Class ids, and the model's own output for them.
    estimator : str
        The model's name.
    score, class_names, image
        See `eli5.keras.explain_prediction.explain_prediction_keras_image`.
    """
    path, explained = prepared.site.path, scores.explained(score, prepared.activation)
    targets = [
        _target(prepared, *found, score, class_names)
        for found in zip(maps, classes, outputs, strict=True)
    ]
    notes = [
        f"The heatmap of target {target.target} at layer {path!r} is empty: {why}."
        for target, attribution, signs in zip(targets, maps, health, strict=True)
        if (why := why_empty(attribution, signs, explained))
    ]
    if not all(np.isfinite(array).all() for array in keras.tree.flatten(prepared.sample)):
        notes.append("The doc holds values that are not finite (NaN or infinity).")
    for note in notes:
        warnings.warn(note, UserWarning, stacklevel=_callers_level())
    return Explanation(
        estimator,
        description=" ".join([_describe(prepared, maps.shape[1:], explained), *notes]),
        error="",
        method=_METHOD,
        is_regression=callable(score) or _is_regression(prepared),
        targets=targets,
        image=_picture(prepared, len(maps[0]) if maps.ndim == 4 else 1) if image is None else image,
        layer=path,
    )


def _target(
    prepared: Preparation,
    attribution: Array,
    class_id: Any,
    output: Any,
    score: Any,
    class_names: ClassNames | None,
) -> TargetExplanation:
    heatmap, value = normalize(attribution), float(output)
    if callable(score):
        return TargetExplanation(scores.score_name(score), score=value, heatmap=heatmap)
    return TargetExplanation(
        int(class_id),
        proba=value if scores.is_probability(prepared.activation) else None,
        score=value,
        heatmap=heatmap,
        class_name=_class_name(class_names, int(class_id), prepared),
    )


def check_class_names(class_names: Any) -> None:
    """Raise TypeError if `class_names` is neither None, a sequence, a mapping nor a callable."""
    is_list = isinstance(class_names, Sequence | np.ndarray) and not isinstance(class_names, str)
    is_known = class_names is None or is_list or isinstance(class_names, Mapping)
    if not (is_known or callable(class_names)):
        raise TypeError(
            "Expected `class_names` to be a sequence, a mapping of class ids or a callable. "
            f"Received: class_names={class_names!r} (of type {type(class_names).__name__})"
        )


def _class_name(class_names: ClassNames | None, class_id: int, prepared: Preparation) -> str | None:
    if class_names is None:
        return None
    if callable(class_names):
        return str(class_names(class_id))
    if prepared.n_classes == 1 and len(class_names) == 2:
        class_id = 1  # one unit for two classes: it is high for the second
    keys = (class_id, str(class_id)) if isinstance(class_names, Mapping) else (class_id,)
    for key in keys:
        try:
            return str(class_names[key])  # type: ignore[index]
        except (LookupError, TypeError):  # fewer names than classes: the id must do
            continue
    return None


def _describe(prepared: Preparation, size: tuple[int, ...], explained: str) -> str:
    chosen = ", chosen automatically" if prepared.is_automatic else ""
    description = (
        f"{_METHOD} heatmap of layer {prepared.site.path!r} ({'x'.join(map(str, size))}{chosen}): "
        f"the higher, the more the region raises {explained}."
    )
    if prepared.n_classes == 1 and prepared.activation == "sigmoid":
        description += (
            " The model has one sigmoid unit, target 0: a low value of it speaks for the negative "
            "class."
        )
    return description


def _is_regression(prepared: Preparation) -> bool:
    return prepared.n_classes == 1 and prepared.activation is None


def _picture(prepared: Preparation, n_slices: int) -> Image | None:
    if "Pillow" in missing_picture_libraries():
        return None
    return to_picture(prepared.picture, channels_first=prepared.channels_first, n_slices=n_slices)


def _callers_level() -> int:
    """Return the `stacklevel` of the first caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "eli5":
        level, frame = level + 1, frame.f_back
    return level

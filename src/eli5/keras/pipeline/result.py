"""The Explanation, put together from what the engine found."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import keras
from eli5.base import Explanation, Series, TargetExplanation, missing_picture_libraries
from eli5.keras.inputs.image import to_picture
from eli5.keras.methods import Method
from eli5.keras.methods.normalize import normalize, why_empty
from eli5.keras.pipeline.plan import Preparation
from eli5.keras.pipeline.run_methods import Found
from eli5.keras.targets import classes as scores

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]
ClassNames = Sequence[str] | Mapping[int, str] | Callable[[int], str]

# Above this Integrated Gradients do not add up to the difference that they explain.
_INCOMPLETE = 0.05


# What people call a place of a layer's map and of the input's, and what follows their number.
_PLACES = {
    "image": ("region", "pixel", ""),
    "tokens": ("token", "token", " tokens"),
    "series": ("step", "value", " steps"),
}


class Labels(NamedTuple):
    """What the caller said about how results are named and shown."""

    estimator: str
    score: Any = "auto"
    sign: int = 1
    class_names: ClassNames | None = None


class Look(NamedTuple):
    """What all explanations of one doc have in common.

    Attributes
    ----------
    image : PIL.Image.Image or None
        The caller's, or one made of the doc; None for a volume, whose picture depends on the map.
    is_finite : bool
        Whether all numbers in the doc are finite.
    """

    image: Image | None
    is_finite: bool


def look_at(doc: Any, prepared: Preparation, image: Image | None) -> Look:
    """Look at one doc, which takes as long as a small part of the model."""
    arrays = keras.tree.flatten(doc)
    # NaN comes out of both extremes; no array of flags is made.
    is_finite = all(np.isfinite([array.min(), array.max()]).all() for array in arrays)
    picture = arrays[prepared.input_index]
    is_flat = prepared.view.kind == "image" and picture.ndim < 5
    if image is None and is_flat and not missing_picture_libraries():
        image = to_picture(picture, channels_first=prepared.channels_first)
    return Look(image, is_finite)


def compose(
    prepared: Preparation,
    method: Method,
    found: Found,
    classes: Array,
    outputs: Array,
    labels: Labels,
    look: Look,
    *,
    how: Sequence[str] = (),
    number: int | None = None,
) -> Explanation:
    """Return the Explanation of one sample by one method; warn of each heatmap that is empty.

    Parameters
    ----------
    prepared : Preparation
    method : Method
    found : eli5.keras.pipeline.run_methods.Found
    classes, outputs : numpy.ndarray, shape (K,)
        Class ids, and the model's own output for them.
    labels : Labels
    look : Look
    how : sequence of str
        What else was done to the maps, for the description.
    number : int, optional
        Which of many docs it is, for the warnings.
    """
    explained = scores.explained(labels.score, prepared.activation)
    reason = f"{'raises' if labels.sign > 0 else 'lowers'} {explained}"
    targets = [
        # Copies, for views would keep the batch.
        _target(prepared, np.array(attribution), np.array(heatmap), class_id, output, labels)
        for attribution, heatmap, class_id, output in zip(
            found.maps, found.heatmaps, classes, outputs, strict=True
        )
    ]
    for target, details in zip(targets, found.details, strict=False):
        target.details = dict(details)
    warned = [*_empty(prepared, method, found, targets, explained, reason), *_not_finite(look)]
    for note in warned:
        which = "" if number is None else f"Doc {number}: "
        warnings.warn(which + note, UserWarning, stacklevel=_callers_level())
    places = found.maps.shape[1:]
    description = [_describe(prepared, method, places, labels), *how, *_inexact(targets), *warned]
    return Explanation(
        labels.estimator,
        description=" ".join(description),
        error="",
        method=method.name,
        is_regression=callable(labels.score) or _is_regression(prepared),
        targets=targets,
        image=look.image or _slices(prepared, places),
        series=_series(prepared),
        layer=_layers(prepared) if method.at == "layer" else None,
    )


def _empty(
    prepared: Preparation,
    method: Method,
    found: Found,
    targets: list[TargetExplanation],
    explained: str,
    reason: str,
) -> Iterator[str]:
    """Say of each target whose heatmap is empty why it is."""
    where = f"layer {_layers(prepared)!r}" if method.at == "layer" else "the input"
    # Of a text, what speaks against is shown, too.
    is_text = prepared.view.kind == "tokens"
    shown = normalize(np.abs(found.maps), 1) if is_text else found.heatmaps
    for k, target in enumerate(targets):
        if not shown[k].any():
            diagnostics = None if found.diagnostics is None else found.diagnostics[k]
            why = why_empty(found.maps[k], diagnostics, explained, reason, method.at)
            yield f"The heatmap of target {target.target} at {where} is empty: {why}."


def _not_finite(look: Look) -> Iterator[str]:
    if not look.is_finite:
        yield "The doc holds values that are not finite (NaN or infinity)."


def _inexact(targets: list[TargetExplanation]) -> Iterator[str]:
    """Say how far the attributions of Integrated Gradients miss their sum."""
    details = [target.details or {} for target in targets]
    errors = [d["completeness_error"] for d in details if "completeness_error" in d]
    if errors and np.isfinite(errors).all():
        advice = " Take more `steps`." if max(errors) > _INCOMPLETE else ""
        yield (
            f"The sum of the attributions misses the difference between the scores of doc and "
            f"baseline by {max(errors):.2g} of it.{advice}"
        )


def _layers(prepared: Preparation) -> str:
    return ", ".join(site.path for site in prepared.sites)


def _target(
    prepared: Preparation,
    attribution: Array,
    heatmap: Array,
    class_id: Any,
    output: Any,
    labels: Labels,
) -> TargetExplanation:
    value = float(output)
    if callable(labels.score):
        name = scores.score_name(labels.score)
        return TargetExplanation(name, score=value, heatmap=heatmap, attribution=attribution)
    return TargetExplanation(
        int(class_id),
        proba=value if scores.is_probability(prepared.activation) else None,
        score=value,
        heatmap=heatmap,
        class_name=_class_name(labels.class_names, int(class_id), prepared),
        attribution=attribution,
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


def _describe(
    prepared: Preparation, method: Method, places: tuple[int, ...], labels: Labels
) -> str:
    region, place, unit = _PLACES[prepared.view.kind]
    size = "x".join(map(str, places)) + (unit if len(places) == 1 else "")
    where = f"the input ({size})"
    if method.at == "layer":
        chosen = ", chosen automatically" if prepared.is_automatic else ""
        several = "layers" if len(prepared.sites) > 1 else "layer"
        where = f"{several} {_layers(prepared)!r} ({size}{chosen})"
    shows = method.shows.format(
        score=scores.explained(labels.score, prepared.activation),
        raises="raises" if labels.sign > 0 else "lowers",
        region=region,
        place=place,
    )
    description = f"{method.name} heatmap of {where}: {shows}."
    if prepared.n_classes == 1 and prepared.activation == "sigmoid":
        description += (
            " The model has one sigmoid unit, target 0: a low value of it speaks for the negative "
            "class."
        )
    return description


def _is_regression(prepared: Preparation) -> bool:
    return prepared.n_classes == 1 and prepared.activation is None


def _slices(prepared: Preparation, places: tuple[int, ...]) -> Image | None:
    """Return the picture of a volume: as many slices as its heatmap has."""
    if prepared.view.kind != "image" or "Pillow" in missing_picture_libraries():
        return None
    n_slices = places[0] if len(places) == 3 else 1
    return to_picture(prepared.picture, channels_first=prepared.channels_first, n_slices=n_slices)


def _series(prepared: Preparation) -> Series | None:
    if prepared.view.kind != "series":
        return None
    values = prepared.picture[0]
    if values.ndim == 1:
        return Series(np.array(values[:, None]))
    return Series(np.array(values.T if prepared.channels_first else values))


def _callers_level() -> int:
    """Return the `stacklevel` of the first caller outside of this package."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals["__name__"].partition(".")[0] == "eli5":
        level, frame = level + 1, frame.f_back
    return level

"""The documented functions that explain one prediction of a Keras model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import keras
import numpy as np

from eli5.base import Explanation
from eli5.keras.inputs.image import IMAGE
from eli5.keras.inputs.model_inputs import UnsupportedDocError
from eli5.keras.inputs.series import SERIES
from eli5.keras.inputs.text import TEXT
from eli5.keras.pipeline.explain import explain_one

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "explain_prediction_keras",
    "explain_prediction_keras_image",
    "explain_prediction_keras_series",
    "explain_prediction_keras_text",
]

Array = np.ndarray[Any, Any]


def explain_prediction_keras(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None = None,
    layer: Any = None,
    image: Image | str | None = None,
    **options: Any,
) -> Any:
    """Explain the prediction of a Keras classifier.

    What is said of the doc tells what it is: ``tokens=``, ``pad_value=`` or ``pad_token=`` a text,
    as does a string for a doc; ``time=`` or ``channel_names=`` a series; ``image=`` a picture.
    Otherwise ``(1, H, W, C)`` is a picture, ``(1, T)`` a text for a model with an embedding, and
    ``(1, T, F)`` a series, or a picture ``(1, H, W)`` where the model makes maps of height and
    width of it.

    Parameters
    ----------
    model, doc, targets, layer, image, **options
        See `eli5.explain_prediction`.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        With ``error`` set if model and doc are of no supported kind.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_prediction`; ValueError also if what is said of the doc speaks for two
        kinds.
    """
    try:
        return explain_one(model, doc, targets=targets, layer=layer, image=image, **options)
    except UnsupportedDocError as error:
        shown = None if isinstance(image, str) else image
        return Explanation(model.name, error=str(error), image=shown)


def explain_prediction_keras_image(
    model: keras.Model,
    doc: Array,
    image: Image | str | None = None,
    targets: list[int] | None = None,
    layer: Any = None,
    **options: Any,
) -> Any:
    """Explain an image classifier's prediction, with Grad-CAM (arXiv:1610.02391) if not said.

    Parameters
    ----------
    model, image, targets, layer, **options
        See `eli5.explain_prediction`.
    doc : numpy.ndarray, or a list or dict of them
        One sample of the model's input(s) with batch size 1. The picture is ``(1, H, W, C)`` or
        ``(1, H, W)``, a volume or video ``(1, D, H, W, C)``; ``(1, C, H, W)`` and ``(1, C, D, H,
        W)`` where the model has its channels first.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        ``targets[k].heatmap`` and ``attribution`` have rank 2, for volumes rank 3.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_prediction`.
    """
    about = {"kind": IMAGE, "image": image, "targets": targets}
    return explain_one(model, doc, **about, layer=layer, **options)


def explain_prediction_keras_text(
    model: keras.Model,
    doc: Array,
    tokens: Sequence[str] | None = None,
    pad_value: float | None = None,
    pad_token: str | None = None,
    targets: list[int] | None = None,
    layer: Any = None,
    **options: Any,
) -> Any:
    """Explain a text classifier's prediction, with Grad-CAM over the tokens if not said.

    Parameters
    ----------
    model, tokens, pad_value, pad_token, targets, layer, **options
        See `eli5.explain_prediction`. Methods that explain the input itself differentiate with
        respect to the embedding's output; Occlusion, LIME and KernelSHAP leave tokens out: the id
        of padding takes their place where it is known, and zeros that of their embedding where not,
        or as ``baseline=`` says.
    doc : numpy.ndarray, or a list or dict of them, or str
        Token ids ``(1, T)``, or one vector per token ``(1, T, F)``. A string, also as
        ``np.array([text])``, for a model that takes strings, or that has a ``preprocessor`` in
        front, as KerasHub's tasks have.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        ``targets[k].heatmap`` and ``attribution`` have one number per token; ``weighted_spans`` has
        the text, with the place and the weight of each token. ``image`` is None.

    Raises
    ------
    TypeError
        If `tokens` are no strings, `pad_value` is no number or `pad_token` no string.
    ValueError
        If there are no tokens or another number of them than steps, if `image` is given as well, if
        all is padding, or if a raw string cannot be cut into tokens for this model.
    """
    about = {"kind": TEXT, "tokens": tokens, "pad_value": pad_value, "pad_token": pad_token}
    return explain_one(model, doc, **about, targets=targets, layer=layer, **options)


def explain_prediction_keras_series(
    model: keras.Model,
    doc: Array,
    targets: list[int] | None = None,
    layer: Any = None,
    *,
    time: Any = None,
    channel_names: Sequence[str] | None = None,
    **options: Any,
) -> Any:
    """Explain the prediction of a classifier of series, with Grad-CAM over time if not said.

    Parameters
    ----------
    model, targets, layer, time, channel_names, **options
        See `eli5.explain_prediction`.
    doc : numpy.ndarray, or a list or dict of them
        T steps of F channels, ``(1, T, F)``; ``(1, F, T)`` where the model has its channels first.
        One channel may be ``(1, T)``, if the model takes it so.

    Returns
    -------
    Explanation, or a list of them if ``methods=`` is given
        ``series`` has the doc, as ``(T, F)``. ``targets[k].heatmap`` and ``attribution`` have one
        number per step, ``(T,)``; by gradients of the input and by Occlusion one per step and
        channel, ``(T, F)``, unless the doc is ``(1, T)``.

    Raises
    ------
    TypeError, ValueError
        If `time` or `channel_names` are of another type or length, or if `time` does not rise, is
        not finite, or has dates of other years than 1 to 9999; see `eli5.explain_prediction`.
    """
    about = {"kind": SERIES, "time": time, "channel_names": channel_names}
    return explain_one(model, doc, **about, targets=targets, layer=layer, **options)

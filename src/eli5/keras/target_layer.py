"""The target layer: given by name, index or instance, or the last suitable one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.keras.engine import Call, Site, Trace

# Preprocessing and augmentation: their output is still the input, not a feature of it.
_PREPROCESSING = (
    layers.Rescaling,
    layers.Normalization,
    layers.Resizing,
    layers.CenterCrop,
    layers.RandomBrightness,
    layers.RandomContrast,
    layers.RandomCrop,
    layers.RandomFlip,
    layers.RandomRotation,
    layers.RandomTranslation,
    layers.RandomZoom,
)
_DROPOUTS = (
    layers.AlphaDropout,
    layers.Dropout,
    layers.GaussianDropout,
    layers.GaussianNoise,
    layers.SpatialDropout2D,
)
# These thin out or move what the layer before them found; that layer has the finer map.
_CARRIERS = (
    layers.AveragePooling2D,
    layers.Cropping2D,
    layers.MaxPooling2D,
    layers.Permute,
    layers.Reshape,
    layers.UpSampling2D,
    layers.ZeroPadding2D,
)


def check_layer(layer: Any) -> None:
    """Raise TypeError if `layer` is neither None, a name, an index nor a Keras layer."""
    named = isinstance(layer, str | int | np.integer | keras.layers.Layer)
    if layer is not None and (not named or isinstance(layer, bool)):
        raise TypeError(
            "Expected `layer` to be None, a layer's name, its index, or a Keras layer. "
            f"Received: layer={layer!r} (of type {type(layer).__name__})"
        )


def find_target_layer(model: keras.Model, trace: Trace, layer: Any) -> Site:
    """Return the layer call that is explained.

    Parameters
    ----------
    model : keras.Model
    trace : Trace
        Of one call of the model.
    layer : None, str, int or keras.layers.Layer
        None: the last layer, in execution order, that gives a feature map ``(B, H, W, C)``, as
        Grad-CAM (arXiv:1610.02391) takes it. A layer that is called several times counts by its
        last call.

    Raises
    ------
    ValueError
        If there is no such layer, or if it does not give a feature map.
    """
    check_layer(layer)
    if layer is None:
        return _automatic(model, trace)
    operation = _given(model, layer, trace)
    calls = [call for call in trace.calls if call.operation() is operation]
    if not calls:
        raise ValueError(
            f"Expected `layer` to be called when the model runs. Received: layer={layer!r}, which "
            f"is {_why_uncalled(operation)}. {_choices(trace)}"
        )
    if not _is_map(calls[-1]):
        raise ValueError(
            "Expected `layer` to give a feature map of shape (1, height, width, channels). "
            f"Received: layer={layer!r} with output shape {calls[-1].shape}. {_choices(trace)}"
        )
    return _site(calls[-1])


def _automatic(model: keras.Model, trace: Trace) -> Site:
    candidates = _candidates(trace)
    if not candidates:
        raise ValueError(
            "Expected a model with a layer that gives a feature map of shape (1, height, width, "
            f"channels), such as a convolution. Received: model {model.name!r} without one."
        )
    features = [call for call in candidates if not isinstance(call.operation(), _CARRIERS)]
    return _site((features or candidates)[-1])


def _candidates(trace: Trace) -> list[Call]:
    """Return the calls that may be chosen without being asked for, in execution order."""
    return [
        call
        for call in trace.calls
        if _is_map(call)
        and call.is_new
        and call.has_place
        and not isinstance(call.operation(), _PREPROCESSING + _DROPOUTS)
    ]


def _is_map(call: Call) -> bool:
    return len(call.shape) == 4


def _site(call: Call) -> Site:
    operation = call.operation()
    if operation is None:
        raise ReferenceError(f"The layer {call.path!r} was deleted while it was explained.")
    return Site(operation, call.nth, call.path)


def _given(model: keras.Model, layer: Any, trace: Trace) -> keras.Operation:
    if isinstance(layer, keras.layers.Layer):
        return layer
    if isinstance(layer, str):
        named = [one for one in model.layers if one.name == layer]
        if not named:
            raise ValueError(
                f"Expected the name of a layer of model {model.name!r}. Received: layer={layer!r}. "
                f"{_choices(trace)}"
            )
        return named[0]
    if not -len(model.layers) <= layer < len(model.layers):
        raise ValueError(
            f"Expected a layer index in [{-len(model.layers)}, {len(model.layers)}), as the model "
            f"has {len(model.layers)} layers. Received: layer={layer!r}"
        )
    return model.layers[layer]


def _why_uncalled(operation: keras.Operation) -> str:
    if isinstance(operation, layers.InputLayer):
        return "the model's input and no computation"
    return "no layer of this model, or not on the way to its output"


def _choices(trace: Trace) -> str:
    names = [f"{call.path!r} ({call.shape[1]}x{call.shape[2]})" for call in _candidates(trace)]
    return f"Layers that would do, last first: {', '.join(reversed(names)) or 'none'}."

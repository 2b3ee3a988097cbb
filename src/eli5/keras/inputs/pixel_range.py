"""Whether a picture was prepared as the model was trained: pixels of a file often are not."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.keras import engine

Array = np.ndarray[Any, Any]

# Of the models of `keras.applications` that do not prepare their input themselves: the module with
# their `preprocess_input`; their name; and layers that only they have all of, for a model that was
# given another name, or that took its weights with the layers they belong to.
_FAMILIES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("mobilenet_v2", r"mobilenetv2_[\d.]+_\d+", ("bn_Conv1", "expanded_conv_depthwise")),
    ("mobilenet", r"mobilenet_[\d.]+_\d+", ("conv1_bn", "conv_pw_13")),
    ("resnet_v2", r"resnet(50|101|152)v2", ("post_bn", "conv5_block3_out")),
    ("resnet", r"resnet(50|101|152)", ("conv1_bn", "conv5_block3_out")),
    ("densenet", r"densenet(121|169|201)", ("conv1_bn", "conv5_block16_concat")),
    ("inception_resnet_v2", r"inception_resnet_v2", ("mixed_7a", "conv_7b")),
    ("inception_v3", r"inception_v3", ("mixed9", "mixed10")),
    ("xception", r"xception", ("block1_conv1", "block14_sepconv2")),
    ("vgg19", r"vgg19", ("block1_conv1", "block5_conv4")),
    ("vgg16", r"vgg16", ("block1_conv1", "block5_conv3")),
    ("nasnet", r"NASNet|nasnet_(mobile|large)", ("stem_conv1", "stem_bn1")),
)

_CONVOLUTIONS = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
# What may stand before the first convolution and leaves the range of the pixels as it is.
_SAME_RANGE = (
    layers.CenterCrop,
    layers.Cropping2D,
    layers.Identity,
    layers.InputLayer,
    layers.Resizing,
    layers.ZeroPadding2D,
    *(layer for name, layer in vars(layers).items() if name.startswith("Random")),
)

_LARGEST = 2  # no preparation but "none" leaves whole numbers beyond it


def unprepared(
    model: keras.Model, values: Array, trace: engine.Trace, *, channels_first: bool = False
) -> str:
    """Say that a picture holds raw pixels for a model that takes prepared ones; nothing if not so.

    Only of a model that is known, by its name or its layers, as one of `keras.applications` that
    does not scale its input itself: all others may well have been trained on raw pixels.
    """
    if values.ndim != 4 or values.shape[1 if channels_first else -1] != 3:
        return ""
    family = engine.recall(model, "family", lambda: _family(model, trace))
    if not family or not _are_raw_pixels(values):
        return ""
    return (
        f"The doc holds whole numbers from {values.min():g} to {values.max():g}, as pixels of a "
        f"file are, for a model that is known as {family!r} of keras.applications and scales "
        "nothing itself. Unless it was trained on such, what it predicts means little, and so does "
        f"the heatmap. Prepare the doc: keras.applications.{family}.preprocess_input(doc)"
    )


def _are_raw_pixels(values: Array) -> bool:
    low, high = values.min(), values.max()
    if not (low >= 0 and _LARGEST < high <= 255):
        return False
    return values.dtype.kind in "iu" or bool((values == np.rint(values)).all())


def _family(model: keras.Model, trace: engine.Trace) -> str:
    """Return the module of keras.applications that a model's preprocessing is in; "" if unknown."""
    if not _takes_pixels_as_they_are(trace):
        return ""
    parts = engine.parts_of(model)
    names = {part.name for part in parts}
    for module, name, own_layers in _FAMILIES:
        if any(re.fullmatch(name, one) for one in names) or names.issuperset(own_layers):
            return module
    return ""


def _takes_pixels_as_they_are(trace: engine.Trace) -> bool:
    """Tell whether the first that happens to the doc, but for moves, is a convolution."""
    for call in trace.calls:
        operation = call.operation()
        if isinstance(operation, _CONVOLUTIONS):
            around = (type(one()).__name__ for one in call.within)
            # What a user's own `call` computes before is not seen.
            return all(name in ("Functional", "Sequential") for name in around)
        if not (isinstance(operation, _SAME_RANGE) or call.is_within(_SAME_RANGE)):
            return False
    return False

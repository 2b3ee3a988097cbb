"""From a picture to the doc: the model's size and channels, and the values it was trained on."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
from keras import layers
from PIL.Image import Resampling

from eli5.loading.errors import UserError
from eli5.loading.models import LoadedModel

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]
Preprocess = Callable[[Array], Array]

_COLOURS = {1: "L", 3: "RGB", 4: "RGBA"}
# Pillow converts these to few modes, but to one that goes everywhere.
_BY_WAY_OF = {"LAB": "RGB", "La": "LA", "RGBa": "RGBA"}


def _imagenet(mode: str) -> Preprocess:
    preprocess = keras.applications.imagenet_utils.preprocess_input
    return functools.partial(preprocess, data_format="channels_last", mode=mode)


MODES: dict[str, tuple[Preprocess, str]] = {
    "tf": (_imagenet("tf"), "scaled to [-1, 1]"),
    "torch": (
        _imagenet("torch"),
        "scaled to [0, 1], then by ImageNet's mean and deviation of each channel",
    ),
    "caffe": (_imagenet("caffe"), "in the order BGR, less ImageNet's mean of each channel"),
    "unit": (lambda pixels: pixels / 255, "scaled to [0, 1]"),
    "none": (lambda pixels: pixels, "0 to 255 as they are"),
}

# What may stand before the scaling: it moves pixels or changes their colours, in their own range.
_BEFORE_SCALING = (
    layers.InputLayer,
    layers.CenterCrop,
    layers.Cropping2D,
    layers.Resizing,
    layers.ZeroPadding2D,
    *(
        layer
        for name, layer in vars(layers).items()
        if name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment")
    ),
)


def picture_to_doc(loaded: LoadedModel, picture: Image, mode: str | None) -> tuple[Array, str]:
    """Return the doc of a picture, ``(1, H, W, C)`` or ``(1, H, W)``, and what was done, in words.

    It is ``(1, C, H, W)`` where the model has its channels first.
    The picture is stretched to the model's size; where the model takes any size, it keeps its own.
    Without a `mode` of `MODES`, an application's own ``preprocess_input``, or the model's first
    layers, scale it. UserError if neither does, or if the model takes no picture.
    """
    size, colour, rank, is_first = _picture_input(loaded.model, picture)
    if mode in ("torch", "caffe") and colour != "RGB":
        raise UserError(
            f"Expected a model of RGB pictures for preprocess={mode!r}. Received: one that takes "
            f"{colour}"
        )
    preprocess, description = _preprocessing(loaded, mode)
    pixels = np.asarray(_in_colour(picture, colour).resize(size, Resampling.BILINEAR), "float32")
    if rank == 4 and pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    # A copy, because `preprocess_input` writes into what it gets.
    doc = np.asarray(preprocess(pixels[np.newaxis].copy()), "float32")
    if is_first:
        doc = np.ascontiguousarray(np.moveaxis(doc, -1, 1))
    layout = ", channels first" if is_first else ""
    return doc, f"{size[0]}x{size[1]} {colour}{layout}, {description}"


def picture_size(loaded: LoadedModel, picture: Image) -> tuple[int, int]:
    """Return the width and height in which the model sees a picture; see `picture_to_doc`."""
    return _picture_input(loaded.model, picture)[0]


def _picture_input(model: keras.Model, picture: Image) -> tuple[tuple[int, int], str, int, bool]:
    """Return width and height, Pillow's mode, the rank of the input, and if channels are first."""
    declared = getattr(model, "input_shape", None) or ()  # a list, if there are several inputs
    shapes = [declared] if isinstance(declared, tuple) else list(declared)
    shape = shapes[0] if len(shapes) == 1 else ()
    is_first = len(shape) == 4 and _has_channels_first(model, shape)
    channels = shape[1 if is_first else 3] if len(shape) == 4 else 1
    if len(shape) not in (3, 4) or channels not in _COLOURS:
        types = [str(one.dtype) for one in getattr(model, "inputs", None) or []]
        is_text = len(shape) == 2 and any(one == "string" or "int" in one for one in types)
        advice = ". Texts are explained by `eli5.explain_prediction`" if is_text else ""
        raise UserError(
            "Expected a model with one picture as input, of shape (height, width, channels) with "
            "1, 3 or 4 channels, which may be first. Received: model "
            f"{model.name!r} with input shape {shape or shapes}{advice}"
        )
    height, width = shape[2:] if is_first else shape[1:3]
    size = width or picture.width, height or picture.height
    return size, _COLOURS[channels], len(shape), is_first


def _has_channels_first(model: keras.Model, shape: tuple[int | None, ...]) -> bool:
    """Tell from the shape, or where that leaves it open, from the first layer that knows."""
    is_first, is_last = shape[1] in _COLOURS, shape[3] in _COLOURS
    if is_first != is_last:
        return is_first
    known = (getattr(step, "data_format", None) for step in model.layers)
    return is_first and next(filter(None, known), None) == "channels_first"


def _in_colour(picture: Image, mode: str) -> Image:
    if "transparency" in picture.info:  # Pillow warns if it is dropped on the way
        picture = picture.convert("RGBA")
    return picture.convert(_BY_WAY_OF.get(picture.mode, picture.mode)).convert(mode)


def _preprocessing(loaded: LoadedModel, mode: str | None) -> tuple[Preprocess, str]:
    if mode is not None:
        if mode != "none":
            _warn_of_scaling_twice(loaded.model, mode)
        preprocess, description = MODES[mode]
        return preprocess, f"{description} (preprocess={mode!r})"
    if loaded.family is not None:
        name = loaded.family.__name__.rpartition(".")[2]
        preprocess = functools.partial(loaded.family.preprocess_input, data_format="channels_last")
        return preprocess, f"preprocessed as {name} does"
    layer = next(_first_steps(loaded.model), None)
    if isinstance(layer, layers.Rescaling | layers.Normalization):
        _warn_of_other_range(layer)
        return MODES["none"][0], f"0 to 255, which the model's layer {layer.name!r} scales"
    raise UserError(
        "Expected `preprocess`, because the model does not start with a Rescaling or Normalization "
        "layer that would say which values it takes. Choose what it was trained with:",
        *(f"preprocess={name!r}: {description}" for name, (_, description) in MODES.items()),
    )


def _first_steps(model: keras.Model) -> Iterator[keras.Operation]:
    """Go through what a model does with its input, nested models included, without augmentation."""
    # Only `operations` has what is no layer, such as `x / 255`. A Sequential has layers alone, and
    # in which order a subclassed model calls its layers is not known.
    is_sequential = isinstance(model, keras.Sequential)
    for step in model.layers if is_sequential else getattr(model, "operations", ()):
        if isinstance(step, keras.Sequential) or hasattr(step, "operations"):
            yield from _first_steps(step)
        elif not isinstance(step, _BEFORE_SCALING):
            yield step


def _warn_of_other_range(layer: layers.Layer) -> None:
    """Warn if 0 to 255 come out of the first layer larger than they went in."""
    largest = _largest_of_pixels(layer)
    if largest > 256:
        warnings.warn(
            f"The model's first layer, {layer.name!r}, turns pixels from 0 to 255 into values up "
            f"to {largest:.0f}, so it may be made for pixels of another range: `preprocess` says "
            "which.",
            stacklevel=2,
        )


def _warn_of_scaling_twice(model: keras.Model, mode: str) -> None:
    """Warn if pixels are to be scaled for a model whose first layer scales 0 to 255 itself."""
    layer = next(_first_steps(model), None)
    if (
        isinstance(layer, layers.Rescaling | layers.Normalization)
        and _largest_of_pixels(layer) < 255
    ):
        warnings.warn(
            f"The model's first layer, {layer.name!r}, takes pixels from 0 to 255 and scales them "
            f"itself: with preprocess={mode!r} they are scaled twice. Leave `preprocess` out, or "
            "give preprocess='none'.",
            stacklevel=2,
        )


def _largest_of_pixels(layer: layers.Layer) -> float:
    """Return the largest absolute value that a layer makes of pixels from 0 to 255."""
    if isinstance(layer, layers.Rescaling):
        scale, offset = layer.scale, layer.offset
    else:
        mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
        scale, offset = 1 / np.sqrt(variance), -mean / np.sqrt(variance)
    return max(float(np.abs(np.multiply(scale, one) + offset).max()) for one in (0.0, 255.0))

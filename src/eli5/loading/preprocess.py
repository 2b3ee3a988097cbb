"""From a picture to the doc: the model's size and channels, and the values it was trained on."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Resampling

import keras
from eli5.keras.inputs.model_inputs import blank, input_shapes
from eli5.loading.errors import UserError
from eli5.loading.models import Loaded
from keras import layers

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["MODES", "noise_doc", "picture_to_doc"]

Array = np.ndarray[Any, Any]
Preprocess = Callable[[Array], Array]

_COLOURS = {1: "L", 3: "RGB", 4: "RGBA"}
# Pillow converts these to few modes, but to one that goes everywhere.
_BY_WAY_OF = {"LAB": "RGB", "La": "LA", "RGBa": "RGBA"}

_imagenet = functools.partial(
    keras.applications.imagenet_utils.preprocess_input, data_format="channels_last"
)
MODES: dict[str, tuple[Preprocess, str]] = {
    "tf": (functools.partial(_imagenet, mode="tf"), "scaled to [-1, 1]"),
    "torch": (
        functools.partial(_imagenet, mode="torch"),
        "scaled to [0, 1], then by ImageNet's mean and deviation of each channel",
    ),
    "caffe": (
        functools.partial(_imagenet, mode="caffe"),
        "in the order BGR, less ImageNet's mean of each channel",
    ),
    "unit": (lambda pixels: pixels / 255, "scaled to [0, 1]"),
    "none": (lambda pixels: pixels, "0 to 255 as they are"),
}
_NEED_COLOUR = ("torch", "caffe")

# What may stand before the scaling: it moves pixels or changes their colours, in their own range.
_AUGMENTATION = tuple(
    layer
    for name, layer in vars(layers).items()
    if name.startswith("Random") or name in ("AugMix", "CutMix", "MixUp", "RandAugment")
)
_BEFORE_SCALING = (
    *_AUGMENTATION,
    layers.CenterCrop,
    layers.Cropping2D,
    layers.Resizing,
    layers.ZeroPadding2D,
)


def picture_to_doc(loaded: Loaded, picture: Image, mode: str | None) -> tuple[Array, str]:
    """Make the doc of a picture.

    Parameters
    ----------
    loaded : Loaded
    picture : PIL.Image.Image
        Stretched to the model's size; where the model takes any size, it keeps its own.
    mode : str, optional
        A key of `MODES`. If not given, an application's own ``preprocess_input``, or what the
        model's first layers do.

    Returns
    -------
    doc : numpy.ndarray of float32, shape (1, H, W, C) or (1, H, W)
    said : str
        What was done, for people.

    Raises
    ------
    UserError
        If the model takes no picture, or if nobody says how to preprocess it.
    """
    size, colour, rank = _image_input(loaded.model, picture)
    if mode in _NEED_COLOUR and colour != "RGB":
        raise UserError(
            f"Expected a model of RGB pictures for --preprocess {mode}. Received: one that takes "
            f"{colour}"
        )
    preprocess, said = _choose(loaded, mode)
    pixels = np.asarray(_in_colour(picture, colour).resize(size, Resampling.BILINEAR), "float32")
    if rank == 4 and pixels.ndim == 2:
        pixels = pixels[..., np.newaxis]
    # A copy, because `preprocess_input` writes into what it gets.
    doc = np.asarray(preprocess(pixels[np.newaxis].copy()), "float32")
    return doc, f"{size[0]}x{size[1]} {colour}, {said}"


def noise_doc(model: keras.Model, picture: Image | None) -> Any:
    """Return a sample of noise, to find out about a model's layers.

    Not of zeros, at which a score may have no gradient.

    Raises
    ------
    UserError
        If the model takes any size and there is no picture to tell one.
    """
    shapes = input_shapes(model)
    rng = np.random.default_rng(0)
    if picture is not None:
        (width, height), colour, rank = _image_input(model, picture)
        channels = (len(colour),) if rank == 4 else ()
        return rng.random((1, height, width, *channels), "float32")
    if shapes is None or any(None in shape[1:] for shape in shapes.values()):
        raise UserError(
            f"Expected --image, because model {model.name!r} takes pictures of any size. Received: "
            "none. Name a picture: --image photo.jpg"
        )
    return keras.tree.map_structure(
        lambda zeros: rng.random(zeros.shape).astype(zeros.dtype), blank(model)
    )


def _image_input(model: keras.Model, picture: Image) -> tuple[tuple[int, int], str, int]:
    """Return width and height, Pillow's mode, and the rank of the model's input."""
    shapes = list((input_shapes(model) or {}).values())
    shape = shapes[0] if len(shapes) == 1 else ()
    is_one = len(shape) in (3, 4)
    channels = shape[3] if len(shape) == 4 else 1
    if not is_one or channels not in _COLOURS:
        types = [str(one.dtype) for one in getattr(model, "inputs", None) or []]
        is_text = len(shape) == 2 and any(one == "string" or "int" in one for one in types)
        advice = ". Texts are explained by eli5 explain-text" if is_text else ""
        raise UserError(
            "Expected a model with one picture as input, of shape (height, width, channels) with "
            f"1, 3 or 4 channels. Received: model {model.name!r} with input shape {shape or shapes}"
            f"{advice}"
        )
    height, width = shape[1:3]
    return (width or picture.width, height or picture.height), _COLOURS[channels], len(shape)


def _in_colour(picture: Image, mode: str) -> Image:
    if "transparency" in picture.info:  # Pillow warns if it is dropped on the way
        picture = picture.convert("RGBA")
    return picture.convert(_BY_WAY_OF.get(picture.mode, picture.mode)).convert(mode)


def _choose(loaded: Loaded, mode: str | None) -> tuple[Preprocess, str]:
    if mode is not None:
        preprocess, said = MODES[mode]
        return preprocess, f"{said} (--preprocess {mode})"
    if loaded.family is not None:
        name = loaded.family.__name__.rpartition(".")[2]
        return loaded.family.preprocess_input, f"preprocessed as {name} does"
    layer = next(_first_steps(loaded.model), None)
    if isinstance(layer, layers.Rescaling | layers.Normalization):
        _warn_of_other_range(layer)
        return MODES["none"][0], f"0 to 255, which the model's layer {layer.name!r} scales"
    raise UserError(
        "Expected --preprocess, because the model does not start with a Rescaling or Normalization "
        "layer that would say which values it takes. Choose what it was trained with:",
        *(f"--preprocess {name}: {said}" for name, (_, said) in MODES.items()),
    )


def _first_steps(model: keras.Model) -> Iterator[keras.Operation]:
    """Go through what a model does with its input, nested models included, without augmentation."""
    # Only `operations` has what is no layer, such as `x / 255`. A Sequential has layers alone, and
    # in which order a subclassed model calls its layers is not known.
    is_sequential = isinstance(model, keras.Sequential)
    for step in model.layers if is_sequential else getattr(model, "operations", ()):
        if isinstance(step, keras.Sequential) or hasattr(step, "operations"):
            yield from _first_steps(step)
        elif not isinstance(step, (layers.InputLayer, *_BEFORE_SCALING)):
            yield step


def _warn_of_other_range(layer: layers.Layer) -> None:
    """Warn if 0 to 255 come out of the first layer larger than they went in."""
    ends = np.array([0.0, 255.0])
    if isinstance(layer, layers.Rescaling):
        scaled = np.multiply.outer(ends, layer.scale) + layer.offset
    else:
        mean, variance = map(keras.ops.convert_to_numpy, (layer.mean, layer.variance))
        scaled = (ends.reshape(-1, *[1] * mean.ndim) - mean) / np.sqrt(variance)
    largest = np.abs(scaled).max()
    if largest > 256:
        warnings.warn(
            f"The model's first layer, {layer.name!r}, turns pixels from 0 to 255 into values up "
            f"to {largest:.0f}, so it may be made for pixels of another range: --preprocess says "
            "which.",
            stacklevel=2,
        )

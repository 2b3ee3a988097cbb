"""Docs: checked against the model's input, and shown as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import keras
import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

IMAGE_RANKS = (3, 4)  # (1, H, W) and (1, H, W, C)


def input_shape(model: keras.Model) -> Any:
    """Return the model's input shape(s) with None where any size will do; None if not known yet."""
    try:
        return model.input_shape
    except (AttributeError, ValueError):  # not built, or a subclass that has none
        return None


def check_doc(model: keras.Model, doc: Any) -> None:
    """Check that `doc` is one sample of the model's input.

    Raises
    ------
    TypeError
        If it is not a NumPy array of numbers.
    ValueError
        If its shape is not the model's input shape with batch size 1.
    """
    if not isinstance(doc, np.ndarray):
        raise TypeError(
            "Expected `doc` to be a NumPy array. "
            f"Received: doc of type {type(doc).__name__}. Convert it with `np.asarray(doc)`."
        )
    if doc.dtype.kind not in "biuf":
        raise TypeError(
            f"Expected `doc` to be a NumPy array of numbers. Received: doc.dtype={doc.dtype}"
        )
    shape = input_shape(model)
    if shape is None:
        shape = (None,) * max(doc.ndim, 1)
    expected = (1, *shape[1:])
    if len(doc.shape) != len(expected) or not all(map(_fits, doc.shape, expected)):
        raise ValueError(
            f"Expected `doc` of shape {expected}: the model's input shape with batch size 1. "
            f"Received: doc.shape={doc.shape}"
        )


def _fits(size: int, expected: int | None) -> bool:
    return size == expected if expected is not None else size > 0


def ensure_built(model: keras.Model, doc: np.ndarray[Any, Any]) -> None:
    """Build a model that has not seen its input shape yet, for any batch size."""
    if not model.built:
        model.build((None, *doc.shape[1:]))


def standardize(doc: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return floats in Keras's float type, as `Model.predict` feeds them; integers stay."""
    return doc.astype(keras.config.floatx()) if doc.dtype.kind == "f" else doc


def check_image(image: Any) -> None:
    """Raise TypeError if `image` is neither None nor a Pillow image."""
    if image is None:
        return
    from PIL.Image import Image  # only where a picture is used

    if not isinstance(image, Image):
        raise TypeError(
            "Expected `image` to be a Pillow image. Received: image of type "
            f"{type(image).__name__}. Convert an array with `PIL.Image.fromarray(array)`."
        )


def to_picture(doc: np.ndarray[Any, Any]) -> Image:
    """Return a picture of one sample.

    Parameters
    ----------
    doc : numpy.ndarray, shape (1, H, W) or (1, H, W, C)
        Values in [0, 255], [0, 1] or [-1, 1] are shown as such, others from their least to their
        greatest. With 1, 3 or 4 channels it is grey, RGB or RGBA; otherwise the mean is shown.

    Returns
    -------
    PIL.Image.Image
        8 bit, mode ``L``, ``RGB`` or ``RGBA``.
    """
    from PIL import Image  # only where a picture is made

    pixels = doc[0]
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels.mean(axis=-1)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(_to_bytes(pixels))


def _to_bytes(pixels: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if pixels.dtype == np.uint8:
        return pixels
    values = np.nan_to_num(pixels.astype("float64"), posinf=0.0, neginf=0.0)
    low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        values = values * 255
    elif low >= -1 and high <= 1:
        values = (values + 1) * 127.5
    elif not (low >= 0 and high <= 255):
        values = (values - low) / ((high - low) or 1) * 255
    return np.rint(values).clip(0, 255).astype("uint8")

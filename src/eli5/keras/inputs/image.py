"""A doc shown as a picture, whatever range its values have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

Array = np.ndarray[Any, Any]


def to_picture(doc: Array, *, channels_first: bool = False, n_slices: int | None = None) -> Image:
    """Return a picture of one sample.

    Parameters
    ----------
    doc : numpy.ndarray, shape (1, H, W), (1, H, W, C) or (1, D, H, W, C)
        Values in [0, 255], [0, 1] or [-1, 1] are shown as such, others from their least to their
        greatest. With 1, 3 or 4 channels it is grey, RGB or RGBA; otherwise the mean is shown.
    channels_first : bool
        Whether the channels are the first axis behind the batch axis.
    n_slices : int, optional
        For volumes and videos: how many slices, evenly spaced, are shown side by side.

    Returns
    -------
    PIL.Image.Image
        8 bit, mode ``L``, ``RGB`` or ``RGBA``.
    """
    from PIL import Image  # only where a picture is made

    pixels = doc[0]
    if channels_first and pixels.ndim > 2:
        pixels = np.moveaxis(pixels, 0, -1)
    if pixels.ndim == 4:
        pixels = _strip(pixels, n_slices or len(pixels))
    if pixels.ndim == 3 and pixels.shape[-1] not in (1, 3, 4):
        pixels = pixels.mean(axis=-1)
    if pixels.ndim == 3 and pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    return Image.fromarray(_to_bytes(pixels))


def _strip(volume: Array, n_slices: int) -> Array:
    """Return slices from the middle of `n_slices` equal parts, side by side."""
    middles = (np.arange(n_slices) + 0.5) * len(volume) / n_slices
    return np.concatenate(list(volume[middles.astype(int)]), axis=1)


def _to_bytes(pixels: Array) -> Array:
    if pixels.dtype == np.uint8:
        return pixels
    # 32 bits are enough for 8; wider ones cost more than all else that surrounds a prediction.
    values = pixels if pixels.dtype == np.float32 else pixels.astype("float64")
    low, high = values.min(), values.max()
    if not np.isfinite(high - low):
        values = np.nan_to_num(values.astype("float64"), posinf=0.0, neginf=0.0)
        low, high = values.min(), values.max()
    if low >= 0 and high <= 1:
        scaled = values * 255
    elif low >= -1 and high <= 1:
        scaled = values + 1
        scaled *= 127.5
    elif low >= 0 and high <= 255:
        scaled = values.copy()
    else:
        scaled = values - low
        scaled /= (high - low) or 1
        scaled *= 255
    # In place, and without a clip, which no range above needs: this is done for each doc.
    return np.rint(scaled, out=scaled).astype("uint8")

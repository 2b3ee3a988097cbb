"""Turn heatmaps into pictures: 8 bits per value, resized to the image they belong to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "LANCZOS",
    "checked_picture",
    "checked_values",
    "expand_heatmap",
    "expand_slices",
    "heatmap_to_image",
]

LANCZOS = Image.Resampling.LANCZOS


def expand_heatmap(
    heatmap: NDArray[Any] | None, image: Image.Image, resampling_filter: int = LANCZOS
) -> Image.Image:
    """Turn a heatmap into a picture of the image's size.

    Parameters
    ----------
    heatmap : numpy.ndarray
        See `heatmap_to_image`.
    image : PIL.Image.Image
        The picture whose size is wanted.
    resampling_filter : PIL.Image.Resampling
        How pixels are interpolated.

    Returns
    -------
    PIL.Image.Image
        Mode ``L``, ``RGB`` or ``RGBA``, as the heatmap has channels.

    Raises
    ------
    TypeError
        If `image` is not a Pillow image or `heatmap` not a NumPy array.
    ValueError
        If Pillow has no such filter, or `heatmap` has the wrong shape or values.
    """
    return _resized(heatmap, checked_picture(image, "image").size, resampling_filter)


def heatmap_to_image(heatmap: NDArray[Any] | None) -> Image.Image:
    """Turn a heatmap into a picture of 8 bits per channel.

    Parameters
    ----------
    heatmap : numpy.ndarray
        Values in [0, 1], of shape ``(H, W)``, or ``(H, W, 3)`` or ``(H, W, 4)`` if coloured.

    Returns
    -------
    PIL.Image.Image
        Mode ``L``, ``RGB`` or ``RGBA``; values are rounded, not cut off.

    Raises
    ------
    TypeError
        If `heatmap` is not a NumPy array of numbers.
    ValueError
        If `heatmap` has another rank or number of channels, is empty, or has values outside [0, 1]
        or NaN.
    """
    values = checked_values(heatmap, "heatmap")
    if values.size == 0 or values.shape[2:] not in [(), (3,), (4,)] or values.ndim < 2:
        raise ValueError(
            "Expected a heatmap of shape (H, W), (H, W, 3) or (H, W, 4) that is not empty. "
            f"Received: heatmap.shape={values.shape}"
        )
    return Image.fromarray(np.rint(values * 255).astype(np.uint8))


def expand_slices(
    heatmap: NDArray[Any] | None, image: Image.Image, resampling_filter: int = LANCZOS
) -> NDArray[np.float32]:
    """Resize a heatmap to an image; one of rank 3 slice by slice.

    Parameters
    ----------
    heatmap : numpy.ndarray
        Values in [0, 1], of shape ``(H, W)``, or ``(d, h, w)`` for an image of ``d`` slices of one
        size, side by side from left to right.
    image : PIL.Image.Image
        See `expand_heatmap`.
    resampling_filter : PIL.Image.Resampling
        See `expand_heatmap`.

    Returns
    -------
    numpy.ndarray
        Values in [0, 1], of rank 2 and the image's size. No slice bleeds into its neighbours.

    Raises
    ------
    TypeError, ValueError
        See `expand_heatmap`; also ``ValueError`` if `heatmap` has another rank, or the image's
        width is not divisible by ``d``.
    """
    picture = checked_picture(image, "image")
    is_plain = not isinstance(heatmap, np.ndarray) or heatmap.ndim == 2
    slices = [heatmap] if is_plain else _checked_slices(heatmap, picture.width)
    size = picture.width // len(slices), picture.height
    tiles = [np.asarray(_resized(one, size, resampling_filter)) for one in slices]
    return np.hstack(tiles).astype(np.float32) / np.float32(255)


def _checked_slices(heatmap: Any, width: int) -> list[NDArray[Any]]:
    """Give the slices of a heatmap of rank 3 that fit side by side into a width."""
    if heatmap.ndim != 3 or not heatmap.size:
        raise ValueError(
            "Expected a heatmap of rank 2, (H, W), or 3, (d, h, w), that is not empty. "
            f"Received: heatmap.shape={heatmap.shape}. "
            "Give one heatmap per target, without batch or channel axis."
        )
    if width % len(heatmap):
        raise ValueError(
            "Expected an image whose width is divisible by the number of slices of its heatmap, "
            f"{len(heatmap)}. Received: image.width={width}, heatmap.shape={heatmap.shape}. "
            "Give an image of that many slices of one size, side by side."
        )
    return list(heatmap)


def _resized(
    heatmap: NDArray[Any] | None, size: tuple[int, int], resampling_filter: int
) -> Image.Image:
    try:
        method = Image.Resampling(resampling_filter)
    except ValueError:
        names = ", ".join(one.name for one in Image.Resampling)
        raise ValueError(
            f"Expected resampling_filter to be a PIL.Image.Resampling, one of {names}. "
            f"Received: resampling_filter={resampling_filter!r}"
        ) from None
    return heatmap_to_image(heatmap).resize(size, method)


def checked_values(values: Any, name: str) -> NDArray[np.float32]:
    """Give an array of numbers in [0, 1] as float32, or say what is wrong with it."""
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "fiub":
        kind = f"array of {values.dtype}" if isinstance(values, np.ndarray) else type(values)
        raise TypeError(
            f"Expected {name} to be a NumPy array of numbers in [0, 1]. Received: {kind}"
        )
    # NaN fails the comparison too.
    if values.size and not (values.min() >= 0 and values.max() <= 1):
        raise ValueError(
            f"Expected the values of {name} to be in [0, 1]. "
            f"Received: values from {values.min()} to {values.max()}. Scale them first."
        )
    return values.astype(np.float32)


def checked_picture(image: Any, name: str) -> Image.Image:
    """Give a Pillow image as it is, or say that it is none."""
    if not isinstance(image, Image.Image):
        raise TypeError(
            f"Expected {name} to be a PIL.Image.Image. Received: {name} of type "
            f"{type(image).__name__}. PIL.Image.fromarray makes one of a uint8 array."
        )
    return image

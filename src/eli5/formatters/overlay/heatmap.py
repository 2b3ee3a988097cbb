"""Turn heatmaps into pictures: 8 bits per value, resized to the image they belong to."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from eli5.checks import expect_array, expect_type, wrong_value
from eli5.placement import Placement

if TYPE_CHECKING:
    from numpy.typing import NDArray

_LARGEST_BORDER = 100_000  # cells
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
    size = checked_picture(image, "image").size
    method = checked_filter(resampling_filter)
    return heatmap_to_image(heatmap).resize(size, method)


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
    heatmap: NDArray[Any] | None,
    image: Image.Image,
    resampling_filter: int = LANCZOS,
    placement: Placement | None = None,
) -> Image.Image:
    """Resize a heatmap to an image, in mode ``L``; one of rank 3 slice by slice.

    It comes where its `placement` says that its cells lie, or is stretched over the image.

    One of shape ``(d, h, w)`` is for an image of ``d`` slices of one size, side by side from left
    to right. No slice bleeds into its neighbours.
    """
    slices, size = _slices(heatmap, image, "heatmap")
    method = checked_filter(resampling_filter)
    place = partial(_place, size=size, method=method, placement=placement)
    return _side_by_side([place(heatmap_to_image(one)) for one in slices])


def expand_attribution(
    attribution: NDArray[Any],
    image: Image.Image,
    resampling_filter: int = LANCZOS,
    placement: Placement | None = None,
) -> tuple[NDArray[np.float32], float]:
    """Resize signed numbers of any size to an image, as `expand_slices` does with a heatmap.

    The values are of rank 2, in [-1, 1]; the second is the largest magnitude, what 1 stands for.
    """
    numbers = expect_array("attribution", attribution).astype(np.float64)
    slices, size = _slices(numbers, image, "attribution")
    scale = float(np.abs(numbers).max()) if numbers.size else 0.0
    if not np.isfinite(scale):
        raise ValueError(
            "Expected the values of `attribution` to be finite. "
            f"Received: values from {numbers.min()} to {numbers.max()}. Draw the heatmap instead."
        )
    method = checked_filter(resampling_filter)
    pictures = [
        _place(Image.fromarray((one / (scale or 1)).astype(np.float32)), size, method, placement)
        for one in slices
    ]
    # LANCZOS and BICUBIC overshoot.
    return np.clip(np.asarray(_side_by_side(pictures)), -1, 1), scale


def _place(
    picture: Image.Image,
    size: tuple[int, int],
    method: Image.Resampling,
    placement: Placement | None,
) -> Image.Image:
    """Resize the picture of a map so that its cells come where they lie in an image of a size."""
    cells = picture.height, picture.width
    plane = placement.in_plane() if placement is not None and len(placement.axes) > 1 else None
    if plane is None or plane.is_stretch(cells):
        return picture.resize(size, method)
    values = np.asarray(picture)
    spans = []  # per axis of the image: which of its pixels, and which of the map's cells
    for k, (axis, stride) in enumerate(zip(plane.axes, plane.strides(cells), strict=True)):
        first = plane.first[k]
        if stride < 0:
            values, first, stride = np.flip(values, k), plane.last[k], -stride
        scale = size[1 - axis] / plane.size[axis]
        pixels = [round((edge + 0.5) * scale) for edge in plane.seen[k]]
        edges = [(pixel / scale - 0.5 - first) / stride + 0.5 for pixel in pixels]
        # Beyond the outermost cells the map goes on as there.
        border = [max(0, math.ceil(-edges[0])), max(0, math.ceil(edges[1] - cells[k]))]
        if max(border) > _LARGEST_BORDER:
            raise ValueError(
                "Expected a placement whose cells lie in the input. Received: "
                f"{placement}, for a heatmap of shape {cells}. Set it to None"
            )
        padding = [(0, 0)] * values.ndim
        padding[k] = border[0], border[1]
        values = np.pad(values, padding, mode="edge")
        spans.append((pixels, [edge + border[0] for edge in edges]))
    if plane.axes == (1, 0):
        values, spans = np.swapaxes(values, 0, 1), spans[::-1]
    canvas = Image.new(picture.mode, size)
    (rows, from_rows), (columns, from_columns) = spans
    if rows[0] < rows[1] and columns[0] < columns[1]:
        box = from_columns[0], from_rows[0], from_columns[1], from_rows[1]
        inner = columns[1] - columns[0], rows[1] - rows[0]
        part = Image.fromarray(np.ascontiguousarray(values)).resize(inner, method, box)
        canvas.paste(part, (columns[0], rows[0]))
    return canvas


def _slices(values: Any, image: Any, name: str) -> tuple[list[Any], tuple[int, int]]:
    """Give the parts of rank 2 that lie side by side, and the size that each is to have."""
    width, height = checked_picture(image, "image").size
    if not isinstance(values, np.ndarray) or (values.ndim == 2 and values.size):
        return [values], (width, height)
    if values.ndim != 3 or not values.size:
        raise ValueError(
            f"Expected `{name}` to be of rank 2, (H, W), or 3, (d, h, w), and not to be empty. "
            f"Received: {name}.shape={values.shape}. "
            f"Give one {name} per target, without batch or channel axis."
        )
    if width % len(values):
        raise ValueError(
            f"Expected an image whose width is divisible by the number of slices of its {name}, "
            f"{len(values)}. Received: image.width={width}, {name}.shape={values.shape}. "
            "Give an image of that many slices of one size, side by side."
        )
    return list(values), (width // len(values), height)


def _side_by_side(pictures: list[Image.Image]) -> Image.Image:
    if len(pictures) == 1:
        return pictures[0]
    width, height = pictures[0].size
    strip = Image.new(pictures[0].mode, (len(pictures) * width, height))
    for k, picture in enumerate(pictures):
        strip.paste(picture, (k * width, 0))
    return strip


def checked_filter(resampling_filter: Any) -> Image.Resampling:
    """Give a filter of Pillow's; ValueError if it has no such one."""
    try:
        return Image.Resampling(resampling_filter)
    except (TypeError, ValueError):
        names = ", ".join(one.name for one in Image.Resampling)
        expected = f"to be a PIL.Image.Resampling, one of {names}"
        raise wrong_value("resampling_filter", resampling_filter, expected) from None


def checked_values(values: Any, name: str) -> NDArray[np.float32]:
    """Give an array of numbers in [0, 1] as float32, or say what is wrong with it."""
    numbers = expect_array(name, values)
    # NaN fails the comparison too.
    if numbers.size and not (numbers.min() >= 0 and numbers.max() <= 1):
        raise ValueError(
            f"Expected the values of `{name}` to be in [0, 1]. "
            f"Received: values from {numbers.min()} to {numbers.max()}. Scale them first"
        )
    return np.asarray(numbers, np.float32)


def checked_picture(image: Any, name: str) -> Image.Image:
    """Give a Pillow image as it is, or say that it is none, or has no pixels."""
    advice = "PIL.Image.fromarray makes one of a uint8 array"
    picture: Image.Image = expect_type(name, image, Image.Image, "a PIL.Image.Image", advice)
    if 0 in picture.size:
        raise ValueError(
            f"Expected `{name}` to have pixels. Received: {name}.size={picture.size}. "
            "Explain a picture that has some, or set it to None"
        )
    return picture

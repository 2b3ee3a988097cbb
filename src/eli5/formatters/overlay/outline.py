"""The border of what a target is about, a region or a pixel, as a layer over a picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from eli5.targets import Pixel, Region

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation

    Bools = NDArray[np.bool_]
    Size = tuple[int, int]  # rows and columns

_LINES = 200  # a line is as wide as a picture's shorter side divided by this, and at least a pixel
_ARM = 20  # an arm of a cross is as long as that side divided by this, and at least four lines
_INNER, _OUTER = (255, 255, 255, 255), (0, 0, 0, 255)  # to be seen on light and dark pictures


def draw_outline(target: TargetExplanation, size: tuple[int, int]) -> Image.Image | None:
    """Draw the border of a target's region, white within black, in a picture of a size.

    The result is of mode ``RGBA`` and transparent elsewhere; None if the target is of no place, or
    of one in a volume.
    """
    height_and_width = size[1], size[0]
    line = max(round(min(size) / _LINES), 1)
    shape = _SHAPES.get(type(target.region))
    inside = None if shape is None else shape(target, height_and_width, line)
    if inside is None:
        return None
    border = inside & ~_shrunk(inside, line)
    around = _grown(inside, line) & ~inside
    pixels = np.zeros((*height_and_width, 4), np.uint8)
    pixels[around], pixels[border] = _OUTER, _INNER
    return Image.fromarray(pixels)


def _region(target: TargetExplanation, size: Size, line: int) -> Bools | None:
    mask = target.region.mask
    if mask is None or mask.ndim != 2:
        return None
    rows, columns = (
        np.arange(pixels) * cells // pixels for pixels, cells in zip(size, mask.shape, strict=True)
    )
    return np.asarray(mask[rows][:, columns], bool)


def _pixel(target: TargetExplanation, size: Size, line: int) -> Bools | None:
    """Draw a cross, whose middle is the pixel's."""
    place = target.placement
    input_size = place.size if place is not None and len(place.size) == 2 else size
    asked = target.region.row, target.region.column
    row, column = (
        (cell + 0.5) * pixels / cells
        for cell, pixels, cells in zip(asked, size, input_size, strict=True)
    )
    rows = np.abs(np.arange(size[0]) + 0.5 - row)[:, None]
    columns = np.abs(np.arange(size[1]) + 0.5 - column)[None]
    arm = max(min(size) / _ARM, 4 * line)
    thin = max(line / 2, 0.5)
    return ((rows <= thin) & (columns <= arm)) | ((columns <= thin) & (rows <= arm))


# What is inside of a target's region: ``shape(target, size, line) -> (H, W)`` of bool, or None.
_SHAPES: dict[type, Callable[[Any, Any, int], Any]] = {Region: _region, Pixel: _pixel}


def _grown(inside: Bools, by: int) -> Bools:
    """Return all that is at most so many rows and columns from what is inside."""
    grown = inside.copy()
    for axis in (0, 1):
        before = np.moveaxis(grown, axis, 0)
        after = before.copy()
        for step in range(1, by + 1):
            after[step:] |= before[:-step]
            after[:-step] |= before[step:]
        grown = np.moveaxis(after, 0, axis)
    return grown


def _shrunk(inside: Bools, by: int) -> Bools:
    """Return what is inside without a border of so many pixels, at the picture's edges too."""
    padded = np.pad(~inside, by, constant_values=True)
    return ~_grown(padded, by)[by:-by, by:-by]

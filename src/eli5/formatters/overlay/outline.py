"""The border of what a target is about, a region, a pixel or boxes, as a layer over a picture."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from eli5.targets import Box, Missing, Objects, Pixel, Region

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
    shapes_of = _SHAPES.get(type(target.region))
    shapes = [] if shapes_of is None else shapes_of(target, height_and_width, line)
    if not shapes:
        return None
    pixels = np.zeros((*height_and_width, 4), np.uint8)
    borders = [inside & ~_shrunk(inside, line) for inside in shapes]
    for inside in shapes:
        pixels[_grown(inside, line) & ~inside] = _OUTER
    for border in borders:
        pixels[border] = _INNER
    return Image.fromarray(pixels)


def _region(target: TargetExplanation, size: Size, line: int) -> list[Bools]:
    mask = target.region.mask
    if mask is None or mask.ndim != 2:
        return []
    rows, columns = (
        np.arange(pixels) * cells // pixels for pixels, cells in zip(size, mask.shape, strict=True)
    )
    return [np.asarray(mask[rows][:, columns], bool)]


def _pixel(target: TargetExplanation, size: Size, line: int) -> list[Bools]:
    """Draw a cross, whose middle is the pixel's."""
    input_size = _input_size(target, size)
    asked = target.region.row, target.region.column
    row, column = (
        (cell + 0.5) * pixels / cells
        for cell, pixels, cells in zip(asked, size, input_size, strict=True)
    )
    rows = np.abs(np.arange(size[0]) + 0.5 - row)[:, None]
    columns = np.abs(np.arange(size[1]) + 0.5 - column)[None]
    arm = max(min(size) / _ARM, 4 * line)
    thin = max(line / 2, 0.5)
    return [((rows <= thin) & (columns <= arm)) | ((columns <= thin) & (rows <= arm))]


def _box(target: TargetExplanation, size: Size, line: int) -> list[Bools]:
    return _boxes([target.region.xyxy], target.region.format, _input_size(target, size), size)


def _objects(target: TargetExplanation, size: Size, line: int) -> list[Bools]:
    boxes = target.region.boxes
    return _boxes([] if boxes is None else boxes, "xyxy", _input_size(target, size), size)


def _boxes(boxes: Any, format: str, input_size: Size, size: Size) -> list[Bools]:
    """Return the pixels in each box, of a picture of a size; it has one at least."""
    found = []
    for left, top, right, bottom in map(partial(_shares, format, input_size), boxes):
        inside = np.zeros(size, bool)
        inside[_pixels(top, bottom, size[0]), _pixels(left, right, size[1])] = True
        found.append(inside)
    return found


def _pixels(start: float, end: float, n: int) -> slice:
    first = max(min(round(start * n), n - 1), 0)
    return slice(first, max(round(end * n), first + 1))


def _shares(format: str, input_size: Size, box: Any) -> tuple[float, float, float, float]:
    """Return a box as the shares of width and height that its ends have."""
    a, b, c, d = map(float, box)
    if format.endswith("yxyx"):
        a, b, c, d = b, a, d, c
    elif format.endswith("xywh"):
        c, d = a + c, b + d
    if format.startswith("rel_"):
        return a, b, c, d
    height, width = input_size
    return a / width, b / height, c / width, d / height


def _input_size(target: TargetExplanation, size: Size) -> Size:
    """Return rows and columns of the picture as the model takes it."""
    place = target.placement
    if place is None or len(place.size) != 2:
        return size
    return place.size[0], place.size[1]


# What is inside of a target's regions: ``shapes(target, size, line)`` gives (H, W) of bool each.
_SHAPES: dict[type, Callable[[Any, Any, int], list[Any]]] = {
    Region: _region,
    Pixel: _pixel,
    Box: _box,
    Missing: _box,
    Objects: _objects,
}


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

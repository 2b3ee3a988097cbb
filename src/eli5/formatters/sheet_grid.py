"""Measure a sheet of pictures: how many stand in a row, and how large they are."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from PIL import Image

    from eli5.base import TargetExplanation

__all__ = ["Block", "Grid", "Tile", "measure", "shown_size"]

_LARGEST_AREA, _LONGEST_SIDE = 16_000_000, 65_000  # pixels: as many as photos have; JPEG's limit
_SMALL, _LARGEST_ENLARGED = 128, 1024  # pixels
_SMALLEST_FONT, _LARGEST_FONT = 13, 80  # pixels
_SHORT_ROW = 4  # tiles: so many stand in one row


class Tile(NamedTuple):
    """One picture and what is written above it.

    Attributes
    ----------
    target : TargetExplanation
    size : tuple of int
        The picture's width and height.
    draw : callable
        Gives the picture in a size, if it can; else in its own. It is called when its turn comes,
        so that one at a time is in memory.
    heading : str
        What tells the picture's explanation from others.
    font_size : int
        In pixels, beside the picture in its own size; or 0, to choose one.
    """

    target: TargetExplanation
    size: tuple[int, int]
    draw: Callable[[tuple[int, int]], Image.Image]
    heading: str = ""
    font_size: int = 0


class Block(NamedTuple):
    """Tiles under one heading, which may be empty."""

    heading: str
    tiles: Sequence[Tile]


class Grid(NamedTuple):
    """The measures of a sheet, in pixels but for `columns`.

    Attributes
    ----------
    columns : int
    tile : int
        The width of a column.
    font_size, gap : int
    side : float
        The length of the longer side that all pictures have.
    """

    columns: int
    tile: int
    font_size: int
    gap: int
    side: float

    @property
    def width(self) -> int:
        """The width of the sheet."""
        return self.gap + self.columns * (self.tile + self.gap)


def measure(blocks: Sequence[Block]) -> Grid:
    """Choose columns, letters and the size of pictures; see `eli5.formatters.sheet`."""
    tiles = [tile for block in blocks for tile in block.tiles]
    side = _common_side([tile.size for tile in tiles])
    sizes = [shown_size(tile.size, side) for tile in tiles]
    width, height = (max(sides) for sides in zip(*sizes, strict=True))
    longest = max(len(block.tiles) for block in blocks)
    # Rows of about equal length: five stand as three and two.
    most = 1 if width > 2 * height else max(_SHORT_ROW, math.ceil(math.sqrt(longest)))
    columns = math.ceil(longest / math.ceil(longest / most))
    rows = sum(math.ceil(len(block.tiles) / columns) for block in blocks)
    scale = _scale(columns * width, rows * height)
    width, height = round(scale * width), round(scale * height)
    wanted = round(scale * max(tile.font_size for tile in tiles)) or min(width, 2 * height) // 16
    font_size = min(max(wanted, _SMALLEST_FONT), _LARGEST_FONT)
    # Small pictures stand apart, so that there is room for a name of some length.
    tile_width = max(width, 10 * font_size)
    return Grid(columns, tile_width, font_size, round(0.7 * font_size), scale * side)


def _common_side(sizes: Sequence[tuple[int, int]]) -> float:
    """Give the length of the longer side that all pictures are to have, in pixels.

    Small ones are enlarged by a whole number. Of different ones the middle is taken.
    """
    longer, shorter = (statistics.median_high(map(pick, sizes)) for pick in (max, min))
    return longer * max(min(_SMALL // shorter, _LARGEST_ENLARGED // longer), 1)


def _scale(width: int, height: int) -> float:
    """Give by how much pictures that fill such an area are to be made smaller."""
    return min(1.0, math.sqrt(_LARGEST_AREA / (width * height)), _LONGEST_SIDE / max(width, height))


def shown_size(size: tuple[int, int], side: float) -> tuple[int, int]:
    """Give a picture's size with a longer side of that many pixels."""
    scale = side / max(size)
    return max(round(scale * size[0]), 1), max(round(scale * size[1]), 1)

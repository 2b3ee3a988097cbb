"""Lay out overlays on one sheet, each under lines of text that tell what it is."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from matplotlib.figure import Figure
from PIL import Image

from eli5.formatters.caption import caption_lines, literal_text
from eli5.formatters.labels import headings
from eli5.formatters.overlay.picture import figure_to_image
from eli5.formatters.series.picture import chart_size

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

    Overlay = Callable[[Explanation, TargetExplanation], Image.Image]

_LARGEST_AREA, _LONGEST_SIDE = 16_000_000, 30_000  # pixels: as many as photos have
_SMALL, _LARGEST_ENLARGED, _FEW_PIXELS = 128, 1024, 64  # pixels
_SMALLEST_FONT, _LARGEST_FONT, _LINE = 13, 80, 1.3  # pixels; a line's height in those of its font
_SHORT_ROW = 4  # tiles: so many stand in one row


class Tile(NamedTuple):
    """One picture of a sheet, its size before it is scaled, and what tells its explanation."""

    expl: Explanation
    target: TargetExplanation
    heading: str
    size: tuple[int, int]


def to_sheet(explanations: Sequence[Explanation], overlay: Overlay) -> Image.Image:
    """Put the overlays of all targets of some explanations on a white sheet, of mode ``RGBA``.

    Each overlay stands under the name and score of its target. The targets of one explanation, or
    explanations of one target each, fill rows of at most four; where they are more than 16, about
    as many rows as columns. Several explanations with several targets begin a new row each.
    Pictures more than twice as wide as high stand one below the other. Model, method and layer are
    named where they differ between the explanations.

    Pictures keep their size, with these exceptions: those of different sizes all get that of the
    middle one, measured along the longer side; small ones are enlarged by a whole number, to at
    most 128 pixels in width or height; and all are made smaller where the sheet would have more
    than about 16 million pixels.

    `overlay` draws an explanation's target, in mode ``RGBA`` and of the image's size.
    """
    blocks = []
    for heading, expl in zip(headings(explanations), explanations, strict=True):
        size = chart_size(expl) if expl.image is None else expl.image.size
        blocks.append([Tile(expl, target, heading, size) for target in expl.targets])
    if all(len(block) == 1 for block in blocks):
        blocks = [[tile for block in blocks for tile in block]]
    original = [tile.size for block in blocks for tile in block]
    longer, shorter = (statistics.median_high(map(pick, original)) for pick in (max, min))
    side = longer * max(min(_SMALL // shorter, _LARGEST_ENLARGED // longer), 1)
    sizes = [_size_with_side(size, side) for size in original]
    width, height = map(max, zip(*sizes, strict=True))
    rows = _rows(blocks, stands_alone=width > 2 * height)
    sheet = width * max(map(len, rows)), height * len(rows)
    scale = min(1.0, math.sqrt(_LARGEST_AREA / math.prod(sheet)), _LONGEST_SIDE / max(sheet))
    return _draw_rows(rows, overlay, scale * side, (round(scale * width), round(scale * height)))


def _size_with_side(size: tuple[int, int], side: float) -> tuple[int, int]:
    """Give a picture's size with a longer side of that many pixels."""
    scale = side / max(size)
    return max(round(scale * size[0]), 1), max(round(scale * size[1]), 1)


def _rows(blocks: Sequence[Sequence[Tile]], *, stands_alone: bool) -> list[Sequence[Tile]]:
    longest = max(map(len, blocks))
    most = 1 if stands_alone else max(_SHORT_ROW, math.ceil(math.sqrt(longest)))
    # Rows of about equal length: five stand as three and two.
    columns = math.ceil(longest / math.ceil(longest / most))
    starts = range(0, longest, columns)
    return [block[k : k + columns] for block in blocks for k in starts if k < len(block)]


def _draw_rows(
    rows: Sequence[Sequence[Tile]], overlay: Overlay, side: float, largest: tuple[int, int]
) -> Image.Image:
    """Draw pictures with a longer side of some pixels, the `largest` of them of that size."""
    font_size = min(max(min(largest) // 18, _SMALLEST_FONT), _LARGEST_FONT)
    gap = round(0.7 * font_size)
    # Small pictures stand apart, so that there is room for a name of some length.
    cell = max(largest[0], 10 * font_size)
    captions = [
        [caption_lines(tile.heading, tile.target, font_size, cell) for tile in row] for row in rows
    ]
    n_lines = max(len(lines) for row in captions for lines in row)
    above = round((_LINE * n_lines + 0.3) * font_size)
    width, height = cell + gap, above + largest[1] + gap
    size = gap + width * max(map(len, rows)), gap + height * len(rows)
    sheet = Image.new("RGBA", size, "white")
    for y, row, texts in zip(range(gap, size[1], height), rows, captions, strict=False):
        for x, tile, lines in zip(range(gap, size[0], width), row, texts, strict=False):
            sheet.alpha_composite(_caption(lines, font_size, (width, above)), (x, y))
            sheet.alpha_composite(_picture(tile, overlay, side), (x, y + above))
    return sheet


def _caption(lines: Sequence[str], font_size: int, size: tuple[int, int]) -> Image.Image:
    figure = Figure((size[0] / 72, size[1] / 72), dpi=72, facecolor="none")
    figure.set_layout_engine("none")  # the user's settings may name another
    for k, line in enumerate(reversed(lines)):  # close to the picture below
        y = round((0.5 + _LINE * k) * font_size) / size[1]
        figure.text(0, y, line, fontsize=font_size, color="black", **literal_text(line))
    return figure_to_image(figure)


def _picture(tile: Tile, overlay: Overlay, side: float) -> Image.Image:
    size = _size_with_side(tile.size, side)
    # Where there are few pixels, a pixel is to be seen as a pixel.
    is_coarse = size[0] > tile.size[0] and min(tile.size) <= _FEW_PIXELS
    method = Image.Resampling.NEAREST if is_coarse else Image.Resampling.LANCZOS
    return overlay(tile.expl, tile.target).resize(size, method)

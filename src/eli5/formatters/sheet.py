"""Lay out overlays on one sheet, each under lines of text that tell what it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple

from PIL import Image, ImageDraw

from eli5.formatters.caption import (
    Line,
    caption_height,
    draw_caption,
    heading_lines,
    headings,
    name_lines,
)
from eli5.formatters.overlay.picture import to_rgba
from eli5.formatters.series.picture import FONT, chart_size
from eli5.formatters.sheet_grid import Block, Grid, Tile, measure, shown_size

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

    Overlay = Callable[[Explanation, TargetExplanation], Image.Image]

__all__ = ["is_wide", "to_sheet"]

_FEW_PIXELS = 64
_CHART_FONT = round(1.4 * FONT)  # a little larger than what is written in the chart itself


class Row(NamedTuple):
    """Tiles side by side, the lines above each, and those above all of them."""

    tiles: Sequence[Tile]
    captions: Sequence[Sequence[Line]]
    heading: Sequence[Line]


def to_sheet(
    explanations: Sequence[Explanation],
    overlay: Overlay,
) -> Image.Image:
    """Put the overlays of all targets of some explanations on a white sheet.

    Each overlay stands under the name and score of its target. The targets of one explanation, or
    explanations of one target each, fill rows of at most four; where they are more than 16, about
    as many rows as columns. Several explanations with several targets begin a new row each.
    Pictures more than twice as wide as high stand one below the other. Model, method and layer are
    named where they differ between the explanations.

    Pictures keep their size, with these exceptions: those of different sizes all get that of the
    middle one, measured along the longer side; small ones are enlarged by a whole number, to at
    most 128 pixels in width or height; and all are made smaller where the sheet would have more
    than about 16 million pixels.

    Parameters
    ----------
    explanations : sequence of Explanation
        Each with an image or a series, and targets.
    overlay : callable
        Draws the overlay of an explanation's target, in mode ``RGBA`` and of the image's size.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``.
    """
    blocks = [
        Block(heading, _tiles(expl, overlay))
        for heading, expl in zip(headings(explanations), explanations, strict=True)
    ]
    if all(len(block.tiles) == 1 for block in blocks):
        blocks = [Block("", [block.tiles[0]._replace(heading=block.heading) for block in blocks])]
    return _sheet(blocks)


def is_wide(image: Image.Image) -> bool:
    """Tell whether a picture, such as a strip of slices, wants the page's width for itself."""
    return image.width > 2 * image.height


def _tiles(expl: Explanation, overlay: Overlay) -> list[Tile]:
    if expl.image is None:
        charts = [lambda _, target=target: overlay(expl, target) for target in expl.targets]
        return [
            Tile(target, chart_size(expl), chart, font_size=_CHART_FONT)
            for target, chart in zip(expl.targets, charts, strict=True)
        ]

    @cache
    def image(size: tuple[int, int]) -> Image.Image:
        return to_rgba(expl.image).resize(size, Image.Resampling.LANCZOS)

    def draw(target: TargetExplanation, size: tuple[int, int]) -> Image.Image:
        # All targets share the picture made smaller; a strip has to keep the seams of its slices.
        ranks = [getattr(one, "ndim", 0) for one in (target.heatmap, target.attribution)]
        shrinks = size[0] < expl.image.width and 3 not in ranks
        return overlay(replace(expl, image=image(size)) if shrinks else expl, target)

    return [Tile(target, expl.image.size, partial(draw, target)) for target in expl.targets]


def _sheet(blocks: Sequence[Block]) -> Image.Image:
    grid = measure(blocks)
    rows = [row for block in blocks for row in _rows(block, grid)]
    height = grid.gap + sum(_height(row, grid) for row in rows)
    sheet = Image.new("RGBA", (grid.width, height), "white")
    y = grid.gap
    for row in rows:
        _draw_row(sheet, y, row, grid)
        y += _height(row, grid)
    return sheet


def _rows(block: Block, grid: Grid) -> Iterator[Row]:
    heading = heading_lines(block.heading, grid.font_size, grid.width - 2 * grid.gap)
    for start in range(0, len(block.tiles), grid.columns):
        tiles = block.tiles[start : start + grid.columns]
        captions = [_caption(tile, grid) for tile in tiles]
        yield Row(tiles, captions, () if start else heading)


def _caption(tile: Tile, grid: Grid) -> list[Line]:
    heading = heading_lines(tile.heading, grid.font_size, grid.tile)
    return heading + name_lines(tile.target, grid.font_size, grid.tile)


def _height(row: Row, grid: Grid) -> int:
    pictures = max(shown_size(tile.size, grid.side)[1] for tile in row.tiles)
    return pictures + _text_height(row, grid) + grid.gap


def _text_height(row: Row, grid: Grid) -> int:
    captions = max(caption_height(lines, grid.font_size) for lines in row.captions)
    return caption_height(row.heading, grid.font_size) + captions


def _draw_row(sheet: Image.Image, top: int, row: Row, grid: Grid) -> None:
    draw = ImageDraw.Draw(sheet)
    draw_caption(draw, (grid.gap, top), row.heading, grid.font_size)
    bottom = top + _text_height(row, grid)
    for column, (tile, lines) in enumerate(zip(row.tiles, row.captions, strict=True)):
        x = grid.gap + column * (grid.tile + grid.gap)
        # Close to its picture, also where a neighbour's has more lines.
        y = bottom - caption_height(lines, grid.font_size)
        draw_caption(draw, (x, y), lines, grid.font_size)
        sheet.alpha_composite(_shown(tile, grid), (x, bottom))


def _shown(tile: Tile, grid: Grid) -> Image.Image:
    size = shown_size(tile.size, grid.side)
    # Where there are few pixels, a pixel is to be seen as a pixel.
    is_coarse = size[0] > tile.size[0] and min(tile.size) <= _FEW_PIXELS
    method = Image.Resampling.NEAREST if is_coarse else Image.Resampling.LANCZOS
    return tile.draw(size).resize(size, method)

"""Lay out the overlays of several targets on one sheet, each under a line of text."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
from PIL import Image, ImageDraw, ImageFont

from eli5.formatters.text import number, target_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.base import TargetExplanation

__all__ = ["is_wide", "to_sheet"]

# matplotlib's own font: installed with it, and it knows far more letters than Pillow's.
_FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")
_MOST_COLUMNS = 4
_LONGEST_NAME = 80


def to_sheet(overlays: Sequence[Image.Image], targets: Sequence[TargetExplanation]) -> Image.Image:
    """Put overlays of one size on a white sheet, with the name and score of their targets.

    Parameters
    ----------
    overlays : sequence of PIL.Image.Image
        Mode ``RGBA``, all of one size, which they keep.
    targets : sequence of TargetExplanation
        As many as overlays, in their order.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``. Up to four overlays stand in a row; more take several rows. Wide ones stand
        one below the other; see `is_wide`.
    """
    width, height = overlays[0].size
    font = ImageFont.truetype(_FONT, min(max(min(width, 2 * height) // 16, 13), 40))
    gap, line = round(font.size * 0.7), round(font.size * 1.6)
    # Small pictures stand apart, so that there is room for a name of some length.
    tile = max(width, round(font.size * 10))
    most_columns = 1 if is_wide(overlays[0]) else _MOST_COLUMNS
    columns = math.ceil(len(overlays) / math.ceil(len(overlays) / most_columns))
    rows = math.ceil(len(overlays) / columns)
    size = columns * (tile + gap) + gap, rows * (line + height + gap) + gap
    sheet = Image.new("RGBA", size, "white")
    draw = ImageDraw.Draw(sheet)
    for i, (overlay, target) in enumerate(zip(overlays, targets, strict=True)):
        row, column = divmod(i, columns)
        x, y = gap + column * (tile + gap), gap + row * (line + height + gap)
        _write_caption(draw, (x, y), target, font, tile)
        sheet.alpha_composite(overlay, (x, y + line))
    return sheet


def is_wide(image: Image.Image) -> bool:
    """Tell whether a picture, such as a strip of slices, wants the page's width for itself."""
    return image.width > 2 * image.height


def _write_caption(
    draw: ImageDraw.ImageDraw,
    corner: tuple[int, int],
    target: TargetExplanation,
    font: ImageFont.FreeTypeFont,
    width: int,
) -> None:
    """Write name and score in one line, the name cut short where the width asks for it."""
    score = number(target.score)
    # Written apart, or the score would wander to the left of a name that is read right to left.
    space = font.size * 0.7 if score else 0
    room = width - font.getlength(score) - space
    name = _shortened(target_name(target), font, room)
    draw.text(corner, name, fill="black", font=font)
    score_corner = corner[0] + font.getlength(name) + space, corner[1]
    draw.text(score_corner, score, fill="black", font=font)


def _shortened(name: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    shown, kept = name, min(len(name), _LONGEST_NAME)
    while font.getlength(shown) > width and kept:
        kept -= 1
        shown = f"{name[:kept].rstrip()}…"
    return shown

"""Put pictures side by side, each under its name."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib
from PIL import Image, ImageDraw, ImageFont

FONT = Path(matplotlib.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf")  # comes with matplotlib
FONT_SIZE, GAP = 14, 8


def side_by_side(pictures: Mapping[str, Image.Image], columns: int) -> Image.Image:
    """Return a white sheet with pictures of one size, in rows of so many."""
    width, height = next(iter(pictures.values())).size
    font = ImageFont.truetype(FONT, FONT_SIZE)
    line = round(1.5 * FONT_SIZE)
    step = width + GAP, height + line + GAP
    n_rows = -(-len(pictures) // columns)
    sheet = Image.new("RGB", (columns * step[0] + GAP, n_rows * step[1] + GAP), "white")
    draw = ImageDraw.Draw(sheet)
    for k, (name, picture) in enumerate(pictures.items()):
        row, column = divmod(k, columns)
        x, y = GAP + column * step[0], GAP + row * step[1]
        draw.text((x, y), name, fill="black", font=font)
        sheet.paste(picture.convert("RGB"), (x, y + line))
    return sheet

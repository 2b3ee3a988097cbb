"""Write text into a picture, each letter in a font that has it."""

from __future__ import annotations

from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING
from unicodedata import category

import matplotlib
from matplotlib.ft2font import FT2Font
from PIL import ImageFont

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

__all__ = ["drawable", "families", "text_width", "write"]

# matplotlib's own fonts: installed with it, and they know far more letters than Pillow's.
_FONTS = Path(matplotlib.get_data_path(), "fonts", "ttf")
_REGULAR, _BOLD = str(_FONTS / "DejaVuSans.ttf"), str(_FONTS / "DejaVuSans-Bold.ttf")
_BLANK_FONT = "LastResort"  # matplotlib's, with a box for every letter there is
_UNKNOWN = "\ufffd"
_JOINED = ("Mn", "Mc", "Me", "Cf")  # accents, joiners: drawn with the letter in front


def text_width(text: str, size: int, bold: bool = False) -> float:
    """Measure a line of text, in pixels; `size` is that of the font."""
    return sum(_font(path, size).getlength(part) for path, part in _runs(text, bold))


def write(
    draw: ImageDraw, corner: tuple[float, float], text: str, size: int, bold: bool = False
) -> None:
    """Write a line of text in black; `corner` is the upper left one."""
    x, y = corner
    baseline = y + _font(_REGULAR, size).getmetrics()[0]
    for path, part in _runs(text, bold):
        font = _font(path, size)
        draw.text((x, baseline), part, fill="black", font=font, anchor="ls")
        x += font.getlength(part)


def drawable(text: str) -> str:
    """Replace letters that no font on this machine has, such as many emoji, by U+FFFD."""
    kept = []
    for letter in text:
        if _find_font(letter):
            kept.append(letter)
        elif category(letter) not in _JOINED:
            kept.append(_UNKNOWN)
    return "".join(kept)


def families(text: str) -> list[str]:
    """Name the font families that have the letters of a text, matplotlib's own first."""
    paths = dict.fromkeys([_REGULAR, *(path for path, _ in _runs(text, bold=False))])
    return [FT2Font(path).family_name for path in paths]


@lru_cache(maxsize=64)
def _font(path: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size)


def _runs(text: str, bold: bool) -> list[tuple[str, str]]:
    """Cut a text into parts of one font each, given by its file."""
    paths: list[str] = []
    for letter in text:
        is_joined = paths and category(letter) in _JOINED and _has(paths[-1], letter)
        path = paths[-1] if is_joined else _find_font(letter) or _REGULAR
        paths.append(_BOLD if bold and path == _REGULAR else path)
    pairs = groupby(zip(paths, text, strict=True), key=lambda pair: pair[0])
    return [(path, "".join(letter for _, letter in group)) for path, group in pairs]


@lru_cache(maxsize=4096)
def _find_font(letter: str) -> str | None:
    if _has(_REGULAR, letter):
        return _REGULAR
    fonts = _system_fonts()
    for path in fonts:
        if _has(path, letter):
            # It is looked into first for the next letter, which is most often of the same script.
            fonts.remove(path)
            fonts.insert(0, path)
            return path
    return None


@lru_cache(maxsize=1)
def _system_fonts() -> list[str]:
    """List the files of all upright fonts that matplotlib finds, those of common weight first."""
    from matplotlib.font_manager import fontManager  # it reads a list of all fonts

    fonts = [font for font in fontManager.ttflist if _BLANK_FONT not in font.fname]
    fonts.sort(key=lambda font: (font.style != "normal", font.weight not in (400, "normal")))
    return list(dict.fromkeys(font.fname for font in fonts))


def _has(path: str, letter: str) -> bool:
    try:
        return bool(_opened(path).get_char_index(ord(letter)))
    except (OSError, RuntimeError):  # removed since matplotlib made its list, or broken
        return False


@lru_cache(maxsize=8)
def _opened(path: str) -> FT2Font:
    return FT2Font(path)

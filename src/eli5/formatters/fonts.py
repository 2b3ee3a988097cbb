"""Find fonts that have the letters of a text, and measure it, so that matplotlib can write it."""

from __future__ import annotations

from functools import lru_cache
from operator import contains
from typing import Any
from unicodedata import category

import matplotlib
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.ft2font import FT2Font

_FAMILY = "DejaVu Sans"  # comes with matplotlib
_BLANK_FAMILY = "Last Resort"  # matplotlib's, with a box for every letter there is
_UNKNOWN = "\ufffd"
_JOINED = ("Mn", "Mc", "Me", "Cf")  # accents, joiners: drawn with the letter in front


def drawable(text: str) -> str:
    """Replace letters that no font on this machine has, such as many emoji, by U+FFFD."""
    missing = {letter: "" if category(letter) in _JOINED else _UNKNOWN for letter in text}
    return "".join(letter if _find_family(letter) else missing[letter] for letter in text)


def families(text: str) -> list[str]:
    """Name the font families that have the letters of a text, matplotlib's own first."""
    return list(dict.fromkeys([_FAMILY, *(_find_family(one) or _FAMILY for one in text)]))


def literal_text(text: str) -> dict[str, Any]:
    """Give the options with which matplotlib shows dollars as such, and letters of every script."""
    return {"family": _family_list(text), "parse_math": False, "usetex": False}


def text_width(text: str, size: float) -> float:
    """Measure a line of text in the unit of its font's size."""
    font = FontProperties(family=_family_list(text), size=size)
    width, _, _ = _renderer().get_text_width_height_descent(text, font, ismath=False)
    return float(width)


def _family_list(text: str) -> list[str]:
    return [*matplotlib.rcParams["font.family"], *families(text)]


@lru_cache(maxsize=1)
def _renderer() -> RendererAgg:
    return RendererAgg(1, 1, 72)  # pixels per inch: as many as points


@lru_cache(maxsize=4096)
def _find_family(letter: str) -> str | None:
    for name, path in [*_used_families.items(), *_font_files().items()]:
        if _has(path, letter):
            _used_families[name] = path
            return name
    return None


# Families that had a letter: the next one is most often of the same script.
_used_families: dict[str, str] = {}


@lru_cache(maxsize=1)
def _font_files() -> dict[str, str]:
    """List families and their files: matplotlib's own, then all that it finds."""
    plain = [(400, "normal"), ("normal",), ("normal",)]  # what it takes if only a family is named
    files = {_FAMILY: ""}
    for font in fontManager.ttflist:
        kinds = font.weight, font.style, font.stretch
        if all(map(contains, plain, kinds)) and _BLANK_FAMILY not in font.name:
            files[font.name] = files.get(font.name) or font.fname
    return files


def _has(path: str, letter: str) -> bool:
    try:
        return bool(_opened(path).get_char_index(ord(letter)))
    except (OSError, RuntimeError):  # removed since matplotlib made its list, or broken
        return False


@lru_cache(maxsize=8)
def _opened(path: str) -> FT2Font:
    return FT2Font(path)

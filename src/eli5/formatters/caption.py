"""The lines of text over a picture, in fonts that have their letters."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from contextlib import suppress
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any
from unicodedata import category

import matplotlib
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties, fontManager, get_font

from eli5.formatters.labels import (
    class_name,
    is_against,
    one_line,
    score_and_explained,
    target_label,
    target_name,
    target_numbers,
    where,
)

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

_LONGEST_NAME = 160  # letters
_FAMILY = "DejaVu Sans"  # comes with matplotlib
_BLANK_FAMILY = "Last Resort"  # matplotlib's, with a box for every letter there is
_JOINED = ("Mn", "Mc", "Me", "Cf")  # accents, joiners: drawn with the letter in front


def caption_lines(
    heading: str, target: TargetExplanation, font_size: int, width: float
) -> list[str]:
    """Write a heading, and name and numbers of a target, each in at most two lines."""
    # The numbers have a line of their own, or they would wander to the left of a name that is read
    # right to left.
    texts = drawable(heading), _drawable_name(target), drawable(score_and_explained(target))
    return _wrapped(texts, font_size, width)


def title_lines(
    expl: Explanation, target: TargetExplanation, font_size: int, width: float
) -> list[str]:
    """Write class, numbers and method in at most four lines, for a figure."""
    kind = "Output" if expl.is_regression else "Class"
    is_number = not target.class_name and not isinstance(target.target, str)
    kind = f"against {kind.lower()}" if is_against(target) else kind
    number = f"{kind} {class_name(target)} {where(target)}".rstrip()
    name = number if is_number else _drawable_name(target)
    numbers = [
        f"{name[:1].lower()}{name[1:]} {value}" for name, value in target_numbers(target).items()
    ]
    facts = " · ".join(filter(None, [*numbers, one_line(expl.method or "")]))
    return _wrapped((name, drawable(facts)), font_size, width)


def _drawable_name(target: TargetExplanation) -> str:
    """Name a target in letters that can be drawn, and by its class id where some cannot."""
    name = target_name(target)[:_LONGEST_NAME]
    return name if drawable(name) == name else drawable(target_label(target)[:_LONGEST_NAME])


def _wrapped(texts: Iterable[str], font_size: int, width: float) -> list[str]:
    """Break each text into at most two lines of a width, the second cut short if need be."""
    lines: list[str] = []
    for text in filter(None, texts):
        head = _fitting(text, font_size, width)
        if head != text and " " in head and text[len(head)] != " ":
            head = head.rpartition(" ")[0]
        rest = text[len(head) :].strip()
        if _fitting(rest, font_size, width) != rest:
            rest = _fitting(rest, font_size, width - text_width("…", font_size)).rstrip() + "…"
        lines += filter(None, [head.rstrip(), rest])
    return lines


def _fitting(text: str, font_size: int, width: float) -> str:
    """Return as much of a text's beginning as has room, but one letter at least."""
    lengths = range(2, len(text) + 1)
    return text[: 1 + bisect_right(lengths, width, key=lambda n: text_width(text[:n], font_size))]


def text_width(text: str, size: float) -> float:
    """Measure a line of text in the unit of its font's size."""
    font = FontProperties(family=families(text), size=size)
    renderer = RendererAgg(1, 1, 72)  # pixels per inch: as many as points
    return float(renderer.get_text_width_height_descent(text, font, ismath=False)[0])


def literal_text(text: str) -> dict[str, Any]:
    """Give the options with which matplotlib shows dollars as such, and letters of every script."""
    return {"family": families(text), "parse_math": False, "usetex": False}


def families(text: str) -> list[str]:
    """Name the user's font families, matplotlib's own, and those that have what both have not."""
    others = (_find_family(letter) or _FAMILY for letter in text)
    return [*matplotlib.rcParams["font.family"], *dict.fromkeys([_FAMILY, *others])]


def drawable(text: str) -> str:
    """Replace letters that no font on this machine has, such as many emoji, by U+FFFD."""
    missing = {letter: "" if category(letter) in _JOINED else "\ufffd" for letter in text}
    return "".join(letter if _find_family(letter) else missing[letter] for letter in text)


# Families that had a letter: the next one is most often of the same script.
_used_families: dict[str, str] = {}


@lru_cache(maxsize=4096)
def _find_family(letter: str) -> str | None:
    for name, path in (_used_families | _font_files()).items():
        with suppress(OSError, RuntimeError):  # removed since matplotlib made its list, or broken
            if get_font(path).get_char_index(ord(letter)):
                _used_families[name] = path
                return name
    return None


@cache
def _font_files() -> dict[str, str]:
    """List families and the file of each that is taken if nothing else is named."""
    fonts = sorted(fontManager.ttflist, key=lambda font: font.name == _FAMILY)
    return {
        font.name: font.fname
        for font in reversed(fonts)  # matplotlib's own first, and of each family the first
        if font.weight in (400, "normal") and font.style == font.stretch == "normal"
        if _BLANK_FAMILY not in font.name
    }

"""Format an explanation as plain text, and the names and numbers that all formats show."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category, combining, east_asian_width

from eli5.base import check_single
from eli5.formatters.series.peaks import peaks_in_words

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.base import Explanation, TargetExplanation

__all__ = ["format_as_text"]


def format_as_text(expl: Explanation, *, ansi: bool = False) -> str:
    """Format an explanation as plain text.

    It needs no picture, and neither Pillow nor matplotlib.

    Parameters
    ----------
    expl : Explanation
        An explanation, with or without targets or an error.
    ansi : bool
        Colour the marked words of a text for a terminal, with ANSI escape sequences.

    Returns
    -------
    str
        Model, method and layer; a table of the targets with their class, score and probability, and
        for series with the time of up to three peaks, where the heatmap is at least half as high as
        at its highest, and their channel if each has its own heatmap; of a text, for each target
        the text with its strong words in brackets, such as ``[great +0.5312]``, and the ten
        heaviest tokens; the description. U+FFFD stands for what would drive the terminal: control
        characters, and those that turn its row around, such as U+202E. Several lines, without a
        line break at the end.
    """
    # It needs the names and numbers below.
    from eli5.formatters.texts.marked_text import marked_texts

    check_single(expl)
    facts = {
        "Model": one_line(expl.estimator),
        "Method": one_line(expl.method or ""),
        "Layer": one_line(expl.layer or ""),
        "Error": printable(expl.error or "").replace("\n", "\n        "),
    }
    parts = ["\n".join(f"{name:<6}  {fact}" for name, fact in facts.items() if fact)]
    if expl.targets:
        parts.append(_target_table(expl))
        for target in expl.targets:
            texts = marked_texts(expl, target, ansi=ansi)
            parts += [f"What speaks for {target_label(target)}:", *texts] if texts else []
    if expl.description:
        parts.append(printable(expl.description))
    return in_order("\n\n".join(parts))


def _target_table(expl: Explanation) -> str:
    heading, targets = "Output" if expl.is_regression else "Class", expl.targets
    table = {
        heading: [target_label(target) for target in targets],
        "Score": [number(target.score) for target in targets],
        "Probability": [number(target.proba) for target in targets],
        "Peak": [one_line(peaks_in_words(expl, target)) for target in targets],
    }
    return columns(table, right=("Score", "Probability"))


def columns(table: dict[str, list[str]], right: Sequence[str] = ()) -> str:
    """Write a table of texts by their headings, those of `right` aligned there, empty ones not."""
    padded = [
        _padded([name, *cells], right=name in right) for name, cells in table.items() if any(cells)
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*padded, strict=True))


def _padded(column: list[str], *, right: bool) -> list[str]:
    width = max(map(_width, column))
    spaces = [" " * (width - _width(cell)) for cell in column]
    return [s + c if right else c + s for s, c in zip(spaces, column, strict=True)]


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes: many Asian letters and emoji take two."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)


def target_label(target: TargetExplanation) -> str:
    """Name a target with its class id, ``"tabby (281)"``, or by the id alone if it has no name."""
    name, class_id = target_name(target), one_line(target.target)
    return class_id if name == class_id else f"{name} ({class_id})"


def target_name(target: TargetExplanation) -> str:
    """Name a target in one line: its class name, or the class id if it has none."""
    return one_line(target.class_name or "") or one_line(target.target)


def number(value: float | None) -> str:
    """Write a number with four significant digits, or nothing for ``None``."""
    if value is None:
        return ""
    if 9999.5 <= abs(value) < 1e7:
        return f"{value:.0f}"  # where "g" would turn to 1.235e+04
    return f"{value:#.4g}".removesuffix(".")


def one_line(text: object) -> str:
    """Join the lines of a name, and replace what cannot be shown; see `printable`."""
    return printable(" ".join(str(text).split()))


def printable(text: object) -> str:
    r"""Replace what no terminal, page or font can show: control characters and half surrogates.

    They come from class names read off odd file names, and could otherwise drive the terminal.
    Every kind of line break becomes ``"\n"``.
    """
    lines = "\n".join(str(text).splitlines())
    return "".join(c if c in "\n\t" or category(c) not in _UNSHOWN else "\ufffd" for c in lines)


def printable_part(text: str) -> str:
    """Do as `printable` does with a part of a text, which may end in a line break that counts."""
    if text.isprintable():
        return text
    return printable(f"{text}|")[:-1]


def in_order(text: str) -> str:
    """Replace, for a terminal, the characters that turn the rest of its row around.

    HTML keeps what they do to a name inside of an element, ``<bdi>``; a terminal has nothing like
    it. Letters that are written from right to left say that themselves, and need none of these.
    """
    return text.translate(_TURNING)


_UNSHOWN = ("Cc", "Cs")
# Embeddings, overrides and isolates, and what ends them (Unicode Standard Annex 9, table 4).
_TURNING = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")

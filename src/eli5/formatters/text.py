"""Format an explanation as plain text; of a text, its strong words in brackets."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any
from unicodedata import combining, east_asian_width

from eli5.checks import expect_flag
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.labels import (
    grade_parts,
    is_against,
    one_line,
    printable,
    printable_part,
    signed_number,
    target_label,
    target_numbers,
    without_bidi_controls,
)
from eli5.formatters.series.timeline import peaks_in_words
from eli5.formatters.texts.weighted_text import (
    Part,
    Token,
    grapheme_edges,
    heaviest,
    largest_weight,
    parts_of,
    spelled_out,
    texts_of,
    token_name,
    tokens_of,
    widen,
)

if TYPE_CHECKING:
    from eli5.base import DocWeightedSpans, Explanation, TargetExplanation

_STRONG = 0.25  # of the largest weight: what is marked
_MOST_MARKED = 30
_MOST_LISTED = 10
_LONGEST_GAP, _CONTEXT = 300, 80  # characters without a mark; what stays at each of its ends
_LONGEST_WORD = 20

# The terminal's own red and blue, so that they fit its theme; the plain blue of many can hardly be
# read on black. What speaks against is underlined, too.
_FOR, _AGAINST, _PLAIN = "\x1b[1;31m", "\x1b[4;94m", "\x1b[0m"


def format_as_text(expl: Explanation | Iterable[Any], *, ansi: bool = False) -> str:
    """Format one or several explanations as plain text.

    It needs no picture, and neither Pillow nor matplotlib.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation, with or without targets or an error; or several, one below the other.
    ansi : bool
        Colour the marked words of a text for a terminal, with ANSI escape sequences.

    Returns
    -------
    str
        Source, model, method and layer; a table of the targets with their class, score and
        probability, their grade if they have one, and for series with the time of up to three
        peaks, where the heatmap is at least half as high as at its highest, and their channel if
        each has its own heatmap; what grades are made of; of a text, for each target the text with
        its strong words in brackets, such as ``[great +0.5312]``, and the ten heaviest tokens; the
        description. U+FFFD stands for what would drive the terminal: control characters, and those
        that turn its row around, such as U+202E. Several lines, without a line break at the end.
    """
    expect_flag("ansi", ansi)
    return "\n\n".join(_one_as_text(one, ansi) for one in flattened(expl)) or "No explanations"


def _one_as_text(expl: Explanation, ansi: bool) -> str:
    facts = {
        "Source": one_line(expl.source or ""),
        "Model": one_line(expl.estimator),
        "Method": one_line(expl.method or ""),
        "Layer": one_line(expl.layer or ""),
        "Error": printable(expl.error or "").replace("\n", "\n        "),
    }
    parts = ["\n".join(f"{name:<6}  {fact}" for name, fact in facts.items() if fact)]
    if expl.targets:
        parts.append(_target_table(expl))
        parts += _grade_lines(expl)
        for target in expl.targets:
            texts = marked_texts(expl, target, ansi=ansi)
            side = target_label(target) if is_against(target) else f"for {target_label(target)}"
            parts += [f"What speaks {side}:", *texts] if texts else []
    if expl.description:
        parts.append(printable(expl.description))
    return without_bidi_controls("\n\n".join(parts))


def _target_table(expl: Explanation) -> str:
    heading, targets = "Output" if expl.is_regression else "Class", expl.targets
    numbers = list(map(target_numbers, targets))
    names = list(dict.fromkeys(name for of_one in numbers for name in of_one))
    table = {
        heading: [target_label(target) for target in targets],
        **{name: [of_one.get(name, "") for of_one in numbers] for name in names},
        "Peak": [one_line(peaks_in_words(expl, target)) for target in targets],
    }
    return _table(table, right=names)


def _grade_lines(expl: Explanation) -> list[str]:
    """Say what the grades of the targets are made of, in one block, if there are any."""
    lines = [
        f"Grade of {target_label(target)}: {grade_parts(target.grade)}"
        for target in expl.targets
        if target.grade is not None
    ]
    return ["\n".join(lines)] if lines else []


def marked_texts(expl: Explanation, target: TargetExplanation, *, ansi: bool) -> list[str]:
    """Format each text of a target as two blocks: the text, and a table of its heaviest tokens.

    In the text the words of at least a quarter of the largest weight of the explanation are in
    brackets with their weights, ``[great +0.5312]``, and what is far from all of them is replaced
    by ``[...]``.
    """
    least = _STRONG * largest_weight(expl)
    blocks = []
    for text in texts_of(target):
        tokens = tokens_of(text)
        name = f"{one_line(text.vec_name)}: " if text.vec_name else ""
        colours = (_AGAINST, _FOR) if is_against(target) else (_FOR, _AGAINST)
        marked = "".join(_marked(text, tokens, least, colours if ansi else None)).rstrip()
        blocks += [f"{name}{marked}", _token_table(heaviest(tokens, _MOST_LISTED))]
    return [block for block in blocks if block]


def _marked(
    text: DocWeightedSpans, tokens: Sequence[Token], least: float, colours: tuple[str, str] | None
) -> Iterator[str]:
    """Yield the text in parts; those that are marked are cut off from each other by plain ones.

    The colours are those of positive and negative weights, if there are any.
    """
    strong = (part for part in parts_of(text, tokens) if part.weight and abs(part.weight) >= least)
    marked = heapq.nlargest(_MOST_MARKED, strong, key=lambda part: abs(part.weight))
    start = 0
    for part in sorted(marked, key=lambda part: part.start):
        yield _between(text.document, start, part.start)
        yield _mark(part, colours)
        start = part.start + len(part.text)
    yield _between(text.document, start, len(text.document))


def _mark(part: Part, colours: tuple[str, str] | None) -> str:
    # The space in front of a word may belong to its token, and is not to lie in the brackets.
    word = part.text.strip()
    space, _, rest = part.text.partition(word) if word else ("", "", part.text)
    colour, plain = (colours[part.weight < 0], _PLAIN) if colours else ("", "")
    shown = printable_part(word) or spelled_out(part.text)
    mark = f"{colour}[{shown} {signed_number(part.weight)}]{plain}"
    return f"{printable_part(space)}{mark}{printable_part(rest)}"


def _between(document: str, start: int, end: int) -> str:
    """Return a part without marks, and of a long one only what is near a mark, or the beginning."""
    if end - start <= _LONGEST_GAP:
        return printable_part(document[start:end])
    is_first, is_last = start == 0, end == len(document)
    n_head = 0 if is_first and not is_last else _LONGEST_GAP if is_first else _CONTEXT
    edges = grapheme_edges(document)
    head = _whole_words(document[start : widen(start + n_head, end, edges)[0]])
    tail = "" if is_last else document[widen(start, end - _CONTEXT, edges)[1] : end]
    tail = _whole_words(tail[::-1])[::-1]
    return " ".join(printable_part(part) for part in (head, "[...]", tail) if part)


def _whole_words(text: str) -> str:
    """Leave out the half word at the end."""
    end = max(text.rfind(blank, max(len(text) - _LONGEST_WORD, 0)) for blank in " \n")
    return text[:end] if end > 0 else text


def _token_table(tokens: Sequence[Token]) -> str:
    if not tokens:
        return ""
    columns = {
        "Token": [token_name(token) for token in tokens],
        "Weight": [signed_number(token.weight) for token in tokens],
        "Place": [_offsets(token) for token in tokens],
    }
    return _table(columns, right=("Weight",))


def _offsets(token: Token) -> str:
    return ", ".join(f"{start}-{end}" for start, end in token.offsets[:3]) or "not in the text"


def _table(columns: dict[str, list[str]], right: Sequence[str] = ()) -> str:
    """Write columns by their headings, those of `right` aligned there; empty ones are left out."""
    padded = [
        _padded([name, *cells], right=name in right)
        for name, cells in columns.items()
        if any(cells)
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*padded, strict=True))


def _padded(column: list[str], *, right: bool) -> list[str]:
    width = max(map(_width, column))
    spaces = [" " * (width - _width(cell)) for cell in column]
    return [s + c if right else c + s for s, c in zip(spaces, column, strict=True)]


def _width(text: str) -> int:
    """Count the columns of a terminal that a text takes: many Asian letters and emoji take two."""
    return sum(0 if combining(c) else 2 if east_asian_width(c) in "WF" else 1 for c in text)

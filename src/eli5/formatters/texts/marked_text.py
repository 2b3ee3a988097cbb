"""Weighted texts as plain text: the strong words in brackets, with a table of the heaviest."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from eli5.formatters.text import columns, one_line, printable_part
from eli5.formatters.texts.graphemes import whole
from eli5.formatters.texts.weighted_text import (
    heaviest,
    largest_weight,
    parts_of,
    signed,
    texts_of,
    token_name,
    tokens_of,
    visible,
)

if TYPE_CHECKING:
    from eli5.base import DocWeightedSpans, Explanation, TargetExplanation
    from eli5.formatters.texts.weighted_text import Token

__all__ = ["marked_texts"]

_STRONG = 0.25  # of the largest weight: what is marked
_MOST_MARKED = 30
_MOST_LISTED = 10
_LONGEST_GAP, _KEPT = 300, 80  # characters without a mark; what is kept at each of its ends
_LONGEST_WORD = 20

# The terminal's own colours, so that they fit its theme; what speaks against is underlined, too.
_FOR, _AGAINST, _PLAIN = "\x1b[1;32m", "\x1b[4;31m", "\x1b[0m"


def marked_texts(expl: Explanation, target: TargetExplanation, *, ansi: bool) -> list[str]:
    """Format the texts of a target.

    Parameters
    ----------
    expl : Explanation
        It has the largest weight, to which all others are compared.
    target : TargetExplanation
    ansi : bool
        See `eli5.format_as_text`.

    Returns
    -------
    list of str
        For each text two blocks: the text, the words of at least a quarter of the largest weight
        in brackets with their weights, ``[great +0.5312]``, and what is far from all of them
        replaced by ``[...]``; then a table of the heaviest tokens.
    """
    largest = largest_weight(expl)
    blocks = []
    for text in texts_of(target):
        tokens = tokens_of(text)
        name = f"{one_line(text.vec_name)}: " if text.vec_name else ""
        shown = "".join(_marked(text, tokens, _STRONG * largest, ansi=ansi)).rstrip()
        blocks += [f"{name}{shown}", _table(tokens)]
    return [block for block in blocks if block]


def _marked(
    text: DocWeightedSpans, tokens: Sequence[Token], least: float, *, ansi: bool
) -> Iterator[str]:
    """Yield the text in parts; those that are marked are cut off from each other by plain ones."""
    parts = parts_of(text, tokens)
    strong = (part for part in parts if part.weight and abs(part.weight) >= least)
    marked = heapq.nlargest(_MOST_MARKED, strong, key=lambda part: abs(part.weight))
    start = 0
    for part in sorted(marked, key=lambda part: part.start):
        yield _between(text.document, start, part.start)
        yield _mark(text.document[part.start : part.end], part.weight, ansi=ansi)
        start = part.end
    yield _between(text.document, start, len(text.document))


def _mark(shown: str, weight: float, *, ansi: bool) -> str:
    # The space in front of a word may belong to its token, and is not to lie in the brackets.
    word = shown.strip()
    space, _, rest = shown.partition(word) if word else ("", "", shown)
    colour, plain = (_FOR if weight > 0 else _AGAINST, _PLAIN) if ansi else ("", "")
    mark = f"{colour}[{printable_part(word) or visible(shown)} {signed(weight)}]{plain}"
    return f"{printable_part(space)}{mark}{printable_part(rest)}"


def _between(document: str, start: int, end: int) -> str:
    """Return a part without marks, and of a long one only what is near a mark, or the beginning."""
    if end - start <= _LONGEST_GAP:
        return printable_part(document[start:end])
    is_first, is_last = start == 0, end == len(document)
    n_head = 0 if is_first and not is_last else _LONGEST_GAP if is_first else _KEPT
    head = _words(document[start : whole(document, start + n_head, start + n_head)[0]])
    tail = "" if is_last else document[whole(document, end - _KEPT, end - _KEPT)[1] : end]
    tail = _words(tail[::-1])[::-1]
    return " ".join(printable_part(part) for part in (head, "[...]", tail) if part)


def _words(text: str) -> str:
    """Leave out the half word at the end."""
    place = max(text.rfind(blank, max(len(text) - _LONGEST_WORD, 0)) for blank in " \n")
    return text[:place] if place > 0 else text


def _table(tokens: Sequence[Token]) -> str:
    listed = heaviest(tokens, _MOST_LISTED)
    if not listed:
        return ""
    return columns(
        {
            "Token": [token_name(token) for token in listed],
            "Weight": [signed(token.weight) for token in listed],
            "Place": [_place(token) for token in listed],
        },
        right=("Weight",),
    )


def _place(token: Token) -> str:
    return ", ".join(f"{start}-{end}" for start, end in token.places[:3]) or "not in the text"

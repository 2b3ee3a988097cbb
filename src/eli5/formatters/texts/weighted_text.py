"""Read the weighted texts of an explanation: their tokens, and the parts of one weight."""

from __future__ import annotations

import heapq
import itertools
import math
import sys
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

from eli5.base import DocWeightedSpans, WeightedSpans
from eli5.formatters.labels import one_line

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

_BLANKS = {" ": "␣", "\t": "⇥", "\n": "⏎", "\r": "⏎"}
_UNSEEN = ("Mn", "Mc", "Me", "Cf", "Zs", "Zl", "Zp")


class Token(NamedTuple):
    """A token of a text; `offsets` are those of its spans that lie in the text."""

    name: str
    offsets: list[tuple[int, int]]
    weight: float


class Part(NamedTuple):
    """A part of a text, in order, without gaps; `weight` is the sum of its tokens' weights."""

    text: str
    start: int
    weight: float
    tokens: Sequence[Token]


def has_texts(expl: Explanation) -> bool:
    """Tell whether an explanation is one of texts."""
    return any(map(texts_of, expl.targets or ()))


def texts_of(target: TargetExplanation) -> list[DocWeightedSpans]:
    """Return the weighted texts of a target; none if it has none, as those of pictures."""
    spans = target.weighted_spans
    return list(spans.docs_weighted_spans) if isinstance(spans, WeightedSpans) else []


def tokens_of(text: DocWeightedSpans) -> list[Token]:
    """Return the tokens of a text in their order; TypeError if a span is not of that kind.

    Offsets are cut off at the text's ends, and spans that are empty then are left out. A weight
    that is not finite counts as 0.
    """
    return [_token(span, len(text.document)) for span in text.spans]


def _token(span: Any, length: int) -> Token:
    try:
        name, offsets, weight = span
        inside = [
            (max(int(start), 0), min(int(end), length))
            for start, end in offsets
            if max(start, 0) < min(end, length)
        ]
        value = float(weight)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            "Expected each span of a DocWeightedSpans to be (token, [(start, end), ...], weight). "
            f"Received: {span!r}"
        ) from None
    return Token(str(name), inside, value if math.isfinite(value) else 0.0)


def parts_of(text: DocWeightedSpans, tokens: Sequence[Token]) -> Iterator[Part]:
    """Cut a text where the weight changes.

    Spans are widened to whole characters as a reader sees them. Where some overlap, as those of
    tokens that share an emoji then do, their weights are added. Neighbours without any weight make
    one part.
    """
    edges = grapheme_edges(text.document)
    # By place: the tokens that begin there, with 1, and those that end there, with -1.
    changes: dict[int, list[tuple[int, int]]] = {0: [], len(text.document): []}
    for k, token in enumerate(tokens):
        for offsets in token.offsets if token.weight else ():
            start, end = widen(*offsets, edges)
            changes.setdefault(start, []).append((k, 1))
            changes.setdefault(end, []).append((k, -1))
    covering: dict[int, int] = {}  # how often each token covers where the sweep is
    for start, end in itertools.pairwise(sorted(changes)):
        for k, change in changes[start]:
            covering[k] = covering.get(k, 0) + change
            if not covering[k]:
                del covering[k]
        there = [tokens[k] for k in covering]
        total = sum(token.weight for token in there)
        # The largest numbers may add up to infinity, of which no share can be told.
        weight = max(-sys.float_info.max, min(total, sys.float_info.max))
        yield Part(text.document[start:end], start, weight, there)


@lru_cache(maxsize=4)  # the same text comes several times, once for each target at the least
def grapheme_edges(text: str) -> Sequence[int]:
    """Return the places where a text may be cut without tearing a character apart.

    Tokens are cut from bytes or code points, and may hold a part of an emoji, an accent without its
    letter, or half a line break. What a reader sees as one character is a grapheme cluster of
    Unicode (UAX #29).
    """
    if text.isascii() and "\r" not in text:
        return range(len(text) + 1)
    return 0, *(match.end() for match in _grapheme().finditer(text))


@cache
def _grapheme() -> Any:
    import regex  # texts alone need it

    # Flags on their own, in pairs of letters: of a row of them, \X counts all in front of each.
    return regex.compile(r"\p{RI}{2}[\p{GCB=Extend}\p{GCB=ZWJ}\p{GCB=SpacingMark}]*|\X")


def widen(start: int, end: int, edges: Sequence[int]) -> tuple[int, int]:
    """Return the smallest span around a span that begins and ends at `edges`, which are sorted."""
    return edges[bisect_right(edges, start) - 1], edges[bisect_left(edges, end)]


def largest_weight(expl: Explanation) -> float:
    """Return the largest magnitude that a part of any text has: what the strongest colour means."""
    texts = (text for target in expl.targets or () for text in texts_of(target))
    return max((weight for text in texts for weight in _magnitudes(text)), default=0.0)


def _magnitudes(text: DocWeightedSpans) -> Iterator[float]:
    tokens = tokens_of(text)
    yield from (abs(part.weight) for part in parts_of(text, tokens))
    yield from (abs(token.weight) for token in tokens_outside(tokens))


def tokens_outside(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens that have a weight but do not lie in the text, such as ``[CLS]``."""
    return [token for token in tokens if token.weight and not token.offsets]


def heaviest(tokens: Iterable[Token], count: int) -> list[Token]:
    """Return so many tokens of the largest magnitude, largest first, none that weighs nothing."""
    weighing = (token for token in tokens if token.weight)
    return heapq.nsmallest(count, weighing, key=lambda token: -abs(token.weight))


def token_name(token: Token) -> str:
    """Name a token in one line, as the model sees it, so that there is something to be seen."""
    name = one_line(token.name)
    if any(category(letter) not in _UNSEEN for letter in name):
        return name
    return spelled_out(token.name) or "(empty)"


def spelled_out(text: str) -> str:
    """Write what leaves no ink of its own: white space as signs, all else as code points."""
    return "".join(_BLANKS.get(letter) or f"U+{ord(letter):04X}" for letter in text)

"""Read the weighted texts of an explanation: what all formats show of them."""

from __future__ import annotations

import heapq
import itertools
import math
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple
from unicodedata import category

from eli5.base import DocWeightedSpans, WeightedSpans
from eli5.formatters.text import number, one_line
from eli5.formatters.texts.graphemes import whole

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

__all__ = [
    "Part",
    "Token",
    "apart",
    "has_texts",
    "heaviest",
    "largest_weight",
    "parts_of",
    "signed",
    "texts_of",
    "token_name",
    "tokens_of",
    "visible",
]

_BLANKS = {" ": "␣", "\t": "⇥", "\n": "⏎", "\r": "⏎"}
_UNSEEN = ("Mn", "Mc", "Me", "Cf", "Zs", "Zl", "Zp")


class Token(NamedTuple):
    """A token of a text; `places` are those of its spans that lie in the text."""

    name: str
    places: list[tuple[int, int]]
    weight: float


class Part(NamedTuple):
    """A part of a text, in order, without gaps; `weight` is the sum of its tokens' weights."""

    start: int
    end: int
    weight: float
    tokens: Sequence[Token]


def has_texts(expl: Explanation) -> bool:
    """Tell whether an explanation is one of texts."""
    return any(map(texts_of, expl.targets or ()))


def texts_of(target: TargetExplanation) -> list[DocWeightedSpans]:
    """Return the weighted texts of a target; none if it has none, as those of pictures."""
    found = target.weighted_spans
    return list(found.docs_weighted_spans) if isinstance(found, WeightedSpans) else []


def tokens_of(text: DocWeightedSpans) -> list[Token]:
    """Return the tokens of a text in their order.

    Parameters
    ----------
    text : DocWeightedSpans
        Places are cut off at the text's ends, and those that are empty then are left out. A weight
        that is not finite counts as 0.

    Raises
    ------
    TypeError
        If a span is not ``(token, [(start, end), ...], weight)``.
    """
    return [_token(span, len(text.document)) for span in text.spans]


def _token(span: Any, length: int) -> Token:
    try:
        name, places, weight = span
        kept = [
            (max(int(start), 0), min(int(end), length))
            for start, end in places
            if max(start, 0) < min(end, length)
        ]
        value = float(weight)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(
            "Expected each span of a DocWeightedSpans to be (token, [(start, end), ...], weight). "
            f"Received: {span!r}"
        ) from None
    return Token(str(name), kept, value if math.isfinite(value) else 0.0)


def largest_weight(expl: Explanation) -> float:
    """Return the largest magnitude that a part of any text has: what the strongest colour means."""
    texts = (text for target in expl.targets or () for text in texts_of(target))
    return max((weight for text in texts for weight in _magnitudes(text)), default=0.0)


def _magnitudes(text: DocWeightedSpans) -> Iterator[float]:
    tokens = tokens_of(text)
    yield from (abs(part.weight) for part in parts_of(text, tokens))
    yield from (abs(token.weight) for token in apart(tokens))


def apart(tokens: Sequence[Token]) -> list[Token]:
    """Return the tokens that have a weight but no place in the text, such as ``[CLS]``."""
    return [token for token in tokens if token.weight and not token.places]


def heaviest(tokens: Iterable[Token], count: int) -> list[Token]:
    """Return so many tokens of the largest magnitude, largest first, none that weighs nothing."""
    weighing = (token for token in tokens if token.weight)
    return heapq.nsmallest(count, weighing, key=lambda token: -abs(token.weight))


def parts_of(text: DocWeightedSpans, tokens: Sequence[Token]) -> Iterator[Part]:
    """Cut a text where the weight changes.

    Spans are widened to whole characters as a reader sees them. Where some overlap, as those of
    tokens that share an emoji then do, their weights are added. Neighbours without any weight make
    one part.
    """
    edges: dict[int, tuple[list[int], list[int]]] = {0: ([], []), len(text.document): ([], [])}
    for k, token in enumerate(tokens):
        for place in token.places if token.weight else ():
            start, end = whole(text.document, *place)
            edges.setdefault(start, ([], []))[0].append(k)
            edges.setdefault(end, ([], []))[1].append(k)
    yield from _swept(edges, tokens)


def _swept(
    edges: dict[int, tuple[list[int], list[int]]], tokens: Sequence[Token]
) -> Iterator[Part]:
    covering: dict[int, int] = {}  # how often each token covers where the sweep is
    places = sorted(edges)
    for start, end in itertools.pairwise(places):
        for k in edges[start][1]:
            covering[k] -= 1
            if not covering[k]:
                del covering[k]
        for k in edges[start][0]:
            covering[k] = covering.get(k, 0) + 1
        there = [tokens[k] for k in covering]
        total = sum(token.weight for token in there)
        yield Part(start, end, max(-sys.float_info.max, min(total, sys.float_info.max)), there)


def signed(weight: float) -> str:
    """Write a weight with its sign, in four digits."""
    return number(weight) if weight < 0 else f"+{number(weight)}"


def token_name(token: Token) -> str:
    """Name a token in one line, as the model sees it, so that there is something to be seen."""
    name = one_line(token.name)
    if any(category(letter) not in _UNSEEN for letter in name):
        return name
    return visible(token.name) or "(empty)"


def visible(text: str) -> str:
    """Write what leaves no ink of its own: white space as signs, all else as code points."""
    return "".join(_BLANKS.get(letter) or f"U+{ord(letter):04X}" for letter in text)

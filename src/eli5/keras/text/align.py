"""A text as tokens, and where each lies: aligned by characters, proven by tokenising the parts."""

from __future__ import annotations

import functools
import itertools
import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np
import regex

# Where a token lies: first character, and the one behind the last. A token may have none.
Span = tuple[int, int]
Offsets = list[list[Span]]

# Cuts each of several texts into its tokens.
Cut = Callable[[list[str]], list[list[str]]]

_NOTHING = r"\p{Cs}"  # no text that UTF-8 can write has surrogates
_UNKNOWN = ("[UNK]", "<unk>")
_WORD_MARKS = regex.compile(r"^##(?=.)|▁")  # as WordPiece and SentencePiece write them

_PUNCTUATION = regex.escape(string.punctuation)
_CONTROL = r"\p{Cc}\p{Cf}"  # tabs, ends of lines, and what else only lays out a text
_BLANK = rf"\p{{Z}}{_CONTROL}"
_BLANK_AROUND = regex.compile(rf"\A[{_BLANK}]|[{_BLANK}]\Z")
_ACCENTS = regex.compile(r"\p{M}*")
_ENDS_WORD = rf"{_CONTROL}\p{{P}}{_PUNCTUATION}"

# What tokenizers leave out of a text, the least first: characters, and parts of them.
_LEFT_OUT = tuple(
    (regex.compile(f"[{characters}]"), regex.compile(accents))
    for characters in (_NOTHING, _BLANK, _PUNCTUATION, _BLANK + _PUNCTUATION)
    for accents in (_NOTHING, r"\p{Mn}")
)

_WHOLE = r"(?s)\A.*"
_WITHOUT = r"{0}(*SKIP)(*FAIL)|(?:(?!{0})\S)+"
# Parts that tokenizers read one by one.
_PARTS = (
    _WHOLE,
    rf"[^ {_ENDS_WORD}\p{{Han}}]+|[^ {_CONTROL}]",  # the words of WordPiece
    rf"[^\s{_ENDS_WORD}](?:\S*[^\s{_ENDS_WORD}])?",  # without the punctuation around them
    r"\S+",
    r"[^ \t\n\r\f\v]+",
    _WITHOUT.format(r"<br\s*/?>"),  # as the tutorials of Keras clean reviews
    _WITHOUT.format(r"<[^>]*>"),
)


class TokenizedText(NamedTuple):
    """One text as a model takes it."""

    # That takes token ids: the model itself, or the part of it behind its `TextVectorization`.
    model: keras.Model
    doc: Any  # shape (1, T): What `model` takes: the ids, and what belongs to them
    tokens: list[str]  # T tokens as the model sees them; padding is ``''`` or the padding token
    text: str  # the text
    # The spans of each token in `text`, in characters, the end excluded. None for padding and for
    # what a tokenizer puts around a text. Two tokens that share a character, as parts of an emoji
    # do, both lie there.
    offsets: Offsets
    is_padding: np.ndarray[Any, np.dtype[np.bool_]]  # of bool, shape (T,): Which tokens are padding
    input: str | None = None  # which array of `doc` holds the ids, where there are several
    # The id that stands for a token that is left out: the tokenizer's mask, such as ``[MASK]``, or
    # else its padding.
    mask_id: int | None = None
    # Whether `text` is the one that was given. It is not if the tokens could not be found in there;
    # `text` is then the tokens, joined by spaces.
    is_original: bool = True


def candidate_offsets(text: str, tokens: Sequence[str], cut: Cut) -> Iterator[Offsets]:
    """Yield the spans of all tokens, the most likely first; nothing where they are unsure.

    The characters of the tokens must be those of the text, but for case, accents, Unicode's
    compatible forms, blanks and punctuation. Else the text is cut into parts which give the same
    tokens when each is tokenised alone, and the rule must hold in each part; where it does not, all
    tokens of a part lie in the whole of it. Tokens for unknown words are proven by `cut`.
    """
    shared = []
    for pattern in _PARTS:
        parts = [match.span() for match in regex.finditer(pattern, text)]
        given = [list(tokens)] if pattern == _WHOLE else cut([text[i:k] for i, k in parts])
        if list(itertools.chain(*given)) != list(tokens):
            continue
        rows = list(zip(parts, given, strict=True))
        aligned = [_align(text, part, words, cut) for part, words in rows]
        found = [
            [[part]] * len(words) if offsets is None else offsets
            for (part, words), offsets in zip(rows, aligned, strict=True)
        ]
        if None not in aligned:
            yield list(itertools.chain(*found))
        elif pattern != _WHOLE:
            shared.append(list(itertools.chain(*found)))
    yield from shared


def _align(text: str, part: Span, tokens: list[str], cut: Cut) -> Offsets | None:
    if not tokens:
        return []
    bare = [_WORD_MARKS.sub("", token) for token in tokens]
    forms = [tokens] if bare == tokens else [tokens, bare]
    for left_out, form in itertools.product(_LEFT_OUT, forms):
        fold = functools.partial(_fold, *left_out)
        pieces = [None if token in _UNKNOWN else "".join(map(fold, token)) for token in form]
        offsets = align_folded(text, part, pieces, fold)
        if offsets is not None and _are_unknown(text, tokens, offsets, cut):
            return offsets
    return None


@functools.lru_cache(1 << 16)
def _fold(left_out: Any, accents: Any, character: str) -> str:
    """Return what a character is compared by: no, one or several characters."""
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())
    return "" if left_out.match(character) else str(accents.sub("", folded))


def align_folded(
    text: str, part: Span, pieces: Sequence[str | None], fold: Callable[[str], str]
) -> Offsets | None:
    """Return the spans of pieces that are all of a part of `text`, folded; None if they are not.

    A piece that is None is unknown: it reaches to the next one that is known.
    """
    start, stop = part
    pairs = [(symbol, start + k) for k, one in enumerate(text[start:stop]) for symbol in fold(one)]
    symbols = "".join(symbol for symbol, _ in pairs)
    origins = [*(k for _, k in pairs), stop]
    known = _fill_unknown(symbols, pieces)
    if "".join(known) != symbols:
        return None
    ends = itertools.accumulate(map(len, known), initial=0)
    return [
        [_span(text, origins, first, end)] if first < end else []
        for first, end in itertools.pairwise(ends)
    ]


def _fill_unknown(symbols: str, pieces: Sequence[str | None]) -> list[str]:
    """Return the pieces, with what lies before the next known one in place of each unknown one."""
    filled, at = [], 0
    for piece, following in itertools.pairwise([*pieces, ""]):
        if piece is None:
            end = symbols.find(following, at + 1) if following else len(symbols)
            piece = symbols[at:end]
        filled.append(piece)
        at += len(piece)
    return filled


def _are_unknown(text: str, tokens: list[str], offsets: Offsets, cut: Cut) -> bool:
    """Tell whether the tokenizer knows nothing of what was taken to be unknown."""
    rows = [row for row in zip(tokens, offsets, strict=True) if row[0] in _UNKNOWN]
    parts = [text[start:end] for _, spans in rows for start, end in spans]
    if len(parts) < len(rows) or any(map(_BLANK_AROUND.search, parts)):
        return False
    given = [[token for token in words if token != "▁"] for words in cut(parts)]
    return given == [[token] for token, _ in rows]


def _span(text: str, origins: list[int], first: int, end: int) -> Span:
    # Accents that were left out belong to the letter before them.
    behind = origins[end - 1] + 1
    return origins[first], _ACCENTS.match(text, behind, max(behind, origins[end])).end()

"""A text, its tokens, and where each of them lies in the text."""

from __future__ import annotations

import string
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

import keras

# Where something lies in a text: first character, and the one behind the last.
Place = tuple[int, int]


class Tokenized(NamedTuple):
    """One text as a model takes it.

    Attributes
    ----------
    model : keras.Model
        That takes token ids: the model itself, or the part of it behind its `TextVectorization`.
    doc : numpy.ndarray, shape (1, T), or a dict of arrays
        What `model` takes: the ids, and what belongs to them.
    tokens : list of str
        T tokens as the model sees them; padding is ``''`` or the padding token.
    text : str
        The text.
    spans : list of list of (int, int)
        The places of each token in `text`, in characters, the end excluded. None for padding and
        for what a tokenizer puts around a text. Two tokens that share a character, as parts of an
        emoji do, both lie there.
    is_pad : numpy.ndarray of bool, shape (T,)
        Which tokens are padding.
    input : str, optional
        Which array of `doc` holds the ids, where there are several.
    is_original : bool
        Whether `text` is the one that was given. It is not if the tokens could not be found in
        there; `text` is then the tokens, joined by spaces.
    """

    model: keras.Model
    doc: Any
    tokens: list[str]
    text: str
    offsets: list[list[Place]]
    is_padding: np.ndarray[Any, np.dtype[np.bool_]]
    input: str | None = None
    is_original: bool = True
    mask_id: int | None = None


class Reading(NamedTuple):
    """How a tokenizer may have read a text.

    Attributes
    ----------
    fold : callable
        Gives what a character of text or token is compared by: none, one or several characters.
    between, inside : callable
        Tell the folded characters that may be left out between tokens, and within one.
    anywhere : bool
        Whether anything may be left out between tokens.
    unknown : callable
        Gives where an unknown token ends, from the folded text, where it starts, and the token
        behind it.
    """

    fold: Callable[[str], str]
    between: Callable[[str], bool]
    inside: Callable[[str], bool]
    anywhere: bool = False
    unknown: Callable[[str, int, str], int] | None = None


def find_places(
    text: str, tokens: Sequence[str | None], reading: Reading, *, whole: bool = True
) -> list[list[Place]] | None:
    """Return the place of each token, or None if they are not in the text in their order.

    Parameters
    ----------
    text : str
    tokens : sequence of str or None
        None is an unknown token. An empty one has no place.
    reading : Reading
    whole : bool
        Whether the tokens must use up the text.
    """
    symbols, origins = _folded(text, reading.fold)
    wanted = [None if token is None else _folded(token, reading.fold)[0] for token in tokens]
    places, at = [], 0
    for token, following in zip(wanted, [*wanted, ""][1:], strict=True):
        found = _find(symbols, at, token, following or "", reading)
        if found is None:
            return None
        first, at = found
        places.append([_place(origins, first, at)] if first < at else [])
    if whole and not all(map(reading.between, symbols[at:])):
        return None
    return places


def _folded(text: str, fold: Callable[[str], str]) -> tuple[str, list[int]]:
    """Return the folded characters, and which character each of them comes from."""
    pairs = [(symbol, k) for k, character in enumerate(text) for symbol in fold(character)]
    # The end of the text closes the list, for the place of the last one.
    return "".join(symbol for symbol, _ in pairs), [*(k for _, k in pairs), len(text)]


def _find(
    symbols: str, at: int, token: str | None, following: str, reading: Reading
) -> tuple[int, int] | None:
    if token is None:
        return _find_unknown(symbols, at, following, reading)
    if not token:
        return at, at
    for start in range(at, len(symbols)):
        end = _match(symbols, start, token, reading.inside)
        if end is not None:
            return start, end
        if not (reading.anywhere or reading.between(symbols[start])):
            return None
    return None


def _find_unknown(
    symbols: str, at: int, following: str, reading: Reading
) -> tuple[int, int] | None:
    while at < len(symbols) and reading.between(symbols[at]):
        at += 1
    if at == len(symbols) or reading.unknown is None:
        return None
    return at, reading.unknown(symbols, at, following)


def _match(symbols: str, at: int, token: str, inside: Callable[[str], bool]) -> int | None:
    """Return where `token` ends if it starts at `at`."""
    if symbols.startswith(token, at):
        return at + len(token)
    for k, letter in enumerate(token):
        while k and at < len(symbols) and symbols[at] != letter and inside(symbols[at]):
            at += 1
        if at == len(symbols) or symbols[at] != letter:
            return None
        at += 1
    return at


def _place(origins: list[int], first: int, end: int) -> Place:
    # Characters that fold to nothing, such as accents, belong to the one before them.
    return origins[first], max(origins[end - 1] + 1, origins[end])


# ---- what tokenizers do with characters ----------------------------------------------------------


def is_blank(character: str) -> bool:
    """Tell white space, and characters that control how text is laid out."""
    category = unicodedata.category(character)
    return character.isspace() or category[0] == "Z" or category in ("Cc", "Cf")


def is_ascii_blank(character: str) -> bool:
    """Tell white space of ASCII, and characters that control how text is laid out."""
    return character in " \t\n\r\f" or unicodedata.category(character) in ("Cc", "Cf")


def is_punctuation(character: str) -> bool:
    """Tell ASCII punctuation."""
    return character in string.punctuation


def is_word_of_its_own(character: str) -> bool:
    """Tell punctuation and Chinese characters, which WordPiece never joins with others."""
    if is_punctuation(character) or unicodedata.category(character)[0] == "P":
        return True
    code = ord(character)
    return any(first <= code <= last for first, last in _CHINESE)


# The blocks "CJK (Compatibility) Ideographs" and their extensions up to E.
_CHINESE = (
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2CEAF),
    (0x2F800, 0x2FA1F),
)


def word_end(blank: Callable[[str], bool], symbols: str, at: int, following: str) -> int:
    """Return the end of the word that starts at `at`, as WordPiece cuts words."""
    if is_word_of_its_own(symbols[at]):
        return at + 1
    while at < len(symbols) and not (blank(symbols[at]) or is_word_of_its_own(symbols[at])):
        at += 1
    return at


def run_end(blank: Callable[[str], bool], symbols: str, at: int, following: str) -> int:
    """Return the end of the run of characters before a blank or the token behind it."""
    at += 1
    while at < len(symbols) and not blank(symbols[at]):
        if following and symbols.startswith(following, at):
            break
        at += 1
    return at


def folds() -> Iterator[Callable[[str], str]]:
    """Yield ways to compare characters, the strictest first."""
    yield str
    yield str.casefold
    yield lambda character: _without_accents("NFD", character)
    yield _decomposed
    yield lambda character: _without_accents("NFKD", character)


def _without_accents(form: Any, character: str) -> str:
    parts = unicodedata.normalize(form, unicodedata.normalize(form, character).casefold())
    return "".join(part for part in parts if unicodedata.category(part) != "Mn")


def _decomposed(character: str) -> str:
    return unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", character).casefold())

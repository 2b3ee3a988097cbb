"""Models that start with a `TextVectorization`: the part behind it, and where its tokens lie."""

from __future__ import annotations

import functools
import itertools
import re
import string
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

import keras
from eli5.keras.text.split_model import ADVICE, split_model
from eli5.keras.text.token_offsets import (
    Place,
    Reading,
    Tokenized,
    find_places,
    folds,
    is_blank,
    is_punctuation,
)

Array = np.ndarray[Any, Any]
# Cuts texts into such words of one text as they hold.
Cut = Callable[[list[str]], list[list[str]]]

# What the layer gives for padding, and for words that are not in its vocabulary.
_PADDING, _UNKNOWN = 0, 1

# Ids asked for at once.
_MOST_IDS = 1 << 20


def read_with_vectorizer(model: keras.Model, text: str) -> Tokenized:
    """Return `text` as the part of `model` behind its `TextVectorization` takes it.

    Raises
    ------
    ValueError
        If the model cannot be split behind a `TextVectorization` that gives ids, if the text has
        no token, or if the tokens cannot be found in the text.
    """
    _, vectorizer, behind = split_model(model)
    config = vectorizer.get_config()
    _check_config(config)
    # Of the rank of the model's input: without splitting, the layer gives what it gets.
    shape = (1,) if _rank(model) == 1 else (1, 1)
    ids = keras.ops.convert_to_numpy(vectorizer(np.array([text]).reshape(shape)))
    if ids.ndim != 2:
        raise ValueError(
            f"Expected a TextVectorization that gives ids of shape (1, T). Received: {ids.shape}. "
            + ADVICE
        )
    if not ids.size:
        raise ValueError(f"Expected a text with at least one token. Received: doc={text!r}")
    words, spans = _words(vectorizer, config, text, ids[0])
    special = {_PADDING: "", _UNKNOWN: "[UNK]"}
    tokens = [special.get(i, word) for i, word in zip(ids[0].tolist(), words, strict=True)]
    return Tokenized(behind, ids, tokens, text, spans, ids[0] == _PADDING)


def _rank(model: keras.Model) -> int:
    inputs = getattr(model, "inputs", None)
    return len(inputs[0].shape) if inputs else 2


def _check_config(config: dict[str, Any]) -> None:
    if config["output_mode"] != "int" or config["ragged"]:
        raise ValueError(
            "Expected a TextVectorization with output_mode='int' and ragged=False, as only ids in "
            "their order have a place in the text. Received: "
            f"output_mode={config['output_mode']!r}, ragged={config['ragged']}"
        )


# ---- words and their places ----------------------------------------------------------------------


def _words(
    vectorizer: keras.layers.TextVectorization, config: dict[str, Any], text: str, ids: Array
) -> tuple[list[str], list[list[Place]]]:
    """Return a word and its places for each id; padding has none.

    Raises
    ------
    ValueError
        If the words cannot be found.
    """
    words, cut = _cutter(config, text)
    n_ids = len(ids)
    # Functions of the user's own, and runs of words, may need the words that are cut off.
    needed = words if config["ngrams"] or _is_own(config) else words[:n_ids]
    places = _places(config, text, needed, cut, whole=len(needed) == len(words))
    if places is not None and config["ngrams"] is not None:
        ngrams, _ = _cutter(config, text, ngrams=config["ngrams"])
        words, places = _joined(words, places, config["ngrams"])
        places = places if words == ngrams else None
    elif places is not None and not _same_ids(vectorizer, text, places, ids):
        places = None
    words = words[:n_ids] + [""] * (n_ids - len(words))
    if places is None or [not word for word in words] != list(ids == _PADDING):
        raise ValueError(
            f"Expected a TextVectorization whose tokens can be found in the text. Received: "
            f"standardize={config['standardize']!r}, split={config['split']!r}, for which they "
            f"cannot. {ADVICE}"
        )
    return words, places[:n_ids] + [[]] * (n_ids - len(places))


def _cutter(config: dict[str, Any], text: str, ngrams: Any = None) -> tuple[list[str], Cut]:
    """Return the words of `text`, and a function that cuts texts into such of them as they hold.

    A layer like the model's own learns the words of this text, so that all have an id.
    """
    same = {name: config[name] for name in ("standardize", "split", "encoding")}
    twin = keras.layers.TextVectorization(**same, ngrams=ngrams)
    twin.adapt(_column([text, "x"]))  # of an empty word alone it cannot learn
    vocabulary = [str(word) for word in twin.get_vocabulary()]
    if len(vocabulary) == 2:  # no words: such a layer cannot be called
        return [], lambda texts: [[] for _ in texts]

    def ids_of(texts: list[str]) -> Any:
        return keras.ops.convert_to_numpy(twin(_column(texts)))

    def cut(texts: list[str]) -> list[list[str]]:
        return [[vocabulary[i] for i in row if i] for row in ids_of(texts)]

    # An empty word, as a function that splits may give, has the id of padding.
    return [vocabulary[i] for i in ids_of([text])[0]], cut


def _column(texts: list[str]) -> Array:
    return np.array(texts).reshape(-1, 1)


def _places(
    config: dict[str, Any], text: str, words: list[str], cut: Cut, *, whole: bool
) -> list[list[Place]] | None:
    """Return the places of words that were proven, or None."""
    proven = functools.partial(_is_proven, text, words, cut, whole=whole)
    candidates = _candidates(text, words, cut, own=_is_own(config))
    return next((places for places in candidates if places is not None and proven(places)), None)


def _candidates(
    text: str, words: list[str], cut: Cut, *, own: bool
) -> Iterator[list[list[Place]] | None]:
    # A function of one's own may leave out tags, and what they hold may look like words.
    without_tags = re.sub(r"<[^>]*>", lambda match: " " * len(match.group()), text)
    for searched in (text, without_tags) if own else (text,):
        for fold in folds():
            reading = Reading(fold, _is_gap, is_punctuation, anywhere=own)
            yield find_places(searched, words, reading, whole=False)
    if own:  # words may change: what gives each of them lies between white space
        for around in (string.punctuation, ""):
            yield _places_by_blanks(text, words, cut, around)


def _is_own(config: dict[str, Any]) -> bool:
    return callable(config["standardize"]) or callable(config["split"])


def _is_gap(character: str) -> bool:
    return is_blank(character) or is_punctuation(character)


def _places_by_blanks(
    text: str, words: list[str], cut: Cut, around: str
) -> list[list[Place]] | None:
    """Return places by what each part between white space gives, without what is around it."""
    parts = []
    for match in re.finditer(r"\S+", text):
        bare = match.group().strip(around) or match.group()
        start = match.start() + match.group().index(bare)
        parts.append((start, start + len(bare)))
    given = cut([text[start:end] for start, end in parts])
    placed = [(word, part) for part, some in zip(parts, given, strict=True) for word in some]
    if [word for word, _ in placed] != [word for word in words if word]:
        return None
    rest = iter(placed)
    return [[next(rest)[1]] if word else [] for word in words]


def _is_proven(
    text: str, words: list[str], cut: Cut, places: list[list[Place]], *, whole: bool
) -> bool:
    """Tell whether each place alone gives its word, and what lies between them none."""
    placed: dict[Place, list[str]] = {}
    for word, found in zip(words, places, strict=True):
        for place in found:
            placed.setdefault(place, []).append(word)
    starts, ends = [start for start, _ in placed], [end for _, end in placed]
    gaps = list(zip([0, *ends], [*starts, len(text)], strict=True))[: None if whole else -1]
    given = cut([text[start:end] for start, end in [*placed, *gaps]])
    return given == [*placed.values(), *([] for _ in gaps)]


def _same_ids(
    vectorizer: keras.layers.TextVectorization, text: str, places: list[list[Place]], ids: Array
) -> bool:
    """Tell whether the model's own layer gives for the places alone the ids of the whole text."""
    placed = dict.fromkeys(place for found in places for place in found)
    texts = [text[start:end] for start, end in placed]
    different, alone = list(dict.fromkeys(texts)), dict[str, list[int]]()
    n_rows = max(1, _MOST_IDS // len(ids))  # each is as long as the whole text
    for start in range(0, len(different), n_rows):
        block = different[start : start + n_rows]
        rows = keras.ops.convert_to_numpy(vectorizer(_column(block)))
        alone |= {one: row[row != _PADDING].tolist() for one, row in zip(block, rows, strict=True)}
    found = list(itertools.chain.from_iterable(alone[one] for one in texts))
    expected = ids[ids != _PADDING].tolist()
    return bool(found[: len(expected)] == expected)


def _joined(
    words: list[str], places: list[list[Place]], ngrams: int | tuple[int, ...]
) -> tuple[list[str], list[list[Place]]]:
    """Return all runs of so many words, each with the places of its words."""
    widths = range(1, ngrams + 1) if isinstance(ngrams, int) else ngrams
    runs = [
        slice(start, start + width) for width in widths for start in range(len(words) - width + 1)
    ]
    return [" ".join(words[run]) for run in runs], [
        list(itertools.chain(*places[run])) for run in runs
    ]

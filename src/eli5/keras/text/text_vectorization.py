"""Texts for models that start with a `TextVectorization`."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

import keras
from eli5.keras.text.align import Cut, Offsets, candidate_offsets
from eli5.keras.text.split_model import ADVICE, split_model
from eli5.keras.text.tokenized_text import TokenizedText

Array = np.ndarray[Any, Any]

# What the layer gives for padding, and for words that are not in its vocabulary.
_PADDING, _UNKNOWN = 0, 1


def tokenize_with_vectorizer(model: keras.Model, text: str) -> TokenizedText:
    """Return `text` as the part of `model` behind its `TextVectorization` takes it.

    Raises
    ------
    ValueError
        If the model cannot be split behind a `TextVectorization` that gives ids, if the text has
        no token, or if the tokens cannot be found in the text.
    """
    vectorizer, ids_model = split_model(model)
    ids = _ids_of(model, vectorizer, text)
    n_tokens = ids.shape[1]
    words, cut = _learn_words(vectorizer, text)
    words += [""] * (n_tokens - len(words))
    offsets = _proven_offsets(text, words, cut)
    id_of = {word: i for i, word in enumerate(vectorizer.get_vocabulary())}
    expected = [id_of.get(word, _UNKNOWN) for word in words[:n_tokens]]
    if offsets is None or ids[0].tolist() != expected:
        config = vectorizer.get_config()
        rules = ", ".join(f"{name}={config[name]!r}" for name in ("standardize", "split", "ngrams"))
        raise ValueError(
            "Expected a TextVectorization whose tokens can be found in the text. Received: "
            f"{rules}, for which they cannot. {ADVICE}"
        )
    special = {_PADDING: "", _UNKNOWN: "[UNK]"}
    tokens = [special.get(i, word) for i, word in zip(expected, words, strict=False)]
    is_padding, offsets = ids[0] == _PADDING, offsets[:n_tokens]
    return TokenizedText(ids_model, ids, tokens, text, offsets, is_padding, mask_id=_PADDING)


def _ids_of(model: keras.Model, vectorizer: keras.layers.TextVectorization, text: str) -> Array:
    config = vectorizer.get_config()
    if config["output_mode"] != "int" or config["ragged"]:
        raise ValueError(
            "Expected a TextVectorization with output_mode='int' and ragged=False, as only ids in "
            "their order have a place in the text. Received: "
            f"output_mode={config['output_mode']!r}, ragged={config['ragged']}"
        )
    # Of the rank of the model's input: without splitting, the layer gives what it gets.
    inputs = getattr(model, "inputs", None)
    rank = len(inputs[0].shape) if inputs else 2
    ids = keras.ops.convert_to_numpy(vectorizer(np.array(text, ndmin=rank)))
    if ids.ndim != 2 or not ids.size:
        raise ValueError(
            "Expected a text with at least one token, and a TextVectorization that gives ids of "
            f"shape (1, T). Received: ids of shape {ids.shape} for doc={text!r}. {ADVICE}"
        )
    return ids


def _learn_words(vectorizer: keras.layers.TextVectorization, text: str) -> tuple[list[str], Cut]:
    """Return the words of `text`, and a function that cuts texts into such of them as they hold.

    A layer with the rules of the model's own learns the words of this text, so that all have an id.
    """
    config = vectorizer.get_config()
    rules = {name: config[name] for name in ("standardize", "split", "ngrams", "encoding")}
    twin = keras.layers.TextVectorization(**rules)
    twin.adapt(_column([text, "x"]))  # of an empty word alone it cannot learn
    vocabulary = [str(word) for word in twin.get_vocabulary()]
    if len(vocabulary) == 2:  # no words: such a layer cannot be called
        return [], lambda texts: [[] for _ in texts]

    def words_of(texts: list[str]) -> list[list[str]]:
        ids = keras.ops.convert_to_numpy(twin(_column(texts))) if texts else []
        return [[vocabulary[i] for i in row] for row in ids]

    return words_of([text])[0], lambda texts: [list(filter(None, row)) for row in words_of(texts)]


def _column(texts: list[str]) -> Array:
    return np.array(texts).reshape(-1, 1)


def _proven_offsets(text: str, words: list[str], cut: Cut) -> Offsets | None:
    """Return the spans of all words, each of which gives its words alone, or None."""
    some = [word for word in words if word]  # a function that splits may give empty ones
    for offsets in candidate_offsets(text, some, cut):
        rows = zip(offsets, some, strict=True)
        placed = [
            (spans, [word for _, word in group])
            for spans, group in itertools.groupby(rows, key=lambda row: row[0])
        ]
        given = cut([text[slice(*spans[0])] for spans, _ in placed if spans])
        if given == [group for _, group in placed]:
            rest = iter(offsets)
            return [next(rest) if word else [] for word in words]
    return None

"""Texts for models that start with a `TextVectorization`; what can be explained is behind it."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import keras
import numpy as np
from keras.layers import TextVectorization

from eli5.keras.engine.cache import memory_of
from eli5.keras.text.align import Cut, Offsets, TokenizedText, candidate_offsets

Array = np.ndarray[Any, Any]

# What the layer gives for padding, and for words that are not in its vocabulary.
_PADDING, _UNKNOWN = 0, 1
_IDS = "int32"  # JAX has no integers of 64 bits

_ADVICE = (
    "Give the token ids as `doc` and their texts as `tokens`, with the part of the model that "
    "takes ids."
)


class ModelSplit(NamedTuple):
    """A model's `TextVectorization`, and the model behind it, which takes ids."""

    vectorizer: TextVectorization
    ids_model: keras.Model


def split_model(model: keras.Model) -> ModelSplit:
    """Return both parts, the same until the model changes; ValueError if it cannot be split."""
    # Kept with the model, as programs are compiled for the part. It holds the model's layers but
    # not the model, which could then never be released.
    return memory_of(model).recall("split", lambda: _split(model))


def tokenize_with_vectorizer(model: keras.Model, text: str) -> TokenizedText:
    """Return `text` as the part of `model` behind its `TextVectorization` takes it."""
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
            f"{rules}, for which they cannot. {_ADVICE}"
        )
    special = {_PADDING: "", _UNKNOWN: "[UNK]"}
    tokens = [special.get(i, word) for i, word in zip(expected, words, strict=False)]
    is_padding, offsets = ids[0] == _PADDING, offsets[:n_tokens]
    return TokenizedText(ids_model, ids, tokens, text, offsets, is_padding, mask_id=_PADDING)


def _split(model: keras.Model) -> ModelSplit:
    vectorizers = [layer for layer in model.layers if isinstance(layer, TextVectorization)]
    if len(vectorizers) != 1:
        raise ValueError(
            "Expected a model with a TextVectorization as its first layer, or with a "
            "`preprocessor` that has a `tokenizer`, to take a text. Received: model "
            f"{model.name!r} with {len(vectorizers) or 'no'} such layers of its own. {_ADVICE}"
        )
    cut = _cut_sequential if isinstance(model, keras.Sequential) else _cut_graph
    # One with a `call` of its own may do other things than its layers in their order.
    is_keras_own = type(model).call.__module__.startswith("keras.")
    ids_model = cut(model, vectorizers[0]) if is_keras_own else None
    if ids_model is None:
        raise ValueError(
            f"Expected a model that can be cut behind its TextVectorization: a Sequential or "
            f"functional one, with the text as its only input and used there only. Received: "
            f"model {model.name!r}. {_ADVICE}"
        )
    return ModelSplit(vectorizers[0], ids_model)


def _cut_sequential(model: keras.Sequential, vectorizer: TextVectorization) -> keras.Model | None:
    first, *rest = model.layers
    if first is not vectorizer or not rest:
        return None
    length = vectorizer.get_config()["output_sequence_length"]
    return keras.Sequential([keras.Input((length,), dtype=_IDS), *rest], name=model.name)


def _cut_graph(model: keras.Model, vectorizer: TextVectorization) -> keras.Model | None:
    inputs = getattr(model, "inputs", None) or []
    # A layer that is called in several models has a node for each.
    nodes = [node for node in vectorizer._inbound_nodes if [*node.input_tensors] == inputs]
    if len(nodes) != 1:
        return None
    try:
        ids_model = keras.Model(nodes[0].output_tensors[0], model.output, name=model.name)
    except ValueError:  # as Keras says that something else takes the text, too
        return None
    ids = keras.Input(batch_shape=(None, *ids_model.input.shape[1:]), dtype=_IDS)
    return keras.models.clone_model(ids_model, ids, clone_function=lambda layer: layer)


def _ids_of(model: keras.Model, vectorizer: TextVectorization, text: str) -> Array:
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
            f"shape (1, T). Received: ids of shape {ids.shape} for doc={text!r}. {_ADVICE}"
        )
    return ids


def _learn_words(vectorizer: TextVectorization, text: str) -> tuple[list[str], Cut]:
    """Return the words of `text`, and a function that cuts texts into such of them as they hold.

    A layer with the rules of the model's own learns the words of this text, so that all have an id.
    """
    config = vectorizer.get_config()
    rules = {name: config[name] for name in ("standardize", "split", "ngrams", "encoding")}
    twin = TextVectorization(**rules)
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

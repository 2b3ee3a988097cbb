"""Classifiers of sentences, trained on sentences that are made here: it is known what decides."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
from keras import layers

Array = np.ndarray[Any, Any]

FILLERS = ["the", "a", "film", "plot", "actor", "scene", "was", "is", "it", "this", "that", "and"]
GOOD, BAD = ["good", "great", "fine"], ["bad", "awful", "dull"]
VOCABULARY = ["<pad>", "<unknown>", "not", *GOOD, *BAD, *FILLERS]
N_STEPS = 12


def ids_of(tokens: list[str]) -> Array:
    """Return token ids, filled up with padding, with the batch axis."""
    ids = [VOCABULARY.index(token) for token in tokens]
    return np.array([ids + [0] * (N_STEPS - len(ids))], "int32")


def sentences(n: int, seed: int, *, has_not: bool = False) -> tuple[list[list[str]], Array]:
    """Return sentences with one word that decides, and their classes: 1 is good.

    Parameters
    ----------
    n, seed : int
    has_not : bool
        Whether half of them have "not" before that word, which turns it round.
    """
    random = np.random.default_rng(seed)
    texts, labels = [], random.integers(0, 2, n)
    for label in labels:
        is_turned = has_not and random.random() < 0.5
        words = GOOD if label != is_turned else BAD
        text = list(random.choice(FILLERS, random.integers(5, N_STEPS - 1)))
        decisive = (["not"] if is_turned else []) + [str(random.choice(words))]
        at = random.integers(0, len(text))
        texts.append([*map(str, text[:at]), *decisive, *map(str, text[at:])][:N_STEPS])
    return texts, labels


def _attention(x: Any) -> Any:
    x = x + layers.MultiHeadAttention(2, 8)(x, x)
    return layers.LayerNormalization()(x)


BODIES: dict[str, Callable[[Any], Any]] = {
    "conv": lambda x: layers.Conv1D(24, 3, padding="same", activation="relu")(x),
    "lstm": lambda x: layers.Bidirectional(layers.LSTM(8, return_sequences=True))(x),
    "embedding": lambda x: x,
    "transformer": _attention,
}


@functools.cache
def reader(kind: str, *, has_not: bool = False) -> keras.Model:
    """Return a trained classifier; a process trains each kind once."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((N_STEPS,), dtype="int32", name="ids")
    masks = kind in ("embedding", "lstm")  # the others cannot
    vectors = layers.Embedding(len(VOCABULARY), 16, mask_zero=masks, name="embedding")(inputs)
    features = BODIES[kind](vectors)
    pooled = layers.GlobalMaxPooling1D()(features) if kind == "conv" else (
        layers.GlobalAveragePooling1D()(features)
    )  # fmt: skip
    outputs = layers.Dense(2, activation="softmax")(pooled)
    model = keras.Model(inputs, outputs, name=f"{kind}_reader")
    texts, labels = sentences(1500, seed=0, has_not=has_not)
    docs = np.concatenate([ids_of(text) for text in texts])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy")
    model.fit(docs, labels, batch_size=50, epochs=12, verbose=0)
    return model

"""Classifiers of texts of which it is known which word decides, for the command line."""

from __future__ import annotations

import keras
import numpy as np
from keras import layers

WORDS = ["[PAD]", "[UNK]", "not", "good", "bad", "film", "the", "was"]
N_STEPS = 6
BAD, _, GOOD = range(3)


def _after_ids() -> list[layers.Layer]:
    return [
        layers.Embedding(len(WORDS), 3, mask_zero=True, name="words"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, use_bias=False, activation="softmax", name="classes"),
    ]


def _with_weights(model: keras.Model) -> keras.Model:
    vectors = np.zeros((len(WORDS), 3))
    vectors[WORDS.index("good"), GOOD] = vectors[WORDS.index("bad"), BAD] = 1
    model.get_layer("words").set_weights([vectors])
    model.get_layer("classes").set_weights([10 * np.eye(3)])
    return model


def ids_model(length: int | None = N_STEPS) -> keras.Model:
    """Classify token ids: "good" speaks for class 2, "bad" for class 0, and nothing for class 1."""
    ids = keras.Input((length,), dtype="int32")
    return _with_weights(keras.Sequential([ids, *_after_ids()], name="reader"))


def texts_model() -> keras.Model:
    """Classify texts in the same way."""
    vectorizer = layers.TextVectorization(vocabulary=WORDS[2:], output_sequence_length=N_STEPS)
    text = keras.Input((1,), dtype="string")
    return _with_weights(keras.Sequential([text, vectorizer, *_after_ids()], name="reader"))

"""Small models that start with a TextVectorization."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.keras.text.align import TokenizedText

VOCABULARY = ["good", "bad", "movie", "dont", "not", "中国", "İstanbul", "straße"]


def vectorizer(**options: Any) -> layers.TextVectorization:
    return layers.TextVectorization(
        **{"vocabulary": VOCABULARY, "output_sequence_length": 6, **options}
    )


def behind() -> list[layers.Layer]:
    return [
        layers.Embedding(99, 4, mask_zero=True, name="embedding"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2, activation="softmax", name="top"),
    ]


def sequential(**options: Any) -> keras.Model:
    text = keras.Input((1,), dtype="string")
    return keras.Sequential([text, vectorizer(**options), *behind()], name="mine")


def functional(shape: tuple[int, ...] = (1,)) -> keras.Model:
    text = keras.Input(shape, dtype="string")
    x = vectorizer()(text)
    embedding, pool, top = behind()
    x = embedding(x)
    x = layers.Add()([layers.Dense(4)(x), x])
    return keras.Model(text, top(pool(x)), name="mine")


def whole(model: keras.Model, text: str) -> Any:
    """Return the output of a model with its layers called by hand, as no backend's loop can."""
    x: Any = np.array([[text]])
    for layer in model.layers:
        x = layer(x)
    return keras.ops.convert_to_numpy(x)


def output(tokenized: TokenizedText) -> Any:
    return keras.ops.convert_to_numpy(tokenized.model(tokenized.doc))

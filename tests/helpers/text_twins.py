"""A text classifier, and what it computes written out in NumPy, float64, token by token."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from helpers.models import with_weights

Array = np.ndarray[Any, Any]

WORDS = ["<pad>", "the", "film", "was", "not", "good", "bad", "a", "plot", "actor"]
N_FEATURES, N_MAPS, N_CLASSES, WINDOW = 5, 6, 3, 3


def text_model(n_steps: int | None = 8, **options: Any) -> keras.Model:
    """Return embedding, convolution, relu, mean over the tokens, dense layer, softmax."""
    model = keras.Sequential(
        [
            keras.Input((n_steps,), dtype="int32"),
            layers.Embedding(len(WORDS), N_FEATURES, name="embed", **options),
            layers.Conv1D(N_MAPS, WINDOW, padding="same", activation="relu", name="conv"),
            layers.GlobalAveragePooling1D(name="pool"),
            layers.Dense(N_CLASSES, activation="softmax", name="head"),
        ],
        name="reader",
    )
    return with_weights(model, seed=19)


class Twin:
    """What `text_model` computes, for one text."""

    def __init__(self, model: keras.Model) -> None:
        weights = [np.asarray(w, "float64") for w in model.get_weights()]
        self.table, self.kernel, self.bias, self.dense, self.offset = weights

    def vectors(self, ids: Array) -> Array:
        return self.table[np.asarray(ids)]

    def maps(self, vectors: Array) -> Array:
        """Return the convolution's output, shape (T, maps)."""
        return np.maximum(self._sums(vectors), 0)

    def logits(self, vectors: Array) -> Array:
        return self.maps(vectors).mean(axis=0) @ self.dense + self.offset

    def map_gradients(self, vectors: Array, target: int) -> Array:
        """Return the gradient of a logit with respect to the convolution's output."""
        n_steps = len(vectors)
        return np.tile(self.dense[:, target] / n_steps, (n_steps, 1))

    def gradients(self, vectors: Array, target: int) -> Array:
        """Return the gradient of a logit with respect to the vectors, shape (T, features)."""
        slopes = self.map_gradients(vectors, target) * (self._sums(vectors) > 0)
        found = np.zeros_like(vectors)
        for step in range(len(vectors)):
            for k in range(WINDOW):
                source = step + k - 1
                if 0 <= source < len(vectors):
                    found[source] += self.kernel[k] @ slopes[step]
        return found

    def _sums(self, vectors: Array) -> Array:
        sums = np.tile(self.bias, (len(vectors), 1))
        for step in range(len(vectors)):
            for k in range(WINDOW):
                source = step + k - 1
                if 0 <= source < len(vectors):
                    sums[step] += vectors[source] @ self.kernel[k]
        return sums

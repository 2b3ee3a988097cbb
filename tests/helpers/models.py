"""Models that several tests explain: small, with the same weights on every backend."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

Array = np.ndarray[Any, Any]

# JAX compiles quickly here, see conftest, and then adds up in an order that rounds more.
ROUNDING = 3 if keras.backend.backend() == "jax" else 1


SEED = 11  # of the classifier's weights, with which something speaks for each class


def make_classifier(
    activation: str | None = "softmax", units: int = 4, pool: type[layers.Layer] | None = None
) -> keras.Model:
    """Return conv, batch normalisation, relu, pooling, dropout and two dense layers."""
    pool = pool or layers.MaxPooling2D
    model = keras.Sequential(
        [
            keras.Input((12, 20, 3)),
            layers.Conv2D(6, 3, name="conv"),
            layers.BatchNormalization(name="bn"),
            layers.ReLU(name="relu"),
            pool(2, name="pool"),
            layers.Dropout(0.5, name="drop"),
            layers.Flatten(name="flat"),
            layers.Dense(8, activation="tanh", name="hidden"),
            layers.Dense(units, activation=activation, name="head"),
        ],
        name="classifier",
    )
    return with_weights(model, SEED)


def with_weights(model: keras.Model, seed: int = 0) -> keras.Model:
    """Give a model weights of both signs that are the same on every backend.

    In a small last layer more of them are positive, so that something speaks for each class.
    """
    rng = np.random.default_rng(seed)
    for weight in model.weights:
        scale = 1 / np.sqrt(np.prod(weight.shape[:-1]))
        mean = scale / 2 if len(weight.shape) == 2 and weight.shape[0] < 10 else 0
        values = rng.normal(mean, scale, weight.shape)
        weight.assign(np.abs(values) if "variance" in weight.path else values)
    return model


def sample(shape: tuple[int, ...], seed: int = 0) -> Array:
    """Return one sample of this shape, uniform in [-1, 1], with the batch axis."""
    return np.random.default_rng(seed).uniform(-1, 1, (1, *shape)).astype("float32")

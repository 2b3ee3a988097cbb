"""Trainings that last a second, for the tests of callbacks."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.callbacks import ExplainCallback
from helpers.models import with_weights

Array = np.ndarray[Any, Any]

SIZE = (12, 20, 3)
N_CLASSES = 4


class Noise(layers.Layer):  # type: ignore[misc]
    """Adds a random number at each call, in inference too; each call moves its seed on."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seeds = keras.random.SeedGenerator(7)

    def call(self, x: Any) -> Any:
        return x + 0.1 * keras.random.uniform((), seed=self.seeds)


class Noting(layers.Layer):  # type: ignore[misc]
    """Notes each run in Python: one per trace, on PyTorch one per run."""

    def __init__(self) -> None:
        super().__init__()
        self.runs: list[bool | None] = []

    def call(self, x: Any, training: bool | None = None) -> Any:
        self.runs.append(training)
        return x


def network(*more: layers.Layer, **options: Any) -> keras.Model:
    """Return a compiled classifier with batch normalisation and dropout, and layers of one's own.

    The same each time: weights and seeds.
    """
    keras.utils.set_random_seed(0)
    steps = [
        keras.Input(SIZE),
        layers.Conv2D(6, 3, name="first"),
        layers.BatchNormalization(momentum=0.5),
        layers.ReLU(),
        layers.Dropout(0.3, seed=1),
        *more,
        layers.Conv2D(5, 3, activation="relu", name="last"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(N_CLASSES, activation="softmax"),
    ]
    model = with_weights(keras.Sequential(steps, name="network"))
    model.compile(
        optimizer=keras.optimizers.Adam(0.005),
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        **options,
    )
    return model


def small_network() -> keras.Model:
    """Return a compiled classifier whose training is compiled in a moment."""
    steps = [
        keras.Input(SIZE),
        layers.Conv2D(4, 5, strides=2, activation="relu"),
        layers.GlobalAveragePooling2D(),
        layers.Dense(N_CLASSES, activation="softmax"),
    ]
    model = with_weights(keras.Sequential(steps))
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    return model


def pictures(n: int, seed: int = 0) -> Array:
    """Return `n` docs, uniform in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (n, *SIZE)).astype("float32")


def train(model: keras.Model, *callbacks: Any, epochs: int = 3, **options: Any) -> dict[str, Any]:
    """Fit the model to random data, the same each time; return the history."""
    x, y = pictures(24, seed=1), np.arange(24) % N_CLASSES
    options = {"validation_data": (x[:8] / 2, y[:8]), "batch_size": 6, **options}
    history = model.fit(x, y, epochs=epochs, verbose=0, callbacks=list(callbacks), **options)
    return dict(history.history)


def drive(
    callback: ExplainCallback, model: keras.Model, epochs: int, initial_epoch: int = 0
) -> None:
    """Call what `fit` calls."""
    callback.set_model(model)
    callback.set_params({"epochs": epochs})
    callback.on_train_begin()
    for epoch in range(initial_epoch, epochs):
        callback.on_epoch_begin(epoch)
        callback.on_epoch_end(epoch, {"loss": 1 / (epoch + 1)})
    callback.on_train_end()


def explained(callback: ExplainCallback) -> list[int]:
    assert callback.page is not None
    return sorted(int(path.name[6:]) for path in callback.page.parent.glob("epoch-*"))

"""The networks and pictures that are measured; nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

Array = np.ndarray[Any, Any]

SIZE = 224
OVERCONFIDENT = 1e4  # times the last layer's weights: a probability of 1.0, to the last digit


class Scene(NamedTuple):
    """A model, and what is asked about it.

    Attributes
    ----------
    build : callable
        Makes the model, with the same weights each time.
    n_docs : int
    layers : tuple of str
        The target layer; then other names for it, for who does not find it under the first.
    """

    build: Callable[[], keras.Model]
    n_docs: int
    layers: tuple[str, ...]


def docs(n: int, size: int = SIZE) -> Array:
    """Return `n` pictures in [-1, 1]."""
    return np.random.default_rng(0).uniform(-1, 1, (n, size, size, 3)).astype("float32")


def network(name: str) -> keras.Model:
    """Return one of Keras's applications."""
    return lively(getattr(keras.applications, name)(weights=None))


def flat() -> keras.Model:
    """Return MobileNetV2 as it comes."""
    return network("MobileNetV2")


def nested() -> keras.Model:
    """Return a classifier on top of MobileNetV2, as one is made for transfer learning."""
    backbone = keras.applications.MobileNetV2(
        weights=None, include_top=False, input_shape=(SIZE, SIZE, 3), name="backbone"
    )
    inputs = keras.Input((SIZE, SIZE, 3))
    pooled = keras.layers.GlobalAveragePooling2D()(backbone(inputs, training=False))
    outputs = keras.layers.Dense(1000, activation="softmax", name="predictions")(pooled)
    return lively(keras.Model(inputs, outputs))


def overconfident() -> keras.Model:
    """Return MobileNetV2 with a softmax that says 1.0 for one class and 0.0 for the others."""
    model = flat()
    last = model.get_layer("predictions")
    last.set_weights([OVERCONFIDENT * weight for weight in last.get_weights()])
    return model


def lively(model: keras.Model) -> keras.Model:
    """Give a model weights that are the same on all backends, and under which signals live.

    With the initial ones what arrives at the end of MobileNetV2 is below 1e-13.
    """
    rng = np.random.default_rng(0)
    for variable in model.weights:
        kind, shape = variable.path.rpartition("/")[2], variable.shape
        if kind == "kernel":
            is_depthwise = len(shape) == 4 and shape[-1] == 1
            fan_in = np.prod(shape[:2] if is_depthwise else shape[:-1])
            values = rng.normal(0, np.sqrt(2 / fan_in), shape)
        elif kind in ("gamma", "moving_variance"):
            values = rng.uniform(0.8, 1.2, shape)
        else:
            values = rng.normal(0, 0.1, shape)
        variable.assign(values.astype("float32"))
    return model


SCENES = {
    "batch 1": Scene(flat, 1, ("out_relu",)),
    "batch 8": Scene(flat, 8, ("out_relu",)),
    # The backbone's output is that of its last layer.
    "nested model": Scene(nested, 1, ("backbone/out_relu", "backbone")),
    "saturated softmax": Scene(overconfident, 1, ("out_relu",)),
}

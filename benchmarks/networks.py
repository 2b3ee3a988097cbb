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


class _ClassToken(keras.layers.Layer):  # type: ignore[misc]  # Keras is untyped
    """Puts a class token before the patches, and adds positions."""

    def build(self, shape: Any) -> None:
        self.token = self.add_weight(shape=(1, 1, shape[-1]), name="token")
        self.positions = self.add_weight(shape=(1, shape[1] + 1, shape[-1]), name="positions")

    def call(self, x: Any) -> Any:
        """Return tokens (B, 1 + patches, features)."""
        token = keras.ops.repeat(self.token, keras.ops.shape(x)[0], axis=0)
        return keras.ops.concatenate([token, x], axis=1) + self.positions


def transformer(n_blocks: int = 12, width: int = 384, n_heads: int = 6) -> keras.Model:
    """Return ViT-S/16 (arXiv:2010.11929), of 197 tokens."""
    layers = keras.layers
    inputs = keras.Input((SIZE, SIZE, 3))
    x = layers.Conv2D(width, 16, strides=16)(inputs)
    x = _ClassToken()(layers.Reshape((-1, width))(x))
    for _ in range(n_blocks):
        y = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(n_heads, width // n_heads)(y, y)])
        y = layers.Dense(4 * width, activation="gelu")(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(width)(y)])
    x = layers.LayerNormalization()(x)[:, 0]
    return lively(keras.Model(inputs, layers.Dense(1000, activation="softmax")(x)))


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

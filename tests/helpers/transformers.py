"""Small vision transformers."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from helpers.models import with_weights

SIZE = (24, 40, 3)  # in patches of 8: 3 x 5


N_CHANNELS = 6


class Prefix(layers.Layer):  # type: ignore[misc]
    """Puts learned tokens before the patches: a class token and registers."""

    def __init__(self, n_tokens: int, **options: Any) -> None:
        super().__init__(**options)
        self.n_tokens = n_tokens

    def build(self, shape: Any) -> None:
        self.tokens = self.add_weight(shape=(1, self.n_tokens, shape[-1]), name="tokens")

    def call(self, x: Any) -> Any:
        return keras.ops.concatenate([self.tokens + 0 * x[:, :1], x], axis=1)


class Patches(layers.Layer):  # type: ignore[misc]
    """Cuts patches without a convolution, so that no layer ever shows the grid."""

    def call(self, x: Any) -> Any:
        height, width, channels = SIZE
        x = keras.ops.reshape(x, (-1, height // 8, 8, width // 8, 8, channels))
        x = keras.ops.transpose(x, (0, 1, 3, 2, 4, 5))
        return keras.ops.reshape(x, (-1, (height // 8) * (width // 8), 64 * channels))


def embedding(x: Any, *, convolution: bool) -> Any:
    if convolution:
        x = layers.Conv2D(N_CHANNELS, 8, strides=8, name="patches")(x)
        return layers.Reshape((-1, N_CHANNELS))(x)
    return layers.Dense(N_CHANNELS, name="embedding")(Patches()(x))


def block(x: Any, name: str) -> Any:
    y = layers.LayerNormalization(name=f"{name}_norm1")(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3, name=f"{name}_attention")(y, y)])
    y = layers.LayerNormalization(name=f"{name}_norm2")(x)
    y = layers.Dense(12, activation="gelu")(y)
    return layers.Add(name=f"{name}_out")([x, layers.Dense(N_CHANNELS)(y)])


def transformer(n_prefix: int, *, pooled: bool, convolution: bool = True) -> keras.Model:
    """Return a small ViT whose head takes the class token, or the mean of all tokens."""
    inputs = keras.Input(SIZE)
    x = embedding(inputs, convolution=convolution)
    if n_prefix:
        x = Prefix(n_prefix, name="prefix")(x)
    x = layers.LayerNormalization(name="norm")(block(block(x, "one"), "two"))
    x = layers.GlobalAveragePooling1D()(x) if pooled else x[:, 0]
    return with_weights(keras.Model(inputs, layers.Dense(4, activation="softmax")(x)), seed=4)

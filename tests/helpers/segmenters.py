"""Small segmenters of fixed weights, and their scores over pixels written out in NumPy."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from helpers.models import with_weights

Array = np.ndarray[Any, Any]
SIZE = (16, 20)


def make_segmenter(
    activation: str | None = "softmax",
    *,
    classes: int = 4,
    stride: int = 1,
    channels_first: bool = False,
    size: tuple[int, int] = SIZE,
) -> keras.Model:
    """Return a segmenter (1, H, W, 3) of any last activation; its output may be coarser."""
    inputs = keras.Input((*size, 3))
    x = layers.Conv2D(6, 3, padding="same", activation="relu", name="first")(inputs)
    x = layers.MaxPooling2D()(x)
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="bottleneck")(x)
    x = layers.UpSampling2D()(x)
    x = layers.Conv2D(6, 3, stride, padding="same", activation="relu", name="last")(x)
    x = layers.Conv2D(classes, 1, name="logits")(x)
    x = layers.Permute((3, 1, 2))(x) if channels_first else x
    axis = 1 if channels_first else -1
    if activation == "softmax":
        x = layers.Softmax(axis=axis)(x)
    elif activation is not None:
        x = layers.Activation(activation)(x)
    model = with_weights(keras.Model(inputs, x), seed=3)
    kernel, bias = model.get_layer("logits").get_weights()
    model.get_layer("logits").set_weights([6 * kernel, bias])  # so that several classes win
    return model


def mean_score(outputs: Array, class_id: int, mask: Array, kind: str = "log-odds") -> float:
    """Return the mean score over a mask (H, W), of probabilities (H, W, classes), in float64."""
    total, n = 0.0, 0
    for row, column in np.argwhere(mask):
        p = outputs[row, column].astype("float64")
        others = sum(p[k] for k in range(len(p)) if k != class_id)
        total += p[class_id] if kind == "output" else np.log(p[class_id] / others)
        n += 1
    return total / n

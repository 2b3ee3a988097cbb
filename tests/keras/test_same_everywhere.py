"""The same model and image give the same heatmap on TensorFlow, JAX and PyTorch.

One backend made the stored array; each must come to it. To make it anew, after a change that is
meant to change it: ``PYTHONPATH=tests python tests/keras/test_same_everywhere.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

import eli5
from helpers.models import sample, with_weights

STORED = Path(__file__).parents[1] / "data" / "heatmaps.npz"
SEED = 23  # of weights with which each class has something that speaks for it


def model() -> keras.Model:
    """Return a small net of the blocks that large ones are made of."""
    inputs = keras.Input((40, 64, 3))
    x = layers.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(inputs)
    x = layers.ReLU(6.0)(layers.BatchNormalization()(x))
    for stride in (1, 2):
        y = layers.DepthwiseConv2D(3, stride, padding="same")(x)
        y = layers.Conv2D(8, 1, activation="swish")(y)
        x = layers.Add()([x, y]) if stride == 1 else y
    x = layers.LayerNormalization()(layers.Conv2D(8, 1, activation="gelu")(x))
    x = layers.GlobalAveragePooling2D()(layers.ReLU(name="last")(x))
    return with_weights(keras.Model(inputs, layers.Dense(5, activation="softmax")(x)), seed=SEED)


def heatmaps() -> dict[str, Any]:
    """Return the heatmaps of all classes, and the scores."""
    ramp = np.linspace(0, 2, 64, dtype="float32")[:, None]
    doc = sample((40, 64, 3)) * ramp
    explanation = eli5.explain_prediction(model(), doc, top_targets=5, score="logit")
    return {
        "heatmaps": np.stack([target.heatmap for target in explanation.targets]),
        "classes": np.array([target.target for target in explanation.targets]),
        "scores": np.array([target.score for target in explanation.targets]),
    }


def test_heatmaps_equal_those_that_are_stored() -> None:
    found, stored = heatmaps(), np.load(STORED)
    np.testing.assert_array_equal(found["classes"], stored["classes"])
    assert np.abs(found["heatmaps"] - stored["heatmaps"]).max() <= 1e-5
    assert np.abs(found["scores"] - stored["scores"]).max() <= 1e-5


def test_what_is_stored_could_tell_a_difference() -> None:
    stored = np.load(STORED)["heatmaps"]
    assert stored.shape == (5, 10, 16)
    assert (stored.max(axis=(1, 2)) == 1).all()
    assert min(np.abs(a - b).max() for i, a in enumerate(stored) for b in stored[:i]) > 0.2


if __name__ == "__main__":
    np.savez_compressed(STORED, **heatmaps())

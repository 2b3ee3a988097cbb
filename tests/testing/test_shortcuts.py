"""Retrainings that read the class off a mark are caught, and good ones are not.

The program `benchmarks/shortcuts.py` does the same with networks that are trained as a whole. Here
only the last layer is: the convolution before it has filters for stripes, checks and colours.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.testing import assert_looks_at, assert_same_evidence

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

from shortcuts import CORNER, N_CLASSES, SIZE, Pictures, draw_pictures, fails

Array = np.ndarray[Any, Any]

N_TRAINED, SIDE = 300, 5


def filters(rng: np.random.Generator) -> tuple[Array, Array]:
    """Return filters (5, 5, 3, 15) and biases: for each texture four, and for each colour one."""
    y, x = np.mgrid[:SIDE, :SIDE] * np.pi / 2
    waves = [np.cos(y), np.sin(y), np.cos(x), np.sin(x)]
    waves += [np.cos(y) * np.cos(x), np.sin(y) * np.sin(x)]
    grey = np.stack([sign * wave for wave in waves for sign in (1, -1)], axis=-1) / 10
    textures = np.repeat((grey - grey.mean(axis=(0, 1)))[:, :, None], 3, axis=2)
    colours = np.zeros((SIDE, SIDE, 3, 3))
    colours[SIDE // 2, SIDE // 2] = 2 * np.eye(3) - 1
    kernel = np.concatenate([textures, colours], axis=-1)
    return kernel * rng.uniform(0.9, 1.1, kernel.shape[-1]), np.repeat([-0.1, -0.3], [12, 3])


def train(seed: int, told: float) -> keras.Model:
    """Return a model of pictures whose mark tells the class in a share `told` of them."""
    rng = np.random.default_rng(seed)
    body = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(15, SIDE, padding="same", activation="relu", name="maps"),
            layers.GlobalAveragePooling2D(),
        ]
    )
    body.layers[0].set_weights(filters(rng))
    pictures = draw_pictures(seed, N_TRAINED, told)
    features = body.predict(pictures.docs, batch_size=N_TRAINED, verbose=0)
    head = layers.Dense(N_CLASSES, activation="softmax")
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *body.layers, head])
    head.set_weights(regression(features, np.eye(N_CLASSES)[pictures.classes], rng))
    return model


def regression(features: Array, wanted: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return weights and biases of a softmax regression, by gradient descent."""
    mean, spread = features.mean(axis=0), features.std(axis=0)
    seen = (features - mean) / spread
    weights, bias = rng.normal(0, 0.1, (seen.shape[1], wanted.shape[1])), np.zeros(wanted.shape[1])
    for _ in range(300):
        scores = np.exp(seen @ weights + bias)
        error = scores / scores.sum(axis=1, keepdims=True) - wanted
        weights -= seen.T @ error / len(seen)
        bias -= error.mean(axis=0)
    weights = weights / spread[:, None]
    return weights, bias - mean @ weights


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return draw_pictures(7777, 24, 1.0)


@pytest.fixture(scope="module")
def reference() -> keras.Model:
    return train(0, 0.0)


def accuracy(model: keras.Model, pictures: Pictures) -> float:
    predicted = model.predict(pictures.docs, batch_size=100, verbose=0).argmax(axis=1)
    return float((predicted == pictures.classes).mean())


def test_ten_of_ten_shortcuts_are_caught(reference: keras.Model, pictures: Pictures) -> None:
    targets = pictures.classes.tolist()
    caught = {"good": 0, "shortcut": 0}
    for name, start, told in (("good", 100, 0.0), ("shortcut", 200, 1.0)):
        for seed in range(start, start + 10):
            model = train(seed, told)
            both = reference, model, pictures.docs
            caught[name] += fails(lambda both=both: assert_same_evidence(*both, targets=targets))
            assert accuracy(model, pictures) > 0.9  # which tells nothing of the shortcut
    assert caught["shortcut"] == 10
    assert caught["good"] <= 1


def test_the_mark_is_where_a_shortcut_looks(reference: keras.Model, pictures: Pictures) -> None:
    elsewhere = np.ones((len(pictures.docs), SIZE, SIZE), bool)
    elsewhere[:, CORNER, CORNER] = False
    targets = pictures.classes.tolist()
    assert_looks_at(reference, pictures.docs, elsewhere, 0.9, targets=targets)
    with pytest.raises(AssertionError, match=r"less in 24 of 24 docs \(Grad-CAM\)"):
        assert_looks_at(train(300, 1.0), pictures.docs, elsewhere, 0.9, targets=targets)

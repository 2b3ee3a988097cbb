"""Models whose score is written down: their twins in NumPy, and the maps that are ideal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

Array = np.ndarray[Any, Any]


class Linear(NamedTuple):
    """A model whose log-odds are ``sum(weights * x) + bias``, and the same in NumPy.

    Attributes
    ----------
    model : keras.Model
        With one sigmoid unit.
    weights : numpy.ndarray, shape (*size, C)
    bias : float
    """

    model: keras.Model
    weights: Array
    bias: float

    def score(self, x: Array) -> float:
        """Return the log-odds of one doc (*size, C)."""
        return float((self.weights * x).sum() + self.bias)

    def probability(self, x: Array) -> float:
        """Return the probability of class 1."""
        return float(1 / (1 + np.exp(-self.score(x))))

    def contributions(self, x: Array, baseline: Any) -> Array:
        """Return what each place adds to the log-odds, beside a baseline: the ideal map."""
        return np.asarray((self.weights * (x - baseline)).sum(axis=-1))


def linear(shape: tuple[int, ...] = (4, 5, 2), seed: int = 0, scale: float = 0.5) -> Linear:
    """Return a model of docs of this shape; the weights are exact in float32."""
    random = np.random.default_rng(seed)
    weights = random.normal(0, scale, shape).astype("float32").astype("float64")
    model = keras.Sequential(
        [keras.Input(shape), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    model.set_weights([weights.reshape(-1, 1), np.array([0.25])])
    return Linear(model, weights, 0.25)


def docs_of(shape: tuple[int, ...], n: int = 2, seed: int = 5) -> Array:
    """Return n docs, uniform in [-1, 1]."""
    return np.random.default_rng(seed).uniform(-1, 1, (n, *shape)).astype("float32")


def trapezoids(x: Any, y: Any) -> float:
    """Return the area under a curve, one trapezoid after the other."""
    return sum((x[k + 1] - x[k]) * (y[k] + y[k + 1]) / 2 for k in range(len(x) - 1))


def curve_of(
    score: Callable[[Array], float], start: Array, end: Array, order: Any, counts: Any
) -> list[float]:
    """Return the scores of `start` with the first places of an order as they are in `end`."""
    scores = []
    for count in counts:
        changed = start.astype("float64").copy()
        for place in order[:count]:
            changed[place] = end[place]
        scores.append(score(changed))
    return scores


def highest_first(values: Array, seed: int) -> list[tuple[int, ...]]:
    """Return the places from the highest number down, equal ones as they are shuffled."""
    shuffled = np.random.default_rng(seed).permutation(values.size).tolist()
    flat = values.ravel().tolist()
    places = sorted(shuffled, key=lambda place: -flat[place])
    return [tuple(map(int, np.unravel_index(place, values.shape))) for place in places]

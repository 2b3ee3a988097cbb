"""Tasks of 8 x 8 pixels in the manner of XAI-TRIS, solved as well as they can be.

Clark, Wilming and Haufe, "XAI-TRIS: Non-linear image benchmarks to quantify false positive post-hoc
attribution of feature importance", arXiv:2306.12816. Two tetrominoes in correlated noise; which one
is there tells the class (linear), or where the noise is damped (multiplicative), or which one is
somewhere (translated), or whether both have the same sign (XOR). The truth is where they are: only
these pixels depend on the class.

The other pixels are suppressors. They know nothing of the class, but of the noise on those that do,
and a model that solves the task as well as it can subtracts what they know. So heat on them is
faithful to the model, and wrong about the data. The models' weights are the best linear ones
(Fisher's), from the covariance of the noise, which is known, or from samples; nothing is trained.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers

from eli5.ground_truth.closed_form import PAIR, SIZE, relu_pair
from eli5.ground_truth.problem import Array, Problem, of_places, set_weights

_SMOOTHNESS = 1.5  # pixels, of the correlated part of the noise
_WHITE = 0.4  # standard deviation of the other part
_RIDGE = 1e-3
_N_FITTED, _N_TESTED = 4000, 500

_T = np.array([[1, 1, 1], [0, 1, 0], [0, 0, 0]], "float64")
_L = np.array([[1, 0, 0], [1, 0, 0], [1, 1, 0]], "float64")
_T_PLACE, _L_PLACE = (1, 1), (4, 4)  # in the tasks in which they do not move


class Drawn(NamedTuple):
    """Pictures (N, 8, 8, 1), their classes (N,), and where these show, (N, 8, 8) of bool."""

    pictures: Array
    classes: Array
    masks: Array


class Task(NamedTuple):
    """How docs are drawn, and the model that solves them."""

    about: str
    draw: Callable[[np.random.Generator, int], Drawn]
    make_model: Callable[[np.random.Generator], keras.Model]


def make_tasks(seed: int, n_docs: int) -> list[Problem]:
    """Return the four tasks, with `n_docs` docs each that the model gets right."""
    return [
        _make_problem(name, task, np.random.default_rng([seed, number]), n_docs)
        for number, (name, task) in enumerate(TASKS.items(), 10)
    ]


def _make_problem(name: str, task: Task, random: np.random.Generator, n_docs: int) -> Problem:
    model, drawn = task.make_model(random), task.draw(random, _N_TESTED)
    answers = np.asarray(model.predict_on_batch(drawn.pictures))
    right = answers.argmax(axis=1) == drawn.classes
    shown = np.flatnonzero(right)[:n_docs]
    return Problem(
        name,
        f"{task.about}; the model gets {right.mean():.0%} right",
        model,
        drawn.pictures[shown],
        [[int(k)] for k in drawn.classes[shown]],
        drawn.masks[shown][:, None].astype("float64"),
        reading="size",
        options=of_places((SIZE, SIZE)),
    )


# ---- docs ----------------------------------------------------------------------------------------


def _placed(shape: Array, place: tuple[int, int]) -> Array:
    picture = np.zeros((SIZE, SIZE))
    picture[place[0] : place[0] + 3, place[1] : place[1] + 3] = shape
    return picture


_PATTERNS = np.stack([_placed(_T, _T_PLACE), _placed(_L, _L_PLACE)])
_EITHER: Array = np.max(_PATTERNS, axis=0) > 0


def _blur() -> Array:
    """Return the matrix (64, 64) that makes correlated noise of white one, of variance 1."""
    steps = np.arange(SIZE)
    along = np.exp(-((steps[:, None] - steps) ** 2) / (2 * _SMOOTHNESS**2))
    both = np.kron(along, along)
    return np.asarray(both / np.linalg.norm(both, axis=1, keepdims=True))


_BLUR = _blur()
_COVARIANCE = _BLUR @ _BLUR.T + _WHITE**2 * np.eye(SIZE**2)


def _noise(random: np.random.Generator, n: int) -> Array:
    smooth = random.standard_normal((n, SIZE**2)) @ _BLUR.T
    return (smooth + _WHITE * random.standard_normal(smooth.shape)).reshape(n, SIZE, SIZE)


def _as_docs(pictures: Array) -> Array:
    return pictures[..., None].astype("float32")


def _draw_linear(random: np.random.Generator, n: int) -> Drawn:
    classes = random.integers(0, 2, n)
    pictures = _noise(random, n) + _PATTERNS[classes]
    return Drawn(_as_docs(pictures), classes, np.repeat(_EITHER[None], n, axis=0))


def _draw_multiplicative(random: np.random.Generator, n: int) -> Drawn:
    classes = random.integers(0, 2, n)
    pictures = _noise(random, n) * (1 - 0.9 * _PATTERNS[classes])
    return Drawn(_as_docs(pictures), classes, np.repeat(_EITHER[None], n, axis=0))


def _draw_xor(random: np.random.Generator, n: int) -> Drawn:
    signs = random.choice([-1, 1], (n, 2))
    pictures = _noise(random, n) + np.tensordot(signs, _PATTERNS, axes=1)
    classes = (signs[:, 0] != signs[:, 1]).astype(int)
    return Drawn(_as_docs(pictures), classes, np.repeat(_EITHER[None], n, axis=0))


def _draw_translated(random: np.random.Generator, n: int) -> Drawn:
    classes = random.integers(0, 2, n)
    places = random.integers(0, SIZE - 2, (n, 2))
    shapes = (_T, _L)
    patterns = np.stack(
        [_placed(shapes[k], tuple(place)) for k, place in zip(classes, places, strict=True)]
    )
    return Drawn(_as_docs(_noise(random, n) + 2.5 * patterns), classes, patterns > 0)


# ---- models --------------------------------------------------------------------------------------


def _fisher(means: Array, covariance: Array) -> Array:
    """Return the best weights to tell two means (2, d) apart, so that scores differ by 2."""
    ridge = _RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    difference = means[0] - means[1]
    weights = np.linalg.solve(covariance + ridge, difference)
    return np.asarray(2 * weights / (weights @ difference))


def _both_ways(weights: Array) -> Array:
    """Return the kernel of two classes of which one is the other with the opposite sign."""
    return np.stack([weights, -weights], axis=-1) / 2


def _flat_model(kernel: Array, bias: Array, name: str) -> keras.Model:
    """Return a dense layer on what is above and below 0, at each place: kernel (8, 8, 2, 2)."""
    picture = keras.Input((SIZE, SIZE, 1))
    flat = layers.Flatten()(relu_pair(picture))
    model = keras.Model(picture, layers.Dense(2, name="classes")(flat), name=name)
    kernel = kernel.reshape(-1, kernel.shape[-1])
    return set_weights(model, maps=PAIR, classes=[kernel, bias])


def _linear_model(random: np.random.Generator) -> keras.Model:
    means = _PATTERNS.reshape(2, -1)
    weights = _fisher(means, _COVARIANCE)
    kernel = _both_ways(np.stack([weights, -weights], axis=1))
    return _flat_model(kernel, -means.mean(axis=0) @ _both_ways(weights), "linear")


def _multiplicative_model(random: np.random.Generator) -> keras.Model:
    drawn = _draw_multiplicative(random, _N_FITTED)
    sizes = np.abs(drawn.pictures).reshape(_N_FITTED, -1).astype("float64")
    groups = [sizes[drawn.classes == k] for k in (0, 1)]
    means = np.stack([group.mean(axis=0) for group in groups])
    covariance = np.mean([np.cov(group.T) for group in groups], axis=0)
    weights = _fisher(means, covariance)
    kernel = _both_ways(np.stack([weights, weights], axis=1))
    return _flat_model(kernel, -means.mean(axis=0) @ _both_ways(weights), "multiplicative")


def _xor_model(random: np.random.Generator) -> keras.Model:
    """Return ``|t + u| - |t - u|`` of the two amounts, the sign of which is that of ``t u``."""
    t, u = (_fisher(np.stack([one.ravel(), -one.ravel()]), _COVARIANCE) for one in _PATTERNS)
    ways = np.stack([t + u, -t - u, t - u, u - t], axis=-1)
    picture = keras.Input((SIZE, SIZE, 1))
    flat = layers.Flatten()(relu_pair(picture))
    sizes = layers.Dense(4, activation="relu", use_bias=False, name="sizes")(flat)
    classes = layers.Dense(2, use_bias=False, name="classes")(sizes)
    return set_weights(
        keras.Model(picture, classes, name="xor"),
        maps=PAIR,
        sizes=np.stack([ways, -ways], axis=1).reshape(-1, 4),
        classes=_both_ways(np.array([1.0, 1, -1, -1])),
    )


def _translated_model(random: np.random.Generator) -> keras.Model:
    """Return matched filters of noise whose covariance is known, a threshold, and a mean."""
    window = np.arange(SIZE**2).reshape(SIZE, SIZE)[:3, :3].ravel()
    covariance = _COVARIANCE[np.ix_(window, window)]
    filters = [_fisher(np.stack([s.ravel(), 0 * s.ravel()]), covariance) / 2 for s in (_T, _L)]
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(2, 3, activation="relu", name="maps"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, use_bias=False, name="classes"),
        ],
        name="translated",
    )
    kernel = np.stack(filters, axis=-1).reshape(3, 3, 1, 2)
    # Half of what a stroke of this strength gives.
    bias = [-1.25, -1.25]
    return set_weights(model, maps=[kernel, bias], classes=36 * _both_ways(np.array([1.0, -1])))


TASKS = {
    "linear": Task("one of two shapes, in noise", _draw_linear, _linear_model),
    "multiplicative": Task(
        "one of two shapes, where noise is damped", _draw_multiplicative, _multiplicative_model
    ),
    "translated": Task("one of two shapes, anywhere in noise", _draw_translated, _translated_model),
    "XOR": Task("two shapes of equal or of opposite sign, in noise", _draw_xor, _xor_model),
}

"""Hand-set networks whose true attribution is known for each pixel, signed.

The truth is each pixel's Shapley value against black: the only shares that add up to the score,
treat equal pixels alike, and give nothing to pixels that change nothing. It needs no sampling here,
as the scores are polynomials, each product of which is shared equally by its factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.lib.stride_tricks import sliding_window_view

from eli5.ground_truth.problem import (
    T_SHAPE,
    Z_SHAPE,
    Array,
    Problem,
    of_places,
    set_weights,
    stroke_kernel,
)

SIZE = 8
_SEEN = 6  # columns; the score cannot see those to the right of them
_PER_COLOUR = 5  # pixels of each colour
_RED, _GREEN, _BLUE = range(3)


class Term(NamedTuple):
    """A number times the product of the amounts of some colours."""

    factor: float
    colours: tuple[int, ...]


# Per class, its terms; each class leaves one colour aside.
SUMS = (
    (Term(2, (_RED,)), Term(-1, (_GREEN,))),
    (Term(2, (_GREEN,)), Term(-1, (_BLUE,))),
    (Term(2, (_BLUE,)), Term(-1, (_RED,))),
)
# An "or" is nearly saturated: of two amounts near 1, either one would do. The further colour shows
# which method takes the little that is left for all that there is.
GATES = {
    "product": (Term(1, (_RED, _GREEN)), Term(-0.3, (_BLUE,))),
    "or": (
        Term(1, (_RED,)),
        Term(1, (_GREEN,)),
        Term(-1, (_RED, _GREEN)),
        Term(0.3, (_BLUE,)),
    ),
    "not": (Term(1, (_BLUE,)), Term(-1, (_BLUE, _GREEN))),
}
_PRODUCTS = ((_RED, _GREEN), (_BLUE, _GREEN))
_ABOUT = {
    "product": "red and green raise the score only together; blue lowers it",
    "or": "red or green would do alone, so that the score hardly changes without one of them",
    "not": "blue raises the score unless there is green, which does nothing by itself",
}


def make_hand_set(seed: int, n_docs: int) -> list[Problem]:
    """Return the hand-set networks, with `n_docs` docs each."""
    return [
        _sum_of_colours(np.random.default_rng([seed, 0]), n_docs),
        *_gates(np.random.default_rng([seed, 1]), n_docs),
        _places(np.random.default_rng([seed, 2]), n_docs),
        _templates(np.random.default_rng([seed, 3]), n_docs),
    ]


# ---- colours -------------------------------------------------------------------------------------


def _sum_of_colours(random: np.random.Generator, n: int) -> Problem:
    pictures = np.stack([_dots(random, SIZE) for _ in range(n)])
    targets = [[k % len(SUMS)] for k in range(n)]
    truths = [[shares(one, SUMS[k], SIZE)] for one, (k,) in zip(pictures, targets, strict=True)]
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 3)),
            layers.Conv2D(3, 1, activation="relu", use_bias=False, name="maps"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, use_bias=False, name="classes"),
        ],
        name="sum",
    )
    kernel = np.zeros((3, 3))
    for k, terms in enumerate(SUMS):
        for term in terms:
            kernel[term.colours[0], k] = term.factor * SIZE**2 / _PER_COLOUR
    return Problem(
        "sum",
        "one colour raises the score, one lowers it, one is not seen, each pixel by itself",
        set_weights(model, maps=np.eye(3)[None, None], classes=kernel),
        pictures,
        targets,
        np.array(truths),
        options=of_places((SIZE, SIZE)),
    )


def _gates(random: np.random.Generator, n: int) -> list[Problem]:
    model, pictures = _gate_model(), np.stack([_dots(random, _SEEN) for _ in range(n)])
    blind = np.zeros((n, 1, SIZE, SIZE), bool)
    blind[..., _SEEN:] = True
    return [
        Problem(
            name,
            _ABOUT[name],
            model,
            pictures,
            [[k]] * n,
            np.array([[shares(one, terms, _SEEN)] for one in pictures]),
            blind=blind,
            options=of_places((SIZE, SIZE)),
        )
        for k, (name, terms) in enumerate(GATES.items())
    ]


def _gate_model() -> keras.Model:
    picture = keras.Input((SIZE, SIZE, 3))
    maps = layers.Conv2D(3, 1, activation="relu", use_bias=False, name="maps")(picture)
    seen = layers.Cropping2D(((0, 0), (0, SIZE - _SEEN)))(maps)
    pooled = layers.GlobalAveragePooling2D()(seen)
    amounts = layers.Dense(3, use_bias=False, name="amounts")(pooled)
    products = [amounts[:, a : a + 1] * amounts[:, b : b + 1] for a, b in _PRODUCTS]
    terms = layers.Concatenate()([amounts, *products])
    classes = layers.Dense(len(GATES), use_bias=False, name="classes")(terms)
    known = [(_RED,), (_GREEN,), (_BLUE,), *_PRODUCTS]
    kernel = np.zeros((len(known), len(GATES)))
    for k, gate in enumerate(GATES.values()):
        for term in gate:
            kernel[known.index(term.colours), k] = term.factor
    return set_weights(
        keras.Model(picture, classes, name="gates"),
        maps=np.eye(3)[None, None],
        amounts=np.eye(3) * SIZE * _SEEN / _PER_COLOUR,
        classes=kernel,
    )


def _dots(random: np.random.Generator, columns: int) -> Array:
    """Return a picture (SIZE, SIZE, 3) of dots of one colour each, with more beside the columns."""
    picture = np.zeros((SIZE, SIZE, 3), "float32")
    places = random.choice(SIZE * columns, 3 * _PER_COLOUR, replace=False)
    colours = np.repeat(np.arange(3), _PER_COLOUR)
    picture[places // columns, places % columns, colours] = random.uniform(0.7, 1, len(places))
    if columns < SIZE:
        rows = random.choice(SIZE, 3, replace=False)
        picture[rows, random.integers(columns, SIZE, 3), random.permutation(3)] = 1
    return picture


def shares(picture: Array, terms: Sequence[Term], columns: int = SIZE) -> Array:
    """Return what each pixel adds to the terms' sum, (SIZE, SIZE); see the module."""
    seen = picture[:, :columns].astype("float64") / _PER_COLOUR
    amounts = seen.sum(axis=(0, 1))
    weights = np.zeros(3)
    for term in terms:
        for colour in term.colours:
            others = [amounts[other] for other in term.colours if other != colour]
            weights[colour] += term.factor * prod(others) / len(term.colours)
    return np.pad(seen @ weights, ((0, 0), (0, SIZE - columns)))


# ---- places --------------------------------------------------------------------------------------


PAIR = np.array([[[[1.0, -1.0]]]])


def relu_pair(model_input: Any) -> Any:
    """Return the maps of what is above 0 and of what is below, of a picture of one channel.

    Its layer, "maps", is to have the kernel `PAIR`.
    """
    return layers.Conv2D(2, 1, activation="relu", use_bias=False, name="maps")(model_input)


def _places(random: np.random.Generator, n: int) -> Problem:
    pictures = random.uniform(-1, 1, (n, SIZE, SIZE, 1)).astype("float32")
    weights = random.normal(0, 1, (SIZE, _SEEN, 3))
    picture = keras.Input((SIZE, SIZE, 1))
    seen = layers.Cropping2D(((0, 0), (0, SIZE - _SEEN)))(relu_pair(picture))
    classes = layers.Dense(3, use_bias=False, name="classes")(layers.Flatten()(seen))
    model = set_weights(
        keras.Model(picture, classes, name="places"),
        maps=PAIR,
        classes=np.stack([weights, -weights], axis=2).reshape(-1, 3),
    )
    targets = [[k % 3] for k in range(n)]
    truths = [
        [np.pad(one[:, :_SEEN, 0] * weights[..., k], ((0, 0), (0, SIZE - _SEEN)))]
        for one, (k,) in zip(pictures, targets, strict=True)
    ]
    blind = np.zeros((n, 1, SIZE, SIZE), bool)
    blind[..., _SEEN:] = True
    return Problem(
        "places",
        "each place has a weight of its own, behind a flattened map",
        model,
        pictures,
        targets,
        np.array(truths),
        blind=blind,
        options=of_places((SIZE, SIZE)),
    )


# ---- templates -----------------------------------------------------------------------------------


def _templates(random: np.random.Generator, n: int) -> Problem:
    drawn = [draw_strokes(random) for _ in range(n)]
    model = keras.Sequential(
        [
            keras.Input((SIZE, SIZE, 1)),
            layers.Conv2D(2, 3, padding="same", activation="relu", name="maps"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, use_bias=False, name="classes"),
        ],
        name="templates",
    )
    targets = [[k % 2] for k in range(n)]
    truths = [[share_of_strokes(masks, k)] for (_, masks), (k,) in zip(drawn, targets, strict=True)]
    return Problem(
        "template",
        "one of two shapes raises the score, the other lowers it by half; others look like them",
        set_weights(model, maps=stroke_filters(), classes=SIZE**2 * np.array(STROKE_CLASSES)),
        np.stack([picture for picture, _ in drawn]),
        targets,
        np.array(truths),
        options=of_places((SIZE, SIZE)),
    )


STROKE_CLASSES = [[1, -0.5], [-0.5, 1]]


def stroke_filters() -> list[Array]:
    """Return kernel and bias of a layer that answers 1 where a whole stroke is, else 0."""
    kernels = np.stack([stroke_kernel(T_SHAPE), stroke_kernel(Z_SHAPE)], axis=-1)
    return [kernels[:, :, None], np.array([1 - T_SHAPE.sum(), 1 - Z_SHAPE.sum()])]


def draw_strokes(random: np.random.Generator) -> tuple[Array, Array]:
    """Return a picture (SIZE, SIZE, 1), and where each of its two strokes is, (2, SIZE, SIZE).

    Each stands in a quarter of its own; in a third one is a stroke that lacks a pixel. Nowhere else
    do pixels of several strokes make up another one, also not if some of them are hidden.
    """
    while True:
        masks = _place_strokes(random)
        picture = np.any(masks, axis=0, keepdims=True)[0]
        windows = sliding_window_view(picture, (3, 3))
        found = [windows[..., shape > 0].all(axis=-1).sum() for shape in (T_SHAPE, Z_SHAPE)]
        if found == [1, 1]:
            return picture[..., None].astype("float32"), masks[:2]


def _place_strokes(random: np.random.Generator) -> Array:
    quarters = random.permutation(4)
    masks = np.zeros((3, SIZE, SIZE), bool)
    torn = T_SHAPE * (np.arange(9).reshape(3, 3) != random.choice(np.flatnonzero(T_SHAPE)))
    for mask, shape, quarter in zip(masks, (T_SHAPE, Z_SHAPE, torn), quarters, strict=False):
        half = SIZE // 2
        top, left = half * np.array(divmod(int(quarter), 2)) + random.integers(0, 2, 2)
        mask[top : top + 3, left : left + 3] = shape > 0
    return masks


def share_of_strokes(masks: Array, target: int) -> Array:
    """Return the truth: a stroke's answer is shared by its pixels, all of which it takes."""
    weights = np.array(STROKE_CLASSES)[:, target] / masks.sum(axis=(1, 2))
    return np.tensordot(weights, masks, axes=1)

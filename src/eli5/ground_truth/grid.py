"""Grids of pictures: cells that cannot influence each other, and scenes of two objects.

Rao, Böhle and Schiele, "Towards Better Understanding Attribution Methods", arXiv:2205.10435. In
their DiFull setting, each class looks at one cell of a grid alone: all heat in other cells is
impossible. In the scenes the truth is not exact: the demo's model was trained to look at the object
asked for.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.demo import load_model, load_scene
from eli5.ground_truth.closed_form import (
    SIZE,
    STROKE_CLASSES,
    draw_strokes,
    share_of_strokes,
    stroke_filters,
)
from eli5.ground_truth.problem import Array, Problem, of_places, set_weights

_SIDE = 2 * SIZE
_GAP = 3  # pixels around an object that are not taken for background
# Less than the defaults: the demo's model is the only one here that costs something.
_LESS: dict[str, dict[str, Any]] = {
    "SmoothGrad": {"n_samples": 20},
    "VarGrad": {"n_samples": 20},
    "SquareGrad": {"n_samples": 20},
    "Integrated Gradients": {"steps": 24},
    "RISE": {"n_masks": 300},
    "KernelSHAP": {"n_samples": 300},
    "LIME": {"n_samples": 300},
}


def make_grid(seed: int, n_docs: int) -> list[Problem]:
    """Return the grid with `n_docs` docs, and scenes, half as many."""
    return [
        _cells(np.random.default_rng([seed, 20]), n_docs),
        _composites(np.random.default_rng([seed, 21]), (n_docs + 1) // 2),
    ]


# ---- cells ---------------------------------------------------------------------------------------


def _corners() -> list[tuple[slice, slice]]:
    halves = slice(0, SIZE), slice(SIZE, _SIDE)
    return [(rows, columns) for rows in halves for columns in halves]


def _cells(random: np.random.Generator, n: int) -> Problem:
    docs, targets = np.zeros((n, _SIDE, _SIDE, 1), "float32"), []
    truths, blind = np.zeros((n, 1, _SIDE, _SIDE)), np.ones((n, 1, _SIDE, _SIDE), bool)
    for doc, truth, unseen in zip(docs, truths, blind, strict=True):
        asked, kind = int(random.integers(0, 4)), int(random.integers(0, 2))
        targets.append([2 * asked + kind])
        for number, corner in enumerate(_corners()):
            doc[corner], masks = draw_strokes(random)
            if number == asked:
                truth[0][corner] = share_of_strokes(masks, kind)
                unseen[0][corner] = False
    return Problem(
        "cells",
        "a shape in one of four cells raises the score, which cannot see the other three",
        _cell_model(),
        docs,
        targets,
        truths,
        blind=blind,
        options=of_places((SIZE, SIZE), scale=2),
    )


def _cell_model() -> keras.Model:
    """Return two classes for each cell, made of maps that lie side by side in one layer."""
    picture = keras.Input((_SIDE, _SIDE, 1))
    look = layers.Conv2D(2, 3, padding="same", activation="relu", name="look")
    crops = [_crop(corner) for corner in _corners()]
    a, b, c, d = (look(crop(picture)) for crop in crops)
    beside = layers.Concatenate(axis=2)
    maps = layers.Concatenate(axis=1, name="maps")([beside([a, b]), beside([c, d])])
    pool, judge = layers.GlobalAveragePooling2D(), layers.Dense(2, use_bias=False, name="classes")
    classes = layers.Concatenate()([judge(pool(crop(maps))) for crop in crops])
    model = keras.Model(picture, classes, name="cells")
    return set_weights(model, look=stroke_filters(), classes=SIZE**2 * np.array(STROKE_CLASSES))


def _crop(corner: tuple[slice, slice]) -> layers.Layer:
    rows, columns = ((one.start, _SIDE - one.stop) for one in corner)
    return layers.Cropping2D((rows, columns))


# ---- scenes --------------------------------------------------------------------------------------


def _composites(random: np.random.Generator, n: int) -> Problem:
    model, scene = load_model(), load_scene()
    background = _without_objects(scene.image, scene.masks)
    docs: list[Array] = []
    masks: list[Array] = []
    while len(docs) < n:
        picture, places = _compose(random, background, scene.image, scene.masks)
        answers = np.asarray(model.predict_on_batch(picture[None].astype("float32")))[0]
        if {*np.argsort(answers)[-2:].tolist()} == {*scene.kinds}:  # the model sees both
            docs.append(picture)
            masks.append(places)
    squares = of_places((8, 8), scale=len(background) // 8)
    options = {name: {**squares.get(name, {}), **own} for name, own in _LESS.items()}
    return Problem(
        "composites",
        "of two objects in a scene, the one asked for, by the demo's model",
        model,
        np.stack(docs),
        [list(scene.kinds)] * n,
        np.stack(masks).astype("float64"),
        reading="for",
        layer="relu_5",
        options=options,
        batch_size=32,
    )


def _without_objects(image: Array, masks: Array) -> Array:
    """Return the scene without objects: where they are, as it is mirrored or turned."""
    near = _widened(np.max(masks, axis=0))
    result, is_empty = image.copy(), near.copy()
    for axis in (0, 1, (0, 1)):
        other, is_object = np.flip(image, axis), np.flip(near, axis)
        taken = is_empty & ~is_object
        result[taken] = other[taken]
        is_empty &= ~taken
    return result


def _widened(mask: Array) -> Array:
    reach = range(-_GAP, _GAP + 1)
    return np.any([np.roll(mask, (i, j), (0, 1)) for i in reach for j in reach], axis=0)


def _compose(
    random: np.random.Generator, background: Array, image: Array, masks: Array
) -> tuple[Array, Array]:
    """Return a scene with both objects at other places, turned, in other colours; and where."""
    channels = random.permutation(3)
    picture = np.rot90(background, int(random.integers(4)))[..., channels].copy()
    places = np.zeros(masks.shape, bool)
    while True:
        moves = [(int(random.integers(4)), random.integers(-64, 65, 2)) for _ in masks]
        moved = [_moved(mask, *move) for mask, move in zip(masks, moves, strict=True)]
        is_whole = all(a.sum() == b.sum() for a, b in zip(moved, masks, strict=True))
        if is_whole and not (_widened(moved[0]) & moved[1]).any():
            break
    for place, mask, move in zip(places, moved, moves, strict=True):
        place[:] = mask
        picture[mask] = _moved(image, *move)[mask][:, channels]
    return picture, places


def _moved(values: Array, turns: int, shift: Array) -> Array:
    """Return a picture turned and shifted; what leaves it is gone, what comes in is 0."""
    turned = np.rot90(values, turns)
    result = np.zeros_like(turned)
    to = tuple(slice(max(s, 0), n + min(s, 0)) for s, n in zip(shift, turned.shape, strict=False))
    of = tuple(slice(max(-s, 0), n - max(s, 0)) for s, n in zip(shift, turned.shape, strict=False))
    result[to] = turned[of]
    return result

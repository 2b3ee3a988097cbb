"""What all sets are made of: a model, docs, and the truth about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

import keras
import numpy as np

Array = np.ndarray[Any, Any]

# Strokes in a window of 3 x 3, none of which looks the same when it is turned over or transposed,
# and of which the middle is a part, so that a map of the window's middle lies on the stroke.
T_SHAPE = np.array([[1, 1, 1], [0, 1, 0], [0, 1, 0]], "float64")
Z_SHAPE = np.array([[1, 1, 0], [0, 1, 0], [0, 1, 1]], "float64")
PLUS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], "float64")


class Problem(NamedTuple):
    """A model, docs, and what is true of them.

    Attributes
    ----------
    name : str
    about : str
        What it asks of a method, in one line.
    model : keras.Model
    docs : numpy.ndarray, shape (N, ...)
    targets : list of list of int
        Per doc the K classes that are explained.
    truths : numpy.ndarray, shape (N, K, *size)
        What each place adds to the class's score, signed; or, where only the places are known, 1
        there and 0 elsewhere. See `reading`.
    reading : {"signed", "size", "for"}
        How a map is compared with that: as it is; by its absolute numbers; by its positive part.
    blind : numpy.ndarray of bool, shape (N, K, *size), optional
        Places that the class's score provably cannot see: no heat is possible there.
    part : numpy.ndarray of bool, shape (N, K, *size), optional
        A part of the truth, whose share of the heat is compared with its share of the truth.
    layer : str
        The target layer of methods that have one.
    options : Mapping
        By method, what it takes here in the place of its defaults.
    batch_size : int
        How many docs, or changed docs, the model sees at once.
    """

    name: str
    about: str
    model: keras.Model
    docs: Array
    targets: Sequence[Sequence[int]]
    truths: Array
    reading: Literal["signed", "size", "for"] = "signed"
    blind: Array | None = None
    part: Array | None = None
    layer: str = "maps"
    options: Mapping[str, Mapping[str, Any]] = {}
    batch_size: int = 256


def of_places(size: tuple[int, ...], scale: int = 1) -> dict[str, dict[str, Any]]:
    """Return options with which surrogates leave out single places of a picture, as black.

    Or squares of some pixels, which make a grid of that size.
    """
    segments = np.arange(np.prod(size)).reshape(size).repeat(scale, 0).repeat(scale, 1)
    own = {"segments": segments, "baseline": 0.0}
    return {"KernelSHAP": own, "LIME": own}


def set_weights(model: keras.Model, **weights: Any) -> keras.Model:
    """Give layers, by their names, their weights: the kernel, or a list of kernel and bias."""
    for name, values in weights.items():
        values = values if isinstance(values, list) else [values]
        model.get_layer(name).set_weights([np.asarray(one, "float32") for one in values])
    return model


def stroke_kernel(shape: Array) -> Array:
    """Return a kernel (*window,) that adds up to the stroke's size on the very stroke alone."""
    return np.where(shape > 0, 1.0, -1.0)

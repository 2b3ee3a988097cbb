"""Which axis of the doc each axis of an output stands for is followed through a model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

from eli5.keras import engine
from eli5.keras.layers.map_axes import axes_of_calls

Axes = tuple[int | None, ...] | None


def then(*steps: Any) -> Callable[[Any], Any]:
    def apply(x: Any) -> Any:
        for step in steps:
            x = step(x)
        return x

    return apply


def unfolded(x: Any) -> Any:
    """Return patches of 2 x 2 as channels."""
    return then(
        layers.Reshape((3, 2, 4, 2, 3)), layers.Permute((1, 3, 2, 4, 5)), layers.Reshape((3, 4, 12))
    )(x)


# The shape of a doc without its batch axis, what a model does, and the axes of what comes out.
CASES: dict[str, tuple[tuple[int, ...], Callable[[Any], Any], Axes]] = {
    "convolution": ((6, 8, 3), layers.Conv2D(4, 3), (0, 1, 2)),
    "channels in front": ((6, 8, 3), layers.Permute((3, 1, 2)), (2, 0, 1)),
    "turned": ((6, 8, 3), lambda x: ops.transpose(x, (0, 2, 1, 3)), (1, 0, 2)),
    "channels added": ((6, 8), layers.Reshape((6, 8, 1)), (0, 1, None)),
    "channels added by an operation": ((6, 8), lambda x: ops.expand_dims(x, -1), (0, 1, None)),
    "an axis in front": ((6, 8), layers.Reshape((1, 6, 8)), (None, 0, 1)),
    "bands as channels": ((5, 6, 7, 2), layers.Reshape((5, 6, 14)), (0, 1, None)),
    "columns to a picture": ((48,), layers.Reshape((6, 8, 1)), (0, None, None)),
    "cut anew": ((6, 8, 3), layers.Reshape((12, 12, 1)), (None, None, None)),
    "tokens": ((6, 8, 3), layers.Reshape((48, 3)), None),
    "tokens and back": ((6, 8, 3), then(layers.Reshape((48, 3)), layers.Reshape((6, 8, 3))), None),
    "patches": ((6, 8, 3), unfolded, None),
    "mean over an axis": ((5, 6, 7, 2), lambda x: ops.mean(x, axis=2), (0, 2, 3)),
    "mean over another": ((5, 6, 7, 2), lambda x: ops.mean(x, axis=-2), (0, 1, 3)),
    "one frame": ((5, 6, 7, 2), lambda x: x[:, 2], (1, 2, 3)),
    "summed up": ((5, 6, 7, 2), layers.ConvLSTM2D(3, 3), (1, 2, 3)),
    "not summed up": ((5, 6, 7, 2), layers.ConvLSTM2D(3, 3, return_sequences=True), (0, 1, 2, 3)),
    "embedding": ((9,), layers.Embedding(10, 4), (0, None)),
    "recurrent": ((9, 4), layers.GRU(3, return_sequences=True), (0, 1)),
    "sum of two": (
        (6, 8),
        lambda x: layers.Add()([layers.Reshape((6, 8, 1))(x), layers.Reshape((6, 8, 1))(x)]),
        (0, 1, None),
    ),
}


@pytest.mark.parametrize("kind", CASES)
def test_axes(kind: str) -> None:
    shape, make, expected = CASES[kind]
    inputs = keras.Input(shape)
    model = keras.Model(inputs, make(inputs))
    doc = np.ones((1, *shape), "float32")
    trace = engine.trace(model, doc)
    found = axes_of_calls(trace, doc.shape)
    assert found[-1] == expected


def test_a_doc_is_stood_for_by_an_output() -> None:
    inputs = keras.Input((48,))
    x = layers.Conv2D(4, 3)(layers.Reshape((6, 8, 1), name="fold")(layers.Dense(48)(inputs)))
    model = keras.Model(inputs, x)
    trace = engine.trace(model, np.ones((1, 48), "float32"))
    dense, fold, conv = axes_of_calls(trace, (1, 6, 8, 1), start=1)
    assert dense == (None,)
    assert fold == conv == (0, 1, 2)

"""Random models that move what they see: the heat comes where hiding the object counts.

``ELI5_MOVING_MODELS`` says how many are tried; `make test-places` tries 200 and prints the counts.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

import eli5
from helpers.moving_models import moving_model, object_at

Array = np.ndarray[Any, Any]

N_MODELS = int(os.environ.get("ELI5_MOVING_MODELS", "12"))
_counts: dict[str, int] = {}


@pytest.fixture(scope="module", autouse=True)
def _print_counts() -> Any:
    yield
    print("\nrandom models that move what they see:", dict(sorted(_counts.items())))


@pytest.mark.parametrize("seed", range(N_MODELS))
def test_the_heat_is_where_hiding_the_object_counts(seed: int) -> None:
    n_axes = 1 + seed % 3
    model = moving_model(seed, n_axes)
    size = tuple(model.inputs[0].shape[1:-1])
    rng = np.random.default_rng(seed + 1)
    side = 2
    place = tuple(int(rng.integers(1, n - 1)) for n in size)
    doc = object_at(size, place, side)
    about: dict[str, Any] = {"channel_names": ["value"]} if n_axes == 1 else {}
    expl = eli5.explain_prediction(model, doc, layer="conv", score="output", **about)
    (target,) = expl.targets
    on_input = expl.heatmap_on_input()
    assert on_input.shape == size
    drops = occlusion(model, doc, side)
    if drops.max() <= 0 or drops[place] < 0.5 * drops.max():
        # Cropped, or jumped over: there is nothing to be seen of it.
        _counts["object out of sight"] = _counts.get("object out of sight", 0) + 1
        return
    assert "could not be told" not in expl.description
    top = np.argwhere(on_input >= on_input.max() * (1 - 1e-4))
    # An object reaches over two pixels, and a cell over its stride.
    strides = dict(
        zip(target.placement.axes, target.placement.strides(target.heatmap.shape), strict=True)
    )
    cell = np.array([max(abs(strides[axis]), 1) for axis in range(n_axes)]) + side / 2
    peak = np.array(np.unravel_index(drops.argmax(), size))
    nearest = (np.abs(top - peak) / cell).max(axis=1).min()
    _counts["within a cell"] = _counts.get("within a cell", 0) + (nearest <= 1)
    assert nearest <= 1, (peak, top[:4], target.placement)


def occlusion(model: Any, doc: Array, side: int) -> Array:
    """Return how much the output drops if a window of the object's size around a pixel is dark."""
    size = doc.shape[1:-1]
    covered = np.repeat(doc, int(np.prod(size)), axis=0)
    for k, place in enumerate(np.ndindex(*size)):
        window = tuple(slice(max(at - side // 2, 0), at - side // 2 + side) for at in place)
        covered[k][window] = 0.01
    outputs = model.predict(np.concatenate([doc, covered]), batch_size=256, verbose=0)[:, 0]
    return (outputs[0] - outputs[1:]).reshape(size)

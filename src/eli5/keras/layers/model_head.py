"""What lies behind a target layer: the head that CAM is defined for, or nothing but the output.

An output per place, such as a mask, may come from a layer place by place: it is the layer's own
output, or an activation or a convolution of size 1 is all that lies between. A gradient tells,
whatever the model's code does.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import activations, layers, ops

from eli5.keras import engine
from eli5.keras.engine import Call, Site, Trace

Shape = tuple[int, ...]

_POOLING = tuple(getattr(layers, f"GlobalAveragePooling{n}D") for n in (1, 2, 3))
# What leaves the maps, or the class scores, as they are in inference.
_NEUTRAL = (layers.Dropout, layers.Identity)
# What leaves pooled maps as they are, and mixes the cells of others.
_SHAPING = (layers.Flatten, layers.Reshape)
_FINAL = (activations.softmax, activations.sigmoid, activations.log_softmax)
# Pooling, a dense layer without an activation (D) or with the final one (E), a final activation.
_GAP_DENSE = re.compile("-*G[-R]*(D-*A?|E)-*")


def check_gap_dense(trace: Trace, site: Site) -> None:
    """Raise ValueError unless global average pooling and one dense layer alone are behind it."""
    behind = _behind(trace, site)
    if not _GAP_DENSE.fullmatch("".join(_letter(call, site) for call in behind)):
        names = ", ".join(f"{call.path!r} ({type(call.operation()).__name__})" for call in behind)
        raise ValueError(
            "Expected a model whose target layer is followed by global average pooling and one "
            f"dense layer for method='CAM'. Received: layer={site.path!r}, followed by "
            f"{names or 'nothing'}. Grad-CAM is CAM's form for any model."
        )


def _behind(trace: Trace, site: Site) -> list[Call]:
    """Return the calls that were made after the site's, without the models around them."""
    later = trace.calls[trace.index_of(site) + 1 :]
    around = {id(reference()) for call in trace.calls for reference in call.within}
    return [call for call in later if id(call.operation()) not in around]


def _letter(call: Call, site: Site) -> str:
    operation = call.operation()
    if isinstance(operation, layers.Dense):
        return {"linear": "D", "final": "E"}.get(_kind(operation.activation), "?")
    if isinstance(operation, layers.Activation):
        return {"linear": "-", "final": "A"}.get(_kind(operation.activation), "?")
    if type(operation).__name__ in ("Softmax", "Sigmoid", "LogSoftmax"):
        return "A"
    if _averages_grid(operation, site):
        return "G"
    if isinstance(operation, _NEUTRAL):
        return "-"
    return "R" if isinstance(operation, _SHAPING) else "?"


def _kind(activation: Any) -> str:
    if activation in (None, activations.linear):
        return "linear"
    return "final" if activation in _FINAL else "other"


def _averages_grid(operation: Any, site: Site) -> bool:
    """Tell a pooling layer, and a `keras.ops.mean` over the grid in a functional graph."""
    if isinstance(operation, _POOLING):
        return True
    if type(operation).__name__ != "Mean" or isinstance(operation, layers.Layer):
        return False
    rank = len(site.shape)
    axes = operation.axis if isinstance(operation.axis, list | tuple) else [operation.axis]
    grid_axes = range(2, rank) if site.channels_first else range(1, rank - 1)
    return site.grid is None and {axis % rank for axis in axes if axis is not None} == {*grid_axes}


# ---- an output per place -------------------------------------------------------------------------


def find_output_maps(
    model: keras.Model, inputs: Any, trace: engine.Trace, output: int, sites: Sequence[engine.Site]
) -> list[bool]:
    """Tell of each site whether each place of an output comes from the same place there alone.

    Tried at the middle of the output, and kept. Where nothing flows back there, it is not known,
    and False.
    """
    spec = keras.tree.flatten(trace.outputs)[output]
    if len(spec.shape) < 3 or "float" not in spec.dtype:
        return [False] * len(sites)
    grids = [grid_of(site) for site in sites]
    found = []
    for site, grid in zip(sites, grids, strict=True):
        axis = _channel_axis(tuple(spec.shape[1:]), grid)
        is_whole = site.shape[:1] == (1,) and axis is not None
        found.append(is_whole and _comes_from_one_place(model, inputs, output, site, grid, axis))
    return found


def grid_of(site: engine.Site) -> Shape:
    """Return the size of the maps of a site."""
    if site.grid is not None:
        return site.grid
    return site.shape[2:] if site.channels_first else site.shape[1:-1]


def _channel_axis(shape: Shape, grid: Shape) -> int | None:
    """Return which axis of an output has its channels, batch axis included; 0 if none has.

    None if the output has another grid.
    """
    axes = {shape: 0, shape[1:]: 1, shape[:-1]: len(shape)}
    return axes.get(grid)


def _comes_from_one_place(
    model: keras.Model, inputs: Any, output: int, site: engine.Site, grid: Shape, axis: Any
) -> bool:
    place = tuple(size // 2 for size in grid)
    n = len(keras.tree.flatten(inputs)[0])
    arguments = inputs, np.zeros((n, 1), "int32")
    # Of a saturated softmax the logits still have a gradient, but not at the layer that it is in.
    queries = [
        engine.Query(
            "output", _SelectPlace(output, axis, place, of_logits), (site,), (_is_reached,)
        )
        for of_logits in (False, True)
    ]

    def find() -> bool:
        for query in queries:
            try:
                (reached,), _ = engine.evaluate(model, *arguments, query)
            except ValueError:  # no gradient flows back to this layer
                continue
            if reached.any():
                return bool(reached[0][place] and reached.sum() == 1)
        return False

    return engine.recall(model, ("output map", engine.key_of(queries[0], arguments)), find)


# ---- traced into the engine's program ------------------------------------------------------------


@dataclass(frozen=True)
class _SelectPlace:
    """Picks a mixture of the channels at one place of an output, or of what its softmax took."""

    output: int
    axis: int  # of the channels; 0 if there are none
    place: Shape
    of_logits: bool

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        chosen = keras.tree.flatten(outputs)[self.output]
        activation = activation_of(chosen) if self.of_logits else None
        if activation is not None and activation.logits.shape == chosen.shape:
            chosen = activation.logits
        last = ops.moveaxis(chosen, self.axis, -1) if self.axis else chosen[..., None]
        channels = last[(slice(None), *self.place)]
        # No two channels alike, lest they cancel.
        weights = ops.cast(ops.cos(ops.arange(channels.shape[-1], dtype="float32")), chosen.dtype)
        return ops.sum(channels * weights, axis=-1, keepdims=True), {}


def _is_reached(activations: Any, gradients: list[Any], _: Any) -> Any:
    """Tell of each place whether the score has a gradient there; traced, ``(B, *grid)``."""
    return ops.any(gradients[0] != 0, axis=-1)

"""Whether a model's head is the one that the original CAM is defined for."""

from __future__ import annotations

import re
from typing import Any

from keras import activations, layers

from eli5.keras.engine import Call, Site, Trace

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

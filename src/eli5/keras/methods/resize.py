"""Bilinear resizing of stacks of maps, the same on each backend."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def resize(maps: Array, size: Sequence[int]) -> Array:
    """Resize the last ``len(size)`` axes of `maps` bilinearly (for volumes trilinearly).

    Pixels are areas: sample points lie at half pixels, and the edge goes on outside. The result is
    float32.
    """
    result = np.asarray(maps, "float32")
    for axis, length in enumerate(size, start=result.ndim - len(size)):
        if result.shape[axis] != length:
            weights = _weights(result.shape[axis], length)
            # One small product per map: a large one is shared out among threads, which run already.
            result = np.moveaxis(np.moveaxis(result, axis, -1) @ weights.T, -1, axis)
    return np.ascontiguousarray(result)


def _weights(old: int, new: int) -> Array:
    """Return the matrix (new, old) of linear interpolation between the centres of `old` cells."""
    positions = ((np.arange(new) + 0.5) * old / new - 0.5).clip(0, old - 1)
    left = np.minimum(positions.astype(int), max(old - 2, 0))
    right = np.minimum(left + 1, old - 1)
    weights = np.zeros((new, old), "float32")
    weights[np.arange(new), left] += 1 - (positions - left)
    weights[np.arange(new), right] += positions - left
    return weights

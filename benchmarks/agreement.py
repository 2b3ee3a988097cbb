"""Say how heatmaps compare with those that this package draws."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, Any]

TOLERANCE = 0.01  # of heatmaps with a maximum of 1


def describe(found: Array, ours: dict[str, Array], interpolation: str = "") -> str:
    """Compare heatmaps, each scaled to a maximum of 1.

    Parameters
    ----------
    found : numpy.ndarray, shape (B, h, w)
    ours : dict of numpy.ndarray, shape (B, H, W)
        For the score before the softmax, ``"logit"``, and for the ``"output"``.
    interpolation : str
        How ours are resized, if the shapes differ.
    """
    if not np.isfinite(found).all():
        return "not finite"
    if not found.any():
        return "blank"
    for score, maps in ours.items():
        resized = _resized(maps, found.shape, interpolation)
        if maps.any() and _difference(found, resized) < TOLERANCE:
            return "the same" if score == "logit" else "the same as with `score='output'`"
    right = _resized(ours["logit"], found.shape, interpolation)
    if found.shape != right.shape:
        return f"another, of shape {found.shape[1:]}"
    correlation = np.corrcoef(_scaled(found).ravel(), _scaled(right).ravel())[0, 1]
    return f"another, off by {_difference(found, right):.2f}, correlation {correlation:.2f}"


def _difference(one: Array, other: Array) -> float:
    if one.shape != other.shape:
        return np.inf
    return float(np.abs(_scaled(one) - _scaled(other)).max())


def _scaled(maps: Array) -> Array:
    """Divide each map by its maximum, if it has one."""
    peaks = maps.max(axis=(1, 2), keepdims=True)
    return maps / np.where(peaks > 0, peaks, 1)


def _resized(maps: Array, shape: tuple[int, ...], interpolation: str) -> Array:
    if not interpolation or maps.shape == shape:
        return maps
    resized = keras.ops.image.resize(maps[..., None], shape[1:], interpolation=interpolation)
    return keras.ops.convert_to_numpy(resized)[..., 0]

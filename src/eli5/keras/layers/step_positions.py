"""Where a layer's steps lie in a text or a series: its maps, fitted to the steps of the doc."""

from __future__ import annotations

from typing import Any

import numpy as np

from eli5.keras.engine import Alignment, Site, Trace

Array = np.ndarray[Any, Any]


def fit_steps(maps: Array, site: Site, trace: Trace, n_steps: int) -> Array:
    """Return a layer's maps (..., t) with one number per step of the doc: (..., n_steps).

    Between the centres of a layer's steps the numbers are interpolated linearly; before the first
    and behind the last they stay as there. Maps of the input itself come back as they are.
    """
    if site.is_input:
        return maps
    if site.axes:
        return _over_time(maps, site, n_steps)
    alignment = trace.calls[trace.index_of(site)].alignment
    if alignment == Alignment() and maps.shape[-1] == n_steps:
        return maps
    return _interpolate(maps, (np.arange(n_steps) - alignment.offset) / alignment.stride)


def _over_time(maps: Array, site: Site, n_steps: int) -> Array:
    """Return the means of maps (..., *grid) over all axes but time, spread over the steps."""
    first = maps.ndim - len(site.axes)
    others = tuple(first + k for k, axis in enumerate(site.axes) if axis is None)
    means = maps.mean(axis=others)
    stride = n_steps / means.shape[-1]
    return _interpolate(means, (np.arange(n_steps) - (stride - 1) / 2) / stride)


def _interpolate(maps: Array, positions: Array) -> Array:
    """Return maps (..., t) at positions between their steps.

    Not as a matrix: of a long series it would not fit into memory.
    """
    last = maps.shape[-1] - 1
    positions = positions.clip(0, last)
    left = positions.astype(int).clip(0, max(last - 1, 0))
    right = np.minimum(left + 1, last)
    share = (positions - left).astype("float32")
    return maps[..., left] * (1 - share) + maps[..., right] * share

"""Maps of a layer's steps, fitted to the steps of the text or series that they belong to."""

from __future__ import annotations

from typing import Any

import numpy as np

from eli5.keras.engine import Alignment, Site, Trace
from eli5.keras.inputs.kind import View

Array = np.ndarray[Any, Any]


def fit(maps: Array, site: Site, view: View, trace: Trace) -> Array:
    """Return maps with one number per step of the doc.

    Between the centres of a layer's steps the numbers are interpolated linearly; before the first
    and behind the last they stay as there.

    Parameters
    ----------
    maps : numpy.ndarray, shape (..., t)
        Of a layer; those of pictures, and of the input itself, come back as they are.
    site : Site
    view : View
    trace : Trace

    Returns
    -------
    numpy.ndarray, shape (..., T)
    """
    if view.kind == "image" or site.is_input:
        return maps
    alignment = next(
        call.alignment
        for call in trace.calls
        if call.operation() is site.operation and call.nth == site.nth
    )
    n_steps = view.size[0]
    if alignment == Alignment() and maps.shape[-1] == n_steps:
        return maps
    return _between(maps, (np.arange(n_steps) - alignment.offset) / alignment.stride)


def _between(maps: Array, positions: Array) -> Array:
    """Return maps (..., t) at positions between their steps.

    Not as a matrix: of a long series it would not fit into memory.
    """
    last = maps.shape[-1] - 1
    positions = positions.clip(0, last)
    left = positions.astype(int).clip(0, max(last - 1, 0))
    right = np.minimum(left + 1, last)
    share = (positions - left).astype("float32")
    return maps[..., left] * (1 - share) + maps[..., right] * share

"""From a map as the formula gives it to a heatmap that can be shown, or to the reason why not."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

Array = np.ndarray[Any, Any]


def diagnostics(activations: Any, gradients: list[Any]) -> Any:
    """Return what is needed to tell why a map is empty, shape (B, K, 4), of bool; traced.

    Whether activations, shape (B, *grid, C), and each of K gradients of that shape are finite, and
    whether they are other than zero.
    """
    finite, varies = _finite_and_varies(activations)
    flags = [
        ops.stack([finite, its_finite, varies, it_varies], axis=-1)
        for its_finite, it_varies in map(_finite_and_varies, gradients)
    ]
    return ops.stack(flags, axis=1)


def _finite_and_varies(values: Any) -> tuple[Any, Any]:
    """Tell of each sample whether all numbers are finite, and whether any is other than zero."""
    # From the extremes, through which NaN passes: no array of flags is made.
    axes = tuple(range(1, values.ndim))
    low, high = ops.min(values, axis=axes), ops.max(values, axis=axes)
    finite = ops.logical_and(ops.isfinite(low), ops.isfinite(high))
    return finite, ops.logical_or(low != 0, high != 0)


def normalize(attributions: Array, n_axes: int) -> Array:
    """Divide the positive part of each map by its maximum; zeros stay zeros.

    The last `n_axes` axes are the maps'. A map that is not finite becomes zeros as a whole: what is
    left of it would mislead.
    """
    axes = tuple(range(-n_axes, 0))
    positive = np.maximum(attributions, 0).astype("float32", copy=False)
    # NaN and infinity show in the extremes; looking at each number would take longer.
    peaks = positive.max(axis=axes, keepdims=True, initial=0)
    lows = attributions.min(axis=axes, keepdims=True, initial=0)
    shows = np.isfinite(peaks) & np.isfinite(lows) & (peaks > 0)
    if not shows.all():
        positive = np.where(shows, positive, np.float32(0))
    return np.minimum(positive / np.where(shows, peaks, np.float32(1)), np.float32(1))


_DEAD = "the layer's activations are all zero (a dead layer)"


def why_empty(
    attribution: Array, diagnostics: Array | None, score: str, reason: str, place: str
) -> str:
    """Return the reason why the heatmap of `attribution` shows nothing.

    Parameters
    ----------
    attribution : numpy.ndarray, shape (*grid,)
    diagnostics : numpy.ndarray of bool, shape (4,), or None
        See `diagnostics`; None if it is not known.
    score, reason : str
        What was differentiated, and what a cell would have to do to be seen, for people:
        ``"raises the score"``.
    place : {"layer", "input", "attention"}
    """
    if diagnostics is None:
        return _why_black_box_is_empty(attribution, score, reason, place)
    activations_finite, gradients_finite, activations_vary, gradients_vary = diagnostics
    if not activations_finite:
        return f"the {place}'s activations are not finite (NaN or infinite weights or input)"
    if not gradients_finite:
        return f"the gradient of {score} is not finite (NaN or infinite weights)"
    if not np.isfinite(attribution).all():
        return (
            "the map is not finite: activations and gradients are too large for float32, or the "
            "formula divides by zero"
        )
    if not activations_vary:
        return "the input is all zero" if place == "input" else _DEAD
    if not gradients_vary:
        return (
            f"the gradient of {score} is zero at the {place}: the output is saturated there, or "
            "does not react to it"
        )
    what = "between the tokens" if place == "attention" else "'s activations"
    return f"nothing in the {place}{' ' * (place == 'attention')}{what} {reason}"


def _why_black_box_is_empty(attribution: Array, score: str, reason: str, place: str) -> str:
    if not np.isfinite(attribution).all():
        return f"the map is not finite: {score} is not, on some changed input"
    if place == "input" and not attribution.any():  # maps of layers are rectified
        return (
            f"{score} did not react to any change of the input that was tried, or the changes (a "
            "baseline, noise) left the input as it was"
        )
    return f"nothing in the {place} {reason}"

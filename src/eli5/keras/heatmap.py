"""From a map as the formula gives it to a heatmap that can be shown, or to the reason why not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

Array = np.ndarray[Any, Any]


def health(activations: Any, gradients: list[Any]) -> Any:
    """Return what is needed to tell why a map is empty; traced.

    Parameters
    ----------
    activations : tensor, shape (B, *places, C)
    gradients : list of K tensors of that shape

    Returns
    -------
    tensor of bool, shape (B, K, 4)
        Whether activations and gradients are finite, and whether they are other than zero.
    """
    reduce = functools.partial(_over_samples, ops.all)
    some = functools.partial(_over_samples, ops.any)
    seen = reduce(ops.isfinite(activations)), some(activations != 0)
    flags = [
        ops.stack([seen[0], reduce(ops.isfinite(g)), seen[1], some(g != 0)], axis=-1)
        for g in gradients
    ]
    return ops.stack(flags, axis=1)


def _over_samples(reduction: Callable[..., Any], values: Any) -> Any:
    return reduction(values, axis=tuple(range(1, values.ndim)))


def normalize(attribution: Array) -> Array:
    """Divide the positive part by its maximum: float32 in [0, 1]; zeros stay zeros, NaN goes.

    A map that is not finite becomes zeros as a whole: what is left of it would mislead.
    """
    positive = np.maximum(attribution, 0).astype("float32")
    peak = positive.max(initial=0)
    if not np.isfinite(positive).all() or peak == 0:
        return np.zeros_like(positive)
    return np.minimum(positive / peak, np.float32(1))


_DEAD = "the layer's activations are all zero (a dead layer)"


def why_empty(
    attribution: Array, health: Array | None, score: str, reason: str, place: str
) -> str | None:
    """Return the reason why the heatmap of `attribution` shows nothing, or None if it does.

    Parameters
    ----------
    attribution : numpy.ndarray, shape (H, W)
    health : numpy.ndarray of bool, shape (4,), or None
        See `health`; None if it is not known.
    score : str
        What was differentiated, for people.
    reason : str
        What a place would have to do to be seen, for people: ``"raises the score"``.
    place : {"layer", "input"}
    """
    if np.isfinite(attribution).all() and attribution.max(initial=0) > 0:
        return None
    if health is None:
        return _why_procedure_is_empty(attribution, score, reason, place)
    activations_finite, gradients_finite, activations_vary, gradients_vary = health
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
    return f"nothing in the {place}'s activations {reason}"


def _why_procedure_is_empty(attribution: Array, score: str, reason: str, place: str) -> str:
    if not np.isfinite(attribution).all():
        return f"the map is not finite: {score} is not, on some changed input"
    if place == "input" and not attribution.any():  # maps of layers are rectified
        return (
            f"{score} did not react to any change of the input that was tried, or the changes (a "
            "baseline, noise) left the input as it was"
        )
    return f"nothing in the {place} {reason}"

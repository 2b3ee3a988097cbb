"""From a map as the formula gives it to a heatmap that can be shown, or to the reason why not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
from keras import ops

from eli5.keras.methods import cam

Array = np.ndarray[Any, Any]


def grad_cam_maps(activations: Any, gradients: list[Any]) -> dict[str, Any]:
    """Return K Grad-CAM maps, and what is needed to tell why one is empty; traced.

    Parameters
    ----------
    activations : tensor, shape (B, H, W, C)
    gradients : list of K tensors of that shape

    Returns
    -------
    dict of tensors
        ``maps`` (B, K, H, W) and ``health`` (B, K, 4): whether activations and gradients are
        finite, and whether they are other than zero.
    """
    return {
        "maps": ops.stack([cam.grad_cam(activations, g) for g in gradients], axis=1),
        "health": ops.stack([_health(activations, g) for g in gradients], axis=1),
    }


def _health(activations: Any, gradients: Any) -> Any:
    reduce = functools.partial(_over_samples, ops.all)
    some = functools.partial(_over_samples, ops.any)
    return ops.stack(
        [
            reduce(ops.isfinite(activations)),
            reduce(ops.isfinite(gradients)),
            some(activations != 0),
            some(gradients != 0),
        ],
        axis=-1,
    )


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


def why_empty(attribution: Array, health: Array, score: str) -> str | None:
    """Return the reason why the heatmap of `attribution` shows nothing, or None if it does.

    Parameters
    ----------
    attribution : numpy.ndarray, shape (H, W)
    health : numpy.ndarray of bool, shape (4,)
        See `grad_cam_maps`.
    score : str
        What was differentiated, for people.
    """
    if np.isfinite(attribution).all() and attribution.max(initial=0) > 0:
        return None
    activations_finite, gradients_finite, activations_vary, gradients_vary = health
    if not activations_finite:
        return "the layer's activations are not finite (NaN or infinite weights or input)"
    if not gradients_finite:
        return f"the gradient of {score} is not finite (NaN or infinite weights)"
    if not np.isfinite(attribution).all():
        return "the map is not finite: activations and gradients are too large for float32"
    if not activations_vary:
        return "the layer's activations are all zero (a dead layer)"
    if not gradients_vary:
        return (
            f"the gradient of {score} is zero at the layer: the output is saturated there, or "
            "does not react to it"
        )
    return f"nothing in the layer's activations raises {score}"

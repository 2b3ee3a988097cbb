"""A `Probe` over plain NumPy functions with known gradients: for slow twins, without a model.

As a model does, it takes and gives float32; between the two it computes in float64. It refuses what
a real probe need not take: more samples than `batch_size`, or another shape than the picture's.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eli5.keras.methods.probe import Probe

Array = np.ndarray[Any, Any]
Batch = Callable[[Array], Array]


def linear_probe(weights: Array, picture: Array, bias: Any = 0.0, batch_size: int = 32) -> Probe:
    """Return the probe of ``y_k = sum(weights_k * x) + bias_k``; `weights`: (K, *size, C)."""
    weights = np.asarray(weights, "float64")
    axes = tuple(range(1, weights.ndim))

    def function(x: Array) -> Array:
        return np.tensordot(x, weights, axes=(axes, axes)) + bias

    def gradient(x: Array) -> Array:
        return np.broadcast_to(weights, (len(x), *weights.shape))

    return function_probe(function, gradient, picture, batch_size=batch_size)


def tanh_probe(picture: Array, batch_size: int = 32, n_classes: int = 3, **options: Any) -> Probe:
    """Return the probe of ``y = V tanh(W x + b)``, smooth and not linear."""
    random = np.random.default_rng(7)
    W = random.standard_normal((6, picture.size)) / np.sqrt(picture.size)
    b, V = random.standard_normal(6), random.standard_normal((n_classes, 6))

    def hidden(x: Array) -> Array:
        return np.tanh(x.reshape(len(x), -1) @ W.T + b)

    def gradient(x: Array) -> Array:
        slopes = V[None] * (1 - hidden(x) ** 2)[:, None]
        return (slopes @ W).reshape(len(x), n_classes, *picture.shape)

    return function_probe(
        lambda x: hidden(x) @ V.T, gradient, picture, batch_size=batch_size, **options
    )


def function_probe(
    function: Batch,
    gradient: Batch | None,
    picture: Array,
    *,
    activations: Array | None = None,
    head: Batch | None = None,
    batch_size: int = 32,
    log: list[tuple[str, int]] | None = None,
) -> Probe:
    """Return the probe of a function of float64 batches.

    Parameters
    ----------
    function : callable
        ``function(x (n, *size, C)) -> (n, K)``.
    gradient : callable or None
        ``gradient(x (n, *size, C)) -> (n, K, *size, C)``. None: not asked for.
    picture : array, shape (*size, C)
    activations : array, shape (*grid, C'), optional
    head : callable, optional
        ``head(activations (n, *grid, C')) -> (n, K)``, for ablated scores.
    log : list, optional
        Gets ``(query, samples)`` for each run of the model.
    """
    picture = np.asarray(picture, "float32")

    def run(query: str, called: Batch, x: Array) -> Array:
        if not (1 <= len(x) <= batch_size or query == "ablated_scores"):
            raise AssertionError(f"{query}: {len(x)} samples, batch_size={batch_size}")
        if log is not None:
            log.append((query, len(x)))
        return np.asarray(called(np.asarray(x, "float32").astype("float64")), "float32")

    def of_pictures(query: str, called: Batch, x: Array) -> Array:
        if x.shape[1:] != picture.shape:
            raise AssertionError(f"{query}: {x.shape}, picture: {picture.shape}")
        return run(query, called, x)

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        assert baseline is not None  # which is for token ids
        if masks.shape[1:] != picture.shape[:-1] or baseline.shape != picture.shape:
            raise AssertionError(f"{masks.shape}, {baseline.shape}, picture: {picture.shape}")
        m = np.asarray(masks, "float32")[..., None]
        return of_pictures("masked_scores", function, picture * m + baseline * (1 - m))

    def gradients(x: Array) -> Array:
        assert gradient is not None
        return of_pictures("gradients", gradient, x).astype("float64")

    def gradient_sums(x: Array) -> tuple[Array, Array, Array]:
        found = gradients(x)
        away = found - found[-1]
        sums = found[-1], away.sum(axis=0), (away**2).sum(axis=0)
        return tuple(one.astype("float32") for one in sums)

    def path_gradients(ends: Array, nodes: Array, weights: Array) -> Array:
        start, end = ends.astype("float64")
        found = gradients(np.stack([start + node * (end - start) for node in nodes]))
        return np.tensordot(weights, found, axes=1).astype("float32")

    def layer() -> Array:
        assert activations is not None
        return np.asarray(activations, "float32")

    def ablated_scores(maps: Array) -> Array:
        assert head is not None
        ablated = np.repeat(layer()[None], len(maps), axis=0)
        for sample, index in zip(ablated, maps, strict=True):
            sample[..., index] *= index == -1
        return run("ablated_scores", head, ablated)

    return Probe(
        picture=picture,
        batch_size=batch_size,
        scores=lambda x: of_pictures("scores", function, x),
        masked_scores=masked_scores,
        gradient_sums=gradient_sums,
        path_gradients=path_gradients,
        activations=layer,
        ablated_scores=ablated_scores,
    )


def gradient_at(probe: Probe, picture: Array) -> Array:
    """Return the gradients (K, *size, C) at one picture, float64."""
    gradient, *_ = probe.gradient_sums(picture[None])
    return gradient.astype("float64")


def recording(probe: Probe) -> tuple[Probe, list[Array]]:
    """Return the probe and a list that gets the masks it is asked about, one by one."""
    seen: list[Array] = []

    def masked_scores(masks: Array, baseline: Array | None) -> Array:
        seen.extend(masks.copy())
        return probe.masked_scores(masks, baseline)

    return probe._replace(masked_scores=masked_scores), seen

"""The formulas of class activation maps once more: slow and literal, one sample, float64.

Written from the papers alone, loop by loop; activations `A` and gradients `G` are ``(*grid, C)``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]
Place = tuple[int, ...]


def slow_grad_cam(A: Array, G: Array) -> Array:
    """arXiv:1610.02391, equations 1 and 2."""
    weights = [sum(G[p][k] for p in places(G)) / len(list(places(G))) for k in maps(G)]
    return relu(combined(weights, A))


def slow_hires_cam(A: Array, G: Array) -> Array:
    """arXiv:2011.08891."""
    result = np.zeros(A.shape[:-1])
    for p in places(A):
        for k in maps(A):
            result[p] += G[p][k] * A[p][k]
    return result


def slow_elementwise_grad_cam(A: Array, G: Array) -> Array:
    result = np.zeros(A.shape[:-1])
    for p in places(A):
        for k in maps(A):
            result[p] += max(G[p][k] * A[p][k], 0.0)
    return result


def slow_grad_cam_plus_plus(A: Array, G: Array) -> Array:
    """arXiv:1710.11063, equation 19 for alpha and equation 5 for the weights."""
    weights = []
    for k in maps(A):
        total = sum(A[p][k] for p in places(A))
        weight = 0.0
        for p in places(A):
            g = G[p][k]
            first, second = 2 * g**2, total * g**3
            cancelled = abs(first + second) <= 1e-5 * (abs(first) + abs(second))
            alpha = 0.0 if cancelled else g**2 / (first + second)
            weight += alpha * max(g, 0.0)
        weights.append(weight)
    return relu(combined(weights, A))


def slow_xgrad_cam(A: Array, G: Array) -> Array:
    """arXiv:2008.02312."""
    weights = []
    for k in maps(A):
        total = sum(A[p][k] for p in places(A))
        size = sum(abs(A[p][k]) for p in places(A))
        above = sum(G[p][k] * A[p][k] for p in places(A))
        weights.append(0.0 if abs(total) <= 1e-5 * size else above / total)
    return combined(weights, A)


def slow_layer_cam(A: Array, G: Array) -> Array:
    """Jiang et al., IEEE Transactions on Image Processing 30 (2021)."""
    result = np.zeros(A.shape[:-1])
    for p in places(A):
        for k in maps(A):
            result[p] += max(G[p][k], 0.0) * A[p][k]
    return relu(result)


def slow_cam(A: Array, G: Array) -> Array:
    """arXiv:1512.04150, equation 2; behind a mean over HW places, G is the dense weight / HW."""
    n = len(list(places(G)))
    weights = [n * sum(G[p][k] for p in places(G)) / n for k in maps(G)]
    return combined(weights, A)


def slow_shapley_cam(A: Array, G: Array, HA: Array) -> Array:
    """arXiv:2501.06261."""
    n = len(list(places(G)))
    weights = [sum(G[p][k] - 0.5 * HA[p][k] for p in places(G)) / n for k in maps(G)]
    return relu(combined(weights, A))


def slow_eigen_cam(A: Array, G: Array) -> Array:
    """arXiv:2008.00299; the sum is not negative."""
    del G
    projection, _ = principal_projection(A)
    rows = list(projection.ravel())
    return projection * sign_of(sum(rows), rows)


def slow_eigen_grad_cam(A: Array, G: Array) -> Array:
    """`slow_eigen_cam` of G A; the inner product with the sum of the maps is not negative."""
    evidence = slow_hires_cam(A, G)
    projection, direction = principal_projection(G * A)
    inner = sum(projection[p] * evidence[p] for p in places(A))
    strength = sum(projection[p] ** 2 for p in places(A)) or 1.0
    return projection * sign_of(inner / strength, list(direction))


def principal_projection(A: Array) -> tuple[Array, Array]:
    """Project the places (rows) on the first right singular vector; return that vector, too."""
    matrix = np.array([A[p] for p in places(A)])
    direction = np.linalg.svd(matrix)[2][0]
    return (matrix @ direction).reshape(A.shape[:-1]), direction


def sign_of(total: float, values: list[float]) -> float:
    """Return the sign of `total`; where `values` cancel, that of the first large one."""
    if abs(total) <= 1e-5 * sum(abs(value) for value in values):
        largest = max(abs(value) for value in values)
        total = next(value for value in values if abs(value) >= largest / 2)
    return -1.0 if total < 0 else 1.0


def combined(weights: list[float], A: Array) -> Array:
    result = np.zeros(A.shape[:-1])
    for p in places(A):
        for k in maps(A):
            result[p] += weights[k] * A[p][k]
    return result


def relu(values: Array) -> Array:
    return np.where(values > 0, values, 0.0)


def places(A: Array) -> Iterator[Place]:
    yield from np.ndindex(*A.shape[:-1])


def maps(A: Array) -> range:
    return range(A.shape[-1])

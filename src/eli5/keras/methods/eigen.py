"""Eigen-CAM and EigenGrad-CAM: what the maps of a layer have most in common.

Shapes and conventions: see `eli5.keras.methods.cam`. The direction is not defined where the two
largest singular values are equal; any one of the plane may then come out.
"""

from __future__ import annotations

import math
from typing import Any

from eli5.keras.methods.cam import CANCELLED
from keras import ops


def eigen_cam(activations: Any, gradients: Any = None) -> Any:
    """Return the Eigen-CAM map: ``A`` projected on its first right singular vector.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components",
    arXiv:2008.00299: ``A`` as a matrix, one row per place and one column per map, not centred.

    Parameters
    ----------
    activations : tensor, shape (B, *grid, C)
        Of the target layer.
    gradients : Any, optional
        Not used: the map has no class.

    Returns
    -------
    tensor, shape (B, *grid)
        Signed, not scaled. Zeros stay zeros.

    Notes
    -----
    A singular vector has no sign. Here the map does not sum to less than 0, so ``-A`` gives the
    same map as ``A``. Public implementations deviate: pytorch-grad-cam subtracts each map's mean
    first, and takes the sign as it comes.
    """
    matrix, scale = _scaled_matrix(activations)
    projection = _projected(matrix, _principal_direction(matrix))
    return _as_grid(_sign(projection) * projection * scale, activations)


def eigen_grad_cam(activations: Any, gradients: Any) -> Any:
    """Return the EigenGrad-CAM map: `eigen_cam` of ``G A``, with the sign of the evidence.

    A variant known from public implementations; no paper defines it.

    Parameters
    ----------
    activations, gradients : tensor, shape (B, *grid, C)
        Of the target layer, and of the class score with respect to them.

    Returns
    -------
    tensor, shape (B, *grid)
        Signed, not scaled. Zeros stay zeros.

    Notes
    -----
    The map's inner product with ``sum_k G_k A_k`` is not less than 0, lest evidence against the
    class show as evidence for it. pytorch-grad-cam subtracts the means here too, and takes the sign
    as it comes.
    """
    matrix, scale = _scaled_matrix(gradients * activations)
    direction = _principal_direction(matrix)
    # With X v = s u, <X v, X 1> = s^2 <v, 1>: the sum of v has the sign of that inner product.
    projection = _sign(direction) * _projected(matrix, direction)
    return _as_grid(projection * scale, activations)


def _scaled_matrix(tensor: Any) -> tuple[Any, Any]:
    """Return matrices (B, places, C) with largest size 1, and what they were divided by, (B, 1).

    A sample that is not finite becomes zeros times NaN: no backend's solver sees it.
    """
    *grid, maps = tensor.shape[1:]
    matrix = ops.reshape(tensor, (-1, math.prod(grid), maps))
    finite = ops.all(ops.isfinite(matrix), axis=(1, 2), keepdims=True)
    matrix = ops.where(finite, matrix, 0)
    peak = ops.max(ops.abs(matrix), axis=(1, 2), keepdims=True)
    scale = ops.where(finite, peak, float("nan"))
    return matrix / ops.where(peak > 0, peak, 1), scale[:, 0]


def _principal_direction(matrix: Any) -> Any:
    """Return the first right singular vectors, shape (B, C); any vector for a matrix of zeros.

    From the smaller one of the two Gram matrices: an early layer has many places and few maps, a
    late one the reverse.
    """
    _, places, maps = matrix.shape
    transposed = ops.transpose(matrix, (0, 2, 1))
    if maps <= places:
        direction = ops.linalg.eigh(ops.matmul(transposed, matrix))[1][..., -1]
    else:
        left = ops.linalg.eigh(ops.matmul(matrix, transposed))[1][..., -1]
        direction = _projected(transposed, left)
    length = ops.sqrt(ops.sum(ops.square(direction), axis=-1, keepdims=True))
    return direction / ops.where(length > 0, length, 1)


def _projected(matrix: Any, direction: Any) -> Any:
    return ops.einsum("bij,bj->bi", matrix, direction)


def _sign(values: Any) -> Any:
    """Return 1 or -1 per sample, shape (B, 1): that of the sum, or, if it cancels, of a value.

    That value is the first one at least half as large as the largest: rounding cannot change it
    where two are equally large.
    """
    sizes = ops.abs(values)
    total = ops.sum(values, axis=-1, keepdims=True)
    large = sizes >= ops.max(sizes, axis=-1, keepdims=True) / 2
    first = ops.argmax(ops.cast(large, "int32"), axis=-1)
    value = ops.take_along_axis(values, first[:, None], axis=-1)
    cancelled = ops.abs(total) <= CANCELLED * ops.sum(sizes, axis=-1, keepdims=True)
    return ops.where(ops.where(cancelled, value, total) < 0, -1.0, 1.0)


def _as_grid(rows: Any, tensor: Any) -> Any:
    return ops.reshape(rows, (-1, *tensor.shape[1:-1]))

"""Class activation maps: formulas ``(activations, gradients) -> map`` on backend tensors.

Shapes: activations ``A`` and gradients ``G = dy/dA`` are ``(B, *grid, C)`` in float32, maps are
``(B, *grid)``; ``grid`` is ``(H, W)``, for volumes ``(D, H, W)``. Maps are not scaled, and signed
unless the formula has a ReLU. Samples do not mix, so a map is the same in any batch.
"""

from __future__ import annotations

import math
from typing import Any

from keras import ops

# A sum whose terms cancel to less than this part of their size is rounding error, not a number
# to divide by: float32 leaves it two digits.
CANCELLED = 1e-5


def grad_cam(activations: Any, gradients: Any) -> Any:
    """Return the Grad-CAM map: ``ReLU(sum_k w_k A_k)`` with ``w_k`` the mean of ``G_k``.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", arXiv:1610.02391, equations 1 and 2.

    Parameters
    ----------
    activations, gradients : tensor, shape (B, *grid, C)
        Of the target layer, and of the class score with respect to them.

    Returns
    -------
    tensor, shape (B, *grid)
        Not negative, not scaled.
    """
    return weighted_sum(mean_gradients(gradients), activations)


def hires_cam(activations: Any, gradients: Any) -> Any:
    """Return the HiResCAM map: ``sum_k G_k A_k`` at each cell, signed.

    Draelos and Carin, "Use HiResCAM instead of Grad-CAM for faithful explanations of convolutional
    neural networks", arXiv:2011.08891. Parameters: see `grad_cam`.
    """
    return ops.sum(gradients * activations, axis=-1)


def elementwise_grad_cam(activations: Any, gradients: Any) -> Any:
    """Return ``sum_k ReLU(G_k A_k)``: `hires_cam`, but no map may speak against another.

    A variant known from public implementations; no paper defines it. Parameters: see `grad_cam`.
    """
    return ops.sum(ops.relu(gradients * activations), axis=-1)


def grad_cam_plus_plus(activations: Any, gradients: Any) -> Any:
    """Return the Grad-CAM++ map: ``ReLU(sum_k w_k A_k)`` with ``w_k = sum alpha_k ReLU(G_k)``.

    Chattopadhyay et al., "Grad-CAM++: Improved Visual Explanations for Deep Convolutional
    Networks", arXiv:1710.11063, equation 19: ``alpha_k = G_k^2 / (2 G_k^2 + S_k G_k^3)`` at each
    cell, with ``S_k`` the sum of ``A_k``. The paper differentiates ``exp(y)``; the factor
    ``exp(y)`` only scales the map and is left out. Parameters: see `grad_cam`.

    Notes
    -----
    Computed as ``1 / (2 + S_k G_k)``, so that no power of ``G_k`` over- or underflows. Where the
    two terms, of size 4 together, cancel (activations may be negative), ``alpha_k`` is 0.

    Public implementations deviate: torch-cam sums ``G_k^3 A_k`` in place of ``S_k G_k^3``, Xplique
    takes the mean of ``A_k`` in place of its sum, tf-keras-vis divides ``alpha_k`` by its sum, and
    pytorch-grad-cam adds 1e-6 to the denominator, in which small gradients drown.
    """
    axes = _grid_axes(activations)
    total = 2 + ops.sum(activations, axis=axes, keepdims=True) * gradients
    divisor = ops.where(ops.abs(total) > 4 * CANCELLED, total, float("inf"))
    return weighted_sum(ops.sum(ops.relu(gradients) / divisor, axis=axes), activations)


def xgrad_cam(activations: Any, gradients: Any) -> Any:
    """Return the XGrad-CAM map: ``sum_k w_k A_k``, signed, with ``w_k = sum G_k A_k / sum A_k``.

    Fu et al., "Axiom-based Grad-CAM: Towards Accurate Visualization and Explanation of CNNs",
    arXiv:2008.02312. A negative ``sum A_k`` is divided by like any other, so the map adds up to
    ``sum G A`` (the axiom of sensitivity). Parameters: see `grad_cam`.

    Notes
    -----
    Where ``A_k`` cancels to next to nothing, or is zero, ``w_k`` is 0; that map is then missing in
    the total. Public implementations add a small constant to the denominator instead (1e-7 in
    pytorch-grad-cam, 1e-8 in torch-cam), which changes the weights of weak maps and lets a sum near
    zero blow up.
    """
    axes = _grid_axes(activations)
    total = ops.sum(activations, axis=axes, keepdims=True)
    size = ops.sum(ops.abs(activations), axis=axes, keepdims=True)
    shares = activations * _reciprocal(total, size)
    return _combined(ops.sum(gradients * shares, axis=axes), activations)


def layer_cam(activations: Any, gradients: Any) -> Any:
    """Return the LayerCAM map: ``ReLU(sum_k ReLU(G_k) A_k)``.

    Jiang et al., "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization", IEEE
    Transactions on Image Processing 30 (2021). Parameters: see `grad_cam`.
    """
    return ops.relu(ops.sum(ops.relu(gradients) * activations, axis=-1))


def cam(activations: Any, gradients: Any) -> Any:
    """Return the original CAM: ``sum_k w_k A_k``, signed, with ``w_k`` the head's own weights.

    Zhou et al., "Learning Deep Features for Discriminative Localization", arXiv:1512.04150,
    equation 2. Right only where global average pooling and one dense layer follow the target layer:
    the score is then linear in the pooled maps, and the dense layer's weight is the sum of ``G_k``
    (its mean times the number of cells). Parameters: see `grad_cam`.

    Notes
    -----
    Some public implementations (torch-cam) cut off what is negative; the paper does not.
    """
    return _combined(ops.sum(gradients, axis=_grid_axes(gradients)), activations)


def finer_cam(activations: Any, gradients: Any, *, n_similar: int = 3, gamma: float = 1.0) -> Any:
    """Return the Finer-CAM map: `grad_cam` of ``y_c - gamma * mean_d y_d``, d the similar classes.

    Zhang et al., "Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation",
    arXiv:2501.11309.

    Parameters
    ----------
    activations, gradients : tensor, shape (B, *grid, C)
        See `grad_cam`. The gradients are of the contrasted score: the two options take effect
        there, before this formula.
    n_similar : int
        How many classes to contrast with: those whose scores are closest to the explained one's.
    gamma : float
        How much of their mean score is taken away; with 0 this is Grad-CAM.

    Notes
    -----
    pytorch-grad-cam weights the similar classes by their softmax probabilities, and differentiates
    these weights too; torch-cam takes the plain mean, as here.
    """
    return grad_cam(activations, gradients)


def shapley_cam(activations: Any, gradients: Any, hessian_products: Any) -> Any:
    """Return the ShapleyCAM map: `grad_cam` with ``G - H A / 2`` in place of ``G``.

    Cai, "CAMs as Shapley Value-based Explainers", arXiv:2501.06261: Shapley values for a score that
    is expanded to second order around ``A``, ``H`` its Hessian. Where the score is linear in ``A``,
    as with global average pooling and one dense layer behind it, this is `grad_cam`.

    Parameters
    ----------
    activations, gradients
        See `grad_cam`.
    hessian_products : tensor, shape (B, *grid, C)
        ``H A``, the Hessian-vector products.

    Notes
    -----
    The author's implementation (in pytorch-grad-cam) offers a score of its own, the logit plus the
    logarithm of its softmax; here the score is the caller's.
    """
    return weighted_sum(mean_gradients(gradients - hessian_products / 2), activations)


def eigen_cam(activations: Any, gradients: Any = None) -> Any:
    """Return the Eigen-CAM map: ``A`` projected on its first right singular vector.

    Muhammad and Yeasin, "Eigen-CAM: Class Activation Map using Principal Components",
    arXiv:2008.00299: ``A`` as a matrix, one row per cell and one column per map, not centred. The
    map is signed; zeros stay zeros. The gradients are not used: the map has no class. Parameters:
    see `grad_cam`.

    Notes
    -----
    A singular vector has no sign. Here the map does not sum to less than 0, so ``-A`` gives the
    same map as ``A``. Where the two largest singular values are equal, any direction of their plane
    may come out. Public implementations deviate: pytorch-grad-cam subtracts each map's mean first,
    and takes the sign as it comes.
    """
    matrix, scale = _scaled_matrix(activations)
    projection = _projected(matrix, _principal_direction(matrix))
    return _as_grid(_sign(projection) * projection * scale, activations)


def eigen_grad_cam(activations: Any, gradients: Any) -> Any:
    """Return the EigenGrad-CAM map: `eigen_cam` of ``G A``, with the sign of the evidence.

    A variant known from public implementations; no paper defines it. Signed; zeros stay zeros.
    Parameters: see `grad_cam`.

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


def mean_gradients(gradients: Any) -> Any:
    """Return the neuron importance weights, shape ``(B, C)``: arXiv:1610.02391, equation 1."""
    return ops.mean(gradients, axis=_grid_axes(gradients))


def weighted_sum(weights: Any, activations: Any) -> Any:
    """Return the rectified sum of the maps, shape ``(B, *grid)``: arXiv:1610.02391, equation 2."""
    return ops.relu(_combined(weights, activations))


def _combined(weights: Any, activations: Any) -> Any:
    # No einsum, for which TensorFlow takes twice as long.
    return ops.sum(activations * ops.expand_dims(weights, _grid_axes(activations)), axis=-1)


def _grid_axes(tensor: Any) -> tuple[int, ...]:
    """Return the axes of the grid."""
    return tuple(range(1, tensor.ndim - 1))


def _reciprocal(total: Any, size: Any) -> Any:
    """Return ``1 / total``, and 0 where its terms, of that size together, have cancelled."""
    safe = ops.abs(total) > CANCELLED * size
    return ops.where(safe, 1 / ops.where(safe, total, 1), 0)


def _scaled_matrix(tensor: Any) -> tuple[Any, Any]:
    """Return matrices (B, cells, C) with largest size 1, and what they were divided by, (B, 1).

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

    From the smaller one of the two Gram matrices: an early layer has many cells and few maps, a
    late one the reverse.
    """
    _, cells, maps = matrix.shape
    transposed = ops.transpose(matrix, (0, 2, 1))
    if maps <= cells:
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

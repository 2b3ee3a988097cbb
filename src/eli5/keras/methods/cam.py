"""Class activation maps: formulas ``(activations, gradients) -> map`` on backend tensors.

Shapes: activations ``A`` and gradients ``G = dy/dA`` are ``(B, *grid, C)`` in float32, maps are
``(B, *grid)``; ``grid`` is ``(H, W)``, for volumes ``(D, H, W)``, and its cells are places. A map
is not scaled, and is signed unless its formula has a ReLU. Samples do not mix, so a map is the same
in any batch. Eigen-CAM and its kin are in `eli5.keras.methods.eigen`.
"""

from __future__ import annotations

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
    """Return the HiResCAM map: ``sum_k G_k A_k`` at each place, signed.

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
    place, with ``S_k`` the sum of ``A_k``. The paper differentiates ``exp(y)``; the factor
    ``exp(y)`` only scales the map and is left out. Parameters: see `grad_cam`.

    Notes
    -----
    Computed as ``1 / (2 + S_k G_k)``, so that no power of ``G_k`` over- or underflows. Where the
    two terms, of size 4 together, cancel (activations may be negative), ``alpha_k`` is 0.

    Public implementations deviate: torch-cam sums ``G_k^3 A_k`` in place of ``S_k G_k^3``, Xplique
    takes the mean of ``A_k`` in place of its sum, tf-keras-vis divides ``alpha_k`` by its sum, and
    pytorch-grad-cam adds 1e-6 to the denominator, in which small gradients drown.
    """
    places = _places(activations)
    total = 2 + ops.sum(activations, axis=places, keepdims=True) * gradients
    divisor = ops.where(ops.abs(total) > 4 * CANCELLED, total, float("inf"))
    return weighted_sum(ops.sum(ops.relu(gradients) / divisor, axis=places), activations)


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
    places = _places(activations)
    total = ops.sum(activations, axis=places, keepdims=True)
    size = ops.sum(ops.abs(activations), axis=places, keepdims=True)
    shares = activations * _reciprocal(total, size)
    return _combined(ops.sum(gradients * shares, axis=places), activations)


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
    (its mean times the number of places). Parameters: see `grad_cam`.

    Notes
    -----
    Some public implementations (torch-cam) cut off what is negative; the paper does not.
    """
    return _combined(ops.sum(gradients, axis=_places(gradients)), activations)


def finer_cam(activations: Any, gradients: Any, *, n_similar: int = 3, gamma: float = 1.0) -> Any:
    """Return the Finer-CAM map: `grad_cam` of ``y_c - gamma * mean_d y_d``, d the similar classes.

    Zhang et al., "Finer-CAM: Spotting the Difference Reveals Finer Details for Visual Explanation",
    arXiv:2501.11309.

    Parameters
    ----------
    activations : tensor, shape (B, *grid, C)
    gradients : tensor, shape (B, *grid, C)
        Of the contrasted score: the two options take effect there, before this formula.
    n_similar : int
        How many classes to contrast with: those whose scores are closest to the explained one's.
    gamma : float
        How much of their mean score is taken away; with 0 this is Grad-CAM.

    Returns
    -------
    tensor, shape (B, *grid)

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
    activations, gradients : tensor, shape (B, *grid, C)
        See `grad_cam`.
    hessian_products : tensor, shape (B, *grid, C)
        The Hessian-vector products: the Hessian of the score at ``A``, times ``A``.

    Returns
    -------
    tensor, shape (B, *grid)

    Notes
    -----
    The author's implementation (in pytorch-grad-cam) offers a score of its own, the logit plus the
    logarithm of its softmax; here the score is the caller's.
    """
    return weighted_sum(mean_gradients(gradients - hessian_products / 2), activations)


def mean_gradients(gradients: Any) -> Any:
    """Return the neuron importance weights, shape ``(B, C)``: arXiv:1610.02391, equation 1."""
    return ops.mean(gradients, axis=_places(gradients))


def weighted_sum(weights: Any, activations: Any) -> Any:
    """Return the rectified sum of the maps, shape ``(B, *grid)``: arXiv:1610.02391, equation 2."""
    return ops.relu(_combined(weights, activations))


def _combined(weights: Any, activations: Any) -> Any:
    # No einsum, for which TensorFlow takes twice as long.
    return ops.sum(activations * ops.expand_dims(weights, _places(activations)), axis=-1)


def _places(tensor: Any) -> tuple[int, ...]:
    """Return the axes of the grid."""
    return tuple(range(1, tensor.ndim - 1))


def _reciprocal(total: Any, size: Any) -> Any:
    """Return ``1 / total``, and 0 where its terms, of that size together, have cancelled."""
    safe = ops.abs(total) > CANCELLED * size
    return ops.where(safe, 1 / ops.where(safe, total, 1), 0)

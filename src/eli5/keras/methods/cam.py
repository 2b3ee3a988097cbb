"""Class activation maps: formulas ``(activations, gradients) -> map`` on backend tensors.

Shapes: activations ``A`` and gradients ``G = dy/dA`` are ``(B, H, W, C)``, maps are ``(B, H, W)``.
Samples do not mix, so a map is the same in any batch.
"""

from __future__ import annotations

from typing import Any

from keras import ops


def grad_cam(activations: Any, gradients: Any) -> Any:
    """Return the Grad-CAM map: ``ReLU(sum_k w_k A_k)`` with ``w_k`` the mean of ``G_k``.

    Selvaraju et al., "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization", arXiv:1610.02391, equations 1 and 2.

    Parameters
    ----------
    activations, gradients : tensor, shape (B, H, W, C)
        Of the target layer, and of the class score with respect to them.

    Returns
    -------
    tensor, shape (B, H, W)
        Not negative, not scaled.
    """
    return weighted_sum(mean_gradients(gradients), activations)


def mean_gradients(gradients: Any) -> Any:
    """Return the neuron importance weights, shape ``(B, C)``: arXiv:1610.02391, equation 1."""
    return ops.mean(gradients, axis=tuple(range(1, gradients.ndim - 1)))


def weighted_sum(weights: Any, activations: Any) -> Any:
    """Return the rectified sum of the maps, shape ``(B, H, W)``: arXiv:1610.02391, equation 2."""
    return ops.relu(ops.einsum("b...c,bc->b...", activations, weights))

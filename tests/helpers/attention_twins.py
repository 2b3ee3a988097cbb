"""Slow, literal twins of the attention methods, in NumPy; no batch axis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def attention(
    query: Array,
    key: Array,
    *,
    scale: float | None = None,
    bias: Array | None = None,
    mask: Array | None = None,
    causal: bool = False,
) -> Array:
    """Return the weights (heads, queries, keys) of queries and keys (heads, tokens, depth)."""
    n_heads, n_queries, depth = query.shape
    shared = n_heads // len(key)
    weights = np.zeros((n_heads, n_queries, key.shape[1]))
    for h in range(n_heads):
        for q in range(n_queries):
            logits = np.zeros(key.shape[1])
            for k in range(key.shape[1]):
                logits[k] = query[h, q] @ key[h // shared, k] * (scale or depth**-0.5)
                logits[k] += 0 if bias is None else bias[h, q, k]
                if (causal and k > q) or (mask is not None and not mask[h, q, k]):
                    logits[k] = -np.inf
            weights[h, q] = np.exp(logits - logits.max())
            weights[h, q] /= weights[h, q].sum()
    return weights


def rollout(layers: Sequence[Array], *, discard: float = 0, head: int | None = None) -> Array:
    """Return the product of ``rownorm(mean_h A + I)``: arXiv:2005.00928, equation 1."""
    n = layers[0].shape[-1]
    result = np.eye(n)
    for weights in layers:
        fused = weights.mean(0) if head is None else weights[head]
        least = np.sort(fused.ravel())[int(discard * n * n)]
        fused = np.where(fused < least, 0, fused)
        mixed = fused + np.eye(n)
        result = mixed / mixed.sum(1, keepdims=True) @ result
    return result


def transformer_attribution(
    layers: Sequence[Array], gradients: Sequence[Array], head: int | None = None
) -> Array:
    """Return R - I with ``R = R + mean_h(G A)^+ R``: arXiv:2103.15679, equations 5 and 6."""
    n = layers[0].shape[-1]
    result = np.eye(n)
    for weights, gradient in zip(layers, gradients, strict=True):
        product = np.maximum(gradient * weights, 0)
        result = result + (product.mean(0) if head is None else product[head]) @ result
    return result - np.eye(n)


def legrad(gradients: Sequence[Array]) -> Array:
    """Return the sum over layers of the mean over heads and queries of G^+: arXiv:2404.03214."""
    total = np.zeros(gradients[0].shape[-1])
    for gradient in gradients:
        for head in gradient:
            for row in head:
                total += np.maximum(row, 0) / (len(gradient) * len(head))
    return total


def bimodal(
    own: Sequence[Array], asking: Sequence[Array], cross: Sequence[Array]
) -> tuple[Array, Array]:
    """Return R of the doc (less I), and of another sequence to the doc.

    Encoder layers first, then per decoder layer its own attention and that to the doc, each a fused
    matrix: arXiv:2103.15679, equations 6 to 10.
    """
    n, m = own[0].shape[0], asking[0].shape[0]
    doc, other, between = np.eye(n), np.eye(m), np.zeros((m, n))
    for fused in own:
        doc = doc + fused @ doc
    for of_own, of_doc in zip(asking, cross, strict=True):
        between = between + of_own @ between
        other = other + of_own @ other
        between = between + normalised(other).T @ of_doc @ normalised(doc)
    return doc - np.eye(n), between


def normalised(matrix: Array) -> Array:
    """Return ``rownorm(R - I) + I``: arXiv:2103.15679, equations 8 and 9."""
    rest = matrix - np.eye(len(matrix))
    total = rest.sum(1, keepdims=True)
    return np.asarray(np.where(total > 0, rest / np.where(total > 0, total, 1), 0)) + np.eye(
        len(matrix)
    )

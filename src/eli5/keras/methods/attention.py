"""Attention methods: formulas ``(weights, gradients) -> matrix`` of one layer, and how layers join.

Shapes: the weights ``A`` of one attention and the gradients ``G = ds/dA`` of the score with respect
to them are ``(B, heads, queries, keys)`` in float32. A formula fuses the heads of one layer; what
*joins* the layers, from the first to the last, gives the relevance of each token of the doc.
Samples do not mix. All are traced on backend tensors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from keras import ops

Array = np.ndarray[Any, Any]

# By which sequence of tokens asks and which is asked; 0 is the doc. What is missing is zero.
Relevance = dict[tuple[int, int], Any]


class Step(NamedTuple):
    """What a formula gives at one layer, shape (B, queries, keys), and of which sequences."""

    fused: Any
    queries: int
    keys: int


def attention_rollout(
    weights: Any,
    gradients: Any,
    *,
    head: int | None = None,
    layers: Any = None,
    discard: float = 0.0,
) -> Any:
    """Return the mean of the heads, which Attention Rollout multiplies from layer to layer.

    Abnar and Zuidema, "Quantifying Attention Flow in Transformers", arXiv:2005.00928, equation 1:
    ``R <- rownorm(mean_h A + I) R``, from ``R = I``. See `roll_out`.

    Parameters
    ----------
    weights : tensor, shape (B, heads, queries, keys)
    gradients : tensor of that shape or None
        Not used: the map is the same for each class.
    head : int, optional
        One head alone, in the place of the mean.
    layers : int or tuple of int, optional
        Which attentions count, in the order of the run, from 0; all if not given.
    discard : float
        Which share of each layer's matrix, its smallest numbers, is set to zero: less noise, and
        less of what many layers hand on a little at a time.

    Returns
    -------
    tensor, shape (B, queries, keys)
    """
    fused = _mean_of_heads(weights, head)
    return fused if discard == 0 else _without_smallest(fused, discard)


def transformer_attribution(
    weights: Any, gradients: Any, *, head: int | None = None, layers: Any = None
) -> Any:
    """Return ``mean_h ReLU(G A)``, what Transformer Attribution adds from layer to layer.

    Chefer, Gur and Wolf, "Generic Attention-model Explainability for Interpreting Bi-Modal and
    Encoder-Decoder Transformers", arXiv:2103.15679, equation 5. See `add_relevance`. Parameters:
    see `attention_rollout`.
    """
    return _mean_of_heads(ops.relu(gradients * weights), head)


def legrad(weights: Any, gradients: Any, *, head: int | None = None, layers: Any = None) -> Any:
    """Return ``ReLU(G)``, its mean over heads and queries: one row, which LeGrad adds up.

    Bousselham et al., "LeGrad: An Explainability Method for Vision Transformers via Feature
    Formation Sensitivity", arXiv:2404.03214, equations 5 to 8: ``G`` is the gradient of the score
    that the model's head gives to the tokens of this layer's block. Where several queries count,
    each by itself is rectified. What a mask keeps a query from counts for nothing, whatever the
    score would do with it. Parameters: see `attention_rollout`.
    """
    seen = ops.where(weights > 0, ops.relu(gradients), 0)
    return ops.mean(_mean_of_heads(seen, head), axis=1, keepdims=True)


def _mean_of_heads(matrix: Any, head: int | None) -> Any:
    return ops.mean(matrix, axis=1) if head is None else matrix[:, head]


def _without_smallest(matrix: Any, share: float) -> Any:
    """Return the matrix with so large a share of its numbers, the smallest, set to zero."""
    batch, queries, keys = matrix.shape
    n_dropped = int(share * queries * keys)
    flat = ops.reshape(matrix, (batch, -1))
    least = ops.sort(flat, axis=-1)[:, n_dropped : n_dropped + 1]
    return ops.where(matrix >= least[..., None], matrix, 0)


# ---- how layers join -----------------------------------------------------------------------------


def roll_out(steps: Sequence[Step], sizes: Sequence[int]) -> Relevance:
    """Return the product of the layers, each with the residual connection as half of it.

    arXiv:2005.00928, equation 1. Tokens that ask others, as a decoder's or a pooling head's do,
    take half of what they ask; what they had before counts for the other half.

    Parameters
    ----------
    steps : sequence of Step
        In the order of the run.
    sizes : sequence of int
        How many tokens each sequence has.

    Returns
    -------
    dict of tensors, shape (B, tokens, tokens of the doc)
    """
    relevance: Relevance = {}
    for step in steps:
        own = relevance.get((step.queries, 0))
        if step.queries == step.keys:
            mixed = _rows_of_one(step.fused + ops.eye(sizes[step.queries]))
            if own is not None or step.queries == 0:
                relevance[step.queries, 0] = mixed if own is None else ops.matmul(mixed, own)
            continue
        other = relevance.get((step.keys, 0))
        asked = step.fused if other is None else ops.matmul(step.fused, other)
        relevance[step.queries, 0] = asked if own is None else (own + asked) / 2
    return {key: _rows_of_one(matrix) for key, matrix in relevance.items()}


def add_relevance(steps: Sequence[Step], sizes: Sequence[int]) -> Relevance:
    """Return ``R + A R`` from layer to layer, and the rules for tokens that attend to others.

    arXiv:2103.15679: equation 6 where tokens attend to themselves (and 7 for what they have of
    others by then), equations 8 to 11 where they attend to others. Parameters and result: see
    `roll_out`.

    Notes
    -----
    The identity that it starts from is taken off at the end. It says of each token that it is
    itself, and nothing of what the layers did: in front of a head that reads the last token, or the
    mean of all, it would outweigh the rest. The row of a class token is the same without it.
    """
    relevance: Relevance = {}

    def of(one: int, other: int) -> Any:
        found = relevance.get((one, other))
        return ops.eye(sizes[one])[None] if found is None and one == other else found

    for step in steps:
        asks, asked = step.queries, step.keys
        if asks == asked:
            for other in range(len(sizes)):
                known = of(asks, other)
                if known is not None:
                    relevance[asks, other] = known + ops.matmul(step.fused, known)
            continue
        back = of(asked, asks)
        handed = ops.matmul(
            ops.transpose(_without_self(of(asks, asks)), (0, 2, 1)),
            ops.matmul(step.fused, _without_self(of(asked, asked))),
        )
        known = of(asks, asked)
        if back is not None:
            relevance[asks, asks] = of(asks, asks) + ops.matmul(step.fused, back)
        relevance[asks, asked] = handed if known is None else known + handed
    added = {key: matrix for key, matrix in relevance.items() if key[1] == 0}
    added[0, 0] = of(0, 0) - ops.eye(sizes[0])
    return added


def add_rows(steps: Sequence[Step], sizes: Sequence[int]) -> Relevance:
    """Return the sum of the layers' rows, shape (B, 1, tokens of the doc).

    arXiv:2404.03214, equation 8, without the scale. Layers that attend to other tokens than those
    of the doc tell nothing of it. Parameters: see `roll_out`.
    """
    rows = [step.fused for step in steps if step.keys == 0]
    return {(0, 0): sum(rows[1:], start=rows[0])}


def _rows_of_one(matrix: Any) -> Any:
    total = ops.sum(matrix, axis=-1, keepdims=True)
    return matrix / ops.where(total > 0, total, 1)


def _without_self(matrix: Any) -> Any:
    """Return ``rownorm(R - I) + I``: arXiv:2103.15679, equations 8 and 9."""
    identity = ops.eye(matrix.shape[-1])[None]
    return _rows_of_one(matrix - identity) + identity


# ---- which rows count ----------------------------------------------------------------------------


def rows_that_count(gradient: Any) -> Any:
    """Return which queries of a layer the score reacts to, shape (B, queries), of 0 and 1.

    Behind the last attention a head reads the class token alone, the last token, or the mean of
    all: the gradient of the score with respect to the weights is zero in every other row.
    """
    return ops.cast(ops.any(gradient != 0, axis=(1, 3)), "float32")


def relevance_of_tokens(relevance: Any, rows: Any) -> Any:
    """Return the mean of the rows that count, shape (B, tokens of the doc).

    Parameters
    ----------
    relevance : tensor, shape (B, tokens, tokens of the doc), or (B, 1, tokens of the doc)
    rows : tensor, shape (B, tokens)
        See `rows_that_count`.
    """
    if relevance.shape[1] == 1:
        return relevance[:, 0]
    n_rows = ops.sum(rows, axis=-1, keepdims=True)
    weights = rows / ops.where(n_rows > 0, n_rows, 1)
    return ops.matmul(weights[:, None], relevance)[:, 0]


# ---- sinks, on the host --------------------------------------------------------------------------

_FAR_ABOVE = 3.0  # times the median norm of the tokens
_SWAMPING = 0.5  # of the largest number in a map


def find_sinks(norms: Array, maps: Array) -> list[int]:
    """Return which tokens swamp a map, and have a norm far above the others'.

    Darcet et al., "Vision Transformers Need Registers", arXiv:2309.16588: some tokens of large
    models hold what belongs to the whole picture, and no longer what is at their place. Language
    models have the same of their first token.

    Parameters
    ----------
    norms : numpy.ndarray, shape (tokens,)
    maps : numpy.ndarray, shape (K, tokens)
    """
    is_far = norms > _FAR_ABOVE * np.median(norms)
    peaks = maps.max(axis=1, keepdims=True)
    swamps = ((maps >= _SWAMPING * peaks) & (peaks > 0)).any(axis=0)
    return np.flatnonzero(is_far & swamps).tolist()

"""How alike two maps are, and how much there is in one: on arrays, without a model."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from eli5.metrics.result import Array

_BINS = 100


def spearman(one: Array, other: Array) -> float:
    """Return Spearman's rank correlation; equal numbers share the mean of their ranks.

    NaN if all numbers of one of them are equal.
    """
    ranks = [_mean_ranks(values.ravel()) for values in (one, other)]
    a, b = (values - values.mean() for values in ranks)
    scale = np.sqrt((a @ a) * (b @ b))
    return float(a @ b / scale) if scale else float("nan")


def _mean_ranks(values: Array) -> Array:
    _, groups, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[groups.ravel()]


def ssim(one: Array, other: Array, window: int = 7) -> float:
    """Return the structural similarity of two maps, each scaled to [0, 1].

    Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", 2004:
    the mean over all windows of that many places along each axis, or all of a shorter one.
    """
    shape = tuple(min(window, length) for length in one.shape)
    a, b = (
        sliding_window_view(_unit(values), shape).reshape(-1, np.prod(shape))
        for values in (one, other)
    )
    mean_a, mean_b = a.mean(axis=1), b.mean(axis=1)
    unbiased = max(a.shape[1] - 1, 1)
    da, db = a - mean_a[:, None], b - mean_b[:, None]
    var_a, var_b, cov = ((x * y).sum(axis=1) / unbiased for x, y in ((da, da), (db, db), (da, db)))
    c1, c2 = 0.01**2, 0.03**2
    top = (2 * mean_a * mean_b + c1) * (2 * cov + c2)
    return float((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2))).mean())


def _unit(values: Array) -> Array:
    values = values.astype("float64")
    spread = np.ptp(values)
    return (values - values.min()) / (spread if spread else 1)


def histogram_entropy(values: Array) -> float:
    """Return the entropy, in nats, of how a map's numbers fall into 100 bins of equal width."""
    counts, _ = np.histogram(values, bins=_BINS)
    shares = counts[counts > 0] / values.size
    return float(max(0.0, -(shares * np.log(shares)).sum()))

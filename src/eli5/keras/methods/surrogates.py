"""Segments of the picture, on or off: KernelSHAP and LIME.

A coalition says which segments are shown; the others are replaced by the baseline. Both methods
score random coalitions, all K classes in the same runs of the model, and fit a weighted linear
model to the scores. Each pixel gets the coefficient of its segment.
"""

from __future__ import annotations

from math import comb
from typing import Any

import numpy as np

from eli5.checks import expect_count, expect_integer, expect_number, wrong_value
from eli5.keras.methods.baseline import make_baseline
from eli5.keras.methods.probe import Attributions, Probe
from eli5.keras.methods.superpixels import find_segments

Array = np.ndarray[Any, Any]


def kernel_shap(
    probe: Probe,
    *,
    segments: Array | None = None,
    n_segments: int = 50,
    n_samples: int = 1000,
    baseline: Any = "mean",
    seed: int = 0,
) -> Attributions:
    """Return the Shapley values of the picture's segments.

    Lundberg and Lee, "A Unified Approach to Interpreting Model Predictions", arXiv:1705.07874,
    theorem 2: the least-squares fit of ``phi_0 + sum_j z_j phi_j`` to the scores of coalitions
    ``z`` of M segments, with the weights ``(M - 1) / (binom(M, |z|) |z| (M - |z|))``. The two
    coalitions of infinite weight are constraints that hold exactly: ``phi_0 = y(x_0)``, the score
    of the baseline, and ``sum_j phi_j = y(x) - y(x_0)``.

    If all ``2^M - 2`` coalitions are no more than `n_samples`, all are scored and the values are
    exact. Otherwise sizes are drawn in proportion to their total weight, each coalition comes with
    its complement (Covert and Lee, arXiv:2012.01536, section 4.2), and all count alike.

    Parameters
    ----------
    probe : Probe
    segments : array of int, shape size, optional
        A label for each pixel. None: made by `eli5.keras.methods.superpixels.make_segments`.
    n_segments : int, default 50
        About how many segments to make, where none are given.
    n_samples : int, default 1000
        At most so many coalitions are scored.
    baseline : number, str or array, default "mean"
        What is seen in segments that are off. See `make_baseline`.
    seed : int, default 0

    Returns
    -------
    Attributions
        Maps (K, *size), signed; as details the numbers of segments and of coalitions scored.

    Raises
    ------
    TypeError, ValueError
        If an option is not as described, or if the coalitions are too few to tell the segments
        apart.
    ModuleNotFoundError
        If segments are to be made and scikit-image is missing.
    """
    n_samples = expect_count("n_samples", n_samples)
    seed = expect_integer("seed", seed, least=0)
    labels, n = find_segments(probe.picture, segments, n_segments)
    hidden = make_baseline(baseline, probe.picture)
    coalitions, weights = _shapley_coalitions(n, n_samples, seed)
    ends = np.array([[False] * n, [True] * n])
    scores = _coalition_scores(probe, np.concatenate([ends, coalitions]), labels, hidden)
    empty, whole, scores = scores[0], scores[1], scores[2:]
    values = _shapley_values(coalitions, weights, scores - empty, whole - empty)
    details = {"n_segments": float(n), "n_samples": float(len(coalitions))}
    return _attributions(values, labels, [details] * values.shape[1])


def lime(
    probe: Probe,
    *,
    segments: Array | None = None,
    n_segments: int = 50,
    n_samples: int = 1000,
    kernel_width: float = 0.25,
    alpha: float = 1.0,
    baseline: Any = "mean",
    seed: int = 0,
) -> Attributions:
    """Return the coefficients of a linear model of the segments, fitted near the picture.

    Ribeiro et al., '"Why Should I Trust You?": Explaining the Predictions of Any Classifier',
    arXiv:1602.04938, section 3: each segment is on with probability 1/2, and coalitions count by
    their nearness to the picture. The paper weights by ``exp(-D^2 / sigma^2)``, with D the L2
    distance for images, and selects features by lasso. The authors' code for images, which sets
    what LIME is in practice and the default of `kernel_width`, takes ``sqrt(exp(-D^2 / sigma^2))``
    with D the cosine distance of the coalition to all ones, and ridge regression on all segments:
    so do we.

    Parameters
    ----------
    probe, segments, n_segments, baseline, seed
        See `kernel_shap`.
    n_samples : int, default 1000
        The coalitions scored; the first is the picture itself.
    kernel_width : float, default 0.25
        The ``sigma`` of the weights, in units of the cosine distance.
    alpha : float, default 1
        Penalty of the squared coefficients; the intercept is free. 0: plain least squares, where
        several fit alike the one of smallest coefficients.

    Returns
    -------
    Attributions
        Maps (K, *size), signed; as details the number of segments and ``r2``, the weighted R^2 of
        the linear model on the coalitions scored (1 where the scores do not vary).

    Raises
    ------
    TypeError, ValueError, ModuleNotFoundError
        See `kernel_shap`.
    """
    n_samples = expect_count("n_samples", n_samples)
    seed = expect_integer("seed", seed, least=0)
    expect_number("alpha", alpha, least=0)
    if expect_number("kernel_width", kernel_width) <= 0:
        raise wrong_value("kernel_width", kernel_width, "> 0")
    labels, n = find_segments(probe.picture, segments, n_segments)
    hidden = make_baseline(baseline, probe.picture)
    coalitions = np.random.default_rng(seed).integers(0, 2, (n_samples, n)).astype(bool)
    coalitions[0] = True
    scores = _coalition_scores(probe, coalitions, labels, hidden)
    distances = 1 - np.sqrt(coalitions.mean(axis=1))  # cosine: |z| / (sqrt(|z|) sqrt(M))
    weights = np.sqrt(np.exp(-(distances**2) / kernel_width**2))
    values, r2 = _ridge(coalitions, weights, scores, alpha)
    return _attributions(values, labels, [{"n_segments": float(n), "r2": float(r)} for r in r2])


def _coalition_scores(probe: Probe, coalitions: Array, labels: Array, hidden: Array) -> Array:
    """Return the scores (n, K), float64, with the segments of each coalition (n, M) shown."""
    scores = [
        probe.masked_scores(coalitions[block][:, labels].astype("float32"), hidden)
        for block in probe.blocks(len(coalitions))
    ]
    return np.concatenate(scores).astype("float64")


def _shapley_coalitions(n: int, n_samples: int, seed: int) -> tuple[Array, Array]:
    """Return coalitions (samples, n) of bool, neither empty nor whole, and their weights."""
    if 2**n - 2 <= n_samples:
        coalitions = np.arange(1, 2**n - 1)[:, None] >> np.arange(n) & 1 == 1
        kernel = [0, *((n - 1) / (comb(n, s) * s * (n - s)) for s in range(1, n))]
        return coalitions, np.array(kernel)[coalitions.sum(axis=1)]
    coalitions = _sampled_coalitions(n, n_samples // 2, seed)
    if np.linalg.matrix_rank(_centred(coalitions)) < n - 1:
        raise ValueError(
            f"Expected enough samples to tell {n} segments apart. Received: "
            f"n_samples={n_samples}. Take {20 * n} or more, or fewer segments."
        )
    return coalitions, np.ones(len(coalitions))


def _sampled_coalitions(n: int, pairs: int, seed: int) -> Array:
    """Return `pairs` random coalitions, then their complements."""
    random = np.random.default_rng(seed)
    sizes = np.arange(1, n)
    frequencies = 1 / (sizes * (n - sizes))  # the kernel's weight times the coalitions of the size
    drawn = random.choice(sizes, pairs, p=frequencies / frequencies.sum())
    coalitions = np.zeros((pairs, n), bool)
    for coalition, size in zip(coalitions, drawn, strict=True):
        coalition[random.choice(n, size, replace=False)] = True
    return np.concatenate([coalitions, ~coalitions])


def _centred(coalitions: Array) -> Array:
    return coalitions - coalitions.mean(axis=1, keepdims=True)


def _shapley_values(coalitions: Array, weights: Array, scores: Array, total: Array) -> Array:
    """Return the values (M, K) of the weighted least squares whose sum over segments is `total`.

    With ``phi = total / M + u``, the constraint is ``sum(u) = 0``: the solution of least norm for
    coalitions less their mean has it, and treats all segments alike.
    """
    root = np.sqrt(weights)[:, None]
    rest = scores - coalitions.mean(axis=1)[:, None] * total
    u, *_ = np.linalg.lstsq(root * _centred(coalitions), root * rest, rcond=None)
    return u + total / coalitions.shape[1]


def _ridge(coalitions: Array, weights: Array, scores: Array, alpha: float) -> tuple[Array, Array]:
    """Return the coefficients (M, K) of the weighted ridge regression and its R^2 (K,)."""
    root = np.sqrt(weights)[:, None]
    # Less the weighted means, the intercept is gone and so goes unpenalised.
    z = root * (coalitions - np.average(coalitions, axis=0, weights=weights))
    scores = scores - scores[0]  # so that scores which do not vary give no rest by rounding
    y = root * (scores - np.average(scores, axis=0, weights=weights))
    penalty, zeros = np.sqrt(alpha) * np.eye(z.shape[1]), np.zeros((z.shape[1], y.shape[1]))
    rows, targets = np.concatenate([z, penalty]), np.concatenate([y, zeros])
    values, *_ = np.linalg.lstsq(rows, targets, rcond=None)
    spread = (y**2).sum(axis=0)
    unexplained = ((y - z @ values) ** 2).sum(axis=0)
    return values, 1 - unexplained / np.where(spread > 0, spread, 1)


def _attributions(values: Array, labels: Array, details: list[dict[str, float]]) -> Attributions:
    return Attributions(values.T[:, labels].astype("float32"), tuple(details))

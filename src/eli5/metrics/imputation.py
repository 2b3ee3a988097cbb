"""ROAD: places are not covered but filled in from their neighbours, so that little gives them away.

Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods",
arXiv:2202.00449: noisy linear imputation.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from eli5.checks import expect_integer, expect_number, listed, need, wrong_value
from eli5.metrics.cases import Case, measure
from eli5.metrics.faithfulness import rank
from eli5.metrics.result import Array, Measured, Metric, MetricResult

ROAD = Metric(
    "ROAD",
    "arXiv:2202.00449",
    "higher",
    "half the difference of means",
    (-0.5, 0.5),
    "2 forward passes per share",
)

Fill = Callable[[Array, Array], Array]  # (doc, places of bool) -> doc

_SHARES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
# What a neighbour counts: one beside a place, and one at its corner.
_BESIDE, _CORNER = 1 / 6, 1 / 12
_WEIGHTS = {
    (row, column): _CORNER if row and column else _BESIDE
    for row in (-1, 0, 1)
    for column in (-1, 0, 1)
    if row or column
}


def road(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    shares: Sequence[float] = _SHARES,
    noise: float = 0.01,
    seed: int = 0,
    **about: Any,
) -> MetricResult:
    """Return half of what the lowest places leave of the class more than the highest do.

    Rong et al., "A Consistent and Efficient Evaluation Strategy for Attribution Methods",
    arXiv:2202.00449. The mean over `shares` of ``(p_lowest - p_highest) / 2``: of the class's
    probabilities when the lowest, and when the highest places are filled in, each from its eight
    neighbours, 1/6 of those beside it and 1/12 of those at its corners (at the edge in these
    proportions of those there are), all at once, and with a little noise. Along a series a place is
    filled in on the line between the last and the next one that is known.

    Parameters
    ----------
    model, docs, explanations, targets, **about
        See `eli5.metrics.deletion`. Pictures and series, of which a place lies between others.
    shares : sequence of float
        Of the places that are filled in, between 0 and 1, both excluded.
    noise : float, default 0.01
        Standard deviation, as a share of the doc's range.
    seed : int, default 0
        Of the noise, and of the order of equal places.

    Returns
    -------
    MetricResult
        ``curves`` have ``"share"``, ``"highest first"`` and ``"lowest first"``.

    Raises
    ------
    ModuleNotFoundError
        If SciPy, of the extra `metrics`, is not installed.
    TypeError, ValueError
        See `eli5.metrics.deletion`; also if `shares` or `noise` are not as described, or if a doc
        is a text or a volume.
    """
    need("scipy.sparse.linalg")
    options = (
        _check_shares(shares),
        expect_number("noise", noise, least=0),
        expect_integer("seed", seed, least=0),
    )
    return measure(
        ROAD,
        functools.partial(_half_gain, options),
        model,
        docs,
        explanations,
        targets,
        about,
        seed=seed,
        perturbation=f"linear imputation, noise {noise:g} of the range",
    )


def _check_shares(shares: Any) -> Array:
    values = np.array([expect_number("shares", one) for one in listed(shares) or []])
    if not values.size or not ((values > 0) & (values < 1)).all():
        raise wrong_value("shares", shares, "to hold numbers between 0 and 1, both excluded")
    return values


def _half_gain(options: tuple[Array, float, int], case: Case) -> Measured:
    shares, noise, seed = options
    fill = _filling(case)
    picture = case.probe.picture.astype("float64")
    ranks, n = rank(case.map, seed), case.map.size
    # At least one place stays known.
    counts = np.minimum(np.round(shares * n), n - 1).reshape(-1, *[1] * case.map.ndim)
    hidden = np.concatenate([ranks < counts, ranks >= n - counts])
    noises = np.random.default_rng(seed).normal(0, noise * np.ptp(picture), picture.shape)
    found = fill_all(fill, picture, hidden)
    filled = [values + one[..., None] * noises for values, one in zip(found, hidden, strict=True)]
    scores = case.probe.scores(np.stack(filled).astype("float32"))
    highest, lowest = np.split(scores, 2)
    curves = {"share": shares, "highest first": highest, "lowest first": lowest}
    return Measured(float((lowest - highest).mean() / 2), curves, "imputed")


def fill_all(fill: Fill, picture: Array, hidden: Array) -> list[Array]:
    """Return a doc with each of several sets of places (n, *size) filled in.

    Solving takes longer than most models do, and does not hold the interpreter's lock.
    """
    with ThreadPoolExecutor(min(len(hidden), os.cpu_count() or 1)) as pool:
        return list(pool.map(functools.partial(fill, picture), hidden))


def _filling(case: Case) -> Fill:
    """Return what fills in places of this kind of doc."""
    if case.is_text or case.n_axes > 2:
        what = "tokens" if case.is_text else f"places of {case.n_axes} axes"
        raise ValueError(
            "Expected docs whose places can be filled in from their neighbours, pictures or "
            f"series, for ROAD. Received: {what}. eli5.metrics.srg asks the same with a baseline."
        )
    return fill_picture if case.n_axes == 2 else fill_series


def fill_series(series: Array, hidden: Array) -> Array:
    """Return a series (T, C) with hidden steps (T,) on the line between those that are not.

    Of ``(T, F, 1)`` and places (T, F) each channel is one of its own; one without any place that is
    known gets its mean.
    """
    filled, steps = series.copy(), np.arange(len(series))
    gone_of_all = np.broadcast_to(hidden[..., None], series.shape).reshape(len(series), -1)
    for column, gone in zip(filled.reshape(len(series), -1).T, gone_of_all.T, strict=True):
        known = ~gone
        column[gone] = (
            np.interp(steps[gone], steps[known], column[known]) if known.any() else column.mean()
        )
    return filled


def fill_picture(picture: Array, hidden: Array) -> Array:
    """Return a picture (H, W, C) with hidden places (H, W), of bool, filled in from the others.

    All are solved for at once, and of all channels with one factorisation.
    """
    sparse, linalg = need("scipy.sparse"), need("scipy.sparse.linalg")
    ids = np.full(hidden.shape, -1)
    ids[hidden] = np.arange(hidden.sum())
    places = np.argwhere(hidden)
    diagonal = np.zeros(len(places))
    known = np.zeros((len(places), picture.shape[-1]))
    rows, columns, values = [], [], []
    for offset, weight in _WEIGHTS.items():
        beside = places + offset
        is_inside = ((beside >= 0) & (beside < hidden.shape)).all(axis=1)
        own, at = np.flatnonzero(is_inside), tuple(beside[is_inside].T)
        diagonal[own] += weight
        is_hidden = hidden[at]
        known[own[~is_hidden]] += weight * picture[at][~is_hidden]
        rows.append(own[is_hidden])
        columns.append(ids[at][is_hidden])
        values.append(np.full(is_hidden.sum(), -weight))
    own = np.arange(len(places))
    entries = np.concatenate([diagonal, *values])
    at = np.concatenate([own, *rows]), np.concatenate([own, *columns])
    matrix = sparse.csc_matrix((entries, at), shape=(len(places), len(places)))
    filled = picture.copy()
    # It is symmetric and needs no pivots: an order made for that takes a third of the time less.
    order = {"permc_spec": "MMD_AT_PLUS_A", "options": {"SymmetricMode": True}}
    filled[hidden] = linalg.splu(matrix, diag_pivot_thresh=0.0, **order).solve(known)
    return filled

"""The mean of the docs' curves, added up as they come, in the room of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from eli5.metrics.result import Array, MetricResult

_POINTS = 33  # of a mean curve


class CurveSums(NamedTuple):
    """What the mean and the spread of some curves over the docs are made of.

    Attributes
    ----------
    x : numpy.ndarray, shape (P,)
        Which share of the doc has gone or come; of stages their numbers.
    labels : list of str
        What the stages are; empty of shares.
    sums, squares, counts : dict of numpy.ndarray, shape (P,)
        By the name of the curve: its sum over the docs, that of its square, and of how many.
    """

    x: Array
    labels: list[str]
    sums: dict[str, Array]
    squares: dict[str, Array]
    counts: dict[str, Array]

    def mean(self, name: str) -> Array:
        """Return the mean over the docs; NaN where no doc has a number."""
        counts = self.counts[name]
        return np.where(counts > 0, self.sums[name] / np.maximum(counts, 1), np.nan)

    def spread(self, name: str) -> Array:
        """Return the standard deviation over the docs."""
        counts = np.maximum(self.counts[name], 1)
        variance = self.squares[name] / counts - (self.sums[name] / counts) ** 2
        return np.sqrt(np.maximum(variance, 0))


def sum_curves(result: MetricResult) -> CurveSums | None:
    """Return the sums of a metric's curves, as far as they are some; else None.

    They are where each number stands for a share of the doc, or for a stage with a label. Shares
    differ from doc to doc, as texts do; so curves are read off at shares that are evenly spaced.
    """
    curves = [one for one in result.curves if one]
    if curves and "share" in curves[0]:
        shares = curves[0]["share"]
        x = np.linspace(shares[0], shares[-1], _POINTS)
        read = [
            {k: np.interp(x, one["share"], v) for k, v in one.items() if k != "share"}
            for one in curves
        ]
        return _sum(x, [], read)
    if curves and result.labels:
        x = np.arange(len(result.labels), dtype="float64")
        read = [{"spearman": one["spearman"]} for one in curves if len(one["spearman"]) == len(x)]
        return _sum(x, result.labels, read)
    return None


def _sum(x: Array, labels: list[str], curves: Sequence[Mapping[str, Array]]) -> CurveSums:
    columns = {name: np.stack([one[name] for one in curves]) for name in curves[0]}
    known = {name: ~np.isnan(values) for name, values in columns.items()}
    filled = {name: np.where(known[name], values, 0.0) for name, values in columns.items()}
    return CurveSums(
        x,
        labels,
        {name: values.sum(axis=0) for name, values in filled.items()},
        {name: (values**2).sum(axis=0) for name, values in filled.items()},
        {name: known[name].sum(axis=0) for name in columns},
    )


def add_curves(one: CurveSums | None, other: CurveSums) -> CurveSums:
    """Return the sums over the docs of both, or of the second alone."""
    if one is None:
        return other
    added = [
        {name: a[name] + b[name] for name in a}
        for a, b in (
            (one.sums, other.sums),
            (one.squares, other.squares),
            (one.counts, other.counts),
        )
    ]
    return CurveSums(one.x, one.labels, *added)

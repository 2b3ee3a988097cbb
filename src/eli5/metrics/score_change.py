"""What is left of the class when only what the map shows is seen: drop, increase and gain.

The doc is multiplied by its heatmap, which is the positive part of the map divided by its maximum:
``p`` is the probability of the class, ``o`` that of what is left.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eli5.metrics.cases import Case, measure, without_rounding
from eli5.metrics.result import Measured, Metric, MetricResult

_ALL_ONES = (
    "a map that is 1 everywhere leaves all of the doc and scores nearly perfectly "
    "(arXiv:2104.10252): beside complexity, and a metric that takes the highest places away"
)
_PASSES = "2 forward passes"

AVERAGE_DROP = Metric(
    "Average drop",
    "arXiv:1710.11063",
    "lower",
    "percent",
    (0, 100),
    _PASSES,
    not_alone=_ALL_ONES,
)
AVERAGE_INCREASE = Metric(
    "Average increase",
    "arXiv:1710.11063",
    "higher",
    "percent",
    (0, 100),
    _PASSES,
    not_alone="a map that hides next to nothing may raise the class by chance (arXiv:2301.07002): "
    "beside average drop and complexity",
)
AVERAGE_GAIN = Metric(
    "Average gain",
    "arXiv:2301.07002",
    "higher",
    "percent",
    (0, 100),
    _PASSES,
    not_alone="a map that is made to raise the class, and not to explain it, is the best: beside "
    "average drop",
)


def average_drop(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    baseline: Any = None,
    **about: Any,
) -> MetricResult:
    """Return by how many percent the class's probability drops, the lower the better.

    Chattopadhay et al., "Grad-CAM++", arXiv:1710.11063, section 4.1: ``100 max(0, p - o) / p``; its
    mean over the docs is the paper's number. It is never to be used alone: a map that is 1
    everywhere leaves the doc as it is, and drops nothing (arXiv:2104.10252).

    Parameters
    ----------
    model, docs, explanations, targets, **about
        See `eli5.metrics.deletion`, without ``score``.
    baseline : number, str or array, default 0
        What is seen where the heatmap is 0; in the paper black. Of tokens ``"mask"`` leaves out
        those without heat, and keeps the others whole.

    Returns
    -------
    MetricResult
        ``curves`` have ``"score"``: ``p`` and ``o``.

    Raises
    ------
    TypeError, ValueError
        See `eli5.metrics.deletion`; also if the model's probabilities are not known.
    """
    return _compare(AVERAGE_DROP, _drop, model, docs, explanations, targets, baseline, about)


def average_increase(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    baseline: Any = None,
    **about: Any,
) -> MetricResult:
    """Return 100 where the class is likelier with what the map shows alone, else 0.

    Chattopadhay et al., arXiv:1710.11063, section 4.1; the mean over the docs is the percentage of
    them. Not to be used alone, as `average_drop`.

    Parameters
    ----------
    model, docs, explanations, targets, baseline, **about
        See `average_drop`.

    Returns
    -------
    MetricResult

    Raises
    ------
    TypeError, ValueError
        See `average_drop`.
    """
    return _compare(
        AVERAGE_INCREASE, _increase, model, docs, explanations, targets, baseline, about
    )


def average_gain(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    baseline: Any = None,
    **about: Any,
) -> MetricResult:
    """Return how many percent of what the class's probability lacks are gained.

    Zhang et al., "Opti-CAM", arXiv:2301.07002: ``100 max(0, o - p) / (1 - p)``. Not to be used
    alone, as `average_drop`.

    Parameters
    ----------
    model, docs, explanations, targets, baseline, **about
        See `average_drop`.

    Returns
    -------
    MetricResult

    Raises
    ------
    TypeError, ValueError
        See `average_drop`.
    """
    return _compare(AVERAGE_GAIN, _gain, model, docs, explanations, targets, baseline, about)


def _compare(
    metric: Metric,
    formula: Callable[[float, float], float],
    model: Any,
    docs: Any,
    explanations: Any,
    targets: Any,
    baseline: Any,
    about: dict[str, Any],
) -> MetricResult:
    def change(case: Case) -> Measured:
        hidden, name = case.make_hidden(baseline, 0)
        heatmap = np.maximum(case.map, 0)
        heatmap = heatmap / (heatmap.max() or 1)
        masks = np.stack([np.ones_like(heatmap), heatmap])
        scores = without_rounding(case.probe.masked_scores(masks, hidden))
        return Measured(formula(*scores.tolist()), {"score": scores}, name)

    return measure(metric, change, model, docs, explanations, targets, about, of="probability")


def _drop(p: float, o: float) -> float:
    return 100 * max(0.0, p - o) / p if p else 0.0


def _increase(p: float, o: float) -> float:
    return 100.0 * (o > p)


def _gain(p: float, o: float) -> float:
    return 100 * max(0.0, o - p) / (1 - p) if p < 1 else 0.0

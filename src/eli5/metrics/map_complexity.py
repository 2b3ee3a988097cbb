"""How many places a map is about: on its absolute numbers, whatever their sign; no model is run.

The map is taken in the input's own size, so that those of layers and of pixels can be compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from eli5.metrics.maps import input_map, list_maps
from eli5.metrics.result import Array, Measured, Metric, MetricResult, collect

_EMPTY = "a map of one place is the best, whether the model looks there or not"

COMPLEXITY = Metric(
    "Complexity",
    "arXiv:2005.00631",
    "lower",
    "nats",
    (0, float("inf")),
    "none",
    ("explanations",),
    _EMPTY,
)
SPARSENESS = Metric(
    "Sparseness",
    "arXiv:1810.06583",
    "higher",
    "Gini index",
    (0, 1),
    "none",
    ("explanations",),
    _EMPTY,
)


def complexity(explanations: Any, *, targets: Any = None) -> MetricResult:
    """Return the entropy of how a map shares itself out among the places, the lower the simpler.

    Bhatt, Weller and Moura, "Evaluating and Aggregating Feature-based Model Explanations",
    arXiv:2005.00631: ``-sum_i p_i log p_i`` with ``p_i = |m_i| / sum_j |m_j|``, in nats: 0 if it is
    all at one place, ``log n`` if it is the same at all n of them.

    Parameters
    ----------
    explanations, targets
        See `eli5.metrics.deletion`. Signed maps as well.

    Returns
    -------
    MetricResult
        NaN for a map of zeros.

    Raises
    ------
    TypeError, ValueError
        If they hold no maps.
    """
    return measure_maps(COMPLEXITY, _entropy, explanations, targets)


def sparseness(explanations: Any, *, targets: Any = None) -> MetricResult:
    """Return the Gini index of a map's absolute numbers, the higher the sparser.

    Chalasani et al., "Concise Explanations of Neural Networks using Adversarial Training",
    arXiv:1810.06583: 0 if all numbers are the same, ``1 - 1/n`` if all but one of n are 0.

    Parameters
    ----------
    explanations, targets
        See `complexity`.

    Returns
    -------
    MetricResult
        NaN for a map of zeros.

    Raises
    ------
    TypeError, ValueError
        If they hold no maps.
    """
    return measure_maps(SPARSENESS, _gini, explanations, targets)


def measure_maps(
    metric: Metric, function: Callable[[Array], float], explanations: Any, targets: Any
) -> MetricResult:
    """Return what a function of a map, in the input's size, gives for each of them."""
    found = list_maps(explanations, targets)
    measured = [Measured(function(input_map(one))) for one in found]
    return collect(metric, measured, [one.target for one in found])


def _entropy(values: Array) -> float:
    total = np.abs(values).sum()
    if not total:
        return float("nan")
    shares = np.abs(values[values != 0]) / total
    return float(max(0.0, -(shares * np.log(shares)).sum()))


def _gini(values: Array) -> float:
    rising = np.sort(np.abs(values), axis=None)
    if not rising[-1]:
        return float("nan")
    n = len(rising)
    weights = 2 * np.arange(1, n + 1) - n - 1
    return float((weights * rising).sum() / (n * rising.sum()))

"""The sanity check: which methods give the same map whatever the model has learned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eli5.checks import expect_number
from eli5.metrics.comparison.request import check_about, read_methods
from eli5.metrics.randomisation import cascading_randomisation
from eli5.metrics.result import MetricResult


@dataclass(eq=False, repr=False)
class SanityCheck:
    """Which methods give the same map whatever the model has learned.

    Parameters
    ----------
    correlations : dict
        By method, the mean over the docs of the rank correlation of its maps before and after all
        weights were drawn anew; NaN where one of them is constant.
    threshold : float
        From which on a method is said not to react.
    results : dict
        By method, the `MetricResult`.
    """

    correlations: dict[str, float]
    threshold: float
    results: dict[str, MetricResult]

    @property
    def without_reaction(self) -> list[str]:
        """The methods that do not react to the weights."""
        return [name for name, one in self.correlations.items() if one >= self.threshold]

    def __repr__(self) -> str:
        """Show the correlations, and what they say."""
        width = max(map(len, self.correlations))
        lines = [f"{name:{width}}  {_in_words(one)}" for name, one in self.correlations.items()]
        found = ", ".join(self.without_reaction) or "none"
        return "\n".join(
            [
                "rank correlation of maps with those of a model without its weights",
                *lines,
                f"without reaction (from {self.threshold:g} on): {found}",
            ]
        )


def _in_words(correlation: float) -> str:
    return "not defined, as a map is constant" if np.isnan(correlation) else f"{correlation:+.2f}"


def sanity_check(
    model: Any,
    docs: Any,
    methods: Sequence[Any] | Mapping[str, Any],
    *,
    targets: Any = None,
    threshold: float = 0.5,
    initializers: Any = None,
    seed: int = 0,
    **about: Any,
) -> SanityCheck:
    """Find the methods whose maps do not react to what the model has learned.

    Adebayo et al., "Sanity Checks for Saliency Maps", arXiv:1810.03292: all weights are drawn anew
    at once, and put back. A method that passes need not be right: noise passes, too.

    Parameters
    ----------
    model, docs, methods, targets, **about
        See `eli5.compare`.
    threshold : float, default 0.5
        The rank correlation from which on a method is said not to react.
    initializers, seed
        See `eli5.metrics.cascading_randomisation`.

    Returns
    -------
    SanityCheck
        With ``without_reaction``, the names of those methods.

    Raises
    ------
    TypeError, ValueError
        See `eli5.metrics.cascading_randomisation`.
    """
    asked = read_methods(methods)
    docs = list(docs) if isinstance(docs, Iterator) else docs  # they are gone through again
    check_about(about)
    limit = expect_number("threshold", threshold, least=0)
    own = {"stages": 1, "initializers": initializers, "seed": seed, "targets": targets}
    results = {
        name: cascading_randomisation(model, docs, **{**options, **about, **own})
        for name, options in asked.items()
    }
    means = {name: result.mean for name, result in results.items()}
    return SanityCheck(means, limit, results)

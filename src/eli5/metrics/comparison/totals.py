"""What has been measured so far, chunk by chunk: memory holds the numbers, not the maps."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from eli5.metrics.comparison.curves import CurveSums, add_curves
from eli5.metrics.comparison.examples import Example, keep_extremes
from eli5.metrics.comparison.part import Failure, Key, Part
from eli5.metrics.comparison.request import Request
from eli5.metrics.comparison.result import Comparison
from eli5.metrics.result import MetricResult, join_results

_MOST_CURVES = 256  # docs whose own curves are kept
_MOST_FAILURES = 100


class Totals:
    """Adds up parts, in the order of their docs."""

    def __init__(self, request: Request, model: str) -> None:
        self.request, self.model, self.n = request, model, 0
        self.results: dict[Key, list[MetricResult]] = {key: [] for key in _keys(request)}
        self.seconds: dict[Key, float] = defaultdict(float)
        self.mean_curves: dict[Key, CurveSums] = {}
        self.examples: dict[Key, list[Example]] = {key: [] for key in _keys(request)}
        self.failures: list[Failure] = []
        self.n_failed: dict[Key, int] = defaultdict(int)

    def add(self, part: Part) -> Part:
        """Take in a part; return it with no more than what is kept of it."""
        room = max(_MOST_CURVES - self.n, 0)
        kept = {k: replace(one, curves=one.curves[:room]) for k, one in part.results.items()}
        for key, result in kept.items():
            self.results[key].append(result)
            if key in part.mean_curves:
                self.mean_curves[key] = add_curves(self.mean_curves.get(key), part.mean_curves[key])
        for key, seconds in part.seconds.items():
            self.seconds[key] += seconds
        for key, n in part.n_failed.items():
            self.n_failed[key] += n
        failures = part.failures[: max(_MOST_FAILURES - len(self.failures), 0)]
        self.failures += failures
        examples = self._add_examples(part.examples)
        self.n += part.n
        return part._replace(results=kept, failures=failures, examples=examples)

    def _add_examples(self, examples: list[Example]) -> list[Example]:
        """Take in examples that are better, or worse, than those so far; return these."""
        for key in {(one.method, one.metric) for one in examples}:
            new = [one for one in examples if (one.method, one.metric) == key]
            better = self.results[key][0].better
            self.examples[key] = keep_extremes(
                [*self.examples[key], *new], better, self.request.examples
            )
        kept = {(m, k, one.number) for (m, k), of in self.examples.items() for one in of}
        return [one for one in examples if (one.method, one.metric, one.number) in kept]

    def worked(self, method: str, metric: str = "") -> bool:
        """Tell whether a method, or a metric of it, has given something for any doc so far."""
        keys = [key for key in self.results if key[0] == method and metric in ("", key[1])]
        return any(self.n > self.n_failed.get(key, 0) for key in keys)

    def comparison(self) -> Comparison:
        """Return all that there is."""
        return Comparison(
            {key: join_results(parts) for key, parts in self.results.items()},
            dict(self.seconds),
            self.request.seed,
            self.mean_curves,
            [one for of in self.examples.values() for one in of],
            self.failures,
            {key: n for key, n in self.n_failed.items() if n},
            self.model,
        )


def _keys(request: Request) -> Iterator[Key]:
    return ((method, row.name) for method in request.methods for row in request.metrics)


def spread(result: MetricResult, known: list[int], n: int) -> MetricResult:
    """Return the result for n docs of the result for some of them; the others have no number."""
    if len(known) == n:
        return result
    values = np.full(n, np.nan)
    values[known] = result.values
    rows = dict(zip(known, range(len(known)), strict=True))
    return replace(
        result,
        values=values,
        curves=[result.curves[rows[k]] if k in rows else {} for k in range(n)],
        targets=[result.targets[rows[k]] if k in rows else None for k in range(n)],
    )

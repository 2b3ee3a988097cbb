"""What is measured of one chunk of docs."""

from __future__ import annotations

from typing import NamedTuple

from eli5.metrics.comparison.curves import CurveSums
from eli5.metrics.comparison.examples import Example
from eli5.metrics.result import MetricResult

Key = tuple[str, str]  # a method and a metric


class Failure(NamedTuple):
    """Why there is no number; of a method that gives no map at all the metric is ``""``."""

    number: int
    name: str
    method: str
    metric: str
    reason: str


class Part(NamedTuple):
    """What has been measured of one chunk of docs.

    Attributes
    ----------
    n : int
        Docs in it.
    checksum : int
        Of these docs.
    results, seconds, mean_curves, examples, failures, n_failed
        See `Comparison`.
    """

    n: int
    checksum: int
    results: dict[Key, MetricResult]
    seconds: dict[Key, float]
    mean_curves: dict[Key, CurveSums]
    examples: list[Example]
    failures: list[Failure]
    n_failed: dict[Key, int]

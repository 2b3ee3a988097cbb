"""What is known of a metric, and what it gives: a number per doc, and all that it depends on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, NamedTuple

import numpy as np

Array = np.ndarray[Any, Any]


class Metric(NamedTuple):
    """One metric, as `eli5.metrics.METRICS` lists it.

    Attributes
    ----------
    name : str
    paper : str
    better : {"higher", "lower"}
        Which numbers speak for a map.
    unit : str
    bounds : pair of float
        Between which all numbers lie.
    cost : str
        Per doc, in runs of the model.
    needs : tuple of str
        What its function takes besides options, in this order: ``"model"``, ``"docs"``,
        ``"explanations"``, ``"masks"``. Without explanations it makes them itself, of a ``method``.
    not_alone : str
        Why the number says little without another one; empty if it may stand alone.
    function : callable
        The public function, whose keyword-only parameters are the options.
    """

    name: str
    paper: str
    better: Literal["higher", "lower"]
    unit: str
    bounds: tuple[float, float]
    cost: str
    needs: tuple[str, ...] = ("model", "docs", "explanations")
    not_alone: str = ""
    function: Callable[..., MetricResult] | None = None


class Measured(NamedTuple):
    """What a metric gives for one doc; see `MetricResult`."""

    value: float
    curves: Mapping[str, Array] = {}
    baseline: str = ""


@dataclass(eq=False, repr=False)
class MetricResult:
    """What a metric gives for some docs.

    Parameters
    ----------
    metric : str
        Its name in `eli5.metrics.METRICS`.
    values : numpy.ndarray, shape (N,), float64
        One number per doc. NaN where it is not defined: a correlation with what never changes.
    better : {"higher", "lower"}
        Which numbers speak for a map.
    unit : str
    curves : list of dict
        Per doc what the number is made of, by name: arrays of one length each.
    targets : list
        Per doc the class.
    score : str
        Which number of the model was looked at: ``"probability"``, or as
        `TargetExplanation.explained_name` has it.
    baseline : str
        What took the place of what was left out, as it is given: ``"mean"``.
    perturbation : str
        What was done to the docs, or to the model.
    passes : int
        How often the model ran, one doc, or changed doc, at a time. What fills up a batch to a
        power of two does not count.
    explanations : int
        How many explanations were made, each of which costs what its method costs.
    seed : int, optional
        Of what is drawn at random.
    labels : list of str
        What the points of the curves are, where they have names.
    """

    metric: str
    values: Array
    better: str
    unit: str = ""
    curves: list[dict[str, Array]] = field(default_factory=list)
    targets: list[Any] = field(default_factory=list)
    score: str = ""
    baseline: str = ""
    perturbation: str = ""
    passes: int = 0
    explanations: int = 0
    seed: int | None = None
    labels: list[str] = field(default_factory=list)

    @property
    def mean(self) -> float:
        """The mean over the docs for which the number is defined; NaN if there are none."""
        defined = self.values[~np.isnan(self.values)]
        return float(defined.mean()) if len(defined) else float("nan")

    def __repr__(self) -> str:
        """Show the mean, how far it spreads, and what it depends on."""
        return f"<{self.metric} {self.mean:.3g} ({'; '.join(self._remarks())})>"

    def _remarks(self) -> list[str]:
        n, undefined = len(self.values), int(np.isnan(self.values).sum())
        remarks = [f"{self.better} is better", f"{n} doc" + "s" * (n != 1)]
        if n > 1 and undefined < n:
            low, high = np.nanmin(self.values), np.nanmax(self.values)
            remarks[-1] += f" from {low:.3g} to {high:.3g}"
        told = {
            "": self.unit,
            "undefined for ": undefined or "",
            "of the ": self.score,
            "baseline ": self.baseline,
            "by ": self.perturbation,
            "passes ": self.passes or "",
            "explanations ": self.explanations or "",
            "seed ": "" if self.seed is None else self.seed,
        }
        return [*remarks, *(f"{name}{value}" for name, value in told.items() if value != "")]


def collect(
    metric: Metric, measured: Sequence[Measured], targets: Sequence[Any] = (), **about: Any
) -> MetricResult:
    """Return the result of a metric from what it gives for each doc."""
    baselines = dict.fromkeys(one.baseline for one in measured)
    return MetricResult(
        metric.name,
        np.array([one.value for one in measured], "float64"),
        metric.better,
        metric.unit,
        curves=[dict(one.curves) for one in measured],
        targets=list(targets),
        baseline=", ".join(filter(None, baselines)),
        **about,
    )


def join_results(parts: Sequence[MetricResult]) -> MetricResult:
    """Return the result of a metric for the docs of several results, one after the other."""
    first = parts[0]
    return replace(
        first,
        values=np.concatenate([one.values for one in parts]),
        curves=[curves for one in parts for curves in one.curves],
        targets=[target for one in parts for target in one.targets],
        score=_named_once(one.score for one in parts),
        baseline=_named_once(one.baseline for one in parts),
        passes=sum(one.passes for one in parts),
        explanations=sum(one.explanations for one in parts),
        labels=next((one.labels for one in parts if one.labels), []),
    )


def _named_once(names: Iterable[str]) -> str:
    """Return the names in lists of them, each once, as a list."""
    return ", ".join(dict.fromkeys(one for name in names for one in name.split(", ") if one))

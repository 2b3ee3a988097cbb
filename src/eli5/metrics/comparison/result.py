"""What comes of a comparison: rows, intervals, who is best; as text, table, picture, page, file."""

from __future__ import annotations

import csv
import io
from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from statistics import NormalDist
from typing import Any, NamedTuple

import numpy as np

from eli5.checks import expect_type, need, wrong_value
from eli5.metrics.comparison.curves import CurveSums
from eli5.metrics.comparison.examples import Example
from eli5.metrics.comparison.part import Failure
from eli5.metrics.result import Array, MetricResult
from eli5.metrics.table import METRICS
from eli5.saving.atomic_write import write_atomically

_N_RESAMPLES = 2000
_MANY = 10_000  # docs
_ENDS = (2.5, 97.5)  # of an interval, in percent
_MOST_TOLD = 5  # failures in a text


class Row(NamedTuple):
    """What one metric says of one method; the interval is of the mean, 95 %, over the docs."""

    method: str
    metric: str
    better: str
    mean: float
    low: float
    high: float
    docs: int
    failed: int
    passes: int
    explanations: int
    seconds: float


@dataclass(eq=False, repr=False)
class Comparison:
    """What some metrics say of some methods, on the same docs and classes.

    Parameters
    ----------
    results : dict
        By method and metric: ``results["Grad-CAM", "SRG"]`` is a `MetricResult`, with the curves of
        the first 256 docs.
    seconds : dict
        By method and metric, and by method and ``""`` for making its maps.
    seed : int
        Of the resampling.
    mean_curves : dict
        By method and metric the curves' mean over all docs, where they are of shares or stages.
    examples : list of Example
        The best and the worst docs of each method and metric.
    failures : list of Failure
        Why docs have no number, of the first hundred of them.
    n_failed : dict
        By method and metric, of how many docs it could not be had; NaN because it is not defined
        does not count.
    model : str
        The model's name.
    """

    results: dict[tuple[str, str], MetricResult]
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    seed: int = 0
    mean_curves: dict[tuple[str, str], CurveSums] = field(default_factory=dict)
    examples: list[Example] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)
    n_failed: dict[tuple[str, str], int] = field(default_factory=dict)
    model: str = ""

    @property
    def rows(self) -> list[Row]:
        """One row per method and metric."""
        return [self._row(*key) for key in self.results]

    @property
    def table(self) -> Any:
        """The rows as a `pandas.DataFrame`; ModuleNotFoundError without pandas."""
        return need("pandas").DataFrame(self.rows, columns=Row._fields)

    @property
    def curves(self) -> dict[tuple[str, str], list[dict[str, Array]]]:
        """By method and metric, per doc what the number is made of; of the first 256 docs."""
        return {key: result.curves for key, result in self.results.items()}

    @property
    def methods(self) -> list[str]:
        """The methods, in the order in which they were given."""
        return list(dict.fromkeys(method for method, _ in self.results))

    @property
    def metrics(self) -> list[str]:
        """The metrics, in the order in which they were given."""
        return list(dict.fromkeys(metric for _, metric in self.results))

    def best(self) -> dict[str, list[str]]:
        """Return, by metric, the best method, and those that the docs do not tell apart from it.

        These are the ones for which the interval of the mean difference to the best holds 0.
        """
        return {metric: self._best(metric) for metric in self.metrics}

    def plot(self) -> Any:
        """Return a `matplotlib.figure.Figure`: the means and intervals, a panel per metric."""
        return _draw(self)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it to one file; the ending of its name says the format.

        ``.html`` is a page in one piece, with the table, the curves, and the best and worst docs;
        ``.csv`` the rows; ``.json`` all of it, which `load` reads.

        Raises
        ------
        TypeError, ValueError
            If `path` is no name, or has another ending.
        """
        write_atomically(path, _writer(path)(self))

    @staticmethod
    def load(path: str | PathLike[str]) -> Comparison:
        """Load what `save` wrote as ``.json``; nothing in the file is run.

        Raises
        ------
        ValueError
            If the file is damaged, of a newer version or too large, or was not saved so.
        OSError
            If there is no such file.
        """
        from eli5.metrics.comparison.records import read_file

        return Comparison(**read_file(path))

    def _repr_mimebundle_(
        self, include: Container[str] | None = None, exclude: Container[str] | None = None
    ) -> dict[str, str]:
        forms = {"text/html": self._repr_html_, "text/plain": self.__repr__}
        return {
            mime: form()
            for mime, form in forms.items()
            if (not include or mime in include) and not (exclude and mime in exclude)
        }

    def _repr_html_(self) -> str:
        from eli5.metrics.comparison.page import format_fragment

        return format_fragment(self)

    def _best(self, metric: str) -> list[str]:
        sign = 1 if METRICS[metric].better == "higher" else -1
        values = {m: sign * self.results[m, metric].values for m in self.methods}
        known = {m: v for m, v in values.items() if not np.isnan(v).all()}
        if not known:
            return []
        # On the docs that all have a number for, or who fails where it is hard would win.
        is_shared = ~np.isnan(list(known.values())).any(axis=0)
        docs = is_shared if is_shared.any() else np.ones_like(is_shared)
        first = max(known, key=lambda method: float(np.nanmean(known[method][docs])))
        others = (m for m in known if m != first)
        return [first, *(m for m in others if self._is_equal(known[first] - known[m]))]

    def _is_equal(self, differences: Array) -> bool:
        low, high = interval(differences, self.seed)
        return not (low > 0 or high < 0)

    def _row(self, method: str, metric: str) -> Row:
        result = self.results[method, metric]
        return Row(
            method,
            metric,
            result.better,
            result.mean,
            *interval(result.values, self.seed),
            int((~np.isnan(result.values)).sum()),
            self.n_failed.get((method, metric), 0),
            result.passes,
            result.explanations,
            self.seconds.get((method, metric), 0.0),
        )

    def __repr__(self) -> str:
        """Show a table in text, then the best of each metric."""
        head = ("method", "metric", "mean", "95 %", "docs", "passes", "seconds")
        lines = [head, *map(_in_words, self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = (
            "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip()
            for line in lines
        )
        return "\n".join([*table, "", *self._sentences()])

    def _sentences(self) -> Iterator[str]:
        for failure in self.failures[:_MOST_TOLD]:
            what = " by ".join(filter(None, (failure.method, failure.metric)))
            yield f"Failed: {failure.name}, {what}: {failure.reason}"
        if len(self.failures) > _MOST_TOLD:
            yield f"Failed: {sum(self.n_failed.values())} numbers in all"
        for metric, methods in self.best().items():
            row = METRICS[metric]
            others = f", not told apart from {', '.join(methods[1:])}" if methods[1:] else ""
            best = methods[0] if methods else "none, as it is not defined for any"
            alone = f" Not alone: {row.not_alone}." if row.not_alone else ""
            yield f"{metric}, {row.better} is better: {best}{others}.{alone}"


def interval(
    values: Array, seed: int = 0, ends: tuple[float, float] = _ENDS
) -> tuple[float, float]:
    """Return the 95 % interval of a mean over docs, by resampling these; or with other `ends`.

    They are in percent, and lie evenly around 50. NaN of none, and of one, which does not tell how
    much docs vary.
    """
    defined = values[~np.isnan(values)]
    if len(defined) < 2:
        return float("nan"), float("nan")
    if len(defined) > _MANY:  # of so many the resampled mean is normal, and would take long
        half = NormalDist().inv_cdf(ends[1] / 100) * float(defined.std()) / len(defined) ** 0.5
        return float(defined.mean()) - half, float(defined.mean()) + half
    random, means = np.random.default_rng(seed), np.empty(_N_RESAMPLES)
    # One after the other: all picks of many docs at once would fill the memory.
    for k in range(_N_RESAMPLES):
        means[k] = defined[random.integers(0, len(defined), len(defined))].mean()
    low, high = np.percentile(means, ends)
    return float(low), float(high)


def _writer(path: Any) -> Any:
    """Return what makes a file's content; each loads what it needs."""
    expect_type("path", path, str | PathLike, "a string or a path")
    ending = Path(path).suffix.lower()
    if ending == ".html":
        from eli5.metrics.comparison.page import format_page

        return lambda one: format_page(one).encode()
    if ending == ".json":
        from eli5.metrics.comparison.records import as_file

        return as_file
    if ending == ".csv":
        return _as_csv
    raise wrong_value("path", str(path), "to end in one of .html, .json, .csv")


def _as_csv(comparison: Comparison) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Row._fields)
    writer.writerows(comparison.rows)
    return text.getvalue().encode()


def _in_words(row: Row) -> tuple[str, ...]:
    count = f"{row.explanations} expl." if row.explanations else str(row.passes)
    return (
        row.method,
        row.metric,
        f"{row.mean:.3g}",
        f"{row.low:.3g} to {row.high:.3g}",
        str(row.docs),
        count,
        f"{row.seconds:.1f}",
    )


def _draw(comparison: Comparison) -> Any:
    from matplotlib.figure import Figure  # only where a picture is made

    metrics, methods = comparison.metrics, comparison.methods
    size = 2 + 2.5 * len(metrics), 1.2 + 0.35 * len(methods)
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(1, len(metrics), sharey=True, squeeze=False)[0]
    for panel, metric in zip(panels, metrics, strict=True):
        rows = [row for row in comparison.rows if row.metric == metric]
        for place, row in enumerate(rows):
            panel.plot([row.low, row.high], [place, place], color="0.6", linewidth=3)
            panel.plot(row.mean, place, "o", color="black")
        arrow = "→" if METRICS[metric].better == "higher" else "←"
        panel.set_title(f"{metric} {arrow} better", fontsize=9)
        panel.set_xlabel(METRICS[metric].unit, fontsize=8)
        panel.tick_params(labelsize=8)
        panel.margins(0.1, 0.2)
    panels[0].set_yticks(range(len(methods)), methods)
    panels[0].invert_yaxis()
    return figure

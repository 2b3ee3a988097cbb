"""Methods side by side: what each metric says of each, how sure that is, and what it costs.

Docs vary more than methods do. So means come with intervals, and methods are compared on the same
docs: two of them are told apart only where the mean of their differences is.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from eli5.checks import did_you_mean, expect_choice, listed, need, wrong_type, wrong_value
from eli5.explain import explain_predictions
from eli5.keras.methods.lookup import find_method
from eli5.metrics.cases import ABOUT
from eli5.metrics.maps import list_maps
from eli5.metrics.result import Array, Metric, MetricResult
from eli5.metrics.table import METRICS

_DEFAULT = ("SRG", "Single deletion", "Infidelity", "Complexity")
_N_RESAMPLES = 2000
_ENDS = (2.5, 97.5)  # of an interval, in percent


class Row(NamedTuple):
    """What one metric says of one method; the interval is of the mean, 95 %, over the docs."""

    method: str
    metric: str
    better: str
    mean: float
    low: float
    high: float
    docs: int
    passes: int
    explanations: int
    seconds: float


@dataclass(eq=False, repr=False)
class Comparison:
    """What some metrics say of some methods, on the same docs and classes.

    Parameters
    ----------
    results : dict
        By method and metric: ``results["Grad-CAM", "SRG"]`` is a `MetricResult`.
    seconds : dict
        By method and metric, and by method and ``""`` for making its maps.
    seed : int
        Of the resampling.
    """

    results: dict[tuple[str, str], MetricResult]
    seconds: dict[tuple[str, str], float] = field(default_factory=dict)
    seed: int = 0

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
        """By method and metric, per doc what the number is made of; see `MetricResult`."""
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

    def _best(self, metric: str) -> list[str]:
        sign = 1 if METRICS[metric].better == "higher" else -1
        values = {m: sign * self.results[m, metric].values for m in self.methods}
        known = {m: v for m, v in values.items() if not np.isnan(v).all()}
        if not known:
            return []
        first = max(known, key=lambda method: float(np.nanmean(known[method])))
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
        for metric, methods in self.best().items():
            row = METRICS[metric]
            others = f", not told apart from {', '.join(methods[1:])}" if methods[1:] else ""
            best = methods[0] if methods else "none, as it is not defined for any"
            alone = f" Not alone: {row.not_alone}." if row.not_alone else ""
            yield f"{metric}, {row.better} is better: {best}{others}.{alone}"


def compare(
    model: Any,
    docs: Any,
    methods: Any,
    metrics: Any = None,
    masks: Any = None,
    targets: Any = None,
    *,
    seed: int = 0,
    **about: Any,
) -> Comparison:
    """Compare methods on the same docs and classes by several metrics.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        See `eli5.explain_predictions`; gone through several times.
    methods : list of str and callables, or a mapping
        Methods, or by a name of your own the options of one: ``{"fine": {"method": "Occlusion",
        "patch": 2}}``.
    metrics : list of str, optional
        Names from `eli5.metrics.METRICS`, in any case. SRG, single deletion, infidelity and
        complexity if not given, and energy inside where there are masks.
    masks : iterable, optional
        Per doc where the object is; see `eli5.metrics.energy_inside`.
    targets : iterable of int, optional
        Per doc the class; the top prediction of each if not given.
    seed : int, default 0
        Of the metrics, and of the intervals.
    **about
        What else `eli5.metrics.deletion` takes of docs and model, without ``score``.

    Returns
    -------
    Comparison
        With a ``table`` (mean, interval, passes, seconds), ``curves``, ``best()`` and ``plot()``.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, metric or option; see the metrics.
    """
    asked, rows = read_methods(methods), _read_metrics(metrics, masks)
    check_about(about)
    docs, masks = kept(docs), None if masks is None else kept(masks)
    results: dict[tuple[str, str], MetricResult] = {}
    seconds: dict[tuple[str, str], float] = {}
    targets = None if targets is None else listed(targets)
    for name, options in asked.items():
        own = {"targets": targets, **options, **about}
        explanations, seconds[name, ""] = _timed(functools.partial(_explain, model, docs, own))
        if targets is None:  # of all methods those of the first
            targets = [one.target for one in list_maps(explanations)]
        given = {"model": model, "docs": docs, "explanations": explanations, "masks": masks}
        for row in rows:
            measure = _measuring(row, given, targets, seed, options, about)
            results[name, row.name], seconds[name, row.name] = _timed(measure)
    return Comparison(results, seconds, seed)


def _explain(model: Any, docs: Any, options: Mapping[str, Any]) -> list[Any]:
    return list(explain_predictions(model, docs, **options))


def _measuring(
    row: Metric,
    given: Mapping[str, Any],
    targets: Any,
    seed: int,
    options: Mapping[str, Any],
    about: Mapping[str, Any],
) -> Callable[[], MetricResult]:
    """Return the call of a metric, with what it takes of all that is given."""
    function: Any = row.function
    own = {"targets": targets}
    if "seed" in function.__kwdefaults__:
        own["seed"] = seed
    if "model" in row.needs:
        own |= about
    if "explanations" not in row.needs:
        own = {**options, **own}
    return lambda: function(*(given[name] for name in row.needs), **own)


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return run(), time.perf_counter() - start


def kept(docs: Any) -> Any:
    """Return docs that can be gone through more than once."""
    return list(docs) if isinstance(docs, Iterator) else docs


def read_methods(methods: Any) -> dict[str, dict[str, Any]]:
    """Return, by name, the options of an explanation with each method; see `compare`."""
    if isinstance(methods, Mapping):
        asked = {str(name): dict(options) for name, options in methods.items()}
        for options in asked.values():
            find_method(options.get("method", "Grad-CAM"))
    else:
        items = listed(methods)
        if items is None:
            raise wrong_type("methods", methods, "a list of methods, or a mapping to their options")
        asked = {find_method(one).name: {"method": one} for one in items}
    if not asked:
        raise wrong_value("methods", methods, "to name at least one method")
    return asked


def _read_metrics(metrics: Any, masks: Any) -> list[Metric]:
    names = [*_DEFAULT, *([] if masks is None else ["Energy inside"])]
    if metrics is not None:
        names = listed(metrics) or []
    if not names:
        raise wrong_value("metrics", metrics, "to be a list of names from eli5.metrics.METRICS")
    known = {name.casefold(): row for name, row in METRICS.items()}
    rows = []
    for name in names:
        plain = str(name).casefold().replace("_", " ")
        if plain not in known:
            expect_choice("metrics", name, list(METRICS))
        rows.append(known[plain])
    missing = [row.name for row in rows if "masks" in row.needs and masks is None]
    if missing:
        raise ValueError(f"Expected `masks` for {', '.join(missing)}. Received: masks=None")
    return rows


def check_about(about: Mapping[str, Any]) -> None:
    """Raise TypeError if an option says nothing of docs or model."""
    known = [name for name in ABOUT if name != "score"]
    for name, value in about.items():
        if name not in known:
            raise TypeError(
                f"Expected one of {', '.join(known)}. Received: {name}={value!r}. "
                f"{did_you_mean(name, known) or 'Options of a method are given with it.'}"
            )


def interval(values: Array, seed: int = 0) -> tuple[float, float]:
    """Return the 95 % interval of a mean over docs, by resampling these; NaN of none."""
    defined = values[~np.isnan(values)]
    if not len(defined):
        return float("nan"), float("nan")
    picks = np.random.default_rng(seed).integers(0, len(defined), (_N_RESAMPLES, len(defined)))
    low, high = np.percentile(defined[picks].mean(axis=1), _ENDS)
    return float(low), float(high)


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

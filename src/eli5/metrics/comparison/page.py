"""A comparison as a page: who is best, the numbers and curves, the best and the worst docs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.formatters.html import section_data
from eli5.formatters.jinja import render
from eli5.metrics.comparison.curves import CurveSums
from eli5.metrics.result import Array
from eli5.metrics.table import METRICS

if TYPE_CHECKING:
    from eli5.metrics.comparison.result import Comparison, Row

Data = dict[str, Any]
"""The values of a template, by the names that stand there."""

_N_COLOURS = 7
_DASHES = ("", "6 3", "2 3", "8 3 2 3")  # where there are more methods than colours
_RANGE = (6, 154)  # from where to where the dots and ranges of a table lie
_LEFT, _RIGHT, _TOP, _BOTTOM = 44, 390, 12, 188  # of a chart
_Z = 1.96  # standard errors on each side of a mean, for 95 %


def format_page(comparison: Comparison) -> str:
    """Format a comparison as a complete HTML document that works from a file.

    Its Content-Security-Policy forbids any request, and any script but its own.
    """
    title = f"Methods compared on {comparison.model or 'a model'}"
    return render("comparison.html", title=title, links=(), **_data(comparison))


def format_fragment(comparison: Comparison) -> str:
    """Format a comparison as an HTML fragment for a notebook's cell."""
    return render("comparison_fragment.html", **_data(comparison))


def _data(comparison: Comparison) -> Data:
    methods = [
        {
            "number": k,
            "name": name,
            "colour": k % _N_COLOURS,
            "dash": _DASHES[k // _N_COLOURS % len(_DASHES)],
        }
        for k, name in enumerate(comparison.methods)
    ]
    rows = comparison.rows
    return {
        "lead": _lead(comparison),
        "methods": methods,
        "metrics": [_metric(comparison, name, methods, rows) for name in comparison.metrics],
        "failures": comparison.failures,
        "n_failed": sum(comparison.n_failed.values()),
        "words": _word_colours(comparison),
    }


def _lead(comparison: Comparison) -> str:
    n = max((len(one.values) for one in comparison.results.values()), default=0)
    counts = (("method", len(comparison.methods)), ("metric", len(comparison.metrics)), ("doc", n))
    told = ", ".join(f"{count} {noun}{'' if count == 1 else 's'}" for noun, count in counts)
    interval = (
        "Intervals are of the mean, 95 %, by resampling the docs"
        if n > 1
        else "One doc does not tell how much docs vary, so that there are no intervals"
    )
    return f"{told}, the same docs and classes for all. {interval}. Seed {comparison.seed}."


def _word_colours(comparison: Comparison) -> Any:
    """Return what makes the style sheet have the colours of words, where an example is a text."""
    return section_data([one.explanation for one in comparison.examples], {})["words"]


def _metric(comparison: Comparison, name: str, methods: list[Data], rows: Sequence[Row]) -> Data:
    metric, best = METRICS[name], comparison.best()[name]
    own = [row for row in rows if row.metric == name]
    ends = [v for r in own for v in (r.low, r.mean, r.high) if not math.isnan(v)]
    scale = (min(ends), max(ends)) if ends else (math.nan, math.nan)
    is_of_maps = any(row.explanations for row in own)
    result = comparison.results[own[0].method, name]
    told = {"Number: ": result.score, "baseline: ": result.baseline}
    told["changed: "] = result.perturbation
    return {
        "name": name,
        "better": metric.better,
        "arrow": "↑" if metric.better == "higher" else "↓",
        "unit": metric.unit,
        "paper": metric.paper,
        "not_alone": metric.not_alone,
        "about": "; ".join(f"{what}{value}" for what, value in told.items() if value),
        "scale": [_short(one) for one in scale],
        "counted": "Explanations" if is_of_maps else "Passes",
        "has_failed": any(row.failed for row in own),
        "rows": [_row(row, method, best, scale) for row, method in zip(own, methods, strict=True)],
        "charts": _charts(comparison, name, methods),
        "examples": _examples(comparison, name),
    }


def _row(row: Row, method: Data, best: list[str], scale: tuple[float, float]) -> Data:
    rank = "best" if row.method in best[:1] else "not told apart from the best"
    has_interval = not math.isnan(row.low)
    return {
        "method": method,
        "rank": rank if row.method in best else "",
        "mean": _short(row.mean),
        "interval": f"{_short(row.low)} to {_short(row.high)}" if has_interval else "–",
        "at": _on(row.mean, scale, _RANGE),
        "low": _on(row.low, scale, _RANGE),
        "high": _on(row.high, scale, _RANGE),
        "docs": row.docs,
        "failed": row.failed,
        "count": row.explanations or row.passes,
        "seconds": f"{row.seconds:.1f}",
    }


def _short(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3g}"


def _on(value: float, scale: tuple[float, float], ends: tuple[float, float]) -> float | None:
    """Return where a value lies between two ends of a picture; None if it is not defined."""
    if math.isnan(value):
        return None
    share = (value - scale[0]) / (scale[1] - scale[0]) if scale[1] > scale[0] else 0.5
    return round(ends[0] + share * (ends[1] - ends[0]), 1)


def _examples(comparison: Comparison, name: str) -> Any:
    """Return the best and the worst docs as a gallery."""
    from markupsafe import Markup

    order = {method: k for k, method in enumerate(comparison.methods)}
    chosen = sorted(
        (one for one in comparison.examples if one.metric == name),
        key=lambda one: (order.get(one.method, 0), not one.is_best),
    )
    if not chosen:
        return ""
    shown = []
    for one in chosen:
        what = "best" if one.is_best else "worst"
        head = f"{one.method}, {what}: {_short(one.value)} · {one.name}"
        shown.append(replace(one.explanation, source=head, method=None, description=None))
    return Markup(render("section.html", **section_data(shown, {})))


# ---- curves --------------------------------------------------------------------------------------


def _charts(comparison: Comparison, metric: str, methods: list[Data]) -> list[Data]:
    """Return a chart for each of a metric's curves, with a line per method."""
    sums = {
        method["name"]: comparison.mean_curves[method["name"], metric]
        for method in methods
        if (method["name"], metric) in comparison.mean_curves
    }
    names = dict.fromkeys(name for one in sums.values() for name in one.sums)
    return [_chart(name, methods, sums) for name in names]


def _chart(name: str, methods: list[Data], sums: dict[str, CurveSums]) -> Data:
    curves = {}
    for method, one in sums.items():
        mean = one.mean(name)
        half = _Z * one.spread(name) / np.sqrt(np.maximum(one.counts[name], 1))
        curves[method] = (one.x, mean, mean - half, mean + half)
    first = next(iter(sums.values()))
    x_scale = (float(first.x[0]), float(first.x[-1]))
    ticks = _ticks([value for _, mean, _, _ in curves.values() for value in mean])
    y_scale = (ticks[0], ticks[-1])
    lines = [
        _line(*curves[method["name"]], x_scale, y_scale) | {"method": method}
        for method in methods
        if method["name"] in curves
    ]
    return {
        "title": name[0].upper() + name[1:],
        "x_name": "stages" if first.labels else "share of the doc, %",
        "x_ticks": list(_x_ticks(first, x_scale)),
        "y_ticks": [(_on(one, y_scale, (_BOTTOM, _TOP)), f"{one:.3g}") for one in ticks],
        "lines": lines,
    }


def _line(
    x: Array,
    mean: Array,
    low: Array,
    high: Array,
    x_scale: tuple[float, float],
    y_scale: tuple[float, float],
) -> Data:
    def path(points: Iterator[tuple[float, float]]) -> str:
        places = (
            f"{_on(a, x_scale, (_LEFT, _RIGHT))} {_on(b, y_scale, (_BOTTOM, _TOP))}"
            for a, b in points
            if not math.isnan(b)
        )
        return "M" + "L".join(places)

    low, high = np.clip(low, *y_scale), np.clip(high, *y_scale)
    there, back = zip(x, high, strict=True), zip(x[::-1], low[::-1], strict=True)
    return {
        "path": path(zip(x, mean, strict=True)),
        "band": path(iter([*there, *back])) + "Z",
    }


def _x_ticks(sums: CurveSums, scale: tuple[float, float]) -> Iterator[tuple[float | None, str]]:
    if sums.labels:
        yield _LEFT, sums.labels[0] or "as it is"
        yield _RIGHT, sums.labels[-1].rpartition("/")[2]
        return
    for share in np.linspace(*scale, 5).tolist():
        yield _on(share, scale, (_LEFT, _RIGHT)), f"{100 * share:.3g}"


def _ticks(values: Sequence[float]) -> list[float]:
    """Return round numbers, evenly spaced, around all of these."""
    known = [one for one in values if not math.isnan(one)] or [0.0]
    low, high = min(known), max(known)
    spread = (high - low) or 1.0
    step = 10.0 ** math.floor(math.log10(spread / 3))
    step *= next((k for k in (1, 2, 5) if spread / (k * step) <= 5), 10)
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [k * step for k in range(first, max(last, first + 1) + 1)]

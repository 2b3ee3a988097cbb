"""The benchmark as a page: what it found as a table, and an example of each problem."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from PIL import Image

from eli5.formatters.jinja import render
from eli5.formatters.overlay.data_uri import data_uri
from eli5.ground_truth.agreement import NUMBERS
from eli5.ground_truth.problem import Array
from eli5.ground_truth.sets import SETS

if TYPE_CHECKING:
    from eli5.ground_truth.report import BenchmarkReport, Example

_FOR_AND_AGAINST = "coolwarm"  # as all that is signed is drawn in
_STRIP = 0.25  # height of a sequence by its length


def format_as_benchmark_page(report: BenchmarkReport) -> str:
    """Return a page of HTML that loads nothing and runs nothing."""
    return render(
        "benchmark.html",
        title="Attributions against known truth",
        origin=f"Sets drawn with seed {report.seed}, {report.n_docs} docs of each problem, on "
        f"{report.backend}. Of each problem the first doc is shown, the truth about it, and what "
        "each method makes of it, with its agreement over all docs.",
        numbers=NUMBERS,
        head=report.head,
        table=[report.cells(method) for method in report.methods],
        legend=data_uri(_coloured(np.linspace(-1, 1, 120)[None])),
        sets=[_set(report, name) for name in report.sets],
        remarks=list(report.remarks()),
    )


def _set(report: BenchmarkReport, name: str) -> dict[str, Any]:
    problems = [
        {"name": problem, "about": _sentence(example.about), "maps": _maps(report, name, problem)}
        for (of_set, problem), example in report.examples.items()
        if of_set == name
    ]
    return {"name": name, "about": _sentence(SETS[name].about), "problems": problems}


def _sentence(about: str) -> str:
    return f"{about[:1].upper()}{about[1:]}."


def _maps(report: BenchmarkReport, set_name: str, problem: str) -> Iterator[dict[str, Any]]:
    example = report.examples[set_name, problem]
    yield _figure("doc", data_uri(_doc_picture(example)), "", is_given=True)
    yield _figure("truth", data_uri(_coloured(example.truth)), "", is_given=True)
    for method in report.methods:
        row = report.row(set_name, problem, method)
        if row.reason:
            yield _figure(method, "", "not applicable")
        else:
            note = f"{row.agreement:+.2f}"
            yield _figure(method, data_uri(_coloured(example.maps[method])), note)


def _figure(name: str, source: str, note: str, *, is_given: bool = False) -> dict[str, Any]:
    alt = f"The {name}" if is_given else f"The map of {name}"
    return {"name": name, "src": source, "alt": alt, "note": note, "is_given": is_given}


def _coloured(values: Array) -> Image.Image:
    """Return a map in colours, of a sequence as a strip; 0 is in the middle of the colours."""
    rows = _as_rows(values.astype("float64"))
    peak = np.abs(rows).max()
    colours = colormaps[_FOR_AND_AGAINST](rows / (2 * peak or 1) + 0.5, bytes=True)
    return Image.fromarray(colours[..., :3])


def _doc_picture(example: Example) -> Image.Image:
    """Return a picture as it is, and of a sequence its numbers in grey, a row per channel."""
    values = example.doc.astype("float64")
    if values.ndim == example.truth.ndim:  # ids, which have no channels
        values = values[..., None]
    low, spread = values.min(), np.ptp(values)
    grey = np.round(255 * (values - low) / (spread or 1)).astype("uint8")
    if example.truth.ndim == 1:
        return Image.fromarray(_as_rows(grey.T))
    return Image.fromarray(grey if grey.shape[-1] == 3 else grey[..., 0])


def _as_rows(values: Array) -> Array:
    """Return something to look at of what has no height: rows of a strip."""
    rows = np.atleast_2d(values)
    if values.ndim > 1 and len(rows) > 2:
        return rows
    height = max(1, round(_STRIP * rows.shape[1] / len(rows)))
    return rows.repeat(height, axis=0)

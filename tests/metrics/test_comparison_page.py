"""The page of a comparison: what it shows, and that a name can do nothing to it."""

from __future__ import annotations

import json
import math
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans
from eli5.metrics import METRICS, Comparison, MetricResult
from eli5.metrics.comparison.curves import sum_curves
from eli5.metrics.comparison.examples import Example
from eli5.metrics.comparison.page import _ticks, format_page
from eli5.metrics.comparison.part import Failure
from helpers.strict_html import Page

Array = np.ndarray[Any, Any]
HOSTILE = '<script>alert("x")</script>]]> & {{ 7 * 7 }}'
SHARES = np.linspace(0, 1, 33)


def result(metric: str, values: list[float], **more: Any) -> MetricResult:
    row = METRICS[metric]
    return MetricResult(metric, np.array(values), row.better, row.unit, **more)


def explained(name: str = "net") -> Explanation:
    target = TargetExplanation(3, proba=0.5, score=0.5, heatmap=np.eye(4, dtype="float32"))
    return Explanation(name, method="Grad-CAM", targets=[target], image=Image.new("RGB", (40, 30)))


def comparison(name: str = "fine") -> Comparison:
    falling = [{"share": SHARES, "score": 1 - SHARES**k} for k in (1, 2, 3)]
    results = {
        (name, "Deletion"): result(
            "Deletion", [0.1, 0.2, 0.15], curves=falling, passes=96, baseline="mean"
        ),
        ("other", "Deletion"): result("Deletion", [0.5, 0.6, math.nan], curves=falling, passes=96),
        (name, "Random logit"): result("Random logit", [0.5, 0.5, 0.5], explanations=6),
        ("other", "Random logit"): result("Random logit", [0.5, 0.5, 0.5], explanations=6),
    }
    sums = {key: sum_curves(one) for key, one in results.items()}
    examples = [
        Example(name, "Deletion", 0, f"{name}.jpg", 0.1, True, explained()),
        Example(name, "Deletion", 1, "second.jpg", 0.2, False, explained()),
    ]
    failure = Failure(2, name, "other", "Deletion", name)
    return Comparison(
        results,
        seed=3,
        mean_curves={key: one for key, one in sums.items() if one is not None},
        examples=examples,
        failures=[failure],
        n_failed={("other", "Deletion"): 1},
        model=name,
    )


def test_it_is_a_complete_document_that_asks_for_nothing() -> None:
    html = format_page(comparison())
    page = Page(html)
    assert page.is_harmless()
    assert html.startswith("<!doctype html>")
    assert len(page.scripts) == 1
    for said in (
        "Methods compared on fine",
        "2 methods, 2 metrics, 3 docs",
        "Seed 3.",
        "lower is better · area under the curve · arXiv:1806.07421",
        "Not alone: what is left out takes the model where it was never trained",
        "baseline: mean",
        "fine, best: 0.1 · fine.jpg",
        "fine, worst: 0.2 · second.jpg",
        "1 number could not be had",
    ):
        assert said in page.text


def test_numbers_and_who_is_best() -> None:
    html = format_page(comparison())
    means = html.partition("<tbody>")[2].partition("</tbody>")[0]
    cells = re.findall(r"<td( class=\"eli5-best\")?>(.*?)</td>", means, flags=re.DOTALL)
    # Of each method: deletion, then random logit, which tells none of them apart.
    assert [bool(best) for best, _ in cells] == [True, True, False, True]
    assert [re.sub(r"<.*?>|\s", "", cell) for _, cell in cells] == ["●0.15", "●0.5", "0.55", "○0.5"]
    assert 'title="not told apart from the best"' in means


def test_curves_lie_where_their_numbers_do() -> None:
    made = comparison()
    html = format_page(made)
    paths = re.findall(r'<path d="M([^"]*)"(?: stroke-dasharray="[^"]*")?/></g>', html)
    assert len(paths) == 2  # of two methods
    points = np.array([list(map(float, one.split())) for one in paths[0].split("L")])
    mean = made.mean_curves["fine", "Deletion"].mean("score")
    np.testing.assert_allclose(points[:, 0], np.linspace(44, 390, 33), atol=0.1)
    np.testing.assert_allclose(points[:, 1], 188 - mean * (188 - 12), atol=0.1)


@pytest.mark.parametrize(
    ("values", "ticks"),
    [
        ([0.0, 1.0], [0, 0.2, 0.4, 0.6, 0.8, 1]),
        ([-0.3, 0.25], [-0.4, -0.2, 0, 0.2, 0.4]),
        ([math.nan], [0, 0.2, 0.4, 0.6, 0.8, 1][:2]),
    ],
)
def test_ticks_are_round(values: list[float], ticks: list[float]) -> None:
    found = _ticks(values)
    assert found[0] <= min(0, *values) or math.isnan(values[0])
    assert found[: len(ticks)] == pytest.approx(ticks)


def test_names_do_nothing() -> None:
    html = format_page(comparison(HOSTILE))
    page = Page(html)
    assert page.is_harmless()
    assert len(page.scripts) == 1
    assert "<script>alert" not in html
    assert "49" not in re.sub(r"<[^>]*>", "", html.partition("<body>")[2])


def test_a_notebook_shows_it() -> None:
    made = comparison()
    bundle = made._repr_mimebundle_()
    assert bundle.keys() == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(made)
    page = Page(bundle["text/html"])
    assert page.is_harmless()
    assert "<html" not in bundle["text/html"]
    assert made._repr_mimebundle_(include=["text/plain"]).keys() == {"text/plain"}
    assert made._repr_mimebundle_(exclude=["text/plain"]).keys() == {"text/html"}


def test_texts_have_their_words_coloured() -> None:
    spans = [("good", [(0, 4)], 1.0), ("film", [(5, 9)], -0.5)]
    text = DocWeightedSpans("good film", spans=spans)
    target = TargetExplanation(1, heatmap=np.ones(2), weighted_spans=WeightedSpans([text]))
    made = comparison()
    shown = Explanation("net", method="RISE", targets=[target])
    made.examples = [Example("fine", "Deletion", 0, "text 1", 0.1, True, shown)]
    html = format_page(made)
    assert "--eli5-for:" in html
    assert re.search(r'<b style="--w:1" title="[^"]*">good</b>', html)


def test_one_doc_has_no_interval() -> None:
    made = Comparison({("a", "SRG"): result("SRG", [0.25])})
    page = Page(format_page(made))
    assert "1 method, 1 metric, 1 doc" in page.text
    assert "there are no intervals" in page.text
    assert json.dumps("0.25") not in page.text

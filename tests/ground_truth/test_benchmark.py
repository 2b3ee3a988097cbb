"""The benchmark as callers use it: what it takes, what it says, and what it writes."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.ground_truth.agreement import NUMBERS
from eli5.ground_truth.benchmark import edges, noise
from eli5.ground_truth.report import BenchmarkReport, Row
from eli5.ground_truth.sets import SETS

Array = np.ndarray[Any, Any]

METHODS = ["Grad-CAM", "CAM", "Saliency", "Integrated Gradients"]
QUICK: dict[str, Any] = {"methods": ["Grad-CAM"], "sets": ["watermark"], "n_docs": 1}


@pytest.fixture(scope="module")
def report() -> BenchmarkReport:
    return eli5.benchmark(METHODS, ["hand-set", "watermark", "sequences"], n_docs=4)


class Balanced(HTMLParser):
    """Raises AssertionError where an element is closed that was not the last to be opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def own_formula(activations: Any, gradients: Any) -> Any:
    return keras.ops.sum(gradients * activations, axis=-1)


def own_map(model: keras.Model, doc: Array, target: int) -> Array:
    return doc[0].sum(axis=-1)


def test_each_method_has_a_row_for_each_problem(report: BenchmarkReport) -> None:
    assert report.methods == ["noise", "edges", *METHODS]
    assert report.sets == ["hand-set", "watermark", "sequences"]
    problems = {(row.set, row.problem) for row in report.rows}
    assert problems == set(report.examples)
    assert len(report.rows) == len(problems) * len(report.methods)
    assert {row.maps for row in report.rows if not row.reason} == {4, 20}  # 5 shares


def test_what_is_exact_is_found(report: BenchmarkReport) -> None:
    row = report.row("hand-set", "sum", "Integrated Gradients")
    assert row.agreement == pytest.approx(1, abs=1e-4)
    assert row.low == pytest.approx(1, abs=1e-4)
    assert (row.inside, row.rank_accuracy) == pytest.approx((1, 1))
    assert report.mean("Integrated Gradients", "watermark", "share error") < 0.01
    assert report.mean("Grad-CAM", "hand-set") < 0.9 < report.mean("Integrated Gradients")
    assert abs(report.mean("noise")) < 0.15


def test_what_is_not_applicable_is_said_and_not_counted(report: BenchmarkReport) -> None:
    row = report.row("hand-set", "product", "CAM")
    assert row.reason.startswith("Expected a model whose target layer is followed by global")
    assert (row.agreement, row.maps) == (None, 0)
    found = [one.agreement for one in report.rows if one.method == "CAM" and one.set == "hand-set"]
    known = [one for one in found if one is not None]
    assert len(known) == 2 < len(found)
    assert report.mean("CAM", "hand-set") == pytest.approx(np.mean(known))
    assert "CAM is not applicable to product, or, not, places: Expected a model" in repr(report)


def test_text_tells_each_method_in_a_line(report: BenchmarkReport) -> None:
    lines = repr(report).splitlines()
    assert lines[1].split() == ["method", *report.sets, "impossible", "seconds"]
    cells = {line.partition("  ")[0]: line for line in lines[2:]}
    assert cells["CAM"].split()[1].endswith("*")
    assert cells["Integrated Gradients"].split()[2] == "+1.00"


def test_the_table_has_the_rows(report: BenchmarkReport) -> None:
    table = report.table
    assert list(table.columns) == [name for name in Row._fields if name != "values"]
    assert len(table) == len(report.rows)
    with pytest.raises(KeyError, match="no such"):
        report.row("hand-set", "sum", "no such")


def test_a_method_that_was_not_measured_is_not_as_good_as_another(report: BenchmarkReport) -> None:
    with pytest.raises(ValueError, match=r"Expected `method` to be one of .*method='Grad-CAN'"):
        report.worse("Grad-CAN", than="CAM")
    with pytest.raises(ValueError, match=r"Expected `than` to be one of .*than='CAN'"):
        report.worse("CAM", than="CAN")


def test_json_has_all_that_was_measured(report: BenchmarkReport, tmp_path: Path) -> None:
    report.save(tmp_path / "report.json")
    document = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    assert document["numbers"].keys() == NUMBERS.keys()
    assert (document["seed"], document["n_docs"]) == (0, 4)
    row = next(one for one in document["rows"] if one["method"] == "Grad-CAM")
    assert np.mean(row["values"]["agreement"]) == pytest.approx(row["agreement"])
    assert row["values"]["share error"] == [None] * 4


def test_the_page_shows_truth_and_maps_and_runs_nothing(
    report: BenchmarkReport, tmp_path: Path
) -> None:
    report.save(tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    Balanced().feed(page)
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'; base-uri 'none'" in page
    assert "<script" not in page
    n_missing = sum(bool(row.reason) for row in report.rows)
    n_pictures = len(report.rows) - n_missing + 2 * len(report.examples) + 1
    assert page.count('src="data:image/png') == n_pictures
    assert page.count("not applicable</span>") == n_missing


def test_a_page_or_a_document_and_nothing_else(report: BenchmarkReport, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected `path` to end in \.html or \.json"):
        report.save(tmp_path / "report.csv")


def test_methods_of_a_caller_are_measured_like_others() -> None:
    methods = {
        "mine": {"method": own_formula},
        "HiResCAM": {"method": "HiResCAM"},
        "brightness": {"method": own_map, "claim": "size"},
    }
    report = eli5.benchmark(methods, ["hand-set"], n_docs=2)
    for row in report.rows:
        if row.method == "mine":
            same = report.row(row.set, row.problem, "HiResCAM")
            assert row.agreement == pytest.approx(same.agreement)
    brightness = report.row("hand-set", "sum", "brightness").agreement
    assert brightness is not None
    assert 0.5 < brightness < 0.9  # it cannot tell the colour that is not seen
    assert report.worse("brightness", "HiResCAM")
    assert not report.worse("mine", "HiResCAM")


def test_a_caller_may_take_the_names_of_the_controls() -> None:
    report = eli5.benchmark({"edges": {"method": own_map}}, ["watermark"], n_docs=2)
    assert report.methods == ["noise", "edges"]
    assert len(report.rows) == 2


def test_callables_in_a_list_have_their_own_names() -> None:
    report = eli5.benchmark([own_map, own_formula], ["watermark"], n_docs=2)
    assert report.methods[2:] == ["own_map", "own_formula"]


def test_a_map_of_zeros_is_told() -> None:
    def nothing(model: keras.Model, doc: Array, target: int) -> Array:
        return np.zeros(doc.shape[1:3])

    report = eli5.benchmark([nothing], ["watermark"], n_docs=2)
    assert report.rows[-1].blank == 10
    assert "nothing is blank for 10 of 10 docs of watermark" in repr(report)
    assert report.mean("nothing") == 0


def test_seeds_of_noise_are_those_of_the_docs() -> None:
    docs = np.random.default_rng(0).random((2, 4, 5, 1)).astype("float32")
    one, again, other = (noise(None, docs[k : k + 1], 0) for k in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != other).all()


def test_edges_are_where_a_doc_changes() -> None:
    doc = np.zeros((1, 6, 8, 1), "float32")
    doc[:, :, 4:] = 1
    found = edges(None, doc, 0)
    assert (found[:, 3:5] > 0).all()
    assert not found[:, :3].any()
    np.testing.assert_array_equal(edges(None, np.array([[1, 1, 4, 4]]), 0), [0, 1.5, 1.5, 0])


def broken(model: keras.Model, doc: Array, target: int) -> Array:
    raise ValueError("a mistake of the caller's")


def too_small(model: keras.Model, doc: Array, target: int) -> Array:
    return np.zeros((2, 2))


def of_nan(model: keras.Model, doc: Array, target: int) -> Array:
    return np.full((12, 12), np.nan)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"methods": [of_nan]}, ValueError, "Expected maps that are finite. Received: one of 'of_"),
        ({"methods": "Grad-CAM"}, TypeError, "Expected `methods` to be a list of methods, or a"),
        ({"methods": ["Grad-KAM"]}, ValueError, "Did you mean method='Grad-CAM'"),
        ({"methods": []}, TypeError, "Expected `methods` to be a list of methods"),
        ({"methods": {"x": {"claim": "both"}}}, ValueError, "Expected `claim` to be one of"),
        (
            {"methods": {"x": {"method": own_map, "patch": 3}}},
            TypeError,
            r"Expected no options of a function \(model, doc, target\). Received: patch",
        ),
        ({"methods": [broken]}, ValueError, "a mistake of the caller's"),
        (
            {"methods": [too_small]},
            ValueError,
            r"Expected maps of the doc's size, \(12, 12\). Received: one of 'too_small' of shape",
        ),
        ({"methods": {"a": None}}, TypeError, r"Expected `methods\['a'\]` to be a mapping"),
        ({"sets": []}, TypeError, "Expected `sets` to be a list of names, of hand-set, tasks"),
        ({"sets": ["water"]}, ValueError, "Expected `sets` to be one of"),
        ({"n_docs": 0}, ValueError, "Expected `n_docs` >= 1"),
        ({"seed": -1}, ValueError, "Expected `seed` >= 0"),
    ],
)
def test_what_cannot_be_is_refused(
    given: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.benchmark(**{**QUICK, **given})


def test_an_option_that_there_is_not_is_refused() -> None:
    with pytest.raises(TypeError, match="Expected an option of the method"):
        eli5.benchmark({"x": {"method": "Grad-CAM", "n_maks": 3}}, ["watermark"], n_docs=1)


def test_sets_are_described() -> None:
    assert list(SETS) == ["hand-set", "tasks", "grid", "watermark", "sequences"]
    assert all(one.about for one in SETS.values())

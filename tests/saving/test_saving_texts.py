"""Texts and series come back from files, and files of the first schema still do."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import DocWeightedSpans, Explanation, Series, TargetExplanation, WeightedSpans
from helpers.explanations import full_explanation
from helpers.saved_files import document_of, refused, write_document
from helpers.texts import of_texts, review, weighted


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


def through(expl: Explanation, path: Path) -> Explanation:
    expl.save(path)
    return eli5.load(path)


def test_a_text_comes_back(path: Path) -> None:
    expl = review()
    loaded = through(expl, path)
    assert loaded == expl
    text = loaded.targets[0].weighted_spans.docs_weighted_spans[0]
    assert type(text) is DocWeightedSpans
    assert text.spans[1] == ("This", [(0, 4)], 0.0)
    kinds: list[type] = [type(text.spans[1]), type(text.spans[1][1][0])]
    assert kinds == [tuple, tuple]
    text.spans[1] = ("This", [(0, 4)], 0.5)
    assert loaded != expl


def test_odd_texts_come_back(path: Path) -> None:
    spans: list[Any] = [
        ("\ud83d", [(0, 1), (2, 3)], float("nan")),
        ("$", [], np.float32(0.1)),
        ("", [(np.int64(3), 1)], float("-inf")),
    ]
    text = DocWeightedSpans("\ud83d <b>", spans, True, False, "a\x00")
    expl = of_texts(text)
    expl.targets.append(TargetExplanation(1, weighted_spans=WeightedSpans([], {"a": (1, text)})))
    assert through(expl, path) == expl


@pytest.mark.parametrize(
    "series",
    [
        Series(np.arange(6.0).reshape(3, 2)),
        Series(np.ones((2, 1), np.float32), np.array([0.5, np.inf]), ["a\ud800"]),
        Series(np.ones((3, 1)), np.datetime64("2026-03-01") + np.arange(3)),
        Series(np.ones((3, 1)), np.datetime64("2026-03-01T12:00:00.123456789") + np.arange(3)),
        Series(np.ones((2, 1)), np.array(["1969-12-31T23", "NaT"], "M8[25m]")),
        Series(np.ones((2, 1)), np.array([-(2**63) + 1, 2**63 - 1]).astype(">M8[Y]")),
    ],
)
def test_a_series_comes_back(path: Path, series: Series) -> None:
    expl = Explanation("net", series=series, targets=[TargetExplanation(0, heatmap=np.ones(3))])
    loaded = through(expl, path)
    assert loaded == expl
    assert loaded.series.values.dtype == series.values.dtype
    if series.time is not None:
        assert loaded.series.time.dtype.name == series.time.dtype.name
    loaded.series.values[0, 0] = 7
    assert loaded != expl


def test_numpy_reads_a_series(tmp_path: Path) -> None:
    series = Series(np.arange(6.0).reshape(3, 2), np.arange(3))
    Explanation("net", series=series).save(tmp_path / "saved.npz")
    with np.load(tmp_path / "saved.npz") as file:
        np.testing.assert_array_equal(file["series.values"], series.values)
        np.testing.assert_array_equal(file["series.time"], series.time)


def test_others_read_dates(path: Path) -> None:
    days = np.datetime64("1970-01-03") - np.arange(3)
    expl = Explanation("net", series=Series(np.ones((3, 1)), days))
    time = document_of(expl, path)["series"]["time"]
    assert time["$"] == "dates"
    assert time["unit"] == "D"
    if path.suffix == ".json":
        assert time["since_1970"]["values"] == [2, 1, 0]
        return
    with np.load(path, allow_pickle=False) as file:
        np.testing.assert_array_equal(file["series.time"].astype("datetime64[D]"), days)


def test_others_read_the_spans(path: Path) -> None:
    expl = of_texts(weighted("a good one", {"good": 0.5}))
    (text,) = document_of(expl, path)["targets"][0]["weighted_spans"]["docs_weighted_spans"]
    assert text == {
        "$": "doc_weighted_spans",
        "document": "a good one",
        "spans": [["a", [[0, 1]], 0.0], ["good", [[2, 6]], 0.5], ["one", [[7, 10]], 0.0]],
    }
    plain = eli5.format_as_dict(expl)["targets"][0]["weighted_spans"]["docs_weighted_spans"][0]
    assert plain == {name: value for name, value in text.items() if name != "$"}
    json.dumps(plain, allow_nan=False)


@pytest.mark.parametrize(
    "spans",
    [
        (),
        None,
        [("a", [], 1.0), ["a", [(0, 1)], 1.0]],
        [("a", [(0, 1)])],
        [("a", ((0, 1),), 1.0)],
        [("a", [(0, 1, 2)], 1.0)],
        [("a", [[0, 1]], 1.0)],
    ],
)
def test_spans_of_another_shape_are_refused(path: Path, spans: Any) -> None:
    expl = of_texts(weighted("a", {"a": 1.0}))
    expl.targets[0].weighted_spans.docs_weighted_spans[0].spans = spans
    name = "targets[0].weighted_spans.docs_weighted_spans[0].spans"
    received = re.escape(f"{name}={spans!r} (of type {type(spans).__name__})")
    expected = rf"`(expl\.)?{re.escape(name)}` to be a list of tuples \(token.*Received: (expl\.)?"
    with pytest.raises(TypeError, match=expected + received):
        expl.save(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"spans": [["a", [[0]], 1.0]]}, "not enough values|ValueError"),
        ({"spans": [["a", [[0, 1]]]]}, "not enough values|ValueError"),
        ({"spans": {"a": 1}}, ".+"),
        ({"text": "a"}, "TypeError: DocWeightedSpans.* unexpected .* 'text'"),
    ],
)
def test_a_file_with_other_spans_is_refused(path: Path, change: Any, reason: str) -> None:
    document = document_of(review(), path)
    document["targets"][0]["weighted_spans"]["docs_weighted_spans"][0] |= change
    write_document(document, path)
    refused(path, reason)


def test_a_file_of_the_first_schema_is_read(path: Path) -> None:
    """Later versions only added kinds of values: a picture's file differs in the number alone."""
    document = document_of(full_explanation(), path)
    assert document["version"] == 5
    write_document(document | {"version": 1}, path)
    assert eli5.load(path) == full_explanation()


OLD = """{"version": 1, "saved_with": {"eli5": "0.1.0"}, "estimator": "net", "is_regression": false,
"method": "Grad-CAM", "targets": [{"$": "target", "target": 3, "score": 0.5,
"heatmap": {"$": "array", "dtype": "float32", "shape": [1, 2], "values": [[0.0, 1.0]]},
"details": {"a": {"$": "float", "value": "nan"}}, "weighted_spans": {"$": "tuple", "items": [1]}}]}
"""


def test_a_file_that_the_first_version_wrote_is_read(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(OLD, encoding="utf-8")
    heatmap = np.array([[0, 1]], np.float32)
    target = TargetExplanation(
        3, score=0.5, heatmap=heatmap, details={"a": np.nan}, weighted_spans=(1,)
    )
    expected = Explanation("net", method="Grad-CAM", targets=[target])
    assert eli5.load(tmp_path / "old.json") == expected


def test_a_picture_file_of_a_text_is_refused(tmp_path: Path) -> None:
    for ending in (".png", ".jpg", ".webp"):
        with pytest.raises(TypeError, match=r"one of a text, .* Use format_as_html, or save it as"):
            review().save(tmp_path / f"saved{ending}")
    assert list(tmp_path.iterdir()) == []
    review().save(tmp_path / "saved.html")
    assert "great" in (tmp_path / "saved.html").read_text(encoding="utf-8")

"""Files that are broken, or hold something else, are refused and do no harm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import eli5
from eli5.base import Explanation, Series
from eli5.saving.document import DECODERS
from helpers.explanations import full_explanation
from helpers.saved_files import document_of, refused, write_document


@pytest.fixture(params=[".json", ".npz"])
def path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return tmp_path / f"saved{request.param}"


def test_a_file_that_is_cut_off_is_refused(path: Path) -> None:
    full_explanation().save(path)
    content = path.read_bytes()
    for length in range(0, len(content), 37):
        path.write_bytes(content[:length])
        refused(path, ".+")


def test_a_damaged_file_is_refused_or_gives_an_explanation(path: Path) -> None:
    full_explanation().save(path)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    for _ in range(300):
        damaged = bytearray(content)
        for place in rng.integers(0, len(content), rng.integers(1, 4)):
            damaged[place] = rng.integers(0, 256)
        path.write_bytes(damaged)
        try:
            assert isinstance(eli5.load(path), Explanation)
        except ValueError as error:
            assert str(error).startswith("Expected a file as eli5.save writes")  # noqa: PT017


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "$",
                    "items",
                    "value",
                    "values",
                    "dtype",
                    "shape",
                    "member",
                    "png",
                    "unit",
                    "since_1970",
                ]
            ),
            inner | st.sampled_from([*DECODERS, "array", "image"]),
        )
    ),
    max_leaves=6,
)


def places(value: Any) -> list[tuple[Any, Any]]:
    """List where something stands in a document: a container, and an index or key in it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    found = [(value, key) for key, _ in pairs]
    inner = value.values() if isinstance(value, dict) else value
    return found + [place for one in inner if isinstance(one, dict | list) for place in places(one)]


@settings(deadline=None)
@given(st.data(), st.sampled_from([".json", ".npz"]))
def test_a_document_with_anything_in_it_is_refused_or_gives_an_explanation(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"odd{ending}"
    document = document_of(full_explanation(), path)
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = data.draw(ODD)
    write_document(document, path)
    try:
        assert isinstance(eli5.load(path), Explanation)
    except ValueError as error:
        assert str(error).startswith("Expected a file as eli5.save writes")  # noqa: PT017


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"version": 6},
            r"it is of version 6 of the schema, saved with .*'eli5': '0\.1\.0'.*Install a new",
        ),
        ({"version": 6, "saved_with": []}, r"it is of version 6 .*, saved with \[\]; "),
        ({"version": 6, "layer": {"$": "new"}}, "it is of version 6 of the schema"),
        ({"version": "1"}, "it is of version '1' of the schema"),
        ({"version": None}, "it is of version None of the schema"),
        ({"heatmaps": []}, "TypeError: Explanation.* unexpected keyword argument 'heatmaps'"),
        ({"targets": [{"$": "target"}]}, "TypeError: TargetExplanation.* missing .* 'target'"),
        ({"targets": {"$": "pickle"}}, "KeyError: 'pickle'"),
        (
            {"image": {"$": "image", "mode": "XYZ", "width": 1, "height": 1}},
            "unrecognized image mode",
        ),
        ({"layer": {"$": "bytes", "base64": "YW!Jj"}}, "Error: "),
        ({"layer": {"$": "float", "value": "1e"}}, "could not convert string to float: '1e'"),
    ],
)
def test_a_document_of_another_kind_is_refused(path: Path, change: Any, reason: str) -> None:
    document = document_of(full_explanation(), path) | change
    write_document(document, path)
    refused(path, rf".*{reason}")


def test_a_document_without_an_estimator_is_refused(path: Path) -> None:
    document = document_of(full_explanation(), path)
    del document["estimator"]
    write_document(document, path)
    refused(path, "TypeError: Explanation.* missing .* 'estimator'")


@pytest.mark.parametrize("name", ["transparency", "icc_profile"])
def test_odd_metadata_of_a_picture_is_left_out(path: Path, name: str) -> None:
    document = document_of(full_explanation(), path)
    document["image"][name] = {"a": 1}
    write_document(document, path)
    assert eli5.load(path) == full_explanation()


def dated() -> Explanation:
    return Explanation("net", series=Series(np.ones((2, 1)), np.array([1, 2], "M8[D]")))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"unit": "D]\n"}, "its dates are numbers of int64 in units of 'D]"),
        ({"unit": "generic"}, "its dates are numbers of int64 in units of 'generic'"),
        ({"unit": "0s"}, "its dates are numbers of int64 in units of '0s'"),
        ({"unit": "٣s"}, "its dates are numbers of int64"),
        ({"unit": 1}, "TypeError: "),
        ({"unit": None}, "TypeError: "),
        ({"since_1970": ["now"]}, "AttributeError: "),
        ({"since_1970": {"$": "pickle"}}, "KeyError: "),
    ],
)
def test_odd_dates_are_refused(path: Path, change: Any, reason: str) -> None:
    document = document_of(dated(), path)
    document["series"]["time"] |= change
    write_document(document, path)
    refused(path, rf"(?s:.*){reason}")


def test_dates_of_other_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = document_of(dated(), path)
    document["series"]["time"]["since_1970"]["dtype"] = "float64"
    write_document(document, path)
    refused(path, "its dates are numbers of float64 in units of 'D'")


@settings(deadline=None)
@given(st.data(), st.sampled_from([".json", ".npz"]))
def test_dates_with_anything_in_them_are_refused_or_give_an_explanation(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ending: str
) -> None:
    path = tmp_path_factory.getbasetemp() / f"odd_dates{ending}"
    document = document_of(dated(), path)
    container, key = data.draw(st.sampled_from(places(document["series"])))
    container[key] = data.draw(ODD)
    write_document(document, path)
    try:
        assert isinstance(eli5.load(path), Explanation)
    except ValueError as error:
        assert str(error).startswith("Expected a file as eli5.save writes")  # noqa: PT017


@pytest.mark.parametrize("text", ["", "[]", "1", "{}", "[" * 100_000, '{"version": 1}', "NaN"])
def test_json_of_something_else_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(text, encoding="utf-8")
    refused(path, ".+")


def test_numbers_that_their_dtype_does_not_have_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    document = document_of(full_explanation(), path)
    document["targets"][0]["heatmap"]["values"][0][0] = 1e170
    write_document(document, path)
    refused(path, "FloatingPointError: overflow")


def test_a_picture_of_another_size_is_refused(path: Path) -> None:
    document = document_of(full_explanation(), path)
    document["image"]["width"] += 1
    write_document(document, path)
    reason = r"its PNG has the size \(7, 5\)" if path.suffix == ".json" else "not enough image data"
    refused(path, reason)

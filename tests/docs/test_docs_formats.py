"""docs/formats.md tells the truth: its examples run, and its tables have every key there is."""

from __future__ import annotations

import json
import re
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.base import DocWeightedSpans, Explanation, Series, WeightedSpans
from eli5.formatters.as_dict import SCHEMA_VERSION
from eli5.formatters.picture_file import PICTURE_FORMATS
from eli5.placement import stretch
from eli5.saving import document, explanation_file
from eli5.targets import Pixel
from helpers.explanations import full_explanation, noise

PAGE = (Path(__file__).parents[2] / "docs" / "formats.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)

TYPES: dict[str, Any] = {
    "integer": int,
    "integer or string": int | str,
    "number": float,
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "any": object,
}


def table(name: str) -> list[tuple[str, str, str]]:
    """Read a table of the page: key, type and meaning of each row."""
    text = PAGE.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]
    rows = re.findall(r"^\| `(.+?)` \| (.+?) \| (.+) \|$", text, flags=re.MULTILINE)
    assert len(rows) == text.count("\n| ") - 2
    return rows


# The keys below which the page lists keys, and items of arrays.
OPEN = ["", "saved_with", "targets", "targets[]", "image", "series", "weighted_spans"]
OPEN += ["docs_weighted_spans", "docs_weighted_spans[]", "placement"]


def keys(ending: str | None) -> dict[str, str]:
    """Return the keys that the page promises for a file, or the dict, and their types."""
    others = {None: ("only in",), ".json": ("only in `.npz`",), ".npz": ("only in `.json`",)}
    return {key: kind for key, kind, text in table("keys") if not text.startswith(others[ending])}


def rich() -> Explanation:
    """Return an explanation in which no field is None."""
    expl = full_explanation()
    expl.image = noise("P")
    expl.image.info = {"transparency": 3, "icc_profile": b"profile"}
    for name in ("feature_importances", "decision_tree", "highlight_spaces", "transition_features"):
        setattr(expl, name, 1)
    expl.source = "a.png"
    expl.series = Series(np.zeros((3, 2)), np.arange(3.0), ["x", "y"])
    for target in expl.targets:
        target.feature_weights = 1
        target.explained, target.explained_name = 1.5, "log-odds"
        text = DocWeightedSpans("a b", [("a", [(0, 1)], 0.5)], False, False, "title")
        target.weighted_spans = WeightedSpans([text], 1)
        target.placement = stretch((2, 2), (4, 4))
        target.region = Pixel(1, 2, 3)
    expl.targets[0].target = "contrast"
    return expl


def saved_document(ending: str | None, folder: Path) -> Any:
    if ending is None:
        return eli5.format_as_dict(rich())
    path = folder / f"saved{ending}"
    rich().save(path)
    if ending == ".json":
        return json.loads(path.read_bytes())
    return json.loads(zipfile.ZipFile(path).read("explanation.json"))


def flat(name: str, value: Any) -> dict[str, list[Any]]:
    """List what stands under each key of a document, but for the inside of values."""
    found = {name: [value]}
    is_open = name.rpartition(".")[2] in OPEN
    if is_open and isinstance(value, dict):
        inner = [(f"{name}.{key}".lstrip("."), one) for key, one in value.items() if key != "$"]
    else:
        inner = [(f"{name}[]", one) for one in value] if is_open else []
    for key, one in inner:
        for path, values_there in flat(key, one).items():
            found.setdefault(path, []).extend(values_there)
    return found


@pytest.mark.parametrize("ending", [None, ".json", ".npz"])
def test_the_keys_are_those_of_the_table(ending: str | None, tmp_path: Path) -> None:
    found = flat("", saved_document(ending, tmp_path))
    for name in ("", "targets[]", "targets[].weighted_spans.docs_weighted_spans[]"):
        del found[name]
    assert found.keys() == keys(ending).keys()
    for key, kind in keys(ending).items():
        for value in found[key]:
            if kind in ("map", "map or dates"):
                assert isinstance(value, list) if ending is None else value["$"] == "array"
            else:
                assert isinstance(value, TYPES[kind]), key


def test_the_version_is_that_of_the_page() -> None:
    assert f"## The schema: version {SCHEMA_VERSION}\n" in PAGE


def test_the_kinds_of_values_are_those_of_the_table() -> None:
    assert {kind for kind, _, _ in table("kinds")} == {*document.DECODERS, "array", "image"}


def test_the_dtypes_are_those_of_the_page() -> None:
    sizes = {np.dtype(name).itemsize * 8 for name in document.DTYPES if name != "bool"}
    assert sizes == {8, 16, 32, 64}
    assert {np.dtype(name).kind for name in document.DTYPES} == set("biuf")


@pytest.mark.parametrize(("name", "rows"), [("columns", "targets"), ("token columns", "tokens")])
def test_the_columns_are_those_of_the_table(name: str, rows: Any) -> None:
    pytest.importorskip("pandas")
    expl = rich()
    expl.targets[0].target = 1
    frame = eli5.format_as_dataframe(expl, rows=rows)
    columns = {column: dtype for column, dtype, _ in table(name)}
    assert {name: str(dtype) for name, dtype in frame.dtypes.items()} == columns
    assert list(frame) == list(columns)


def test_the_examples_run(
    model: keras.Model,
    doc: np.ndarray[Any, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"model": model, "doc": doc}
    assert len(EXAMPLES) == PAGE.count("```python") == 5
    for example in EXAMPLES:
        exec(textwrap.dedent(example), names)
    written = {"explained.npz", "explained.png", "several.npz", "one-by-one.jsonl"}
    assert {one.name for one in tmp_path.iterdir()} == written


def test_the_endings_are_those_of_the_table() -> None:
    rows = re.findall(r"^\| (`\..+?) \|.*\| (yes|no) \|$", PAGE, flags=re.MULTILINE)
    listed = {ending: read for names, read in rows for ending in re.findall(r"`(.+?)`", names)}
    assert list(listed) == [*PICTURE_FORMATS, *explanation_file._WRITERS]
    assert {ending for ending, read in listed.items() if read == "yes"} == set(
        explanation_file._READERS
    )

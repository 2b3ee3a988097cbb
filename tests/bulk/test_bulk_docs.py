"""docs/bulk.md tells the truth: its columns, its calls and its recipes."""

from __future__ import annotations

import io
import re
import textwrap
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.bulk.results.parts import Row, make_schema
from eli5.bulk.sources.items import CONTENT_COLUMNS, PATH_COLUMNS
from helpers.bulk_helpers import make_photos, read_rows, small_model

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "bulk.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```\w*\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def block(start: str) -> str:
    (found,) = (one for one in BLOCKS if start in one)
    return str(found)


def test_every_column_stands_in_the_table() -> None:
    table = PAGE.partition("| column | type | |")[2].partition("\n\n")[0]
    named = [name for row in table.splitlines()[2:] for name in re.findall("`([a-z_]+)`", row)]
    assert set(Row._fields) <= set(named)
    assert make_schema("float32").names == list(Row._fields)


def test_names_of_columns_are_those_that_are_looked_for() -> None:
    table = PAGE.partition("| SOURCE |")[2].partition("\n\n")[0]
    named = set(re.findall("`([a-z_]+)`", table))
    assert named <= {*PATH_COLUMNS, *CONTENT_COLUMNS, "id", "key"}


def test_the_first_call_and_the_first_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    small_model(tmp_path)
    make_photos(tmp_path / "photos", 3)
    # As a module that is imported, it must start nothing.
    exec(block("summary = eli5.bulk.explain"), {"__name__": "imported"})
    assert not (tmp_path / "explained").exists()
    call = re.search(r"summary = (.*workers=)4\)", PAGE)
    assert call is not None
    summary = eval(f"{call[1]}1)", {"eli5": eli5})
    assert (summary.n_items, summary.n_failed) == (3, 0)
    names: dict[str, Any] = {}
    exec(block("pandas.read_parquet"), names)
    first = read_rows(tmp_path / "explained")[0]
    np.testing.assert_array_equal(names["heatmap"].ravel(), first["heatmap"])
    assert names["heatmap"].shape == (8, 8)


@pytest.mark.parametrize("name", ["explain_batches", "explain_frame"])
def test_a_recipe_gives_what_explain_predictions_gives(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pandas = pytest.importorskip("pandas")
    make_photos(tmp_path, 3)
    paths = sorted(map(str, tmp_path.rglob("*.png")))
    model = keras.saving.load_model(small_model(tmp_path))
    monkeypatch.setattr(keras.saving, "load_model", lambda _: model)
    worker: dict[str, Any] = {}
    exec(block("# worker.py").replace("(224, 224)", "(8, 8)"), worker)
    # The function alone: Spark and Dask are not here.
    code = block(f"def {name}").partition("\n\n")[2].partition("\n\n")[0]
    recipe = {"pd": pandas, "explain": worker["explain"]}
    exec(textwrap.dedent(code), recipe)
    frame = pandas.DataFrame({"path": paths})
    found: Any = recipe[name]([frame] if name == "explain_batches" else frame)
    rows = next(found) if name == "explain_batches" else found
    assert list(rows.path) == paths
    docs = np.stack([_doc(path) for path in paths])
    for row, expl in zip(rows.itertuples(), eli5.explain_predictions(model, docs), strict=True):
        assert row[2] == expl.targets[0].target
        np.testing.assert_array_equal(row.heatmap, expl.targets[0].heatmap.ravel())


def _doc(path: str) -> Any:
    from PIL import Image

    with Image.open(io.BytesIO(Path(path).read_bytes())) as picture:
        pixels = np.asarray(picture.convert("RGB").resize((8, 8)), "float32")
    return pixels / 127.5 - 1

"""From a source to a folder of results: what is in it, and what a second run does."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

import eli5
from eli5 import bulk
from eli5.bulk.job import Job, fingerprint, ingredients
from helpers.bulk_helpers import check_complete, make_photos, read_rows, small_model
from helpers.cli_helpers import colour_model, saved

Monkeypatch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make_photos(folder, 11, broken=[7])
    return folder


@pytest.fixture
def counted(monkeypatch: Monkeypatch) -> list[int]:
    """Count what is explained: a list that gets an entry per batch."""
    explain, batches = eli5.explain_predictions, list[int]()

    def counting(model: Any, docs: Any, **options: Any) -> Any:
        listed = list(docs)
        batches.append(len(listed))
        return explain(model, listed, **options)

    monkeypatch.setattr(eli5, "explain_predictions", counting)
    return batches


# ---- names ---------------------------------------------------------------------------------------


def test_public_names_are_what_dir_shows() -> None:
    classes, functions = ["BulkResults", "Estimate", "Status", "Summary"], ["estimate", "explain"]
    assert dir(bulk) == [*classes, *functions, "read", "status"]
    assert all(callable(getattr(bulk, name)) for name in dir(bulk))
    with pytest.raises(AttributeError, match=r"module 'eli5\.bulk' has no attribute 'nothing'"):
        bulk.nothing  # noqa: B018


def test_what_the_command_line_shares_loads_nothing_else() -> None:
    code = """
import sys
import eli5.progress, eli5.bulk.signals, eli5.bulk
heavy = {"fsspec", "pyarrow", "keras", "numpy", "PIL"}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


# ---- the result ----------------------------------------------------------------------------------


def test_each_picture_is_a_row_in_the_sources_order(
    model: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    summary = bulk.explain(
        model, photos, out, overlays=True, shard_size=4, batch_size=2, labels=["r", "g", "b"]
    )
    ids = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    check_complete(out, ids, failed=["1/00007.png"])
    assert {path.name for path in out.iterdir()} == {
        "fragments", "listing.jsonl", "lock", "overlays", "parts", "plan.json", "shards.jsonl",
        "summary.json",
    }  # fmt: skip
    assert [pq.read_metadata(path).num_rows for path in sorted((out / "parts").iterdir())] == [
        4,
        4,
        3,
    ]
    assert (summary.n_items, summary.n_failed, summary.n_shards) == (11, 1, 3)
    assert summary.failures[0]["id"] == "1/00007.png"
    assert json.loads((out / "summary.json").read_text())["n_items"] == 11


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_row_says_what_explain_prediction_says(model: str, photos: Path, tmp_path: Path) -> None:
    bulk.explain(model, photos, tmp_path, top=2, method=["hirescam", "Saliency"], batch_size=4)
    rows = [row for row in read_rows(tmp_path) if row["id"] == "0/00003.png"]
    with Image.open(photos / "0" / "00003.png") as picture:
        doc = np.asarray(picture.resize((8, 8), Image.Resampling.BILINEAR), "float32")[None]
    loaded = keras.saving.load_model(model)
    expected = eli5.explain_prediction(loaded, doc, methods=["HiResCAM", "Saliency"], top_targets=2)
    assert [(row["method"], row["rank"]) for row in rows] == [
        ("HiResCAM", 0),
        ("HiResCAM", 1),
        ("Saliency", 0),
        ("Saliency", 1),
    ]
    pairs = [(one, target) for one in expected for target in one.targets]
    for row, (expl, target) in zip(rows, pairs, strict=True):
        assert (row["class_id"], row["layer"]) == (target.target, expl.layer)
        assert row["description"] == expl.description
        np.testing.assert_allclose(row["score"], target.score, rtol=1e-5)
        np.testing.assert_allclose(row["probability"], target.proba, rtol=1e-5)
        heatmap = np.array(row["heatmap"]).reshape(row["height"], row["width"])
        np.testing.assert_allclose(heatmap, target.heatmap, atol=1e-5)


def test_heatmaps_of_half_the_size(model: str, photos: Path, tmp_path: Path) -> None:
    for dtype in ("float32", "float16"):
        bulk.explain(model, photos, tmp_path / dtype, dtype=dtype)
    whole, half = (read_rows(tmp_path / dtype) for dtype in ("float32", "float16"))
    part = next((tmp_path / "float16" / "parts").iterdir())
    assert str(pq.read_schema(part).field("heatmap").type) == "list<element: halffloat>"
    for one, other in zip(whole, half, strict=True):
        if one["ok"]:
            np.testing.assert_array_equal(np.array(one["heatmap"], "float16"), other["heatmap"])


def test_labels_name_the_classes(model: str, photos: Path, tmp_path: Path) -> None:
    labels = tmp_path / "names.txt"
    labels.write_text("rot\ngrün\nblau\n", encoding="utf-8")
    bulk.explain(model, photos, tmp_path / "out", labels=labels)
    rows = [row for row in read_rows(tmp_path / "out") if row["ok"]]
    assert {(row["class_id"], row["class_name"]) for row in rows} <= {(0, "rot"), (2, "blau")}
    assert len(rows) == 10


def test_a_picture_that_the_model_cannot_take_is_a_row(tmp_path: Path) -> None:
    # A model of any size, of which its first convolution makes nothing if there is too little.
    model = colour_model(
        keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(3, 9), size=(None, None, 3)
    )
    photos = tmp_path / "photos"
    ids = make_photos(photos, 5)
    Image.new("RGB", (4, 4)).save(photos / "1" / "00001.png")
    out = tmp_path / "out"
    bulk.explain(saved(model, tmp_path), photos, out, overlays=True, batch_size=2)
    check_complete(out, ids, failed=["1/00001.png"])


def test_pictures_that_are_all_too_small_are_rows(tmp_path: Path) -> None:
    model = colour_model(
        keras.layers.Rescaling(1 / 255), keras.layers.Conv2D(3, 9), size=(None, None, 3)
    )
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 6)
    for name in ids[:4]:  # two batches, and a whole shard
        Image.new("RGB", (4, 4)).save(photos / name)
    asked: dict[str, Any] = {"overlays": True, "batch_size": 2, "shard_size": 3}
    bulk.explain(saved(model, tmp_path), photos, out, **asked)
    check_complete(out, ids, failed=ids[:4])
    # Refused by the model, each of them, and not set aside after all sorts of tries.
    assert not any("Nothing can be explained" in row["error"] for row in read_rows(out))
    # And so they are if a part is made again, by a process that has seen no other picture.
    sorted((out / "parts").iterdir())[0].unlink()
    bulk.explain(tmp_path / "model.keras", photos, out, **asked)
    check_complete(out, ids, failed=ids[:4])


def test_outputs_that_are_no_numbers_are_rows_that_say_so(photos: Path, tmp_path: Path) -> None:
    broken = colour_model(size=(8, 8, 3))
    broken.get_layer("classes").set_weights([np.full((3, 3), np.nan)])
    summary = bulk.explain(saved(broken, tmp_path), photos, tmp_path / "out", overlays=True)
    assert summary.n_failed == 11
    rows = [row for row in read_rows(tmp_path / "out") if row["id"] != "1/00007.png"]
    assert {(row["ok"], row["score"], row["heatmap"]) for row in rows} == {(False, None, None)}
    assert all("Expected a model whose outputs for it are finite" in row["error"] for row in rows)
    assert all("score=nan for class" in row["error"] for row in rows)


@pytest.mark.parametrize("workers", [None, 2])
def test_labels_of_another_model_are_told_of_once(
    workers: int | None, model: str, photos: Path, tmp_path: Path, monkeypatch: Monkeypatch
) -> None:
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())
    with pytest.warns(UserWarning, match="The labels are 2 and the model's classes 3") as told:
        bulk.explain(model, photos, tmp_path, labels=["a", "b"], workers=workers, shard_size=4)
    assert len(told) == 1


def test_a_bomb_is_a_row(
    model: str, photos: Path, tmp_path: Path, monkeypatch: Monkeypatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # each picture has 1,200
    bulk.explain(model, photos, tmp_path)
    errors = [row["error"] for row in read_rows(tmp_path)]
    assert sum("decompression bomb" in error for error in errors) == 11


# ---- a second run --------------------------------------------------------------------------------


def test_only_what_has_no_part_is_explained_again(
    model: str, photos: Path, tmp_path: Path, counted: list[int]
) -> None:
    bulk.explain(model, photos, tmp_path, shard_size=4)
    assert counted == [4, 3, 3]
    before = read_rows(tmp_path)
    parts = sorted((tmp_path / "parts").iterdir())
    kept = parts[0].stat().st_mtime_ns
    parts[1].unlink()
    (tmp_path / "parts" / ".half.parquet.1.2").write_bytes(b"half")
    (tmp_path / "fragments" / "x-0-1.parquet").write_bytes(b"a piece")
    bulk.explain(model, photos, tmp_path, shard_size=4)
    assert counted == [4, 3, 3, 3]
    assert read_rows(tmp_path) == before
    assert parts[0].stat().st_mtime_ns == kept
    assert not list(tmp_path.rglob(".half*"))
    assert not list((tmp_path / "fragments").iterdir())


def test_nothing_is_loaded_if_nothing_is_left(
    model: str, photos: Path, tmp_path: Path, monkeypatch: Monkeypatch
) -> None:
    first = bulk.explain(model, photos, tmp_path)
    monkeypatch.setattr(keras.saving, "load_model", None)
    assert bulk.explain(model, photos, tmp_path) == first
    (tmp_path / "summary.json").unlink()
    assert bulk.explain(model, photos, tmp_path) == first


def test_a_plan_is_made_once(model: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    ids = make_photos(photos, 6)
    out = tmp_path / "out"
    bulk.explain(model, photos, out, overlays=True, shard_size=2)
    part = sorted((out / "parts").iterdir())[2]
    part.unlink()
    (photos / "2" / "00005.png").unlink()
    (photos / "0" / "99999.png").write_bytes(b"new")
    # Of the plan's own size, and with a row for what has vanished.
    bulk.explain(model, photos, out, overlays=True, shard_size=3)
    check_complete(out, ids, failed=["2/00005.png"])
    (row,) = (row for row in read_rows(out) if not row["ok"])
    assert "No such file" in row["error"]


SAID_AS = {"method": "methods", "option": "methods", "layer": "options", "score": "options"}


def changed(kind: str, tmp_path: Path) -> dict[str, Any]:
    if kind == "model":
        other = colour_model(size=(8, 8, 3))
        other.get_layer("classes").set_weights([np.eye(3) * 3])
        return {"model": saved(other, tmp_path, "other.keras")}
    if kind == "source":
        make_photos(tmp_path / "other", 11)
        return {"source": tmp_path / "other"}
    others: dict[str, dict[str, Any]] = {
        "method": {"method": "HiResCAM"},
        "option": {"method": "Finer-CAM", "gamma": 0.5},
        "layer": {"layer": "colours"},
        "score": {"score": "output"},
        "preprocess": {"preprocess": "unit"},
        "labels": {"labels": ["a", "b", "c"]},
        "dtype": {"dtype": "float16"},
    }
    return others[kind]


@pytest.mark.parametrize(
    "kind",
    ["model", "source", "method", "option", "layer", "score", "preprocess", "labels", "dtype"],
)
@pytest.mark.filterwarnings("ignore:The model's first layer, 'rescale'")
def test_whatever_changes_results_makes_a_run_beside(
    kind: str, model: str, photos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asked: dict[str, Any] = {"model": model, "source": photos, "out": out}
    bulk.explain(**asked)
    before = read_rows(out)
    now = {**asked, **changed(kind, tmp_path)}
    other = bulk.explain(**now, progress=True)
    assert Path(other.folder).parent == out
    said = capsys.readouterr().err
    assert f"{out} holds a run that differs in {SAID_AS.get(kind, kind)}" in said
    assert read_rows(out) == before  # reading the parts of one run never mixes both
    assert len(read_rows(other.folder)) == 11
    assert [state.folder for state in bulk.status(out)] == [str(out), other.folder]
    # Each is found again.
    assert bulk.explain(**now) == other
    assert bulk.explain(**asked).folder == str(out)


def test_a_version_that_changes_results_counts(monkeypatch: Monkeypatch, model: str) -> None:
    job = Job(model, None, ["Grad-CAM"], {}, None, None, False, "float32", 32, 1, "jax")
    before = fingerprint(ingredients(job))
    assert fingerprint(ingredients(job._replace(batch_size=8, threads=2))) == before
    assert fingerprint(ingredients(job._replace(backend="torch"))) != before
    monkeypatch.setattr(eli5, "__version__", "99")
    assert fingerprint(ingredients(job)) != before

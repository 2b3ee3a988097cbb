"""Bulk runs of chosen and of true classes, with options of methods; their state as JSON."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers
from PIL import Image

from eli5 import bulk
from helpers.bulk_helpers import make_photos, picture_bytes, read_rows, small_model, write_parquet
from helpers.cli_helpers import SIZE, colour_model, fails, run, saved

Capsys = pytest.CaptureFixture[str]
NAMES = ["red", "green", "blue"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 4)
    return tmp_path / "photos"


def test_classes_by_id_and_name(model: str, photos: Path, tmp_path: Path, capsys: Capsys) -> None:
    (tmp_path / "names.txt").write_text("\n".join(NAMES), encoding="utf-8")
    asked = ("--class", "blue", "--class", 1, "--labels", tmp_path / "names.txt")
    ended = run(capsys, "bulk", model, photos, "--out", tmp_path / "out", *asked)
    assert ended.code == 0
    found = [(row["rank"], row["class_name"]) for row in read_rows(tmp_path / "out")]
    assert found == [(0, "blue"), (1, "green")] * 4


SOURCES: dict[str, list[Any]] = {
    "list.csv": [2, 0, "green", ""],
    "list.tsv": [2, 0, "green", "violet"],
    "paths.parquet": ["2", "0", "green", "violet"],
    "pictures.parquet": ["2", "0", "green", None],
}


@pytest.mark.parametrize("name", SOURCES)
def test_the_true_class_of_each(
    name: str, model: str, photos: Path, tmp_path: Path, capsys: Capsys
) -> None:
    files = sorted(str(path) for path in photos.rglob("*.png"))
    labels = SOURCES[name]
    source = tmp_path / name
    if name == "pictures.parquet":
        contents = [picture_bytes(number) for number in range(4)]
        write_parquet(source, {"image": contents, "id": list("abcd"), "label": labels})
    elif name == "paths.parquet":
        write_parquet(source, {"path": files, "label": labels})
    else:
        mark = "," if name.endswith(".csv") else "\t"
        lines = [mark.join(map(str, row)) for row in zip(files, labels, strict=True)]
        source.write_text("\n".join([f"path{mark}label", *lines]), encoding="utf-8")
    out, names = tmp_path / "out", tmp_path / "names.txt"
    names.write_text("\n".join(NAMES), encoding="utf-8")
    asked = ("--class-column", "label", "--labels", names, "--out", out, "--shard-size", 3)
    assert run(capsys, "bulk", model, source, *asked).code == 1
    rows = read_rows(out)
    assert [row["class_name"] for row in rows] == ["blue", "red", "green", None]
    assert rows[3]["error"].startswith(
        f"Expected a class id or name in the column 'label' (`class_column`). Received: "
        f"{labels[3] or ''!r}. "
    )


def test_integers_of_a_column_with_gaps(model: str, tmp_path: Path) -> None:
    source = write_parquet(
        tmp_path / "a.parquet",
        {"image": [picture_bytes(n) for n in range(3)], "label": [2.0, 1.0, None]},
    )
    bulk.explain(model, source, tmp_path / "out", class_column="label")
    assert [row["class_id"] for row in read_rows(tmp_path / "out")] == [2, 1, None]


def test_another_column_is_another_run(model: str, tmp_path: Path) -> None:
    columns = {"image": [picture_bytes(1)], "a": [1], "b": [2]}
    source = write_parquet(tmp_path / "a.parquet", columns)
    out = tmp_path / "out"
    folders = [bulk.explain(model, source, out, class_column=one).folder for one in "ab"]
    assert [read_rows(folder)[0]["class_id"] for folder in folders] == [1, 2]


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (
            ["--class-column", "label"],
            "Expected SOURCE to be a .csv, .tsv or .parquet list, which ",
        ),
        (["--class", "1", "--top", "2"], "Expected either --class or --top or --class-column. Rec"),
        (["--colormap", "magma"], "Expected --colormap and --signed only where something is d"),
        (["--method", "RISE:n_masks=3", "--method", "RISE"], "Expected each method with one set "),
    ],
)
def test_what_does_not_go(
    asked: list[str], message: str, model: str, photos: Path, tmp_path: Path, capsys: Capsys
) -> None:
    said = fails(capsys, "bulk", model, photos, "--out", tmp_path / "out", *asked)
    assert said.startswith(message)


def test_a_column_that_is_not_there(model: str, tmp_path: Path, capsys: Capsys) -> None:
    for source in (tmp_path / "a.csv", tmp_path / "a.parquet"):
        if source.suffix == ".csv":
            source.write_text("path,class\na.png,1\n", encoding="utf-8")
        else:
            write_parquet(source, {"path": ["a.png"], "class": [1]})
        asked = ("--out", tmp_path / "out", "--class-column", "label")
        assert fails(capsys, "bulk", model, source, *asked) == (
            f"Expected --class-column to be a column of {source}, one of path, class. Received: "
            "--class-column=label"
        )


def test_classes_in_python_are_asked_for_once(model: str, photos: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"one of `top`, `classes` and `class_column`\. .*top=2"):
        bulk.explain(model, photos, tmp_path / "out", top=2, classes=[1])


def test_options_of_single_methods_and_of_overlays(
    model: str, photos: Path, tmp_path: Path, capsys: Capsys
) -> None:
    asked = ["--method", "RISE:n_masks=8,cells=4", "--method", "Occlusion", "--option", "patch=8"]
    out = tmp_path / "out"
    run(capsys, "bulk", model, photos, "--out", out, *asked, "--sign", "negative")
    rows = {row["method"]: row for row in read_rows(out)[:2]}
    assert set(rows) == {"RISE", "Occlusion"}
    made_from = json.loads((out / "plan.json").read_text(encoding="utf-8"))["made_from"]
    assert made_from["methods"] == ["RISE", "Occlusion"]
    assert made_from["method_options"]["RISE"] == {"n_masks": 8, "cells": 4}
    assert made_from["options"]["patch"] == 8
    assert made_from["options"]["sign"] == "negative"


def test_overlays_in_other_colours(model: str, photos: Path, tmp_path: Path) -> None:
    found = []
    for number, look in enumerate(({}, {"colormap": "magma"}, {"signed": True})):
        out = tmp_path / f"out-{number}"
        bulk.explain(model, photos, out, overlays=True, **look)  # type: ignore[arg-type]
        found.append(next((out / "overlays").rglob("*.jpg")).read_bytes())
    assert len(set(found)) == 3
    with pytest.raises(ValueError, match="to be the name of a colormap"):
        bulk.explain(model, photos, tmp_path / "no", colormap="nope")


def test_frames(model: str, tmp_path: Path) -> None:
    pages = [Image.new("RGB", (30, 30), colour) for colour in ((255, 0, 0), (0, 0, 255))]
    (tmp_path / "in").mkdir()
    pages[0].save(tmp_path / "in" / "a.tif", save_all=True, append_images=pages[1:])
    bulk.explain(model, tmp_path / "in", tmp_path / "first")
    (row,) = read_rows(tmp_path / "first")
    assert row["description"].endswith("several frames: the first is explained. `frame` names anoth"
                                       "er.")  # fmt: skip
    bulk.explain(model, tmp_path / "in", tmp_path / "second", frame=1)
    (other,) = read_rows(tmp_path / "second")
    assert other["class_id"] != row["class_id"] or other["score"] != row["score"]
    assert "frames" not in other["description"]
    bulk.explain(model, tmp_path / "in", tmp_path / "none", frame=2)
    assert "it has no frame 2" in read_rows(tmp_path / "none")[0]["error"]


def test_code_of_a_model_that_is_trusted(photos: Path, tmp_path: Path, capsys: Capsys) -> None:
    scale = layers.Lambda(lambda x: x / 255, output_shape=(SIZE, SIZE, 3))
    path = saved(colour_model(scale), tmp_path)
    asked = ("bulk", path, photos, "--out", tmp_path / "out", "--preprocess", "none")
    refused = run(capsys, *asked)
    assert (refused.code, refused.out) == (2, "")
    *beginning, why = refused.err.splitlines()
    assert why.endswith("If you trust the file, give --allow-code.")
    assert all(line.startswith("eli5: ") for line in beginning)
    ended = run(capsys, *asked, "--allow-code")
    assert ended.code == 0
    assert "may run any code on this machine" in ended.err


def test_status_as_json(model: str, photos: Path, tmp_path: Path, capsys: Capsys) -> None:
    out = tmp_path / "out"
    run(capsys, "bulk", model, photos, "--out", out)
    ended = run(capsys, "bulk-status", out, "--json")
    assert (ended.code, ended.err) == (0, "")
    (found,) = json.loads(ended.out)["runs"]
    (status,) = bulk.status(out)
    assert found == json.loads(
        json.dumps({**status._asdict(), "done": status.done._asdict(), "is_done": True})
    )
    assert found["done"]["items"] == found["n_items"] == 4
    assert keras.backend.backend() == found["made_from"]["versions"]["backend"]

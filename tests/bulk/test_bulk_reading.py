"""`eli5.bulk.read` and ``eli5 gallery``: what was explained before, read when it is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5 import bulk
from eli5.bulk.results import reading
from helpers.bulk_helpers import (
    make_photos,
    make_tar,
    picture_bytes,
    read_rows,
    small_model,
    write_parquet,
)
from helpers.cli_helpers import fails, run
from helpers.strict_html import Page

Capsys = pytest.CaptureFixture[str]
BROKEN = "1/00004.png"
NAMES = ["red", "green", "blue"]
IDS = sorted(f"{k % 3}/{k:05d}.png" for k in range(7))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a model, photos and two runs: one by two methods, one of a tar file."""
    folder = tmp_path_factory.mktemp("bulk")
    model = small_model(folder)
    make_photos(folder / "photos", 7, broken=[4])
    options: dict[str, Any] = {"method": ["Grad-CAM", "LayerCAM"], "top": 2, "shard_size": 3}
    bulk.explain(model, folder / "photos", folder / "out", labels=NAMES, **options)
    contents = {f"{k}.png": picture_bytes(k) for k in range(5)}
    bulk.explain(model, make_tar(folder / "a.tar", contents), folder / "of-tar", shard_size=4)
    return folder


@pytest.fixture
def out(folder: Path) -> Path:
    return folder / "out"


def test_all_rows_come_back(folder: Path, out: Path) -> None:
    results = bulk.read(out)
    assert len(results) == 2 * 6 + 1
    expected = [row for row in read_rows(out) if not row["rank"]]
    assert [(one.source, one.method, bool(one.error)) for one in results] == [
        (row["id"], row["method"], not row["ok"]) for row in expected
    ]
    first, row = results[0], expected[0]
    target = first.targets[0]
    assert (target.class_name, target.score, target.proba) == (
        row["class_name"], row["score"], row["probability"],
    )  # fmt: skip
    assert target.heatmap.ravel().tolist() == row["heatmap"]
    assert len(first.targets) == 2
    assert (first.layer, first.description) == (row["layer"], row["description"])
    with Image.open(folder / "photos" / IDS[0]) as photo:
        assert np.array_equal(np.asarray(first.image), np.asarray(photo))
    assert first.heatmap_on_input().shape == (8, 8)
    (failed,) = (one for one in results if one.error)
    assert (failed.source, failed.targets) == (BROKEN, None)


def test_what_was_explained_comes_back_with_its_sign(folder: Path, tmp_path: Path) -> None:
    model, photos = folder / "model.keras", folder / "photos"
    found = {}
    for sign in ("positive", "negative"):
        bulk.explain(model, photos, tmp_path / sign, method="HiResCAM", sign=sign)
        (target, *_) = bulk.read(tmp_path / sign)[0].targets
        assert (target.sign, target.explained_name) == (sign, "log-odds")
        found[sign] = target
    assert found["positive"].explained == pytest.approx(
        np.log(target.proba / (1 - target.proba)), rel=1e-4
    )
    assert "against" in eli5.format_as_text(bulk.read(tmp_path / "negative")[0])


def test_it_decodes_what_is_asked_for_and_nothing_else(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []
    decode = reading._explanation

    def note(rows: Any, model: str) -> Any:
        decoded.append(rows)
        return decode(rows, model)

    monkeypatch.setattr(reading, "_explanation", note)
    results = bulk.read(out)
    some = results[2:10:2]
    assert (len(results), len(some), decoded) == (13, 4, [])
    assert "4 explanations of" in repr(some)
    assert some[-1] == results[8]
    assert len(decoded) == 2
    assert type(some.collect()) is eli5.Explanations
    assert eli5.Explanations(some) == some.collect()
    with pytest.raises(IndexError):
        some[4]


@pytest.mark.parametrize("method", ["png", "folder"])
def test_pictures_may_come_in_any_order(folder: Path, method: str) -> None:
    results = bulk.read(folder / "of-tar") if method == "png" else bulk.read(folder / "out")
    good = [k for k, one in enumerate(results) if not one.error]
    forwards = [np.asarray(results[k].image) for k in good]
    backwards = [np.asarray(results[k].image) for k in reversed(good)][::-1]
    assert all(map(np.array_equal, forwards, backwards))
    assert len({one.tobytes() for one in forwards}) == (5 if method == "png" else 6)


def test_filters(out: Path) -> None:
    everything = bulk.read(out).collect()
    assert len(bulk.read(out, ok=False)) == 1
    assert len(bulk.read(out, ok=True)) == 12
    assert [one.source for one in bulk.read(out, ids=[IDS[2], BROKEN])] == [
        one.source for one in everything if one.source in (IDS[2], BROKEN)
    ]
    for names in ("red", ["red"], NAMES[1:], "pink"):
        found = bulk.read(out, class_name=names).collect()
        assert found == [
            one for one in everything if one.targets and one.targets[0].class_name in names
        ]
    probabilities = [one.targets[0].proba for one in everything if one.targets]
    least = sorted(probabilities)[5]
    assert len(bulk.read(out, min_probability=least)) == sum(p >= least for p in probabilities)


def test_classes_without_names_are_found_by_their_ids(folder: Path) -> None:
    results = bulk.read(folder / "of-tar")
    ids = [str(one.targets[0].target) for one in results]
    assert len(bulk.read(folder / "of-tar", class_name=ids[0])) == ids.count(ids[0])


def test_a_picture_that_is_gone_is_told_of(folder: Path, out: Path, tmp_path: Path) -> None:
    results = bulk.read(out)
    photo = folder / "photos" / IDS[0]
    photo.rename(tmp_path / "away.png")
    try:
        first = results[0]
    finally:
        (tmp_path / "away.png").rename(photo)
    assert first.image is None
    assert "The picture is missing. " in first.description
    assert bulk.read(out, pictures=False)[0].image is None
    assert "missing" not in bulk.read(out, pictures=False)[0].description


def test_a_source_that_holds_others_by_now_is_told_of(tmp_path: Path, folder: Path) -> None:
    table = {"id": ["a", "b"], "image": [picture_bytes(1), picture_bytes(2)]}
    source = write_parquet(tmp_path / "a.parquet", table)
    bulk.explain(small_model(tmp_path), source, tmp_path / "out")
    assert [one.image is not None for one in bulk.read(tmp_path / "out")] == [True, True]
    write_parquet(source, {**table, "id": ["b", "a"]})
    for expl in bulk.read(tmp_path / "out"):
        assert expl.image is None
        assert "In its place the source has" in (expl.description or "")


def test_a_notebook_shows_the_first_of_them(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_MOST_SHOWN", 2)
    bundle = bulk.read(out)._repr_mimebundle_()
    assert bundle["text/html"].count('<form class="eli5-card') == 2
    assert bundle["text/plain"] == repr(bulk.read(out))


def test_damaged_and_foreign_folders(out: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"Expected a folder that a bulk run has made\. .*not exi"):
        bulk.read(tmp_path / "none")
    with pytest.raises(ValueError, match=r"Expected a folder that a bulk run has made\. .*no plan"):
        bulk.read(tmp_path)
    copied = Path(shutil.copytree(out, tmp_path / "copy"))
    part = sorted((copied / "parts").iterdir())[1]
    part.write_bytes(part.read_bytes()[:100])
    with pytest.raises(ValueError, match=rf"Expected a part that a bulk run .*{part.name}"):
        bulk.read(copied)
    part.unlink()  # as of a run that is not finished
    assert 0 < len(bulk.read(copied)) < 13
    write_parquet(part, {"id": ["a"]})
    with pytest.raises(ValueError, match=rf"Expected a part that a bulk run .*{part.name}"):
        bulk.read(copied)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"class_name": [1]}, TypeError, "Expected `class_name` to be a list of strings"),
        ({"ids": 5}, TypeError, "Expected `ids` to be a list of strings"),
        ({"ok": "yes"}, TypeError, "Expected `ok` to be True or False"),
        ({"pictures": None}, TypeError, "Expected `pictures` to be True or False"),
        ({"min_probability": 2}, ValueError, r"Expected `min_probability` to be in \[0, 1\]"),
        ({"min_probability": "a"}, TypeError, "Expected `min_probability` to be a number"),
    ],
)
def test_wrong_filters(out: Path, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        bulk.read(out, **options)


# ---- the command ---------------------------------------------------------------------------------


def test_the_gallery_of_a_run(capsys: Capsys, out: Path, folder: Path) -> None:
    ended = run(capsys, "gallery", out)
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Shown") == "12 explanations, 1 that failed"
    assert ended.fact("Written") == f"{out}.html"
    page = Page(Path(f"{out}.html").read_text(encoding="utf-8"))
    assert page.is_harmless()
    assert len(page.attributes_of("form", "eli5-card")) == 12
    assert len(page.attributes_of("img", "eli5-picture")) == 12
    assert BROKEN in page.text
    # The folder is as it was: the run can go on.
    assert {path.suffix for path in out.rglob("*.html")} == set()


def test_its_filters(capsys: Capsys, out: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"

    def shown(*argv: object) -> tuple[int, int]:
        ended = run(capsys, "gallery", out, "--out", page, *argv)
        assert ended.code == 0, ended.err
        cards, _, failed, *_ = ended.fact("Shown").split()
        return int(cards), int(failed)

    assert shown("--ok") == (12, 0)
    assert shown("--failed") == (0, 1)
    assert shown("--id", IDS[0], "--id", IDS[1]) == (4, 0)
    assert shown(
        "--class", "red", "--class", "green", "--class", "blue", "--min-probability", 0
    ) == (12, 0)
    ended = run(capsys, "gallery", out, "--out", page, "--most", 2)
    assert "The first 2 of 13 are shown." in ended.err
    assert ended.fact("Shown") == "2 explanations, 0 that failed"


@pytest.mark.parametrize("ending", [".npz", ".json", ".jsonl"])
def test_the_gallery_of_a_file(capsys: Capsys, out: Path, tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"saved{ending}"
    eli5.save(bulk.read(out), path)
    ended = run(capsys, "gallery", path, *(f"--class={name}" for name in NAMES))
    assert ended.fact("Shown") == "12 explanations, 0 that failed"
    assert ended.fact("Written") == str(tmp_path / "saved.html")


def test_the_gallery_of_a_folder_of_explain(
    capsys: Capsys, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = next(folder.glob("*.keras"))
    out = tmp_path / "explained"
    run(capsys, "explain", model, folder / "photos", "--out", out)
    loaded = eli5.load(out / "explanations.jsonl")
    assert sum(one.image is not None for one in loaded) == 6
    ended = run(capsys, "gallery", out, "--out", tmp_path / "page.html")
    assert ended.fact("Shown") == "6 explanations, 1 that failed"
    with (out / "explanations.jsonl").open("a") as file:
        file.write('{"version": 4}\n')
    error = fails(capsys, "gallery", out)
    assert (
        "explanations.jsonl to hold lines as `eli5 explain` writes them. Received: line 8" in error
    )


def test_what_cannot_be_a_gallery(capsys: Capsys, out: Path, tmp_path: Path) -> None:
    assert "either --ok or --failed" in fails(capsys, "gallery", out, "--ok", "--failed")
    assert "that are asked for. It has none" in fails(capsys, "gallery", out, "--class", "green")
    assert "ends in .html" in fails(capsys, "gallery", out, "--out", tmp_path / "a.png")
    assert "does not exist" in fails(capsys, "gallery", tmp_path / "none.npz")
    assert "does not exist" in fails(capsys, "gallery", tmp_path / "none.jsonl")
    assert "Expected a folder that a bulk run has made" in fails(capsys, "gallery", tmp_path)
    assert "a file .npz, .json, .jsonl" in fails(capsys, "gallery", tmp_path / "none")
    (tmp_path / "bad.json").write_text("{}")
    assert "which cannot be read" in fails(capsys, "gallery", tmp_path / "bad.json")

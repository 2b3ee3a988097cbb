"""``--grade``: printed, in lines of JSON, in a folder's gallery, and in the parts of a bulk run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import eli5
from eli5 import bulk
from helpers.bulk_helpers import make_photos, read_rows, small_model
from helpers.cli_helpers import records, run, saved
from helpers.strict_html import Page
from helpers.word_models import texts_model

Capsys = pytest.CaptureFixture[str]
GRADE = r"(?:\d\.\d\d, (?:supported|weak|contradicted)|not gradable)"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make_photos(folder, 4)
    return folder


def test_one_picture(capsys: Capsys, model: str, photos: Path) -> None:
    photo = sorted(photos.rglob("*.png"))[0]
    ended = run(capsys, "explain", model, photo, "--grade")
    assert ended.code == 0
    assert re.search(rf"  {GRADE}", ended.out)
    assert re.search(r"^Grade of \d: .*single deletion.*passes", ended.out, flags=re.MULTILINE)
    (record,) = records(run(capsys, "explain", model, photo, "--grade", "--json").out)
    grade = record["targets"][0]["grade"]
    assert grade["verdict"] in ("supported", "weak", "contradicted")
    assert 0 <= grade["value"] <= 1
    (without,) = records(run(capsys, "explain", model, photo, "--json").out)
    assert "grade" not in without["targets"][0]


def test_many_pictures(capsys: Capsys, model: str, photos: Path, tmp_path: Path) -> None:
    ended = run(capsys, "explain", model, photos, "--grade")
    assert len(re.findall(rf"\.png: \d \S+ \({GRADE}\)$", ended.out, flags=re.MULTILINE)) == 4
    out = tmp_path / "out"
    run(capsys, "explain", model, photos, "--grade", "--out", out)
    loaded = eli5.load(out / "explanations.jsonl", pictures=False)
    grades = [one.targets[0].grade for one in loaded]
    page = Page((out / "index.html").read_text(encoding="utf-8"))
    shown = [one.get("data-grade") for one in page.attributes_of("form", "eli5-card")]
    assert shown == [None if one.value is None else str(one.value) for one in grades]
    assert "grade" in page.text


def test_a_bulk_run_has_columns_that_come_back(
    capsys: Capsys, model: str, photos: Path, tmp_path: Path
) -> None:
    out, plain = tmp_path / "out", tmp_path / "plain"
    assert run(capsys, "bulk", model, photos, "--out", out, "--grade").code == 0
    assert run(capsys, "bulk", model, photos, "--out", plain).code == 0
    rows = read_rows(out)
    for row, expl in zip(rows, bulk.read(out, pictures=False), strict=True):
        grade = expl.targets[0].grade
        assert (grade.value, grade.verdict) == (row["grade"], row["verdict"])
        assert grade.verdict == "not gradable" or set(grade.parts) >= {"SRG", "noise"}
    assert {row["verdict"] for row in rows} - {"not gradable"}
    assert {(row["grade"], row["verdict"]) for row in read_rows(plain)} == {(None, None)}
    assert bulk.read(plain, pictures=False)[0].targets[0].grade is None
    # Another run: what is there without grades is not taken for it.
    assert run(capsys, "bulk", model, photos, "--out", plain, "--grade").code == 0
    assert len(bulk.status(plain)) == 2


def test_texts(capsys: Capsys, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow")
    path = saved(texts_model(), tmp_path)
    ended = run(capsys, "explain-text", path, "not good, so bad", "--grade")
    assert ended.code == 0
    assert re.search(rf"  {GRADE}", ended.out)

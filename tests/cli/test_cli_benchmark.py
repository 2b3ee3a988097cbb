"""The command that measures methods against known truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from helpers.cli_helpers import fails, run

Capsys = pytest.CaptureFixture[str]

QUICK = ("benchmark", "--set", "watermark", "--docs", "2")


def test_it_prints_a_table_and_writes_a_page_and_a_document(capsys: Capsys, tmp_path: Path) -> None:
    out = tmp_path / "deep" / "benchmark"
    ended = run(
        capsys, *QUICK, "--method", "HiResCAM", "--method", "Occlusion:patch=3", "--out", out
    )
    assert ended.code == 0
    first = [line.split("  ")[0] for line in ended.out.splitlines()[1:6]]
    assert first == ["method", "noise", "edges", "HiResCAM", "Occlusion (patch=3)"]
    assert ended.fact("Written") == f"{out / 'benchmark.html'}, {out / 'benchmark.json'}"
    document = json.loads((out / "benchmark.json").read_text(encoding="utf-8"))
    assert [row["method"] for row in document["rows"]] == first[1:]
    assert "<td>" in (out / "benchmark.html").read_text(encoding="utf-8")


def test_several_follow_one_option_and_json_stands_alone(capsys: Capsys) -> None:
    argv = ("--methods", "Grad-CAM", "saliency", "--seed", "3", "--json")
    document = json.loads(run(capsys, *QUICK, *argv).out)
    assert [row["method"] for row in document["rows"]] == ["noise", "edges", "Grad-CAM", "Saliency"]
    assert (document["seed"], document["n_docs"]) == (3, 2)


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--method", "Grad-KAM"), "Did you mean method='Grad-CAM'?"),
        (("--method", "Grad-CAM:patch=3"), "Expected an option of the method."),
        (("--set", "marks"), "Expected --sets to be one of ('hand-set', 'tasks', 'grid',"),
    ],
)
def test_what_cannot_be_is_told_in_a_line(
    capsys: Capsys, argv: tuple[str, ...], message: str
) -> None:
    assert message in fails(capsys, "benchmark", *argv)


def test_a_file_is_no_folder(capsys: Capsys, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    message = fails(capsys, *QUICK, "--out", tmp_path / "file")
    assert message.startswith("Expected --out to be a folder. Received: --out=")


def test_a_folder_of_something_else_is_left_alone(capsys: Capsys, tmp_path: Path) -> None:
    (tmp_path / "photo.png").write_text("")
    message = fails(capsys, *QUICK, "--out", tmp_path)
    assert message.startswith("Expected --out to be a new or empty folder, or one that this")
    assert [one.name for one in tmp_path.iterdir()] == ["photo.png"]

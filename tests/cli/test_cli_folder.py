"""``--out`` with a folder: one run at a time; what is in the way of one picture stops no other."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest

from eli5.cli.console import UserError
from eli5.cli.output import OutputFolder, check_folder, name_overlays
from eli5.loading.files import RECORDS
from eli5.saving.atomic_write import write_atomically
from eli5.saving.folder_lock import open_locked
from helpers.cli_helpers import fails, records, run, two_colours

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        two_colours().save(folder / name)
    return folder


def files_in(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


# ---- one run at a time ---------------------------------------------------------------------------


@pytest.mark.usefixtures("no_keras")
def test_a_second_run_is_refused_before_any_work(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    first = OutputFolder(out, 1, 1, "pictures")
    try:
        message = fails(capsys, "explain", model_path, photos, "--out", out)
        assert message == (
            "Expected --out to be a folder that no other run works on. Received: "
            f"--out={out}, on which one is at work right now"
        )
        first.write_records(["{}"])
        message = fails(capsys, "explain", model_path, photos, "--out", out)
        assert message.endswith("on which one is at work right now")
    finally:
        first.release()
    assert (out / RECORDS).read_text() == "{}\n"


def test_a_run_leaves_its_folder_free(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    for _ in range(2):
        assert run(capsys, "explain", model_path, photos, "--out", out).code == 0
        assert len(records((out / RECORDS).read_text())) == 3
    open_locked(out / RECORDS).close()


def test_nothing_is_left_of_a_folder_without_results(tmp_path: Path) -> None:
    one = OutputFolder(tmp_path / "a" / "b", 1, 1, "pictures")
    assert files_in(tmp_path) == {f"a/b/{RECORDS}"}
    one.release()
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / RECORDS).write_text("{}\n")
    OutputFolder(tmp_path / "old", 1, 1, "pictures").release()
    assert (tmp_path / "old" / RECORDS).read_text() == "{}\n"


# ---- names that pages have -----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["index.html", "Index.HTML", "index-2.html", RECORDS])
def test_folders_called_as_pages_are(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path, name: str
) -> None:
    (photos / name).mkdir()
    (photos / f"{name}.d").mkdir()
    two_colours().save(photos / name / "d.png")
    two_colours().save(photos / f"{name}.d" / "d.png")
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, photos, "--out", out)
    assert (ended.code, ended.err) == (0, "")
    overlays = {"a.png", "b.png", "c.png", f"{name}.d/d.png", f"{name}.d/d.png.png"}
    assert files_in(out) == {*overlays, "index.html", RECORDS}
    # A pattern finds them as well.
    assert run(capsys, "explain", model_path, f"{photos}/**/*.png").code == 0


def test_files_called_as_pages_are_keep_their_names(tmp_path: Path) -> None:
    names = [str(tmp_path / name) for name in ("index.html", RECORDS, "sub/index.html/a.png")]
    overlays = name_overlays(names, tmp_path)
    assert [name.as_posix() for name in overlays] == [
        "index.png",
        "explanations.png",
        "sub/index.html/a.png",
    ]


@pytest.mark.parametrize("name", ["index.html", "index-7.html", RECORDS])
def test_a_folder_in_the_place_of_a_page_is_told_of_before(tmp_path: Path, name: str) -> None:
    (tmp_path / RECORDS).touch()
    if name == RECORDS:
        (tmp_path / RECORDS).unlink()
    (tmp_path / name).mkdir()
    with pytest.raises(UserError, match=rf"written\. Received: .*, but .*/{name} is a folder$"):
        check_folder(tmp_path)


@pytest.mark.usefixtures("no_keras")
@pytest.mark.parametrize("name", ["index.html", RECORDS])
def test_a_text_that_would_be_overwritten(
    capsys: Capsys, model_path: str, tmp_path: Path, name: str
) -> None:
    (tmp_path / RECORDS).write_text("a\n")
    (tmp_path / name).write_text("a text\nand another\n")
    argv = ["explain-text", model_path, tmp_path / name, "--lines", "--out", tmp_path]
    assert fails(capsys, *argv) == (
        "Expected --out to be a folder without what is read. Received: "
        f"--out={tmp_path}, where {tmp_path / name} would be overwritten"
    )
    assert (tmp_path / name).read_text() == "a text\nand another\n"


# ---- what cannot be written ----------------------------------------------------------------------


def test_a_folder_in_the_place_of_an_overlay(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    (out / "b.png").mkdir(parents=True)
    (out / RECORDS).touch()
    ended = run(capsys, "explain", model_path, photos, "--out", out)
    assert ended.code == 1
    assert ended.err == (
        f"eli5: error: {photos}/b.png: Expected its overlay to be a file that can be written. "
        f"Received: {out}/b.png: Is a directory\n"
    )
    assert ended.fact("Images") == "2 explained, 1 skipped"
    assert files_in(out) == {"a.png", "c.png", "index.html", RECORDS}
    rows = records((out / RECORDS).read_text())
    assert [bool(row["error"]) for row in rows] == [False, True, False]


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EACCES, 1),
        (errno.ENAMETOOLONG, 1),
        (errno.ENOSPC, 2),
        (errno.EROFS, 2),
        (errno.EIO, 2),
    ],
)
def test_an_overlay_that_cannot_be_written(
    capsys: Capsys,
    model_path: str,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    number: int,
    code: int,
) -> None:
    def write(path: Path, content: bytes) -> None:
        if Path(path).name == "b.png":
            raise OSError(number, os.strerror(number), str(path))
        write_atomically(path, content)

    monkeypatch.setattr("eli5.cli.output.write_atomically", write)
    out = tmp_path / "out"
    ended = run(capsys, "explain", model_path, photos, "--out", out)
    assert ended.code == code
    assert ended.err.count("\n") == 1
    assert f"{out}/b.png" in ended.err
    assert os.strerror(number) in ended.err
    left = {"a.png", "index.html", RECORDS}
    assert files_in(out) == (left | {"c.png"} if code == 1 else left)
    rows = records((out / RECORDS).read_text())
    assert [row.get("overlay") for row in rows] == (
        ["a.png", None, "c.png"] if code == 1 else ["a.png"]
    )


def test_the_first_error_is_told_not_that_of_the_page(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    n_written = 0

    def fill_up(path: Any, content: bytes) -> None:
        nonlocal n_written
        if n_written:
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        n_written += 1
        write_atomically(path, content)

    monkeypatch.setattr("eli5.cli.output.write_atomically", fill_up)
    message = fails(capsys, "explain", model_path, photos, "--out", tmp_path / "out")
    assert message.endswith(f"No space left on device: '{tmp_path}/out/b.png'")


def test_a_file_that_may_not_be_written_to(
    capsys: Capsys, model_path: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, access = tmp_path / "out.png", os.access
    out.write_bytes(b"locked")
    monkeypatch.setattr(os, "access", lambda path, mode: path != out and access(path, mode))
    message = fails(capsys, "explain", model_path, photos / "a.png", "--out", out)
    assert message == (
        "Expected --out to be a file that may be written to. Received: "
        f"--out={out} (permission denied)"
    )

"""Where ``--out`` leads, and how overlays are called there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from eli5.cli.console import UserError
from eli5.cli.output import check_folder, file_or_folder, name_overlays
from eli5.loading.files import RECORDS

# ---- file or folder ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["new", "a/b/new", "new.d/", "there.png", "there.png/", ".hidden"])
def test_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("there.png").mkdir()
    assert file_or_folder(name) == (None, Path(name))


@pytest.mark.parametrize("name", ["new.png", "folder/new.html", "new.d", "new.txt"])
def test_files(name: str) -> None:
    assert file_or_folder(name) == (Path(name), None)


# ---- what a folder must be -----------------------------------------------------------------------


def test_a_new_folder_is_not_made_by_the_check(tmp_path: Path) -> None:
    check_folder(tmp_path / "a" / "b")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [[], [".DS_Store"], [RECORDS, "index.html", "a.png"]])
def test_an_empty_folder_or_one_of_results(tmp_path: Path, content: list[str]) -> None:
    for name in content:
        (tmp_path / name).touch()
    check_folder(tmp_path)


def test_a_folder_of_others_is_refused(tmp_path: Path) -> None:
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(UserError) as error:
        check_folder(tmp_path)
    assert str(error.value) == (
        "Expected --out to be a new or empty folder, or one that this command has made. Received: "
        f"--out={tmp_path}, which holds other files. Take a folder in it: "
        f"--out {tmp_path / 'explained'}"
    )


@pytest.mark.parametrize("name", ["file", "file/inside"])
def test_a_file_is_no_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match=r"Expected --out to be a folder\. .*/file is a file$"):
        check_folder(tmp_path / name)


@pytest.mark.parametrize("name", [".", "a/b"])
def test_a_folder_that_may_not_be_written_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(os, "access", lambda _, mode: not mode & os.W_OK)
    with pytest.raises(UserError) as error:
        check_folder(tmp_path / name)
    assert str(error.value) == (
        "Expected --out to be a folder that may be written to. Received: "
        f"--out={tmp_path / name}, but {tmp_path} may not (permission denied)"
    )


def test_a_folder_that_may_not_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "listdir", refuse)
    with pytest.raises(UserError, match="Expected --out to be a new or empty folder"):
        check_folder(tmp_path)


# ---- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sources", "expected"),
    [
        (["a.jpg", "sub/a.jpg", "sub/b.PNG", "c.webp"], None),
        (["a.png", "a.jpg", "a.jpeg"], None),
        (["a.gif", "b.tif", "c"], ["a.png", "b.png", "c.png"]),
        (["a.gif", "a.bmp", "a.png"], ["a.gif.png", "a.bmp.png", "a.png"]),
        (["a.gif", "a.tif", "a.gif.gif"], ["a.png", "a.tif.png", "a.gif.png"]),
        (["A.gif", "a.tif", "a.png.tif"], ["A.png", "a.tif.png", "a.png.png"]),
        (["a.gif", "a.png", "a.gif.png"], ["a.gif-2.png", "a.png", "a.gif.png"]),
        (["x.jpg", "X.JPG", "x.JPG"], ["x.jpg", "X.JPG.png", "x.JPG-2.png"]),
        (["a.png/b.jpg", "a.gif"], ["a.png/b.jpg", "a.gif.png"]),
        (["o\"'\n🦊.gif"], ["o\"'\n🦊.png"]),
    ],
)
def test_names_are_kept_and_none_is_given_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sources: list[str], expected: list[str] | None
) -> None:
    monkeypatch.chdir(tmp_path)
    names = [name.as_posix() for name in name_overlays(sources, tmp_path)]
    assert names == (sources if expected is None else expected)
    assert len({name.casefold() for name in names}) == len(sources)


def test_names_mirror_what_is_below_the_base(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    paths = ["photos/cats/1.jpg", f"{tmp_path}/photos/dogs/1.jpg", "photos/./x.png"]
    assert name_overlays(paths, tmp_path / "photos") == [
        Path("cats/1.jpg"),
        Path("dogs/1.jpg"),
        Path("x.png"),
    ]

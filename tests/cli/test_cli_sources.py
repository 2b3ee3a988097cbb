"""Which pictures ``eli5 explain`` takes: files, folders, patterns, but not its own results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from eli5 import limits
from eli5.cli.commands.explain import find_pictures
from eli5.cli.console import UserError, as_typed
from eli5.loading.files import RECORDS


@pytest.fixture
def photos(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with pictures and other things, and work in the folder around it."""
    monkeypatch.chdir(tmp_path)
    names = "b.jpg a.PNG notes.txt .hidden.png sub/d.webp sub/deep/c.tif .cache/e.png [1].jpg"
    return filled(tmp_path / "photos", names.split())


def filled(folder: Path, names: Iterable[str]) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


ALL = ["[1].jpg", "a.PNG", "b.jpg", "sub/d.webp", "sub/deep/c.tif"]


def inside(folder: str, names: Iterable[str]) -> list[str]:
    return [os.path.join(folder, name) for name in names]


# ---- what is found -------------------------------------------------------------------------------


@pytest.mark.usefixtures("photos")
def test_a_folder_with_all_folders_in_it_but_hidden_ones() -> None:
    found = find_pictures(["photos"])
    assert found.paths == inside("photos", ALL)
    assert found.base == Path("photos").absolute()
    assert (found.problems, found.results) == ([], [])


@pytest.mark.usefixtures("photos")
def test_the_order_does_not_depend_on_the_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    walk = os.walk

    def backwards(top: str, **options: Any) -> object:
        for folder, inner, names in walk(top, **options):
            inner.sort(reverse=True)
            yield folder, inner, sorted(names, reverse=True)

    monkeypatch.setattr(os, "walk", backwards)
    assert find_pictures(["photos"]).paths == inside("photos", ALL)


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("pattern", "names", "base"),
    [
        ("photos/*", ALL, "photos"),
        ("photos/*.jpg", ["[1].jpg", "b.jpg"], "photos"),
        ("photos/**/*.*", ALL, "photos"),
        ("photos/s*/d.webp", ["sub/d.webp"], "photos"),
        ("photos/sub/[cd].*", ["sub/d.webp"], "photos/sub"),
        ("photos/sub/**", ["sub/d.webp", "sub/deep/c.tif"], "photos/sub"),
        ("ph?tos", ALL, "."),
    ],
)
def test_patterns(pattern: str, names: list[str], base: str) -> None:
    found = find_pictures([pattern])
    assert sorted(found.paths) == inside("photos", names)
    assert found.base == Path(os.path.abspath(base))


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("**/*.tif", ["photos/sub/deep/c.tif"]),
        ("**", inside("photos", ALL)),
        ("./**/deep/*", ["./photos/sub/deep/c.tif"]),
        ("photos/**/**/d.webp", ["photos/sub/d.webp"]),
        ("photos/**/sub/**/c.tif", ["photos/sub/deep/c.tif"]),
        ("ph*/**/deep/**/c.*", ["photos/sub/deep/c.tif"]),
        ("photos/sub**/d.webp", ["photos/sub/d.webp"]),
    ],
)
@pytest.mark.usefixtures("photos")
def test_patterns_for_folders_at_any_depth(pattern: str, names: list[str]) -> None:
    assert sorted(find_pictures([pattern]).paths) == names


@pytest.mark.parametrize("pattern", ["photos/**/*.webp", "photos/**/**/d.*", "**/d.webp"])
def test_patterns_do_not_go_round_with_links(photos: Path, pattern: str) -> None:
    for name in "xyz":  # of paths of forty links, there are 3 ** 40
        (photos / "sub" / name).symlink_to(photos)
    assert find_pictures([pattern]).paths == ["photos/sub/d.webp"]


@pytest.mark.parametrize("argument", ["deep", "deep/**/*.png"])
def test_folders_in_folders_have_a_limit(photos: Path, argument: str) -> None:
    bottom = Path("deep", *"d" * limits.FOLDER_LEVELS)
    filled(bottom, ["a.png"])
    filled(Path("deep"), ["b.png"])
    both = [os.path.join("deep", "b.png"), os.fspath(bottom / "a.png")]
    found = find_pictures([argument])
    assert (sorted(found.paths), found.problems) == (sorted(both), [])
    filled(bottom / "e", ["c.png"])
    found = find_pictures([argument])
    assert sorted(found.paths) == sorted(both)
    (problem,) = found.problems
    assert problem.startswith("Expected IMAGE to be a folder with at most 100 levels of folders. ")
    assert problem.endswith(f"IMAGE={bottom / 'e'}, which is too deep to be looked into")


@pytest.mark.usefixtures("photos")
def test_a_name_that_exists_is_no_pattern() -> None:
    # As a pattern it would match a file called "1.jpg".
    assert find_pictures(["photos/[1].jpg"]).paths == ["photos/[1].jpg"]


@pytest.mark.usefixtures("photos")
def test_a_file_that_is_named_counts_whatever_its_ending() -> None:
    named = ["photos/notes.txt", "photos/.hidden.png"]
    assert find_pictures(named).paths == named


@pytest.mark.usefixtures("photos")
def test_each_picture_once_in_the_order_of_the_arguments() -> None:
    found = find_pictures(["photos/sub", "./photos/b.jpg", "photos"])
    assert found.paths == [
        *inside("photos", ALL[3:]),
        "./photos/b.jpg",
        *inside("photos", ALL[:2]),
    ]


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("arguments", "base"),
    [
        (["photos/a.PNG"], "photos"),
        (["photos/sub", "photos/b.jpg"], "photos"),
        (["photos/sub", "other"], "."),
        (["photos/sub/**/*.tif", "photos/sub/d.webp"], "photos/sub"),
    ],
)
def test_the_folder_that_all_arguments_lie_in(arguments: list[str], base: str) -> None:
    filled(Path("other"), ["x.png"])
    assert find_pictures(arguments).base == Path(os.path.abspath(base))


def test_pipes_and_broken_links_are_told_of_when_they_are_read(photos: Path) -> None:
    os.mkfifo(photos / "pipe.png")
    (photos / "y.png").symlink_to("pipe.png")
    (photos / "z.png").symlink_to("nowhere.png")
    odd = ["pipe.png", "y.png", "z.png"]
    names = [*inside("photos", [*ALL[:3], *odd]), *inside("photos", ALL[3:])]
    assert find_pictures(["photos"]).paths == names
    assert find_pictures(["photos/*.png"]).paths == inside("photos", odd)
    with pytest.raises(UserError, match=r"image=photos/y\.png, which is a pipe or a device$"):
        find_pictures(["photos/y.png"])


def test_links_to_folders_are_not_followed(photos: Path) -> None:
    (photos / "again").symlink_to(photos)
    assert find_pictures(["photos"]).paths == inside("photos", ALL)
    assert find_pictures(["photos/again"]).paths == inside("photos/again", ALL)


# ---- results are not explained again -------------------------------------------------------------


@pytest.mark.parametrize("argument", ["photos", "photos/*", "photos/**/*.*", "photos/**"])
def test_folders_of_results_are_left_out(photos: Path, argument: str) -> None:
    filled(photos / "sub" / "explained", ["a.png", "deep/c.tif", RECORDS])
    found = find_pictures([argument])
    assert sorted(found.paths) == inside("photos", ALL)
    assert "photos/sub/explained" in {re.sub("(explained).*", r"\1", one) for one in found.results}


def test_whatever_lies_in_the_folder_to_write_to_is_left_out(photos: Path) -> None:
    filled(photos / "out", ["a.PNG"])  # no result yet, or a result that was moved here
    arguments = ["photos", "photos/out/a.PNG"]
    found = find_pictures(["photos"], out=Path("photos/out"))
    assert (found.paths, found.results) == (inside("photos", ALL), ["photos/out/a.PNG"])
    with pytest.raises(UserError, match=r"photos/out/a\.PNG, which holds nothing but explanations"):
        find_pictures(arguments, out=Path("photos/out"))


def test_a_result_that_is_named_is_explained(photos: Path) -> None:
    filled(photos / "out", ["a.PNG", RECORDS])
    assert find_pictures(["photos/out/a.PNG"]).paths == ["photos/out/a.PNG"]


@pytest.mark.parametrize("argument", ["photos", "photos/*.png", "photos/**"])
def test_nothing_but_results(tmp_path: Path, argument: str) -> None:
    filled(tmp_path / "photos", ["a.png", RECORDS])
    with pytest.raises(UserError) as error:
        find_pictures([str(tmp_path / argument)])
    assert str(error.value) == (
        "Expected IMAGE to be pictures to explain. Received: "
        f"IMAGE={tmp_path / argument}, which holds nothing but explanations of some"
    )


# ---- nothing is found ----------------------------------------------------------------------------


@pytest.mark.usefixtures("photos")
@pytest.mark.parametrize(
    ("argument", "message"),
    [
        (
            "nope.png",
            "a file. Received: IMAGE=nope.png, which does not exist",
        ),
        ("", "a file. Received: IMAGE=, which does not exist"),
        ("nope*.png", r".* Received: IMAGE=nope\*\.png, which matches no folder and no name that "),
        ("photos/*.txt", r".* which matches no folder and no name that ends in one of \.avif, "),
        ("empty", r"a folder with pictures. Received: IMAGE=empty, in which no name ends in one "),
    ],
)
def test_an_argument_without_a_picture(argument: str, message: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(UserError) as error:
        find_pictures(["photos", argument])
    assert re.match(f"Expected IMAGE to be {message}", as_typed(str(error.value)))


def test_a_folder_that_cannot_be_read(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scandir = os.scandir

    def forbidden(path: str) -> object:
        if os.path.basename(path) == "sub":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", forbidden)
    message = (
        "Expected IMAGE to be a folder that can be read. Received: IMAGE=photos/sub, which cannot "
        "be read: Permission denied"
    )
    found = find_pictures(["photos"])
    assert (found.paths, found.problems) == (inside("photos", ALL[:3]), [message])
    with pytest.raises(UserError, match=re.escape(message)):
        find_pictures(["photos/sub"])


@pytest.mark.usefixtures("photos")
def test_several_drives(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_: object) -> str:
        raise ValueError("Paths don't have the same drive")

    monkeypatch.setattr(os.path, "commonpath", refuse)
    with pytest.raises(UserError, match="Expected all IMAGES on one drive"):
        find_pictures(["photos"])

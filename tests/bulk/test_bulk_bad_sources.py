"""What is wrong with a source is one line that names the file."""

from __future__ import annotations

import builtins
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec
import pytest
from fsspec.implementations import local
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from eli5 import bulk
from eli5.bulk import filesystem
from eli5.loading.errors import UserError
from eli5.loading.files import RECORDS
from helpers.bulk_helpers import make_photos, picture_bytes, read_rows, small_model
from helpers.bulk_listing import listed


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return an empty filesystem in memory."""
    fs = fsspec.filesystem("memory")
    yield fs
    fs.rm("/", recursive=True)


@pytest.fixture
def locks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let whatever is called locked… be unreadable, for any user."""

    def locked(real: Any) -> Any:
        def refuse(path: Any, *args: Any, **named: Any) -> Any:
            if os.path.basename(str(path)).startswith("locked"):
                raise PermissionError(13, "Permission denied", path)
            return real(path, *args, **named)

        return refuse

    for name in ("scandir", "listdir"):
        monkeypatch.setattr(os, name, locked(getattr(os, name)))
    monkeypatch.setattr(local, "open", locked(builtins.open), raising=False)


# ---- what cannot be read -------------------------------------------------------------------------


@pytest.mark.usefixtures("locks")
@pytest.mark.parametrize(
    "name", ["locked.txt", "locked.csv", "locked.parquet", "locked.tar", "locked.tgz", "locked"]
)
def test_a_source_that_may_not_be_read(name: str, tmp_path: Path) -> None:
    if name == "locked":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UserError, match=rf"/{name}, which cannot be read: Permission denied$"):
        listed(tmp_path / "plan", tmp_path / name)


@pytest.mark.usefixtures("locks")
def test_a_folder_below_that_may_not_be_read(tmp_path: Path) -> None:
    make_photos(tmp_path / "photos", 3)
    (tmp_path / "photos" / "1" / "locked").mkdir()
    with pytest.raises(UserError, match=r"/1/locked, which cannot be read: Permission denied$"):
        listed(tmp_path / "plan", tmp_path / "photos")


@pytest.mark.parametrize("kind", ["txt", "csv"])
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16", "utf-16-le"])
def test_a_list_in_another_encoding(encoding: str, kind: str, tmp_path: Path) -> None:
    file = tmp_path / f"list.{kind}"
    file.write_text("path\n" + "photo.png\n" * 9999 + "grün.png\n", encoding=encoding)
    with pytest.raises(UserError, match=rf"a list in UTF-8\. .*/list\.{kind}, which is damaged"):
        listed(tmp_path / "plan", file, shard_size=100_000)


def test_a_cell_of_no_end(tmp_path: Path) -> None:
    (tmp_path / "list.csv").write_text('path,note\na.png,"not closed' + "\nb.png,note" * 20_000)
    with pytest.raises(UserError, match=r"/list\.csv, which cannot be read: field larger"):
        listed(tmp_path / "plan", tmp_path / "list.csv")


# ---- elsewhere -----------------------------------------------------------------------------------


@pytest.mark.parametrize("source", ["absent://bucket/photos", "absent://bucket/*.tar"])
def test_a_url_whose_library_is_missing(
    source: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {"class": "absentfs.FileSystem", "err": "Install absentfs to read absent storage"}
    monkeypatch.setitem(known_implementations, "absent", known)
    message = r"Expected the library that reads absent:// to be .* Install it: pip install absentfs"
    with pytest.raises(ModuleNotFoundError, match=message):
        listed(tmp_path / "plan", source)


class _Failing(MemoryFileSystem):  # type: ignore[misc]
    protocol = "failing"

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(path.replace("failing://", "memory://")))

    def ls(self, path: str, detail: bool = True, **kwargs: Any) -> Any:
        if path.endswith("refused"):
            raise RuntimeError("Access\nDenied")
        return super().ls(path, detail, **kwargs)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("zip://a.tar::{}/gone.zip", "cannot be read: No such file"),
        ("zip://*.tar::{}/gone.zip", "cannot be read: No such file"),
        ("zip://gone.tar::{}/there.zip", "does not exist"),
        ("nosuch://photos", "cannot be read: Protocol not known: nosuch"),
        ("failing://refused", "failing://refused, which cannot be read: Access Denied"),
        ("failing://photos", "failing://photos/refused, which cannot be read: Access Denied"),
    ],
)
def test_an_error_elsewhere(source: str, message: str, memory: Any, tmp_path: Path) -> None:
    fsspec.register_implementation("failing", _Failing, clobber=True)
    memory.pipe_file("/photos/refused/a.png", b"")
    memory.pipe_file("/refused/a.png", b"")
    with zipfile.ZipFile(tmp_path / "there.zip", "w") as archive:
        archive.writestr("a.png", b"")
    with pytest.raises(UserError, match=message):
        listed(tmp_path / "plan", source.format(tmp_path))


def test_a_folder_in_a_zip_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("photos/a.png", b"a")
        archive.writestr("photos/deep/b.png", b"b")
    inner = {"a.png": b"a", "deep/b.png": b"b"}
    assert listed(tmp_path / "1", f"zip://photos::{tmp_path}/a.zip") == inner
    whole = {f"photos/{name}": content for name, content in inner.items()}
    assert listed(tmp_path / "2", f"zip://::{tmp_path}/a.zip") == whole


def test_the_whole_of_a_filesystem(memory: Any, tmp_path: Path) -> None:
    memory.pipe_file("/a.png", b"a")
    memory.pipe_file("/deep/b.png", b"b")
    memory.pipe_file("/list.txt", b"deep/b.png")
    assert listed(tmp_path / "all", "memory://") == {"a.png": b"a", "deep/b.png": b"b"}
    assert listed(tmp_path / "list", "memory://list.txt") == {"deep/b.png": b"b"}


@pytest.mark.parametrize(
    ("path", "whole", "inner"),
    [
        ("/", "/", "/a"),
        ("/x/", "/x", "/x/a"),
        ("memory://", "memory://", "memory://a"),
        ("memory:///", "memory:///", "memory:///a"),
        ("s3://x/y/", "s3://x/y", "s3://x/y/a"),
        ("zip://::s3://x/y.zip", "zip://::s3://x/y.zip", "zip://a::s3://x/y.zip"),
        ("filecache::s3://x/", "filecache::s3://x", "filecache::s3://x/a"),
    ],
)
def test_names_of_folders(path: str, whole: str, inner: str) -> None:
    assert filesystem.absolute(path) == whole
    assert filesystem.join(whole, "a") == inner
    assert filesystem.parent(inner) == whole


def test_nothing_is_not_the_current_folder(tmp_path: Path, model: str) -> None:
    for source, out in (("", str(tmp_path / "out")), (str(tmp_path), "")):
        with pytest.raises(UserError, match=r"`source` and `out` .* Received: ''"):
            bulk.explain(model, source, out)


# ---- results are no pictures ---------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def test_results_of_earlier_runs_are_no_pictures(tmp_path: Path, model: str) -> None:
    photos = tmp_path / "photos"
    ids = make_photos(photos, 3)
    bulk.explain(model, photos, photos / "explained", overlays=True)
    (photos / "0" / "page").mkdir()
    (photos / "0" / "page" / "overlay.png").write_bytes(picture_bytes(1))
    (photos / "0" / "page" / RECORDS).write_text("{}\n")
    bulk.explain(model, photos, photos / "explained2", overlays=True)
    assert [row["id"] for row in read_rows(photos / "explained2")] == ids
    with pytest.raises(UserError, match="which holds results of an earlier run"):
        listed(tmp_path / "plan", photos / "explained")
    # Unless they are meant.
    assert len(listed(tmp_path / "plan", photos / "explained" / "overlays")) == 3


def test_what_only_looks_like_results_is_explained(tmp_path: Path) -> None:
    for name in ("plan.json", "parts/a.png"):
        (tmp_path / "photos" / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / "photos" / "parts" / "a.png").write_bytes(b"a")
    (tmp_path / "photos" / "b").mkdir()
    (tmp_path / "photos" / "b" / "plan.json").write_text("")
    (tmp_path / "photos" / "b" / "b.png").write_bytes(b"b")
    assert listed(tmp_path / "plan", tmp_path / "photos") == {"b/b.png": b"b", "parts/a.png": b"a"}


def test_results_reached_through_a_link(tmp_path: Path) -> None:
    ids = make_photos(tmp_path / "photos", 3)
    out = tmp_path / "photos" / "0" / "explained"
    make_photos(out / "overlays", 3)
    (tmp_path / "link").symlink_to(tmp_path / "photos")
    (tmp_path / "out").symlink_to(out)
    for number, (source, skip) in enumerate(
        [("link", out), ("photos", tmp_path / "out"), ("link", tmp_path / "out"), ("photos", out)]
    ):
        assert list(listed(tmp_path / f"{number}", tmp_path / source, skip=str(skip))) == ids

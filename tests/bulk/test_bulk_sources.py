"""Sources: what each is listed into, and that the right bytes come back from anywhere in it."""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import fsspec
import pytest

from eli5 import bulk, limits
from eli5.bulk import filesystem
from eli5.bulk.plan import read_items, read_shards
from eli5.bulk.sources import read_range
from eli5.loading.errors import UserError
from helpers.bulk_helpers import (
    check_complete,
    make_photos,
    make_tar,
    picture_bytes,
    read_rows,
    small_model,
    write_parquet,
)
from helpers.bulk_listing import listed

N = 7
CONTENTS = {f"{number:02d}.png": picture_bytes(number) for number in range(N)}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def memory() -> Iterator[Any]:
    """Return an empty filesystem in memory."""
    fs = fsspec.filesystem("memory")
    yield fs
    fs.rm("/", recursive=True)


# ---- kinds ---------------------------------------------------------------------------------------


def test_a_folder_and_all_below_it(tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    ids = make_photos(photos, N)
    (photos / "notes.txt").write_text("no picture")
    (photos / ".hidden.png").write_bytes(b"")
    (photos / ".git").mkdir()
    (photos / ".git" / "logo.png").write_bytes(b"")
    (photos / "loop").symlink_to(photos)
    (photos / "link.png").symlink_to(photos / ids[0])
    found = listed(tmp_path / "plan", photos)
    assert list(found) == [*ids, "link.png"]
    assert found["1/00004.png"] == picture_bytes(4)


def test_a_name_that_is_no_text(tmp_path: Path, model: str) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "gr\udcfcn.png").write_bytes(picture_bytes(1))
    (photos / "x\udcff.png").write_bytes(b"broken")
    bulk.explain(model, photos, tmp_path / "out", overlays=True, shard_size=1)
    good, bad = read_rows(tmp_path / "out")
    assert (good["id"], good["ok"]) == ("gr\\udcfcn.png", True)
    assert (bad["id"], bad["ok"]) == ("x\\udcff.png", False)
    assert (tmp_path / "out" / good["overlay"]).exists()


def test_results_within_the_source_are_no_source(tmp_path: Path, model: str) -> None:
    photos = tmp_path / "photos"
    ids = make_photos(photos, 3)
    out = photos / "explained"
    bulk.explain(model, photos, out, overlays=True)
    bulk.explain(model, photos, out, overlays=True, method="HiResCAM")
    check_complete_ids = [row["id"] for row in read_rows(out)]
    assert check_complete_ids == ids
    (beside,) = out.glob("run-*")
    assert [row["id"] for row in read_rows(beside)] == ids


def write_list(folder: Path, kind: str) -> Path:
    make_photos(folder / "photos", N)
    absolute = str(folder / "photos" / "1" / "00001.png")
    entries = ["photos/0/00000.png", absolute, "photos/2/00002.png"]
    file = folder / f"list.{kind}"
    if kind == "txt":
        file.write_text("\ufeff" + "\n\n".join(entries) + "\r\n", encoding="utf-8")
    elif kind == "parquet":
        write_parquet(file, {"label": [1, 2, 3], "Path": entries, "key": ["a", "b", "c"]})
    else:
        mark = {"csv": ",", "tsv": "\t"}[kind]
        rows = [f"{name}{mark}{entry}" for name, entry in zip("abc", entries, strict=True)]
        file.write_text("\n".join([f"key{mark}Path", *rows]))
    return file


@pytest.mark.parametrize("kind", ["txt", "csv", "tsv", "parquet"])
def test_a_list_of_paths(kind: str, tmp_path: Path) -> None:
    file = write_list(tmp_path, kind)
    found = listed(tmp_path / "plan", file, shard_size=2)
    names = ["photos/0/00000.png", str(tmp_path / "photos/1/00001.png"), "photos/2/00002.png"]
    assert list(found) == (names if kind == "txt" else ["a", "b", "c"])
    assert list(found.values()) == [picture_bytes(number) for number in range(3)]
    # The plan has a listing of its own.
    file.unlink()
    assert sum(len(list(read_items(shard))) for shard in read_shards(str(tmp_path / "plan"))) == 3


@pytest.mark.parametrize("group", [1, 2, 5, 100])
@pytest.mark.parametrize("shape", ["binary", "struct"])
def test_parquet_with_pictures_in_it(shape: str, group: int, tmp_path: Path) -> None:
    content: list[Any] = list(CONTENTS.values())
    if shape == "struct":
        content = [{"bytes": one, "path": "x"} for one in content]
    columns = {"image": content, "id": list(range(N))}
    file = write_parquet(tmp_path / "a.parquet", columns, row_group_size=group)
    found = listed(tmp_path / "plan", file)
    assert found == {str(number): picture_bytes(number) for number in range(N)}


def test_rows_without_an_id_are_numbered(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    values = list(CONTENTS.values())
    write_parquet(folder / "a.parquet", {"image": values[:4]})
    write_parquet(folder / "b.parquet", {"image": values[4:]})
    found = listed(tmp_path / "plan", folder)
    names = [f"a.parquet#{row}" for row in range(4)] + [f"b.parquet#{row}" for row in range(3)]
    assert list(found) == names
    assert list(found.values()) == values


def test_a_row_without_a_picture_is_one_bad_item(tmp_path: Path) -> None:
    file = write_parquet(tmp_path / "a.parquet", {"image": [CONTENTS["00.png"], None]})
    with pytest.raises(OSError, match="the row has no picture"):
        listed(tmp_path / "plan", file)


@pytest.mark.parametrize("ending", [".tar", ".tar.gz"])
def test_tar_files(ending: str, tmp_path: Path) -> None:
    items = list(CONTENTS.items())
    mode = "w:gz" if ending == ".tar.gz" else "w"
    long = "x" * 150 + ".png"  # its name takes blocks of its own in a tar file
    make_tar(tmp_path / f"0{ending}", {**dict(items[:4]), long: picture_bytes(50)}, mode)
    make_tar(tmp_path / f"1{ending}", dict(items[4:]), mode)
    found = listed(tmp_path / "plan", tmp_path / f"[01]{ending}", shard_size=2)
    ids = [f"0{ending}/{name}" for name, _ in items[:4]] + [f"0{ending}/{long}"]
    assert list(found) == ids + [f"1{ending}/{name}" for name, _ in items[4:]]
    assert list(found.values()) == [*list(CONTENTS.values())[:4], picture_bytes(50)] + [
        content for _, content in items[4:]
    ]


@pytest.mark.parametrize("kind", ["tar", "parquet"])
def test_a_container_that_is_damaged_later_stops_nothing(
    kind: str, tmp_path: Path, model: str
) -> None:
    source, out = tmp_path / f"a.{kind}", tmp_path / "out"
    if kind == "tar":
        make_tar(source, CONTENTS)
    else:
        write_parquet(source, {"image": list(CONTENTS.values())})
    bulk.explain(model, source, out, shard_size=3)
    before = read_rows(out)
    for part in sorted((out / "parts").iterdir())[1:]:
        part.unlink()
    source.write_bytes(source.read_bytes()[: 2000 if kind == "tar" else 100])
    summary = bulk.explain(model, source, out, shard_size=3)
    rows = read_rows(out)
    assert rows[:3] == before[:3]
    assert (summary.n_items, summary.n_failed, len(rows)) == (N, N - 3, N)
    assert all(source.name in row["id"] and row["error"] for row in rows[3:])


# ---- elsewhere -----------------------------------------------------------------------------------


def test_a_filesystem_of_fsspec(memory: Any, tmp_path: Path, model: str) -> None:
    ids = sorted(f"{number % 2}/{name}" for number, name in enumerate(CONTENTS))
    for name in ids:
        memory.pipe_file(f"/photos/{name}", CONTENTS[name[2:]])
    memory.pipe_file("/photos/0/broken.png", b"no picture")
    bulk.explain(model, "memory://photos", "memory://out", overlays=True, shard_size=3)
    memory.get("/out", str(tmp_path / "out"), recursive=True)
    (tmp_path / "out" / "fragments").mkdir(exist_ok=True)
    check_complete(tmp_path / "out", sorted([*ids, "0/broken.png"]), failed=["0/broken.png"])
    (state,) = bulk.status("memory://out")
    assert (state.is_done, state.at_work, state.done.failed) == (True, None, 1)
    # A part that is gone is made again, and that one only.
    parts = sorted(memory.ls("/out/parts", detail=False))
    before = {part: memory.cat_file(part) for part in parts}
    memory.rm_file(parts[1])
    bulk.explain(model, "memory://photos", "memory://out", overlays=True, shard_size=3)
    assert sorted(memory.ls("/out/parts", detail=False)) == parts
    assert memory.cat_file(parts[0]) == before[parts[0]]


def test_containers_and_lists_at_a_url(memory: Any, tmp_path: Path) -> None:
    make_tar(tmp_path / "a.tar", CONTENTS)
    memory.put(str(tmp_path / "a.tar"), "/data/a.tar")
    memory.put(str(tmp_path / "a.tar"), "/data/b.tar")
    found = listed(tmp_path / "tar", "memory://data/*.tar")
    assert list(found) == [f"{one}.tar/{name}" for one in "ab" for name in CONTENTS]
    memory.pipe_file("/data/one.png", picture_bytes(1))
    memory.pipe_file("/data/list.txt", b"one.png\nmemory://data/one.png\n")
    found = listed(tmp_path / "list", "memory://data/list.txt")
    assert found == dict.fromkeys(["one.png", "memory://data/one.png"], picture_bytes(1))


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[str]:
    """Serve the test's folder on this machine."""
    handler = functools.partial(_Quiet, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as one:
        threading.Thread(target=one.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{one.server_port}"
        one.shutdown()


def test_a_list_of_urls(server: str, tmp_path: Path, model: str) -> None:
    make_photos(tmp_path / "photos", 2)
    urls = [f"{server}/photos/0/00000.png", f"{server}/photos/1/00001.png", f"{server}/gone.png"]
    (tmp_path / "list.txt").write_text("\n".join(urls))
    out = tmp_path / "out"
    bulk.explain(model, f"{server}/list.txt", out, overlays=True)
    check_complete(out, urls, failed=urls[2:])


# ---- what is no source ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "which does not exist"),
        ("*.nothing", "which matches nothing"),
        ("two.*", "which matches files of several kinds"),
        ("two.txt", "in which there is none"),
        ("empty", "in which there is none"),
        ("photo.png", "Expected `source` to be a folder, .*/photo.png, which is none of these"),
        ("*.png", "Expected `source` to be a folder, .* matches files of several kinds or of none"),
        ("list.csv", r"Expected `source` to have a column named one of path, .*list.csv with a, b"),
        ("two.parquet", "Expected `source` to be a Parquet file"),
        ("numbers.parquet", "Expected `source` to have a column of binary values .* with number"),
    ],
)
def test_what_is_no_source(name: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "photo.png").write_bytes(b"x")
    (tmp_path / "two.txt").write_text("")
    (tmp_path / "two.parquet").write_bytes(b"no parquet")
    (tmp_path / "list.csv").write_text("a,b\n1,2\n")
    write_parquet(tmp_path / "numbers.parquet", {"number": [1]})
    with pytest.raises(UserError, match=message):
        listed(tmp_path / "plan", tmp_path / name)
    assert not (tmp_path / "plan" / "plan.json").exists()


def test_what_is_no_picture_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OSError, match="it is no file but a folder, a pipe or a device"):
        filesystem.read_bytes("/dev/zero")
    (tmp_path / "large").write_bytes(b"12345")
    make_tar(tmp_path / "a.tar", {"0.png": b"12345"})
    monkeypatch.setattr(limits, "PICTURE_BYTES", 5)
    assert filesystem.read_bytes(str(tmp_path / "large")) == b"12345"
    (item,) = read_range("tar", str(tmp_path / "a.tar"), 0, 1)
    assert item.read() == b"12345"
    monkeypatch.setattr(limits, "PICTURE_BYTES", 4)
    with pytest.raises(OSError, match="it is larger than 4 bytes"):
        filesystem.read_bytes(str(tmp_path / "large"))
    (item,) = read_range("tar", str(tmp_path / "a.tar"), 0, 1)
    with pytest.raises(OSError, match="it is larger than 4 bytes"):
        item.read()

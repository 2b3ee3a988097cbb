"""What is too large, too deep or endless in a source is told of; its neighbours are explained."""

from __future__ import annotations

import contextlib
import os
import tarfile
import threading
import tracemalloc
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from eli5 import bulk, limits
from eli5.bulk import filesystem, worker
from eli5.bulk.sources import items, parquet, read_range, tar
from eli5.loading.errors import UserError
from helpers.bulk_helpers import make_tar, picture_bytes, read_rows, small_model, write_parquet
from helpers.bulk_listing import listed

Patch = pytest.MonkeyPatch


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def read(source_format: str, file: Path, n: int, start: int = 0) -> list[bytes | str]:
    """Return the contents of items, or why they cannot be read."""

    def one(item: items.SourceItem) -> bytes | str:
        try:
            return item.read()
        except OSError as error:
            return str(error)

    return [one(item) for item in read_range(source_format, str(file), start, n)]


# ---- Parquet -------------------------------------------------------------------------------------

KINDS: dict[str, Callable[[list[bytes]], Any]] = {
    "binary": pa.array,
    "large_binary": lambda cells: pa.array(cells, pa.large_binary()),
    "binary_view": lambda cells: pa.array(cells, pa.binary_view()),
    "dictionary": lambda cells: pa.array(cells).dictionary_encode(),
    "struct": lambda cells: pa.array([{"bytes": one, "path": "x"} for one in cells]),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("at_once", [1, 2, 64])
def test_a_large_cell_is_one_bad_item(
    kind: str, at_once: int, tmp_path: Path, monkeypatch: Patch
) -> None:
    cells = [b"%d" % number * 10 for number in range(7)]
    cells[2], cells[4] = bytes(50), bytes(51)
    file = write_parquet(tmp_path / "a.parquet", {"image": KINDS[kind](cells)}, row_group_size=5)
    monkeypatch.setattr(limits, "PICTURE_BYTES", 50)
    monkeypatch.setattr(parquet, "_rows_at_once", lambda *_: at_once)
    found = [*cells[:4], "it is larger than 50 bytes", *cells[5:]]
    assert read("parquet", file, 7) == found
    assert read("parquet", file, 4, 2) == found[2:6]


def test_a_large_cell_is_not_copied(tmp_path: Path, monkeypatch: Patch) -> None:
    cells = [b"0", bytes(2**24), b"2"]
    file = write_parquet(tmp_path / "a.parquet", {"image": cells}, compression="zstd")
    assert file.stat().st_size < 2**14
    monkeypatch.setattr(limits, "PICTURE_BYTES", 2**20)
    tracemalloc.start()
    try:
        assert read("parquet", file, 3) == [b"0", "it is larger than 1 MiB", b"2"]
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()


def test_a_large_cell_leaves_its_neighbours(model: str, tmp_path: Path, monkeypatch: Patch) -> None:
    cells = [picture_bytes(number) for number in range(6)]
    cells[3] = bytes(2**20)
    file = write_parquet(tmp_path / "a.parquet", {"image": cells})
    monkeypatch.setattr(limits, "PICTURE_BYTES", 2**20 - 1)
    summary = bulk.explain(model, file, tmp_path / "out")
    assert (summary.n_items, summary.n_failed) == (6, 1)
    assert summary.failures[0]["id"] == "a.parquet#3"
    assert [row["ok"] for row in read_rows(tmp_path / "out")] == [True] * 3 + [False] + [True] * 2


def test_rows_are_read_at_once_as_far_as_their_group_may_fill_the_memory(
    tmp_path: Path, monkeypatch: Patch
) -> None:
    columns = {"image": [b"x" * 100, *[b"y"] * 9], "id": [f"{k}" for k in range(10)]}
    file = write_parquet(tmp_path / "a.parquet", columns, use_dictionary=False)
    metadata = pq.read_metadata(file)
    size = metadata.row_group(0).column(0).total_uncompressed_size
    for most, n in [(64 * size, 64), (64 * size - 1, 63), (2 * size, 2), (size - 1, 1)]:
        monkeypatch.setattr(limits, "PARQUET_BYTES", most)
        assert parquet._rows_at_once(metadata, [0], ["image"]) == n
    assert parquet._rows_at_once(metadata, [0], ["id"]) > 1
    assert parquet._rows_at_once(metadata, [], ["image"]) == 64


@pytest.mark.parametrize("columns", [("id", "image"), ("path",)])
def test_an_id_or_a_path_has_a_limit(
    columns: tuple[str, ...], tmp_path: Path, monkeypatch: Patch
) -> None:
    values = {"id": ["a", "b" * 9], "image": [b"1", b"2"], "path": ["a", "b" * 9]}
    file = write_parquet(tmp_path / "a.parquet", {name: values[name] for name in columns})
    monkeypatch.setattr(limits, "ENTRY_CHARS", 9)
    if "image" in columns:
        assert listed(tmp_path / "plan", file) == {"a": b"1", "b" * 9: b"2"}
    monkeypatch.setattr(limits, "ENTRY_CHARS", 8)
    match = r"have ids and paths of at most 8 bytes\. Received: source=a longer one in row 1$"
    with pytest.raises(UserError, match=match):
        listed(tmp_path / "other", file)


def test_a_file_has_no_more_rows_than_bytes(tmp_path: Path) -> None:
    n = 3000
    file = write_parquet(tmp_path / "a.parquet", {"image": [b""] * n})
    assert file.stat().st_size < n
    with pytest.raises(UserError, match=rf"is damaged, .*: \d+ bytes cannot hold {n} rows$"):
        listed(tmp_path / "plan", file)
    few = write_parquet(tmp_path / "b.parquet", {"image": [b""] * 300})
    assert few.stat().st_size > 300
    assert len(listed(tmp_path / "plan", few)) == 300


# ---- tar -----------------------------------------------------------------------------------------


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


def sparse(name: str, size: int) -> bytes:
    """Return a file of so many bytes, all of them in a hole."""
    block = bytearray(header(name, 0, tarfile.GNUTYPE_SPARSE))
    block[483:495] = b"%011o\0" % size
    block[148:156] = b"%06o\0 " % sum(block[:148] + b" " * 8 + block[156:])
    return bytes(block)


END = bytes(1024)


def test_a_sparse_file_is_one_bad_item(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    good = make_tar(tmp_path / "good.tar", {"1.png": b"1"}).read_bytes()[:1024]
    file.write_bytes(sparse("0.png", 2**27) + good + sparse("2.png", 1) + END)
    assert [one for found in tar.ranges([str(file)], 9) for one in found.ids] == [
        f"a.tar/{k}.png" for k in range(3)
    ]
    tracemalloc.start()
    try:
        contents = read("tar", file, 3)
        assert tracemalloc.get_traced_memory()[1] < 2**22
    finally:
        tracemalloc.stop()
    why = "it is a sparse file, and those are not read"
    assert contents == [why, b"1", why]


@pytest.mark.parametrize("kind", [tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE])
def test_a_header_has_a_limit(kind: bytes, tmp_path: Path, monkeypatch: Patch) -> None:
    file = tmp_path / "a.tar"
    name = b"a" * 600 + b".png\0"
    content = b"614 path=" + name[:-1] + b"\n"
    content = name if kind == tarfile.GNUTYPE_LONGNAME else content
    block = content.ljust(1024, b"\0")
    file.write_bytes(header("long", len(content), kind) + block + header("a", 0) + END)
    monkeypatch.setattr(limits, "TAR_HEADER_BYTES", 1024)
    (found,) = tar.ranges([str(file)], 9)
    assert found.ids == [f"a.tar/{'a' * 600}.png"]
    monkeypatch.setattr(limits, "TAR_HEADER_BYTES", 1023)
    match = "which is damaged, .*: a header is of 1024 bytes, and at most 1023 bytes are read"
    with pytest.raises(UserError, match=match):
        list(tar.ranges([str(file)], 9))


def test_a_size_below_zero_does_not_go_round_for_ever(tmp_path: Path) -> None:
    file = tmp_path / "a.tar"
    first = header("0.png", 0)
    file.write_bytes(first + header("1.png", -512) + END)
    with pytest.raises(UserError, match=r"a\.tar, which is damaged, or"):
        list(tar.ranges([str(file)], 9))


def test_a_picture_that_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a.tar").write_bytes(header("0.png", 600) + bytes(512))
    assert read("tar", tmp_path / "a.tar", 1) == ["the tar file is damaged: unexpected end of data"]


# ---- folders and lists ---------------------------------------------------------------------------


def test_folders_in_folders_have_a_limit(tmp_path: Path) -> None:
    deep = tmp_path / "photos" / "/".join("d" * limits.FOLDER_LEVELS)
    deep.mkdir(parents=True)
    (deep / "a.png").write_bytes(b"a")
    assert list(listed(tmp_path / "plan", tmp_path / "photos").values()) == [b"a"]
    (deep / "e").mkdir()
    match = rf"at most 100 levels of folders\. .*{deep}/e, which is too deep to be looked into$"
    with pytest.raises(UserError, match=match):
        listed(tmp_path / "other", tmp_path / "photos")


@pytest.mark.parametrize("start", ["", "file://"])
def test_pipes_are_not_waited_for(start: str, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "link.png").symlink_to("pipe.png")
    match = "it is no file but a folder, a pipe or a device"
    for name in ("pipe.png", "link.png"):
        with pytest.raises(OSError, match=match):
            filesystem.read_bytes(f"{start}{tmp_path}/{name}")
    for name in ("a.txt", "a.csv", "a.tar", "a.parquet"):
        os.mkfifo(tmp_path / name)
        with pytest.raises(UserError, match=f"{name}, which cannot be read: {match}"):
            listed(tmp_path / "plan", f"{start}{tmp_path}/{name}")


def test_a_pipe_leaves_its_neighbours(model: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(picture_bytes(0))
    os.mkfifo(tmp_path / "pipe")
    (photos / "b.png").symlink_to(tmp_path / "pipe")
    (photos / "c.png").write_bytes(picture_bytes(1))
    summary = bulk.explain(model, photos, tmp_path / "out")
    assert (summary.n_items, [one["id"] for one in summary.failures]) == (3, ["b.png"])


class _Endless(BaseHTTPRequestHandler):
    sent = 0

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        with contextlib.suppress(OSError):  # the other side has had enough
            while "endless" in self.path or type(self).sent < 2**20:
                self.wfile.write(bytes(2**18))
                type(self).sent += 2**18

    def log_message(self, *args: object) -> None:
        """Say nothing."""


def test_a_server_of_no_end(monkeypatch: Patch) -> None:
    monkeypatch.setattr(limits, "PICTURE_BYTES", 2**20)
    with ThreadingHTTPServer(("127.0.0.1", 0), _Endless) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        assert filesystem.read_bytes(f"{url}/a.png") == bytes(2**20)
        with pytest.raises(OSError, match="it is larger than 1 MiB"):
            filesystem.read_bytes(f"{url}/endless.png")
        server.shutdown()


@pytest.mark.parametrize(
    ("name", "limit", "start"),
    [("a.txt", "ENTRY_CHARS", ""), ("a.csv", "CSV_LINE_CHARS", "path\n")],
)
def test_a_line_has_a_limit(
    name: str, limit: str, start: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    monkeypatch.setattr(limits, limit, 8)
    (tmp_path / name).write_bytes(start.encode() + b"12345678\r\n/a\n12345678")
    assert [one for one, *_ in _listed_paths(tmp_path / name)] == ["12345678", "/a", "12345678"]
    (tmp_path / name).write_bytes(start.encode() + b"/a\n123456789")
    with pytest.raises(UserError, match=r"which cannot be read: it has a line of more than 8 ch"):
        _listed_paths(tmp_path / name)


def _listed_paths(file: Path) -> list[tuple[str, ...]]:
    from eli5.bulk.sources import paths

    return list(paths.list_paths([str(file)]))


# ---- the worker ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("most", "n"), [(0, 1), (99, 1), (100, 2), (350, 4), (10**6, 9)])
def test_no_more_than_some_files_wait_in_memory(
    most: int, n: int, model: str, tmp_path: Path, monkeypatch: Patch
) -> None:
    made, seen = [], []
    held, decoded = items.held, worker.Worker._decoded

    def counted(*arguments: Any) -> items.SourceItem:
        made.append(held(*arguments)._replace(size=100))
        return made[-1]

    def watched(self: Any, *arguments: Any) -> Any:
        stream = decoded(self, *arguments)
        first = next(stream)
        seen.append(len(made))
        yield first
        yield from stream

    monkeypatch.setattr(items, "held", counted)
    monkeypatch.setattr(worker.Worker, "_decoded", watched)
    monkeypatch.setattr(limits, "WAITING_BYTES", most)
    file = make_tar(tmp_path / "a.tar", {f"{k:02}.png": picture_bytes(k) for k in range(20)})
    done = bulk.explain(model, file, tmp_path / "out", batch_size=4, shard_size=20)
    assert done.n_failed == 0
    assert seen == [n]

"""Parts: written whole or not at all, put together from pieces, and read without the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from eli5.bulk import filesystem
from eli5.bulk.plan import Shard
from eli5.bulk.results import parts
from eli5.bulk.results.parts import Counts, Row, make_schema, make_table
from eli5.bulk.results.summary import add_up
from eli5.loading.errors import UserError

COUNTS = Counts(2, 1, 1.5, 100.0)
HEATMAP = np.array([0, 0.25, 1, 0.5, 0.125, 0], "float32")


def good_row(name: str) -> Row:
    known: dict[str, Any] = {"method": "Grad-CAM", "layer": "conv", "rank": 0, "class_id": 3}
    known |= {"class_name": "cat", "score": 0.5, "probability": 0.5}
    return Row(name, f"/{name}", True, **known, height=2, width=3, heatmap=HEATMAP)


def write(path: Path, rows: list[Row], counts: Counts = COUNTS, dtype: str = "float32") -> None:
    with parts.new_part(str(path), dtype, lambda: counts) as part:
        for row in rows:
            part.add([row])


def test_a_part_is_read_back_as_it_was(tmp_path: Path) -> None:
    rows = [good_row("a"), Row("b", "/b", False, "broken"), good_row("c")]
    write(tmp_path / "part.parquet", rows)
    assert os.listdir(tmp_path) == ["part.parquet"]
    assert parts.read_counts(str(tmp_path / "part.parquet")) == COUNTS
    table = pq.read_table(tmp_path / "part.parquet").to_pylist()
    assert table[1] == {**dict.fromkeys(Row._fields), "id": "b", "path": "/b", "ok": False} | {
        "error": "broken"
    }
    for row, read in zip((rows[0], rows[2]), (table[0], table[2]), strict=True):
        assert {**row._asdict(), "heatmap": HEATMAP.tolist()} == read


def test_pandas_reads_a_folder_of_parts(tmp_path: Path) -> None:
    pandas = pytest.importorskip("pandas")
    write(tmp_path / "1.parquet", [Row("x", "/x", False, "broken")])
    write(tmp_path / "2.parquet", [good_row("a"), good_row("b")])
    (tmp_path / ".3.parquet.17.abc").write_bytes(b"half")
    frame = pandas.read_parquet(tmp_path).sort_values("id")
    assert list(frame["id"]) == ["a", "b", "x"]
    row = frame.iloc[0]
    heatmap = row["heatmap"].reshape(int(row["height"]), int(row["width"]))
    np.testing.assert_array_equal(heatmap, HEATMAP.reshape(2, 3))


def test_only_our_own_drafts_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".plan-abc").mkdir()
    for name in (".plan.json.12.ab", ".summary.json.12.ab", ".retry.json.12.ab", ".keep"):
        (tmp_path / name).write_bytes(b"")
    parts.prepare_folders(str(tmp_path))
    assert sorted(os.listdir(tmp_path)) == [".git", ".keep", "fragments", "parts"]


def test_nothing_is_left_of_a_part_that_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with parts.new_part(str(tmp_path / "part.parquet"), "float32", lambda: COUNTS) as part:
            part.add([good_row("a")])
            assert len(os.listdir(tmp_path)) == 1
            raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        fail()
    assert os.listdir(tmp_path) == []


def test_rows_are_not_all_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "_BUFFERED", 10_000)
    write(tmp_path / "part.parquet", [good_row(str(number)) for number in range(100)])
    assert pq.ParquetFile(tmp_path / "part.parquet").num_row_groups > 5
    names = [row["id"] for row in pq.read_table(tmp_path / "part.parquet").to_pylist()]
    assert names == [str(number) for number in range(100)]


def test_a_full_disk_is_not_an_items_fault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(filesystem, "publish", full)
    with pytest.raises(UserError, match=r"Expected `out` .* No space left .* run it again"):
        write(tmp_path / "part.parquet", [good_row("a")])
    with pytest.raises(UserError, match="Expected `out` to be a folder that can be written to"):
        write(tmp_path / "missing" / "part.parquet", [good_row("a")])
    (tmp_path / "overlays").write_bytes(b"in the way")
    with (
        pytest.raises(UserError, match="Expected `out` to be a folder that can be written to"),
        filesystem.write_errors(str(tmp_path)),
    ):
        filesystem.write_aside(str(tmp_path / "overlays" / "0" / "a.jpg"), b"", str(tmp_path))
    assert os.listdir(tmp_path) == ["overlays"]


def test_a_write_that_is_broken_off_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, drafts = tmp_path / "overlays" / "a.jpg", tmp_path / "fragments"
    drafts.mkdir()

    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        filesystem.write_aside(str(path), b"new", str(drafts))
    monkeypatch.undo()
    assert not path.exists()
    assert os.listdir(drafts) == []
    filesystem.write_aside(str(path), b"new", str(drafts))
    assert path.read_bytes() == b"new"


def test_what_a_killed_write_leaves_is_removed(tmp_path: Path) -> None:
    parts.prepare_folders(str(tmp_path))
    (tmp_path / "fragments" / ".17.abc").write_bytes(b"half")
    parts.prepare_folders(str(tmp_path))
    assert os.listdir(tmp_path / "fragments") == []


def test_damage_in_the_rows_is_found_by_a_checksum(tmp_path: Path) -> None:
    path = tmp_path / "part.parquet"
    write(path, [good_row(f"{number:03}") for number in range(100)])
    assert parts.is_whole(str(path))
    good = path.read_bytes()
    footer = len(good) - int.from_bytes(good[-8:-4], "little") - 8
    missed = []
    for place in range(0, footer, 7):
        path.write_bytes(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :])
        missed += [place] if parts.is_whole(str(path)) else []
    assert missed == []
    path.write_bytes(good[:-20])
    assert not parts.is_whole(str(path))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        parts.is_whole(str(path))


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_pieces_become_a_part(dtype: str, tmp_path: Path) -> None:
    folder, shard = str(tmp_path), Shard(3, "abc", "list", "file", 0, 5)
    parts.prepare_folders(folder)
    rows = [good_row(f"{number:03}") for number in range(100)]
    rows[40] = Row("040", "/040", False, "killed")
    half = [row._replace(heatmap=row.heatmap if row.heatmap is None else HEATMAP.astype(dtype))
            for row in rows]  # fmt: skip
    write(tmp_path / "whole.parquet", half, dtype=dtype)
    for low, high, done in ((41, 100, 9.0), (0, 40, 7.0), (40, 41, 8.0)):
        path = Path(parts.fragment_path(folder, shard, low, high))
        failed = int(low == 40)
        write(path, half[low:high], Counts(high - low, failed, 1.0, done), dtype)
    total = parts.merge(folder, shard, [(41, 100), (0, 40), (40, 41)], dtype)
    assert total == Counts(100, 1, 3.0, 9.0)
    assert parts.list_parts(folder) == {parts.part_name(shard)} == {"part-00000003-abc.parquet"}
    part = tmp_path / "parts" / parts.part_name(shard)
    assert pq.read_table(part).equals(pq.read_table(tmp_path / "whole.parquet"))
    assert parts.read_counts(str(part)) == total
    assert os.listdir(tmp_path / "fragments") == []


def test_sums_over_parts(tmp_path: Path) -> None:
    parts.prepare_folders(str(tmp_path))
    names = [f"{number}.parquet" for number in range(30)]
    for number, name in enumerate(names):
        rows = [Row(f"{number}-{k}", "/x", False, "broken") for k in range(number % 3)]
        counts = Counts(3, len(rows), 2.0, 100.0 + number)
        write(tmp_path / "parts" / name, [*rows, good_row("a")], counts)
    totals = add_up(str(tmp_path), names)
    assert totals[:6] == (30, 90, 30, 60.0, 100.0, 129.0)
    assert len(totals.failures) == 10
    assert totals.failures[0] == {"id": "1-0", "path": "/x", "error": "broken"}
    assert add_up(str(tmp_path), []) == (0, 0, 0, 0, 0.0, 0.0, [], 0.0)


def test_a_table_of_failures_alone_has_the_same_columns() -> None:
    schema = make_schema("float16")
    table = make_table([Row("a", "/a", False, "broken")], schema)
    assert table.schema.equals(schema)
    assert table["heatmap"].to_pylist() == [None]

"""Parquet files as people have them, and what is left of a file that breaks after it was listed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from eli5.bulk.plan import Plan, make_plan, read_items, read_shards
from eli5.bulk.sources import find_source
from eli5.loading.errors import UserError
from helpers.bulk_helpers import make_photos, make_tar, picture_bytes, write_parquet
from helpers.bulk_listing import listed


@pytest.mark.parametrize("kind", ["dictionary", "string_view", "large_string"])
def test_paths_of_any_type_of_text(kind: str, tmp_path: Path) -> None:
    import pyarrow as pa

    make_photos(tmp_path / "photos", 2)
    paths = pa.array(["photos/0/00000.png", "photos/1/00001.png"])
    types = {"dictionary": pa.dictionary(pa.int8(), pa.string())}
    typed = paths.cast(types.get(kind) or getattr(pa, kind)())
    file = write_parquet(tmp_path / "list.parquet", {"path": typed})
    assert listed(tmp_path / "plan", file) == {
        "photos/0/00000.png": picture_bytes(0),
        "photos/1/00001.png": picture_bytes(1),
    }


def test_a_row_without_an_id(tmp_path: Path) -> None:
    make_photos(tmp_path, 2)
    paths = ["0/00000.png", "1/00001.png", None]
    columns = {"path": paths, "id": [None, "", None]}
    names = [*paths[:2], "list.parquet#2"]  # that row has no path, either
    file = write_parquet(tmp_path / "list.parquet", columns)
    make_plan(str(tmp_path / "a"), Plan("a", "mark", {}, 3), find_source(str(file)))
    assert [
        ref.id for shard in read_shards(str(tmp_path / "a")) for ref in read_items(shard)
    ] == names
    file = write_parquet(tmp_path / "b.parquet", {"image": [b"0", b"1", b"2"], "id": [None, 7, 0]})
    found = listed(tmp_path / "b", file, shard_size=2)
    assert found == {"b.parquet#0": b"0", "7": b"1", "0": b"2"}


@pytest.mark.parametrize("contents", [[b"in it", None], [None, None]])
def test_a_struct_whose_picture_is_elsewhere(contents: list[bytes | None], tmp_path: Path) -> None:
    make_photos(tmp_path, 2)
    paths = ["gone.png" if contents[0] else "0/00000.png", "1/00001.png"]
    cells = [{"bytes": one, "path": p} for one, p in zip(contents, paths, strict=True)]
    file = write_parquet(tmp_path / "a.parquet", {"image": cells})
    found = listed(tmp_path / "plan", file)
    assert list(found.values()) == [contents[0] or picture_bytes(0), picture_bytes(1)]
    (shard,) = read_shards(str(tmp_path / "plan"))
    assert [ref.path for ref in read_items(shard)][1] == str(tmp_path / paths[1])


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"path": ["a.png"]}, {"where": ["b.png"]}),
        ({"image": [b"a"]}, {"number": [1]}),
        ({"image": [b"a"]}, {"path": ["b.png"]}),
    ],
)
def test_files_of_several_kinds(first: Any, second: Any, tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", first)
    write_parquet(tmp_path / "b.parquet", second)
    (column,) = second
    with pytest.raises(UserError, match=rf"in all its files. .*/b\.parquet with {column}$"):
        listed(tmp_path / "plan", tmp_path / "*.parquet")


# ---- what is damaged later -----------------------------------------------------------------------


def test_parquet_whose_pictures_are_damaged_later_loses_no_row(tmp_path: Path) -> None:
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {"image": [os.urandom(500) for _ in range(9)]}
    columns["id"] = [f"name {number}" for number in range(9)]
    file = write_parquet(tmp_path / "a.parquet", columns, compression="zstd")
    make_plan(str(tmp_path / "plan"), Plan("a", "mark", {}, 4), find_source(str(file)))
    column = pq.ParquetFile(file).metadata.row_group(0).column(0)
    content = bytearray(file.read_bytes())
    start = column.dictionary_page_offset or column.data_page_offset
    content[start : start + 400] = bytes(400)
    file.write_bytes(content)
    found = [ref for shard in read_shards(str(tmp_path / "plan")) for ref in read_items(shard)]
    assert [item.id for item in found] == [f"{file}#{s}+{k}" for s, n in ((0, 4), (4, 4), (8, 1))
                                           for k in range(n)]  # fmt: skip
    with pytest.raises(OSError, match=r"/a\.parquet cannot be read"):
        found[0].read()


def test_a_file_that_is_gone_is_numbered(tmp_path: Path) -> None:
    file = make_tar(tmp_path / "a.tar", {"a.png": b"a", "b.png": b"b"})
    make_plan(str(tmp_path / "plan"), Plan("a", "mark", {}, 4), find_source(str(file)))
    file.unlink()
    (shard,) = read_shards(str(tmp_path / "plan"))
    assert [ref.id for ref in read_items(shard)] == [f"{file}#0+0", f"{file}#0+1"]

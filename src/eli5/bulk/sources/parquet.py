"""Parquet files, with the pictures in them or with their paths."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eli5.bulk import filesystem
from eli5.bulk.sources import items
from eli5.checks import need

_ROWS = 64  # read at once: their pictures are in memory
_BINARY = {"binary", "large_binary", "binary_view"}
_STRINGS = {"string", "large_string", "string_view"}


def format_of(file: str) -> str:
    """Return ``"parquet"`` if a file has a column of pictures, ``"parquet-paths"`` if of paths."""
    with _open(file) as table:
        if _content_column(table.schema_arrow) is not None:
            return "parquet"
        _check_column(_path_column(table.schema_arrow), file, table)
        return "parquet-paths"


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each row; see `eli5.bulk.sources.paths.list_paths`."""
    for file in files:
        with _open(file) as table:
            column = _check_column(_path_column(table.schema_arrow), file, table)
            for row, name, path in _rows(table, 0, table.metadata.num_rows, column):
                yield name or path or _row_id(file, row), items.resolve(path or "", file)


def ranges(files: list[str], shard_size: int) -> Iterator[items.ItemRange]:
    """Yield ranges of rows; no picture is read for it."""
    for file in files:
        with _open(file) as table:
            _check_column(_content_column(table.schema_arrow), file, table)
            rows = _rows(table, 0, table.metadata.num_rows, None)
            names = (name or _row_id(file, row) for row, name, _ in rows)
            for number, chunk in enumerate(items.chunks(names, shard_size)):
                yield items.ItemRange(file, number * shard_size, chunk)


def read(file: str, start: int, n: int) -> Iterator[items.SourceItem]:
    """Yield the pictures of `n` rows, from row `start` on."""
    with _open(file) as table:
        column = _check_column(_content_column(table.schema_arrow), file, table)
        for row, name, cell in _rows(table, start, n, column):
            yield _item(name or _row_id(file, row), cell, file)


@contextmanager
def _open(file: str) -> Iterator[Any]:
    # ArrowInvalid is a ValueError.
    with (
        items.source_errors(file, "a Parquet file", (ValueError,)),
        filesystem.open_file(file) as stream,
    ):
        yield need("pyarrow.parquet").ParquetFile(stream)


def _row_id(file: str, row: int) -> str:
    return f"{filesystem.file_name(file)}#{row}"


def _item(name: str, cell: Any, file: str) -> items.SourceItem:
    """Return the item of a cell: a picture, or bytes and path, of which one may be missing."""
    pair = cell if isinstance(cell, dict) else {"bytes": cell}
    content, path = pair.get("bytes"), pair.get("path")
    if content is not None:
        return items.SourceItem(name, file, lambda: bytes(content))
    if not path:
        return items.unreadable(name, file, "the row has no picture")
    path = items.resolve(path, file)
    return items.SourceItem(name, path, functools.partial(filesystem.read_bytes, path))


def _rows(table: Any, start: int, n: int, column: str | None) -> Iterator[tuple[int, str, Any]]:
    """Yield number, id or "", and a column's cell of `n` rows, from row `start` on."""
    id_column = items.find_column(table.schema_arrow.names, items.ID_COLUMNS)
    columns = [name for name in dict.fromkeys((id_column, column)) if name is not None]
    numbers = iter(range(start, start + n))
    if not columns:  # Arrow would give no rows, either
        yield from ((number, "", None) for number in numbers)
        return
    for batch in _batches(table, columns, start, n):
        values, nothing = batch.to_pydict(), [None] * batch.num_rows
        pairs = zip(values.get(id_column, nothing), values.get(column, nothing), strict=True)
        for name, cell in pairs:
            yield next(numbers), "" if name is None else str(name), cell


def _batches(table: Any, columns: list[str], start: int, n: int) -> Iterator[Any]:
    """Yield the rows from `start` to `start` + `n`; whole groups of rows outside are not read."""
    groups: list[int] = []  # Arrow reads those only
    first = skip = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if first < start + n and first + rows > start:
            if not groups:
                skip = start - first
            groups.append(group)
        first += rows
    for batch in table.iter_batches(batch_size=_ROWS, row_groups=groups, columns=columns):
        before = min(skip, batch.num_rows)
        skip -= before
        part = batch.slice(before, n)
        n -= part.num_rows
        yield part
        if not n:
            return


def _check_column(column: str | None, file: str, table: Any) -> str:
    if column is not None:
        return column
    contents, paths = ", ".join(items.CONTENT_COLUMNS), ", ".join(items.PATH_COLUMNS)
    raise items.wrong_source(
        f"have a column of binary values named one of {contents}, or one of paths named one of "
        f"{paths}, and the same in all its files",
        f"{file} with {', '.join(table.schema_arrow.names)}",
    )


def _content_column(schema: Any) -> str | None:
    columns = [field.name for field in schema if _holds_pictures(field.type)]
    return items.find_column(columns, items.CONTENT_COLUMNS) or (
        columns[0] if len(columns) == 1 else None
    )


def _path_column(schema: Any) -> str | None:
    columns = [field.name for field in schema if _is_one_of(field.type, _STRINGS)]
    return items.find_column(columns, items.PATH_COLUMNS)


def _holds_pictures(kind: Any) -> bool:
    if not need("pyarrow").types.is_struct(kind):
        return _is_one_of(kind, _BINARY)
    # As datasets write their pictures: bytes and path. If all are paths, bytes have no type.
    inner = {field.name: field.type for field in kind}
    return "bytes" in inner and _is_one_of(inner["bytes"], {*_BINARY, "null"})


def _is_one_of(kind: Any, names: set[str]) -> bool:
    # A column with few values, such as one of categories, may be written as numbers of them.
    is_encoded = need("pyarrow").types.is_dictionary(kind)
    return str(kind.value_type if is_encoded else kind) in names

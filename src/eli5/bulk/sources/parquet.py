"""Parquet files, with the pictures in them or with their paths."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from eli5 import limits
from eli5.bulk import filesystem
from eli5.bulk.sources import items
from eli5.checks import need

_ROWS = 64  # read at once, at most: their pictures are in memory
_BUFFER = 1 << 20  # bytes of the file that are read at once, or it would be the column of a group
_TOO_LARGE = object()  # stands for a value that is not taken out of Arrow's memory
_BINARY = {"binary", "large_binary", "binary_view"}
_STRINGS = {"string", "large_string", "string_view"}


def format_of(file: str) -> str:
    """Return ``"parquet"`` if a file has a column of pictures, ``"parquet-paths"`` if of paths."""
    with _open(file) as table:
        if _content_column(table.schema_arrow) is not None:
            return "parquet"
        _check_column(_path_column(table.schema_arrow), file, table)
        return "parquet-paths"


def paths(files: list[str], class_column: str = "") -> Iterator[tuple[str, ...]]:
    """Yield id and path of each row; see `eli5.bulk.sources.paths.list_paths`."""
    for file in files:
        with _open(file) as table:
            column = _check_column(_path_column(table.schema_arrow), file, table)
            label = items.label_column(table.schema_arrow.names, class_column, file)
            n = table.metadata.num_rows
            for row, name, path, its_class in _rows(table, 0, n, column, label):
                entry = name or path or _row_id(file, row), items.resolve(path or "", file)
                yield entry if its_class is None else (*entry, its_class)


def ranges(files: list[str], shard_size: int) -> Iterator[items.ItemRange]:
    """Yield ranges of rows; no picture is read for it."""
    for file in files:
        with _open(file) as table:
            _check_column(_content_column(table.schema_arrow), file, table)
            rows = _rows(table, 0, table.metadata.num_rows, None)
            names = (name or _row_id(file, row) for row, name, *_ in rows)
            for number, chunk in enumerate(items.chunks(names, shard_size)):
                yield items.ItemRange(file, number * shard_size, chunk)


def read(file: str, start: int, n: int, class_column: str = "") -> Iterator[items.SourceItem]:
    """Yield the pictures of `n` rows, from row `start` on."""
    with _open(file) as table:
        column = _check_column(_content_column(table.schema_arrow), file, table)
        label = items.label_column(table.schema_arrow.names, class_column, file)
        for row, name, cell, its_class in _rows(table, start, n, column, label):
            yield _item(name or _row_id(file, row), cell, file)._replace(label=its_class)


@contextmanager
def _open(file: str) -> Iterator[Any]:
    # ArrowInvalid is a ValueError.
    with (
        items.source_errors(file, "a Parquet file", (ValueError,)),
        filesystem.open_file(file) as stream,
    ):
        table = need("pyarrow.parquet").ParquetFile(stream, buffer_size=_BUFFER)
        n_bytes = stream.seek(0, os.SEEK_END)
        if table.metadata.num_rows > n_bytes:  # without columns to read, nothing else would tell
            raise ValueError(f"{n_bytes} bytes cannot hold {table.metadata.num_rows} rows")
        yield table


def _row_id(file: str, row: int) -> str:
    return f"{filesystem.file_name(file)}#{row}"


def _item(name: str, cell: Any, file: str) -> items.SourceItem:
    """Return the item of a cell: a picture, or bytes and path, of which one may be missing."""
    pair = cell if isinstance(cell, dict) else {"bytes": cell}
    content, path = pair.get("bytes"), pair.get("path")
    if content is _TOO_LARGE or (content is None and path is _TOO_LARGE):
        most = limits.in_words(limits.PICTURE_BYTES)
        return items.unreadable(name, file, f"it is larger than {most}")
    if content is not None:
        return items.held(name, file, content)
    if not path:
        return items.unreadable(name, file, "the row has no picture")
    path = items.resolve(path, file)
    return items.SourceItem(name, path, functools.partial(filesystem.read_bytes, path))


def _rows(
    table: Any, start: int, n: int, column: str | None, label: str | None = None
) -> Iterator[tuple[int, str, Any, str | None]]:
    """Yield number, id or "", a column's cell and the class of `n` rows, from row `start` on."""
    id_column = items.find_column(table.schema_arrow.names, items.ID_COLUMNS)
    columns = [name for name in dict.fromkeys((id_column, column, label)) if name is not None]
    numbers = iter(range(start, start + n))
    if not columns:  # Arrow would give no rows, either
        yield from ((number, "", None, None) for number in numbers)
        return
    for batch in _batches(table, columns, start, n):
        names, cells, labels = (
            [None] * batch.num_rows if one is None else _values(batch.column(one))
            for one in (id_column, column, label)
        )
        for name, cell, its_class, number in zip(names, cells, labels, numbers, strict=False):
            if _TOO_LARGE in (name, its_class) or (
                cell is _TOO_LARGE and not _is_content(batch, column)
            ):
                expected = f"have ids and paths of at most {limits.ENTRY_CHARS} bytes"
                raise items.wrong_source(expected, f"a longer one in row {number}")
            shown = None if label is None else "" if its_class is None else str(its_class)
            yield number, "" if name is None else str(name), cell, shown


def _is_content(batch: Any, column: str | None) -> bool:
    return column is not None and _holds_pictures(batch.schema.field(column).type)


def _values(array: Any) -> list[Any]:
    """Return the values of an array, but `_TOO_LARGE` for each that is, before it is copied.

    Of structs, they are dicts of bytes and path; whatever else is there is left where it is.
    """
    compute = need("pyarrow.compute")
    if need("pyarrow").types.is_struct(array.type):
        names = [field.name for field in array.type if field.name in ("bytes", "path")]
        columns = [_values(compute.struct_field(array, name)) for name in names]
        return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]
    sizes = _sizes(array)
    if sizes is None:
        return list(array.to_pylist())
    most = limits.PICTURE_BYTES if _is_one_of(array.type, _BINARY) else limits.ENTRY_CHARS
    if (compute.max(sizes).as_py() or 0) <= most:
        return list(array.to_pylist())
    return [
        _TOO_LARGE if (size or 0) > most else array[row].as_py()
        for row, size in enumerate(sizes.to_pylist())
    ]


def _sizes(array: Any) -> Any:
    """Return of how many bytes each value is, or None if they are no bytes or strings."""
    arrow, compute = need("pyarrow"), need("pyarrow.compute")
    if not _is_one_of(array.type, _BINARY | _STRINGS):
        return None
    if arrow.types.is_dictionary(array.type):
        return compute.take(_sizes(array.dictionary), array.indices)
    is_view = str(array.type).endswith("_view")  # which Arrow cannot measure
    return compute.binary_length(array.cast(arrow.large_binary()) if is_view else array)


def _batches(table: Any, columns: Sequence[str], start: int, n: int) -> Iterator[Any]:
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
    at_once = _rows_at_once(table.metadata, groups, columns)
    for batch in table.iter_batches(batch_size=at_once, row_groups=groups, columns=columns):
        before = min(skip, batch.num_rows)
        skip -= before
        part = batch.slice(before, n)
        n -= part.num_rows
        yield part
        if not n:
            return


def _rows_at_once(metadata: Any, groups: Sequence[int], columns: Sequence[str]) -> int:
    """Return of how many rows the values fit into memory, whatever their sizes are.

    One row may have nearly all that there is in its group; or each of them, where they share it.
    """
    largest = 1
    for group in map(metadata.row_group, groups):
        for chunk in map(group.column, range(group.num_columns)):
            if any(f"{chunk.path_in_schema}.".startswith(f"{name}.") for name in columns):
                largest = max(largest, chunk.total_uncompressed_size)
    return max(min(limits.PARQUET_BYTES // largest, _ROWS), 1)


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

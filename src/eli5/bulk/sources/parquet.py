"""Parquet files, with the pictures in them or with their paths."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eli5.bulk import filesystem as storage
from eli5.bulk.optional_imports import need
from eli5.bulk.sources.columns import (
    CONTENT_COLUMNS,
    ID_COLUMNS,
    PATH_COLUMNS,
    find_column,
    resolve,
)
from eli5.bulk.sources.ranges import Range, Ref, chunks
from eli5.bulk.sources.reading import reading
from eli5.loading.errors import UserError

__all__ = ["ids", "kind_of", "paths", "ranges", "read"]

_ROWS = 64  # read at once: their pictures are in memory


def kind_of(file: str) -> str:
    """Return ``"parquet"`` if a file has a column of pictures, ``"parquet-paths"`` if of paths.

    Raises
    ------
    UserError
        If it has neither, or is no Parquet file.
    """
    with _listed(file) as table:
        schema = table.schema_arrow
        if _content_column(schema) is not None:
            return "parquet"
        _found(_path_column(schema), file, schema)
        return "parquet-paths"


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each row; see `eli5.bulk.sources.lists.paths`."""
    for file in files:
        with _listed(file) as table:
            schema, row = table.schema_arrow, 0
            path = _found(_path_column(schema), file, schema)
            name = find_column(schema.names, ID_COLUMNS) or path
            for batch in table.iter_batches(columns=list({path, name})):
                names, wheres = batch[name].to_pylist(), batch[path].to_pylist()
                for one, where in zip(names, wheres, strict=True):
                    yield _text(one) or where or _row_id(file, row), resolve(where or "", file)
                    row += 1


def ranges(files: list[str], shard_size: int) -> Iterator[Range]:
    """Yield ranges of rows; no picture is read for it."""
    for file in files:
        with _listed(file) as table:
            _found(_content_column(table.schema_arrow), file, table.schema_arrow)
            found = _ids(table, file, 0, table.metadata.num_rows)
            for number, chunk in enumerate(chunks(found, shard_size)):
                yield Range(file, number * shard_size, chunk)


def read(file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield the pictures of `n` rows, from row `start` on."""
    with _opened(file) as table:
        content = _found(_content_column(table.schema_arrow), file, table.schema_arrow)
        columns = [content, *_id_columns(table)]
        row = start
        for batch in _batches(table, columns, start, n):
            for one, value in zip(
                _named(batch, file, row), batch[content].to_pylist(), strict=True
            ):
                yield _ref(one, value, file)
            row += batch.num_rows


def ids(file: str, start: int, n: int) -> Iterator[str]:
    """Yield the ids of `n` rows, without a look at the pictures."""
    with _opened(file) as table:
        yield from _ids(table, file, start, n)


def _ids(table: Any, file: str, start: int, n: int) -> Iterator[str]:
    columns = _id_columns(table)
    if not columns:
        yield from (_row_id(file, row) for row in range(start, start + n))
        return
    row = start
    for batch in _batches(table, columns, start, n):
        yield from _named(batch, file, row)
        row += batch.num_rows


def _id_columns(table: Any) -> list[str]:
    column = find_column(table.schema_arrow.names, ID_COLUMNS)
    return [] if column is None else [column]


def _named(batch: Any, file: str, row: int) -> Iterator[str]:
    column = find_column(batch.schema.names, ID_COLUMNS)
    names = [None] * batch.num_rows if column is None else batch[column].to_pylist()
    return (_text(name) or _row_id(file, row + number) for number, name in enumerate(names))


def _text(name: Any) -> str:
    return "" if name is None else str(name)


def _row_id(file: str, row: int) -> str:
    return f"{storage.within(file).rpartition('/')[2]}#{row}"


def _ref(name: str, value: Any, file: str) -> Ref:
    """Return the item of a cell: a picture, or bytes and path, of which one may be missing."""
    content, path = value, None
    if isinstance(value, dict):
        content, path = value.get("bytes"), value.get("path")
    if content is None and path:
        path = resolve(path, file)
        return Ref(name, path, functools.partial(storage.read_bytes, path))

    def read() -> bytes:
        if content is None:
            raise OSError("the row has no picture")
        return bytes(content)

    return Ref(name, file, read)


def _batches(table: Any, columns: list[str], start: int, n: int) -> Iterator[Any]:
    """Yield rows from `start` to `start` + `n`; whole groups of rows outside are not read."""
    groups: list[int] = []
    first = skip = 0
    for group in range(table.num_row_groups):
        rows = table.metadata.row_group(group).num_rows
        if first < start + n and first + rows > start:
            if not groups:
                skip = start - first
            groups.append(group)
        first += rows
    left = n
    for batch in table.iter_batches(batch_size=_ROWS, row_groups=groups, columns=columns):
        dropped = min(skip, batch.num_rows)
        skip -= dropped
        kept = batch.slice(dropped, left)
        left -= kept.num_rows
        if kept.num_rows:
            yield kept
        if not left:
            return


@contextmanager
def _opened(file: str) -> Iterator[Any]:
    with storage.open_file(file) as stream:
        yield need("pyarrow.parquet").ParquetFile(stream)


@contextmanager
def _listed(file: str) -> Iterator[Any]:
    # ArrowInvalid is a ValueError.
    with reading(file, "a Parquet file", (ValueError,)), _opened(file) as table:
        yield table


def _found(column: str | None, file: str, schema: Any) -> str:
    if column is not None:
        return column
    raise UserError(
        "Expected SOURCE to have a column of binary values named one of "
        f"{', '.join(CONTENT_COLUMNS)}, or one of paths named one of {', '.join(PATH_COLUMNS)}, "
        f"and the same in all its files. Received: {file} with {', '.join(schema.names)}"
    )


def _content_column(schema: Any) -> str | None:
    columns = [field.name for field in schema if _holds_pictures(field.type)]
    return find_column(columns, CONTENT_COLUMNS) or (columns[0] if len(columns) == 1 else None)


def _path_column(schema: Any) -> str | None:
    columns = [f.name for f in schema if _is_one_of(f.type, _STRINGS)]
    return find_column(columns, PATH_COLUMNS)


_BINARY = {"binary", "large_binary", "binary_view"}
_STRINGS = {"string", "large_string", "string_view"}


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

"""Parquet files, with the pictures in them or with their paths."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from eli5.bulk import storage
from eli5.bulk.needs import need
from eli5.bulk.sources.columns import (
    CONTENT_COLUMNS,
    ID_COLUMNS,
    PATH_COLUMNS,
    find_column,
    resolve,
)
from eli5.bulk.sources.ranges import Range, Ref, chunks
from eli5.intake.errors import UserError

__all__ = ["kind_of", "paths", "ranges", "read"]

_ROWS = 64  # read at once: their pictures are in memory


def kind_of(file: str) -> str:
    """Return ``"parquet"`` if a file has a column of pictures, ``"parquet-paths"`` if of paths.

    Raises
    ------
    UserError
        If it has neither, or is no Parquet file.
    """
    with _opened(file) as table:
        schema = table.schema_arrow
        if _content_column(schema) is not None:
            return "parquet"
        if find_column(_strings(schema), PATH_COLUMNS) is not None:
            return "parquet-paths"
    raise UserError(
        "Expected SOURCE to have a column of binary values named one of "
        f"{', '.join(CONTENT_COLUMNS)}, or one of paths named one of {', '.join(PATH_COLUMNS)}. "
        f"Received: {file} with {', '.join(schema.names)}"
    )


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each row; see `eli5.bulk.sources.lists.paths`."""
    for file in files:
        with _opened(file) as table:
            path = find_column(_strings(table.schema_arrow), PATH_COLUMNS)
            name = find_column(table.schema_arrow.names, ID_COLUMNS) or path
            for batch in table.iter_batches(columns=list({path, name})):
                for one, where in zip(
                    batch[name].to_pylist(), batch[path].to_pylist(), strict=True
                ):
                    yield str(one), resolve(where or "", file)


def ranges(files: list[str], shard_size: int) -> Iterator[Range]:
    """Yield ranges of rows; no picture is read for it."""
    for file in files:
        with _opened(file) as table:
            ids = _ids(table, file, table.metadata.num_rows)
            for number, chunk in enumerate(chunks(ids, shard_size)):
                yield Range(file, number * shard_size, chunk)


def _ids(table: Any, file: str, n: int) -> Iterator[str]:
    column = find_column(table.schema_arrow.names, ID_COLUMNS)
    if column is None:
        yield from (_row_id(file, row) for row in range(n))
        return
    for batch in table.iter_batches(columns=[column]):
        yield from map(str, batch[column].to_pylist())


def _row_id(file: str, row: int) -> str:
    return f"{file.rpartition('/')[2]}#{row}"


def read(file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield the pictures of `n` rows, from row `start` on."""
    with _opened(file) as table:
        content = _content_column(table.schema_arrow)
        name = find_column(table.schema_arrow.names, ID_COLUMNS)
        columns = [column for column in (content, name) if column is not None]
        row = start
        for batch in _batches(table, columns, start, n):
            values = batch[content].to_pylist()
            ids = map(str, batch[name].to_pylist()) if name else _numbered(file, row, len(values))
            for one, value in zip(ids, values, strict=True):
                yield Ref(one, file, _reader(value))
            row += len(values)


def _numbered(file: str, row: int, n: int) -> Iterator[str]:
    return (_row_id(file, number) for number in range(row, row + n))


def _reader(value: Any) -> Any:
    content = value.get("bytes") if isinstance(value, dict) else value

    def read() -> bytes:
        if content is None:
            raise OSError("the row has no picture")
        return bytes(content)

    return read


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
        try:
            table = need("pyarrow.parquet").ParquetFile(stream)
        except ValueError as error:  # ArrowInvalid is one
            raise UserError(
                f"Expected SOURCE to be a Parquet file. Received: {file}: {error}"
            ) from error
        yield table


def _content_column(schema: Any) -> str | None:
    types = need("pyarrow").types
    binary = (types.is_binary, types.is_large_binary)

    def holds_bytes(kind: Any) -> bool:
        if types.is_struct(kind):  # as datasets write their pictures: bytes and path
            index = kind.get_field_index("bytes")
            return index >= 0 and holds_bytes(kind.field(index).type)
        return any(test(kind) for test in binary)

    columns = [field.name for field in schema if holds_bytes(field.type)]
    return find_column(columns, CONTENT_COLUMNS) or (columns[0] if len(columns) == 1 else None)


def _strings(schema: Any) -> list[str]:
    types = need("pyarrow").types
    return [
        field.name
        for field in schema
        if types.is_string(field.type) or types.is_large_string(field.type)
    ]

"""The parts: one Parquet file per shard, each written aside and then given its name."""

from __future__ import annotations

import os
import re
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.local_disk import on_disk
from eli5.bulk.optional_imports import need
from eli5.bulk.plan import Shard, shards
from eli5.bulk.results.rows import Row, make_schema, make_table
from eli5.bulk.results.run_folder import FRAGMENTS, OVERLAYS, PARTS
from eli5.loading.errors import UserError, shortened

__all__ = [
    "Counts",
    "counts_of",
    "finished",
    "fragment_path",
    "merge",
    "new_part",
    "part_name",
    "planned",
    "sweep",
    "write_overlay",
]

_BUFFERED = 32 << 20  # bytes of rows that are held before they are written
_TEXT = 1000  # bytes that a row takes beside its heatmap, about
_PREFIX = b"eli5."
_PART = re.compile(r"part-\d{8,}-[0-9a-f]+\.parquet")


class Counts(NamedTuple):
    """What a part holds; it is written into the part itself.

    Attributes
    ----------
    items, failed : int
    seconds : float
        How long it took.
    finished : float
        When it was, in seconds since 1970.
    """

    items: int
    failed: int
    seconds: float
    finished: float


def part_name(shard: Shard) -> str:
    """Return the name of a shard's part: in the shards' order, and with the shard's id."""
    return f"part-{shard.number:08d}-{shard.id}.parquet"


def fragment_path(folder: str, shard: Shard, low: int, high: int) -> str:
    """Return where a piece of a shard is kept until all of its pieces are there."""
    return storage.join(folder, FRAGMENTS, f"{shard.id}-{low}-{high}.parquet")


def finished(folder: str) -> set[str]:
    """Return the names of the parts that are there; what else lies there is left out."""
    names = storage.list_names(storage.join(folder, PARTS))
    return set(filter(_PART.fullmatch, names))


def planned(folder: str) -> list[str]:
    """Return the names of the parts that are there and that the plan knows of."""
    there = finished(folder)
    return [name for name in map(part_name, shards(folder)) if name in there]


def sweep(folder: str) -> None:
    """Make the folders, and remove what an interrupted run has left half done."""
    if storage.is_remote(folder):
        for name in storage.list_names(storage.join(folder, FRAGMENTS)):
            storage.remove(storage.join(folder, FRAGMENTS, name))
        return
    shutil.rmtree(storage.join(folder, FRAGMENTS), ignore_errors=True)
    for inner in (".", PARTS, FRAGMENTS):
        os.makedirs(os.path.join(folder, inner), exist_ok=True)
        for name in os.listdir(os.path.join(folder, inner)):
            path = os.path.join(folder, inner, name)
            if name.startswith(".plan-"):
                shutil.rmtree(path, ignore_errors=True)
            elif name.startswith("."):
                storage.remove(path)


@contextmanager
def new_part(
    path: str, dtype: str, count: Callable[[], Counts]
) -> Iterator[Callable[[list[Row]], None]]:
    """Write a part, row by row; it gets its name at the end, and not if anything is raised.

    Parameters
    ----------
    path : str
    dtype : str
        Of the heatmaps.
    count : callable
        Called at the end, for what is noted in the part.

    Yields
    ------
    callable
        Takes rows.

    Raises
    ------
    UserError
        If it cannot be written.
    """
    schema, held, size = make_schema(dtype), list[Row](), 0
    draft = _draft_of(path)

    def flush() -> None:
        nonlocal size
        if held:
            with on_disk(path):
                writer.write_table(make_table(held, schema))
            held.clear()
            size = 0

    def add(rows: list[Row]) -> None:
        nonlocal size
        held.extend(rows)
        size += sum(_TEXT if row.heatmap is None else _TEXT + row.heatmap.nbytes for row in rows)
        if size > _BUFFERED:
            flush()

    try:
        with on_disk(path):
            writer = need("pyarrow.parquet").ParquetWriter(draft, schema, compression="zstd")
        try:
            yield add
            flush()
            writer.add_key_value_metadata(
                {_PREFIX + k.encode(): str(v).encode() for k, v in count()._asdict().items()}
            )
        finally:
            with on_disk(path):
                writer.close()
        with on_disk(path):
            storage.put(draft, path)
    finally:
        with suppress(OSError):  # whatever went wrong has been said already
            os.unlink(draft)


def counts_of(path: str) -> Counts:
    """Read what a part says of itself, without reading its rows.

    Raises
    ------
    UserError
        If it is no part.
    """
    try:
        with storage.open_file(path) as file:
            metadata = need("pyarrow.parquet").read_metadata(file).metadata or {}
        values = {k.removeprefix(_PREFIX).decode(): v for k, v in metadata.items()}
        return Counts(
            int(values["items"]),
            int(values["failed"]),
            float(values["seconds"]),
            float(values["finished"]),
        )
    except (OSError, ValueError, LookupError) as error:  # Arrow's own errors are among them
        raise UserError(
            f"Expected a part that a bulk run has written. Received: {path}: "
            f"{shortened(str(error))}. Remove it, and run the same command again: it is made again."
        ) from error


def merge(folder: str, shard: Shard, spans: list[tuple[int, int]], dtype: str) -> Counts:
    """Make the part of a shard whose pieces were explained one by one; remove the pieces."""
    paths = [fragment_path(folder, shard, low, high) for low, high in sorted(spans)]
    counts = [counts_of(path) for path in paths]
    total = Counts(
        sum(one.items for one in counts),
        sum(one.failed for one in counts),
        sum(one.seconds for one in counts),
        max(one.finished for one in counts),
    )
    part = storage.join(folder, PARTS, part_name(shard))
    with new_part(part, dtype, lambda: total) as add:
        for path in paths:
            with storage.open_file(path) as file:
                for batch in need("pyarrow.parquet").ParquetFile(file).iter_batches(64):
                    add(_rows(batch))
    for path in paths:
        storage.remove(path)
    return total


def _rows(batch: Any) -> list[Row]:
    import numpy as np

    kind = batch.schema.field("heatmap").type.value_type.to_pandas_dtype()
    rows = [Row(**values) for values in batch.to_pylist()]
    return [
        row if row.heatmap is None else row._replace(heatmap=np.array(row.heatmap, kind))
        for row in rows
    ]


def write_overlay(folder: str, name: str, content: bytes) -> None:
    """Write an overlay; as long as there is no part that names it, it may be half of one."""
    path = storage.join(folder, OVERLAYS, name)
    with on_disk(path):
        if storage.is_remote(path):
            storage.write_whole(path, content)
            return
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(content)


def _draft_of(path: str) -> str:
    if storage.is_remote(path):
        handle, draft = tempfile.mkstemp(suffix=".parquet")
        os.close(handle)
        return draft
    folder, _, name = path.rpartition("/")
    return os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}")

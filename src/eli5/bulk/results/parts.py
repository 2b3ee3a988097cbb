"""The parts: one Parquet file per shard, each written under another name and then renamed.

A part is a table with a row per item, method and target, and says of itself what it holds.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import secrets
import tempfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from eli5.bulk import filesystem
from eli5.bulk.plan import PLAN, Shard, read_shards
from eli5.bulk.results.run_folder import FRAGMENTS, PARTS, RETRY, SUMMARY
from eli5.checks import need
from eli5.loading.errors import UserError, shortened

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

_BUFFERED = 32 << 20  # bytes of rows that are held before they are written
_TEXT = 1000  # bytes that a row takes beside its heatmap, about
_PREFIX = "eli5."
_BODY = "body"  # in the footer, with that prefix: size and CRC-32 of all before it
_DRAFTS = tuple(f".{name}" for name in ("plan-", PLAN, SUMMARY, RETRY))
_PART = re.compile(r"part-\d{8,}-[0-9a-f]+\.parquet")

DTYPES = ("float32", "float16")  # of heatmaps

# Of the columns of a part; a heatmap is a list of its own.
_ARROW_TYPES = {
    bool: "bool",
    str: "string",
    str | None: "string",
    int | None: "int32",
    float | None: "float32",
}


class Row(NamedTuple):
    """A line of the result; see the table of columns in docs/bulk.md."""

    id: str
    path: str
    ok: bool
    error: str = ""  # why there is no explanation
    method: str | None = None
    layer: str | None = None
    rank: int | None = None  # of the target in the explanation, from 0
    class_id: int | None = None
    class_name: str | None = None
    score: float | None = None
    probability: float | None = None
    explained: float | None = None  # the number that was differentiated
    explained_name: str | None = None
    sign: str | None = None
    height: int | None = None
    width: int | None = None
    heatmap: Any = None  # an array of shape (height * width,), row by row
    placement: str | None = None  # where its cells lie, as JSON
    overlay: str | None = None  # its file, relative to the run's folder
    description: str | None = None
    grade: float | None = None
    verdict: str | None = None
    grade_details: str | None = None  # what else is known of the grade, as JSON


class Counts(NamedTuple):
    """What a part holds; it is written into the part itself."""

    items: int
    failed: int
    seconds: float  # that it took
    finished: float  # when it was, in seconds since 1970


def part_name(shard: Shard) -> str:
    """Return the name of a shard's part: in the shards' order, and with the shard's id."""
    return f"part-{shard.number:08d}-{shard.id}.parquet"


def fragment_path(folder: str, shard: Shard, low: int, high: int) -> str:
    """Return where a piece of a shard is kept until all of its pieces are there."""
    return filesystem.join(folder, FRAGMENTS, f"{shard.id}-{low}-{high}.parquet")


def list_parts(folder: str) -> set[str]:
    """Return the names of the parts that are there; other files there are left out."""
    names = filesystem.list_names(filesystem.join(folder, PARTS))
    return set(filter(_PART.fullmatch, names))


def planned_parts(folder: str) -> list[str]:
    """Return the names of the parts that are there and that the plan knows of."""
    names = list_parts(folder)
    return [name for name in map(part_name, read_shards(folder)) if name in names]


def prepare_folders(folder: str) -> None:
    """Make the folders, and remove what an interrupted run has left half done."""
    filesystem.remove(filesystem.join(folder, FRAGMENTS))
    if filesystem.is_remote(folder):
        return  # it has no folders to be made, and no drafts
    # Parts lie in a folder of our own; in the run's, others may have put hidden files, too.
    for inner, drafts in ((".", _DRAFTS), (PARTS, "."), (FRAGMENTS, ".")):
        os.makedirs(os.path.join(folder, inner), exist_ok=True)
        for name in os.listdir(os.path.join(folder, inner)):
            if name.startswith(drafts):
                filesystem.remove(os.path.join(folder, inner, name))


@contextmanager
def new_part(path: str, dtype: str, count: Callable[[], Counts]) -> Iterator[PartWriter]:
    """Write a part; it gets its name at the end, and not if anything is raised.

    `count` is called at the end, for what is noted in the part. Raises UserError if it cannot be
    written.
    """
    draft = _draft_of(path)
    try:
        with filesystem.write_errors(path):
            writer = PartWriter(path, draft, dtype)
        try:
            yield writer
            writer.flush()
            writer.note(count())
        finally:
            with filesystem.write_errors(path):
                writer.close()
        with filesystem.write_errors(path):
            filesystem.publish(draft, path)
    finally:
        with suppress(OSError):  # whatever went wrong has been said already
            os.unlink(draft)


class PartWriter:
    """Holds rows until they are worth a group of their own in a Parquet file."""

    def __init__(self, path: str, draft: str, dtype: str) -> None:
        self.path, self.schema = path, make_schema(dtype)
        self.sink = _Sink(io.FileIO(draft, "wb"))
        self.file = need("pyarrow.parquet").ParquetWriter(
            self.sink, self.schema, compression="zstd"
        )
        self.rows: list[Row] = []
        self.size = 0

    def add(self, rows: list[Row]) -> None:
        """Take rows."""
        self.rows += rows
        self.size += sum(_TEXT + getattr(row.heatmap, "nbytes", 0) for row in rows)
        if self.size > _BUFFERED:
            self.flush()

    def flush(self) -> None:
        """Write the rows that are held."""
        if self.rows:
            self.write(make_table(self.rows, self.schema))
            self.rows, self.size = [], 0

    def write(self, table: Any) -> None:
        """Write a `pyarrow.Table` of rows."""
        with filesystem.write_errors(self.path):
            self.file.write_table(table)

    def note(self, counts: Counts) -> None:
        """Write what the part holds into it."""
        values = {f"{_PREFIX}{name}": str(value) for name, value in counts._asdict().items()}
        # What follows is the footer, in which this stands.
        values[f"{_PREFIX}{_BODY}"] = f"{self.sink.size} {self.sink.checksum}"
        self.file.add_key_value_metadata(values)

    def close(self) -> None:
        """Write the footer, and close the file even if that fails."""
        try:
            self.file.close()
        finally:
            self.sink.close()


class _Sink(io.BufferedWriter):
    """A file that knows size and checksum of what was written to it so far."""

    size = checksum = 0

    def write(self, content: Any) -> int:
        self.size += memoryview(content).nbytes
        self.checksum = zlib.crc32(content, self.checksum)
        return super().write(content)


def read_counts(path: str) -> Counts:
    """Read what a part says of itself, without reading its rows; UserError if it is none."""
    return _read_notes(path)[0]


def _read_notes(path: str) -> tuple[Counts, int, int]:
    """Read counts, and size and checksum of all before the footer; UserError if it is no part."""
    with part_errors(path):
        with filesystem.open_file(path) as file:
            metadata = need("pyarrow.parquet").read_metadata(file).metadata or {}
        values = {k.decode().removeprefix(_PREFIX): v for k, v in metadata.items()}
        items, failed, seconds, finished = (float(values[name]) for name in Counts._fields)
        size, checksum = map(int, values.get(_BODY, b"0 0").split())
        return Counts(int(items), int(failed), seconds, finished), size, checksum


@contextmanager
def part_errors(path: str) -> Iterator[None]:
    """Turn whatever comes of reading a part that is none, or damaged, into a `UserError`."""
    try:
        yield
    except (OSError, ValueError, LookupError, TypeError) as error:  # Arrow's own are among them
        raise UserError(
            f"Expected a part that a bulk run has written. Received: {path}: "
            f"{shortened(str(error))}. Remove it, and run it again: it is made again."
        ) from error


def is_whole(path: str) -> bool:
    """Tell whether a part is what was written: its rows by a checksum, so all of it is read.

    OSError, or whatever a library raises, if it cannot be read at all, such as from far away.
    """
    try:
        _, size, expected = _read_notes(path)
    except UserError:
        size, expected = 0, -1
    checksum = 0
    with filesystem.open_file(path) as file:
        while chunk := file.read(1 << 20):
            checksum = zlib.crc32(chunk[:size], checksum)
            size -= len(chunk[:size])
    return (size, checksum) == (0, expected)


def merge(folder: str, shard: Shard, spans: list[tuple[int, int]], dtype: str) -> Counts:
    """Make the part of a shard whose pieces were explained one by one; remove the pieces."""
    paths = [fragment_path(folder, shard, low, high) for low, high in sorted(spans)]
    items, failed, seconds, finished = zip(*map(read_counts, paths), strict=True)
    total = Counts(sum(items), sum(failed), sum(seconds), max(finished))
    part = filesystem.join(folder, PARTS, part_name(shard))
    with new_part(part, dtype, lambda: total) as writer:
        for path in paths:
            with filesystem.open_file(path) as file:
                for batch in need("pyarrow.parquet").ParquetFile(file).iter_batches():
                    writer.write(need("pyarrow").Table.from_batches([batch]))
    for path in paths:
        filesystem.remove(path)
    return total


def _draft_of(path: str) -> str:
    """Return where a part is written: on its own disk, where it can be renamed."""
    if filesystem.is_remote(path):
        handle, draft = tempfile.mkstemp(suffix=".parquet")
        os.close(handle)
        return draft
    folder, _, name = path.rpartition("/")
    return os.path.join(folder, f".{name}.{os.getpid()}.{secrets.token_hex(4)}")


def rows_of(
    name: str, path: str, explanations: Sequence[Explanation], overlay: str | None, dtype: str
) -> list[Row]:
    """Return the rows of one item, one per method and target; `name` is its id."""
    return [
        Row(
            name,
            path,
            True,
            method=expl.method,
            layer=expl.layer,
            rank=rank,
            class_id=int(target.target),
            class_name=target.class_name,
            score=target.score,
            probability=target.proba,
            explained=target.explained,
            explained_name=target.explained_name,
            sign=target.sign,
            height=target.heatmap.shape[0],
            width=target.heatmap.shape[1],
            heatmap=target.heatmap.ravel().astype(dtype),
            placement=json.dumps(asdict(target.placement)),
            overlay=overlay,
            description=expl.description,
            **_graded(target),
        )
        for expl in explanations
        for rank, target in enumerate(expl.targets)
    ]


def _graded(target: TargetExplanation) -> dict[str, Any]:
    if target.grade is None:
        return {}
    rest = asdict(target.grade)
    value, verdict = rest.pop("value"), rest.pop("verdict")
    return {"grade": value, "verdict": verdict, "grade_details": json.dumps(rest)}


def not_finite(explanations: Sequence[Explanation]) -> str:
    """Return why an item's explanations explain nothing, or "" if its scores are numbers."""
    for target in (target for expl in explanations for target in expl.targets):
        if not (math.isfinite(target.score) and math.isfinite(target.proba or 0.0)):
            return (
                "Expected a model whose outputs for it are finite. Received: score="
                f"{target.score:g} for class {target.target}. Look for what is not finite in the "
                "model's weights, or for values too large in its input."
            )
    return ""


def make_schema(dtype: str) -> Any:
    """Return the columns of a part and their types, as a `pyarrow.Schema`."""
    pa = need("pyarrow")
    types = get_type_hints(Row)
    names = {name: _ARROW_TYPES.get(kind) for name, kind in types.items()}
    heatmap = pa.list_(pa.type_for_alias(dtype))
    columns = [(name, pa.type_for_alias(t) if t else heatmap) for name, t in names.items()]
    # Without this, pandas would make floats of integers where a row that failed has none.
    integers = [
        {"name": name, "field_name": name, "pandas_type": t, "numpy_type": t.capitalize()}
        for name, t in names.items()
        if t == "int32"
    ]
    note = {"index_columns": [], "column_indexes": [], "columns": integers}
    return pa.schema(columns, {"pandas": json.dumps(note)})


def make_table(rows: Sequence[Row], schema: Any) -> Any:
    """Return rows as a `pyarrow.Table`."""
    pa = need("pyarrow")
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    return pa.Table.from_arrays(
        [pa.array(list(map(as_written, column)), field.type) for field, column in columns],
        schema=schema,
    )


def as_written(value: Any) -> Any:
    """Return what stands in a part: a file's name may be no text in any encoding."""
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value

"""Lists of paths of pictures: the text and CSV files that people have, and the one in a plan."""

from __future__ import annotations

import csv
import functools
import io
import json
from collections.abc import Iterable, Iterator
from typing import IO

from eli5.bulk import filesystem
from eli5.bulk.sources import items

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each entry, in order.

    A text file has a path per line. CSV has a line with names of columns first. A relative path is
    relative to the list. The id is the entry as it stands there, or what the column of ids says.
    """
    for file in files:
        with (
            items.source_errors(file, "a list in UTF-8", (UnicodeDecodeError,)),
            filesystem.open_file(file) as raw,
            io.TextIOWrapper(raw, encoding="utf-8-sig", newline="") as text,
        ):
            separator = _SEPARATORS.get(filesystem.url_path(file)[-4:].lower())
            entries = _lines(text) if separator is None else _rows(text, file, separator)
            for name, path in entries:
                yield name, items.resolve(path, file)


def _lines(text: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in text:
        if entry := line.rstrip("\r\n"):
            yield entry, entry


def _rows(text: Iterable[str], file: str, separator: str) -> Iterator[tuple[str, str]]:
    rows = csv.DictReader(text, delimiter=separator)
    columns = list(rows.fieldnames or ())
    path = items.find_column(columns, items.PATH_COLUMNS) or (
        columns[0] if len(columns) == 1 else None
    )
    if path is None:
        raise items.wrong_source(
            f"have a column named one of {', '.join(items.PATH_COLUMNS)} in its first line",
            f"{file} with {', '.join(columns) or 'no column'}",
        )
    name = items.find_column(columns, items.ID_COLUMNS) or path
    for row in rows:
        if row[path]:
            yield row[name] or row[path], row[path]


def write_listing(
    entries: Iterable[tuple[str, str]], shard_size: int, file: IO[bytes], name: str
) -> Iterator[items.ItemRange]:
    """Write a plan's listing, id and path in a line of JSON per item, and yield its ranges."""
    for chunk in items.chunks(entries, shard_size):
        start = file.tell()
        file.writelines(json.dumps(pair).encode() + b"\n" for pair in chunk)
        yield items.ItemRange(name, start, [item_id for item_id, _ in chunk])


def read_listing(file: str, start: int, n: int) -> Iterator[items.SourceItem]:
    """Yield the items of `n` lines of a plan's listing, from the byte `start` on."""
    with filesystem.open_file(file) as stream:
        stream.seek(start)
        for _ in range(n):
            name, path = json.loads(stream.readline())
            yield items.SourceItem(name, path, functools.partial(filesystem.read_bytes, path))

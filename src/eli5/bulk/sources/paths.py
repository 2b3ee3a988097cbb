"""Where pictures lie: in a folder, in the text and CSV files that people have, in a plan's list."""

from __future__ import annotations

import csv
import functools
import io
import json
import os
from collections.abc import Iterable, Iterator
from typing import IO

from eli5 import limits
from eli5.bulk import filesystem
from eli5.bulk.sources import items
from eli5.loading.files import ENDINGS, RECORDS

_SEPARATORS = {".csv": ",", ".tsv": "\t"}
# Names by which a folder is known to hold the results of this command, or of ``eli5 explain``.
_RESULTS: tuple[set[str], ...] = ({"plan.json", "parts"}, {RECORDS})

_Entries = list[tuple[str, bool]]  # a name, and whether it is a folder
Entry = tuple[str, ...]  # id, path, and the class if a column says it


# ---- folders -------------------------------------------------------------------------------------


def folder_paths(folder: str, skip: str | None) -> Iterator[Entry]:
    """Yield the path below the folder, which is the id, and the whole path of each picture.

    Hidden files and folders are left out, links to folders, folders of results, and `skip`.
    """
    entries = _list(folder)
    if _are_results(entries):
        received = f"{folder}, which holds results of an earlier run"
        raise items.wrong_source("be a folder of pictures", received)
    start = len(filesystem.url_path(filesystem.join(folder, "")))
    for path in _walk(folder, entries, None if skip is None else _real(skip)):
        inner = filesystem.url_path(path)
        if inner.lower().endswith(ENDINGS):
            yield inner[start:], path


def _walk(folder: str, entries: _Entries, skip: str | None, level: int = 0) -> Iterator[str]:
    """Yield the paths of all files below a folder, by name, with few folders in memory."""
    if level > limits.FOLDER_LEVELS:
        expected = f"be a folder with at most {limits.FOLDER_LEVELS} levels of folders"
        raise items.wrong_source(expected, f"{folder}, which is too deep to be looked into")
    for name, is_folder in sorted(entries):
        path = filesystem.join(folder, name)
        if name.startswith("."):
            continue
        if not is_folder:
            yield path
        elif _real(path) != skip and not _are_results(inner := _list(path)):
            yield from _walk(path, inner, skip, level + 1)


def _real(path: str) -> str:
    """Return the one path of a folder that links may lead to by several."""
    return path if filesystem.is_remote(path) else os.path.realpath(path)


def _list(folder: str) -> _Entries:
    with items.source_errors(folder, "a folder that can be read, with all folders in it"):
        return filesystem.list_entries(folder)


def _are_results(entries: _Entries) -> bool:
    # A folder may be called as a file of ours, and holds pictures nevertheless.
    names = {name for name, is_folder in entries if is_folder == (name == "parts")}
    return any(names >= results for results in _RESULTS)


# ---- lists ---------------------------------------------------------------------------------------


def is_table(files: list[str]) -> bool:
    """Tell whether these are lists with columns."""
    return all(filesystem.url_path(file)[-4:].lower() in _SEPARATORS for file in files)


def list_paths(files: list[str], class_column: str = "") -> Iterator[Entry]:
    """Yield id and path of each entry, in order, and what is in the column of classes.

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
            most = limits.ENTRY_CHARS if separator is None else limits.CSV_LINE_CHARS
            lines = _lines(text, most)
            if separator is None:
                entries = _entries(lines)
            else:
                entries = _rows(lines, file, separator, class_column)
            for name, path, *label in entries:
                yield name, items.resolve(path, file), *label


def _lines(text: IO[str], most: int) -> Iterator[str]:
    """Yield the lines of a file with their ends; ValueError for one of more characters."""
    while line := text.readline(most + 2):
        if len(line.rstrip("\r\n")) > most:
            raise ValueError(f"it has a line of more than {most} characters")
        yield line


def _entries(lines: Iterable[str]) -> Iterator[Entry]:
    for line in lines:
        if entry := line.rstrip("\r\n"):
            yield entry, entry


def _rows(lines: Iterable[str], file: str, separator: str, class_column: str) -> Iterator[Entry]:
    rows = csv.DictReader(lines, delimiter=separator)
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
    label = items.label_column(columns, class_column, file)
    for row in rows:
        if row[path]:
            yield row[name] or row[path], row[path], *([row[label] or ""] if label else [])


def write_listing(
    entries: Iterable[Entry], shard_size: int, file: IO[bytes], name: str
) -> Iterator[items.ItemRange]:
    """Write a plan's listing, an entry in a line of JSON per item, and yield its ranges."""
    for chunk in items.chunks(entries, shard_size):
        start = file.tell()
        file.writelines(json.dumps(entry).encode() + b"\n" for entry in chunk)
        yield items.ItemRange(name, start, [entry[0] for entry in chunk])


def read_listing(file: str, start: int, n: int) -> Iterator[items.SourceItem]:
    """Yield the items of `n` lines of a plan's listing, from the byte `start` on."""
    with filesystem.open_file(file) as stream:
        stream.seek(start)
        for _ in range(n):
            name, path, *label = json.loads(stream.readline())
            read = functools.partial(filesystem.read_bytes, path)
            yield items.SourceItem(name, path, read, label=label[0] if label else None)

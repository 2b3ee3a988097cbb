"""Text and CSV files that list paths of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from eli5.bulk import filesystem as storage
from eli5.bulk.sources.columns import ID_COLUMNS, PATH_COLUMNS, find_column, resolve
from eli5.bulk.sources.reading import reading
from eli5.loading.errors import UserError

__all__ = ["paths"]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each entry, in order.

    A text file has a path per line. CSV has a line with names of columns first. A relative path is
    relative to the list. The id is the entry as it stands there, or what the column of ids says.
    """
    for file in files:
        with reading(file, "a list in UTF-8"), _opened(file) as text:
            lines = _decoded(text, file)
            separator = _SEPARATORS.get(storage.within(file)[-4:].lower())
            entries = _lines(lines) if separator is None else _rows(lines, file, separator)
            for name, path in entries:
                yield name, resolve(path, file)


def _opened(file: str) -> io.TextIOWrapper:
    return io.TextIOWrapper(storage.open_file(file), encoding="utf-8-sig", newline="")


def _decoded(text: io.TextIOWrapper, file: str) -> Iterator[str]:
    problem = None
    try:
        for line in text:
            if "\0" in line:  # UTF-16 without a mark at its start
                problem = "zeros between its letters"
                break
            yield line
    except UnicodeDecodeError as error:
        problem = f"{error.reason} {error.object[error.start]:#04x}"
    if problem:
        raise UserError(
            f"Expected SOURCE to be a list in UTF-8. Received: {file}, which is in another "
            f"encoding: {problem}. Save it as UTF-8."
        )


def _lines(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        entry = line.rstrip("\r\n")
        if entry:
            yield entry, entry


def _rows(lines: Iterable[str], file: str, separator: str) -> Iterator[tuple[str, str]]:
    with _large_cells():
        rows = csv.DictReader(lines, delimiter=separator)
        columns = list(rows.fieldnames or ())
        path = find_column(columns, PATH_COLUMNS) or (columns[0] if len(columns) == 1 else None)
        if path is None:
            raise UserError(
                f"Expected a column named one of {', '.join(PATH_COLUMNS)} in the first line of "
                f"SOURCE. Received: {file} with {', '.join(columns) or 'no column'}"
            )
        name = find_column(columns, ID_COLUMNS) or path
        for row in rows:
            if row[path]:
                yield row[name] or row[path], row[path]


@contextmanager
def _large_cells() -> Iterator[None]:
    """Let a cell be as large as a picture, such as one in base64; the limit is the process's."""
    before = csv.field_size_limit(storage.LARGEST)
    try:
        yield
    finally:
        csv.field_size_limit(before)

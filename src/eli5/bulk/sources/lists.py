"""Text and CSV files that list paths of pictures."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from eli5.bulk import storage
from eli5.bulk.sources.columns import ID_COLUMNS, PATH_COLUMNS, find_column, resolve
from eli5.intake.errors import UserError

__all__ = ["paths"]

_SEPARATORS = {".csv": ",", ".tsv": "\t"}


def paths(files: list[str]) -> Iterator[tuple[str, str]]:
    """Yield id and path of each entry, in order.

    A text file has a path per line. CSV has a line with names of columns first. A relative path is
    relative to the list. The id is the entry as it stands there, or what the column of ids says.
    """
    for file in files:
        ending = file[file.rfind(".") :].lower()
        with io.TextIOWrapper(storage.open_file(file), encoding="utf-8-sig", newline="") as text:
            separator = _SEPARATORS.get(ending)
            entries = _lines(text) if separator is None else _rows(text, file, separator)
            for name, path in entries:
                yield name, resolve(path, file)


def _lines(text: io.TextIOWrapper) -> Iterator[tuple[str, str]]:
    for line in text:
        entry = line.rstrip("\r\n")
        if entry:
            yield entry, entry


def _rows(text: io.TextIOWrapper, file: str, separator: str) -> Iterator[tuple[str, str]]:
    rows = csv.DictReader(text, delimiter=separator)
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

"""Where the pictures come from: one file per format of a source, behind the two tables here.

A source is listed once, into ranges of at most one shard; a worker reads the items of a range. No
step holds more than the items of one shard.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import IO, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.sources import items, parquet, paths, tar
from eli5.bulk.sources.items import ItemRange, SourceItem, unreadable

# Those that name pictures elsewhere; they give (id, path), and the class where a column says it.
# The plan keeps them in a listing.
_PATHS: dict[str, Callable[[list[str], str | None, str], Iterator[paths.Entry]]] = {
    "folder": lambda files, skip, _: paths.folder_paths(files[0], skip),
    "list": lambda files, _, column: paths.list_paths(files, column),
    "parquet-paths": lambda files, _, column: parquet.paths(files, column),
}
# Those that hold the pictures themselves: modules with `ranges` and `read`.
_CONTAINERS: dict[str, ModuleType] = {"parquet": parquet, "tar": tar}

_ENDINGS = {
    "parquet": (".parquet",),
    "tar": (".tar", ".tar.gz", ".tgz"),
    "list": (".txt", ".csv", ".tsv"),
}
_EXPECTED = "a folder, a .txt, .csv or .tsv list, a .parquet file or a .tar file"


class Source(NamedTuple):
    """What is meant by the name of a source."""

    format: str  # folder, list, parquet-paths, parquet or tar; ":" and a column of classes
    files: list[str]  # those that were named or matched, or the folder


def find_source(source: str, class_column: str | None = None) -> Source:
    """Find out what format of source a path, URL or pattern is, and of Parquet by its columns.

    `class_column` is the one that says the class of each item; the format remembers it.

    Raises UserError if it is none, and ModuleNotFoundError if the library for a URL is missing.
    """
    with items.source_errors(source, _EXPECTED):
        match = _find(source)
    if match.format == "parquet":
        match = Source(parquet.format_of(match.files[0]), match.files)
    if class_column is None:
        return match
    has_columns = match.format.startswith("parquet") or paths.is_table(match.files)
    if not has_columns:
        raise items.wrong_source(
            "be a .csv, .tsv or .parquet list, which has columns, for `class_column`",
            f"{source} with class_column={class_column}",
        )
    return Source(f"{match.format}:{class_column}", match.files)


def list_ranges(
    source: Source, shard_size: int, skip: str | None, listing: IO[bytes], name: str
) -> Iterator[ItemRange]:
    """Yield the ranges of a source without the folder `skip`; paths go to `listing`, or `name`."""
    name_of_format, _, column = source.format.partition(":")
    if name_of_format in _PATHS:
        found = _PATHS[name_of_format](source.files, skip, column)
        return paths.write_listing(found, shard_size, listing, name)
    return _CONTAINERS[name_of_format].ranges(source.files, shard_size)


def read_range(source_format: str, file: str, start: int, n: int) -> Iterator[SourceItem]:
    """Yield exactly `n` items of a file, from `start` on.

    What cannot be read any more, because the file has vanished or is damaged, becomes items whose
    reading fails, with the file's name and a number as ids. UserError if there are less items now.
    """
    name, _, column = source_format.partition(":")
    read = paths.read_listing if name in _PATHS else _CONTAINERS[name].read
    if name == "parquet":
        read = functools.partial(parquet.read, class_column=column)
    done = 0
    try:
        for item in read(file, start, n):
            yield item
            done += 1
    except Exception as error:  # whatever the library says of a damaged file
        problem = f"{file} cannot be read: {items.reason(error)}"
        for number in range(done, n):
            lost = unreadable(f"{file}#{start}+{number}", file, problem)
            yield lost._replace(is_listed=False)
        return
    if done < n:
        raise items.changed_source(file, "has become shorter")


def _find(source: str) -> Source:
    if filesystem.exists(source):
        if filesystem.is_folder(source):
            return _look_into(source)
        files, problem = [source], "is none of these"
    elif any(letter in source for letter in "*?["):
        files = filesystem.glob(source)
        problem = "matches files of several kinds or of none" if files else "matches nothing"
    else:
        files, problem = [], "does not exist"
    formats = set(map(_format, files))
    if len(formats) != 1 or "" in formats:
        raise items.wrong_source(f"be {_EXPECTED}", f"{source}, which {problem}")
    return Source(formats.pop(), files)


def _look_into(path: str) -> Source:
    """Return the tar or Parquet files of a folder that holds nothing else, or the folder."""
    names = sorted(name for name in filesystem.list_names(path) if not name.startswith("."))
    formats = set(map(_format, names))
    if formats in ({"parquet"}, {"tar"}):
        return Source(formats.pop(), [filesystem.join(path, name) for name in names])
    return Source("folder", [path])


def _format(path: str) -> str:
    path = filesystem.url_path(path).lower()
    return next((name for name, endings in _ENDINGS.items() if path.endswith(endings)), "")

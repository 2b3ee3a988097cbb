"""Where the pictures come from: one file per kind of source, behind the two tables here.

A source is listed once, into ranges of at most one shard; a worker reads the items of a range. No
step holds more than the items of one shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType
from typing import IO, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.sources import folder, lists, parquet, tar
from eli5.bulk.sources.items import (
    ItemRange,
    SourceItem,
    reason,
    source_errors,
    unreadable,
    wrong_source,
)

# Those that name pictures elsewhere; they give (id, path). The plan keeps them in a listing.
_PATHS: dict[str, Callable[[list[str], str | None], Iterator[tuple[str, str]]]] = {
    "folder": lambda files, skip: folder.paths(files[0], skip),
    "list": lambda files, _: lists.paths(files),
    "parquet-paths": lambda files, _: parquet.paths(files),
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

    kind: str  # folder, list, parquet-paths, parquet or tar
    files: list[str]  # those that were named or matched, or the folder


def find_source(source: str) -> Source:
    """Find out what kind of source is meant, by its name, and of Parquet by its columns.

    The name is an absolute path, a URL that fsspec knows, or a pattern that matches files of one
    kind. Raises UserError if there is no such thing, or it is no source or cannot be read, and
    ModuleNotFoundError if the library for a URL is missing.
    """
    with source_errors(source, _EXPECTED):
        match = _find(source)
    if match.kind == "parquet":
        return Source(parquet.kind_of(match.files[0]), match.files)
    return match


def list_ranges(
    source: Source, shard_size: int, skip: str | None, listing: IO[bytes], name: str
) -> Iterator[ItemRange]:
    """Yield the ranges of a source.

    Paths of pictures are written into `listing`, which will be called `name`. The folder `skip` is
    left out: that of the results.
    """
    if source.kind in _PATHS:
        paths = _PATHS[source.kind](source.files, skip)
        return lists.write_listing(paths, shard_size, listing, name)
    ranges: Iterator[ItemRange] = _CONTAINERS[source.kind].ranges(source.files, shard_size)
    return ranges


def read_range(kind: str, file: str, start: int, n: int) -> Iterator[SourceItem]:
    """Yield exactly `n` items of a file, from `start` on.

    What cannot be read any more, because the file has vanished or is damaged, becomes items whose
    reading fails, with the file's name and a number as ids.
    """
    read = lists.read_listing if kind in _PATHS else _CONTAINERS[kind].read
    done = 0
    try:
        for item in read(file, start, n):
            yield item
            done += 1
        problem = f"{file} has become shorter, or is damaged"
    except Exception as error:  # whatever the library says of a damaged file
        problem = f"{file} cannot be read: {reason(error)}"
    for number in range(done, n):
        yield unreadable(f"{file}#{start}+{number}", file, problem)


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
    kinds = set(map(_kind, files))
    if len(kinds) != 1 or "" in kinds:
        raise wrong_source(f"be {_EXPECTED}", f"{source}, which {problem}")
    return Source(kinds.pop(), files)


def _look_into(path: str) -> Source:
    """Return the tar or Parquet files of a folder that holds nothing else, or the folder."""
    names = sorted(name for name in filesystem.list_names(path) if not name.startswith("."))
    kinds = set(map(_kind, names))
    if kinds in ({"parquet"}, {"tar"}):
        return Source(kinds.pop(), [filesystem.join(path, name) for name in names])
    return Source("folder", [path])


def _kind(path: str) -> str:
    name = filesystem.url_path(path).lower()
    return next((kind for kind, endings in _ENDINGS.items() if name.endswith(endings)), "")

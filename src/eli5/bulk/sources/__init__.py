"""Where the pictures come from: one file per kind of source, behind the two tables here.

A source is listed once, into ranges of at most one shard; a worker reads the items of a range. No
step holds more than the items of one shard.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.sources import folder, listing, lists, parquet, tar
from eli5.bulk.sources.ranges import Range, Ref
from eli5.bulk.sources.reading import reading, reason
from eli5.loading.errors import UserError

__all__ = ["Source", "find_source", "paths_of", "ranges_of", "read_range"]

_TARS = (".tar", ".tar.gz", ".tgz")
_LISTS = (".txt", ".csv", ".tsv")
_KINDS = "a folder, a .txt, .csv or .tsv list, a .parquet file or a .tar file"


class Source(NamedTuple):
    """What is meant by the name of a source.

    Attributes
    ----------
    kind : str
        ``folder``, ``list``, ``parquet-paths``, ``parquet`` or ``tar``.
    files : list of str
        The folder, or the files that were named or matched.
    """

    kind: str
    files: list[str]


_Paths = Callable[[list[str], str | None], Iterator[tuple[str, str]]]
_Ranges = Callable[[list[str], int], Iterator[Range]]
_Reader = Callable[[str, int, int], Iterator[Ref]]
_Ids = Callable[[str, int, int], Iterator[str]]
_Container = tuple[_Ranges, _Reader, _Ids]

# Those that name pictures elsewhere; they give (id, path). The plan keeps them in a listing.
_PATHS: dict[str, _Paths] = {
    "folder": lambda files, skip: folder.paths(files[0], skip),
    "list": lambda files, _: lists.paths(files),
    "parquet-paths": lambda files, _: parquet.paths(files),
}
# Those that hold the pictures themselves.
_CONTAINERS: dict[str, _Container] = {
    "parquet": (parquet.ranges, parquet.read, parquet.ids),
    "tar": (tar.ranges, tar.read, tar.ids),
}


def find_source(source: str) -> Source:
    """Find out what kind of source is meant, by its name, and of Parquet by its columns.

    Parameters
    ----------
    source : str
        A path, an fsspec URL, or a pattern that matches files of one kind.

    Raises
    ------
    UserError
        If there is no such thing, or it is none of these or cannot be read.
    ModuleNotFoundError
        If it is a URL whose library is missing.
    """
    with reading(source, _KINDS):
        files = _files(source)
    name = storage.within(files[0]).lower()
    if name.endswith(".parquet"):
        return Source(parquet.kind_of(files[0]), files)
    if name.endswith(_TARS):
        return Source("tar", files)
    return Source("list" if name.endswith(_LISTS) else "folder", files)


def paths_of(source: Source, skip: str | None) -> Iterator[tuple[str, str]] | None:
    """Yield id and path of each item, or return None if the source holds the pictures itself.

    Parameters
    ----------
    source : Source
    skip : str, optional
        A folder that is left out: that of the results.
    """
    return _PATHS[source.kind](source.files, skip) if source.kind in _PATHS else None


def ranges_of(source: Source, shard_size: int) -> Iterator[Range]:
    """Yield the ranges of a source that holds the pictures itself."""
    return _CONTAINERS[source.kind][0](source.files, shard_size)


def read_range(kind: str, file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield exactly `n` items from a place in a file on.

    What cannot be read any more, because the file has vanished or is damaged, becomes items whose
    reading fails. Their ids are those that were listed if the file still tells them.
    """
    done = 0
    try:
        for ref in _reader(kind)(file, start, n):
            yield ref
            done += 1
        problem = f"{file} has become shorter, or is damaged"
    except Exception as error:  # whatever the library says of a damaged file
        problem = f"{file} cannot be read: {reason(error)}"
    if done < n:
        for name in _names(kind, file, start, n)[done:]:
            yield Ref(name, file, _fails(problem))


def _reader(kind: str) -> _Reader:
    return listing.read if kind in _PATHS else _CONTAINERS[kind][1]


def _names(kind: str, file: str, start: int, n: int) -> list[str]:
    """Return the ids of a range of which not all can be read, as far as they can be had."""
    names: list[str] = []
    if kind in _CONTAINERS:
        with suppress(Exception):
            names.extend(_CONTAINERS[kind][2](file, start, n))
    return names + [f"{file}#{start}+{number}" for number in range(len(names), n)]


def _fails(problem: str) -> Callable[[], bytes]:
    def read() -> bytes:
        raise OSError(problem)

    return read


def _files(source: str) -> list[str]:
    if storage.exists(source):
        return _in_folder(storage.absolute(source))
    if any(letter in source for letter in "*?["):
        matches = storage.glob(storage.absolute(source))
        if matches and len({_ending(match) for match in matches}) == 1:
            return matches
        reason = "matches files of several kinds" if matches else "matches nothing"
    else:
        reason = "does not exist"
    raise UserError(f"Expected SOURCE to be {_KINDS}. Received: SOURCE={source}, which {reason}")


def _ending(name: str) -> str:
    for ending in (".parquet", *_TARS, *_LISTS):
        if storage.within(name).lower().endswith(ending):
            return ending
    raise UserError(f"Expected SOURCE to match {_KINDS}. Received: {name}")


def _in_folder(path: str) -> list[str]:
    """Return the tar or Parquet files of a folder that holds nothing else; else what it is."""
    if _ends_in_known(path):
        return [path]
    if not storage.is_folder(path):
        raise UserError(f"Expected SOURCE to be {_KINDS}. Received: SOURCE={path}")
    names = sorted(name for name in storage.list_names(path) if not name.startswith("."))
    for endings in ((".parquet",), _TARS):
        if names and all(name.lower().endswith(endings) for name in names):
            return [storage.join(path, name) for name in names]
    return [path]


def _ends_in_known(path: str) -> bool:
    is_known = storage.within(path).lower().endswith((".parquet", *_TARS, *_LISTS))
    return is_known and not storage.is_folder(path)

"""Pictures in a folder and in all folders below it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from eli5.bulk import filesystem as storage
from eli5.bulk.sources.reading import reading
from eli5.loading.errors import UserError
from eli5.loading.files import ENDINGS, RECORDS

__all__ = ["paths"]

# What a folder holds that is none of pictures but of results, of this command or of another.
_RESULTS: tuple[set[str], ...] = ({"plan.json", "parts"}, {RECORDS})

_Entries = list[tuple[str, bool]]  # a name, and whether it is a folder


def paths(folder: str, skip: str | None) -> Iterator[tuple[str, str]]:
    """Yield the path below the folder, which is the id, and the whole path of each picture.

    Hidden files and folders are left out, links to folders, and folders of results.

    Parameters
    ----------
    folder : str
    skip : str, optional
        A folder that is left out.

    Raises
    ------
    UserError
        If the folder, or one below it, cannot be read, or if it holds results itself.
    """
    entries = _entries(folder)
    if _are_results(entries):
        raise UserError(
            f"Expected SOURCE to be a folder of pictures. Received: SOURCE={folder}, which holds "
            "results of an earlier run"
        )
    start = len(storage.within(storage.join(folder, "")))
    for path in _below(folder, entries, _named_from(folder, skip)):
        inner = storage.within(path)
        if inner.lower().endswith(ENDINGS):
            yield inner[start:], path


def _named_from(folder: str, skip: str | None) -> str | None:
    """Return the path that `skip` has on the way down from a folder, whatever links lead to it."""
    if skip is None or storage.is_remote(folder) or storage.is_remote(skip):
        return skip
    below = os.path.relpath(os.path.realpath(skip), os.path.realpath(folder))
    return storage.join(folder, *below.split(os.sep))


def _below(folder: str, entries: _Entries, skip: str | None) -> Iterator[str]:
    """Yield the paths of all files below a folder, by name.

    One folder's names are in memory at a time, and those of the folders that it lies in.
    """
    for name, is_folder in sorted(entries):
        path = storage.join(folder, name)
        if name.startswith(".") or path == skip:
            continue
        if not is_folder:
            yield path
        elif not _are_results(inner := _entries(path)):
            yield from _below(path, inner, skip)


def _entries(folder: str) -> _Entries:
    with reading(folder, "a folder that can be read, with all folders in it"):
        return storage.entries(folder)


def _are_results(entries: _Entries) -> bool:
    known = set[str]().union(*_RESULTS)
    there = {name for name, _ in entries if name in known}
    return any(there >= marks for marks in _RESULTS)

"""Pictures in a folder and in all folders below it."""

from __future__ import annotations

import os
from collections.abc import Iterator

from eli5.bulk import filesystem
from eli5.bulk.sources.items import source_errors, wrong_source
from eli5.loading.files import ENDINGS, RECORDS

# Names by which a folder is known to hold the results of this command, or of ``eli5 explain``.
_RESULTS: tuple[set[str], ...] = ({"plan.json", "parts"}, {RECORDS})

_Entries = list[tuple[str, bool]]  # a name, and whether it is a folder


def paths(folder: str, skip: str | None) -> Iterator[tuple[str, str]]:
    """Yield the path below the folder, which is the id, and the whole path of each picture.

    Hidden files and folders are left out, links to folders, folders of results, and `skip`.
    """
    entries = _list(folder)
    if _are_results(entries):
        received = f"{folder}, which holds results of an earlier run"
        raise wrong_source("be a folder of pictures", received)
    start = len(filesystem.url_path(filesystem.join(folder, "")))
    for path in _walk(folder, entries, None if skip is None else _real(skip)):
        inner = filesystem.url_path(path)
        if inner.lower().endswith(ENDINGS):
            yield inner[start:], path


def _walk(folder: str, entries: _Entries, skip: str | None) -> Iterator[str]:
    """Yield the paths of all files below a folder, by name, with few folders in memory."""
    for name, is_folder in sorted(entries):
        path = filesystem.join(folder, name)
        if name.startswith("."):
            continue
        if not is_folder:
            yield path
        elif _real(path) != skip and not _are_results(inner := _list(path)):
            yield from _walk(path, inner, skip)


def _real(path: str) -> str:
    """Return the one path of a folder that links may lead to by several."""
    return path if filesystem.is_remote(path) else os.path.realpath(path)


def _list(folder: str) -> _Entries:
    with source_errors(folder, "a folder that can be read, with all folders in it"):
        return filesystem.list_entries(folder)


def _are_results(entries: _Entries) -> bool:
    names = {name for name, _ in entries}
    return any(names >= results for results in _RESULTS)

"""Pictures in a folder and in all folders below it."""

from __future__ import annotations

from collections.abc import Iterator

from eli5.bulk import storage
from eli5.intake.files import ENDINGS

__all__ = ["paths"]


def paths(folder: str, skip: str | None) -> Iterator[tuple[str, str]]:
    """Yield the path below the folder, which is the id, and the whole path of each picture."""
    start = len(folder.rstrip("/")) + 1
    for path in storage.walk(folder, skip):
        if path.lower().endswith(ENDINGS):
            yield path[start:], path

"""The names of columns that are known in lists and tables."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence

from eli5.bulk import filesystem as storage

__all__ = ["CONTENT_COLUMNS", "ID_COLUMNS", "PATH_COLUMNS", "find_column", "resolve"]

ID_COLUMNS = ("id", "key", "__key__")
PATH_COLUMNS = ("path", "image_path", "file_path", "filepath", "file", "filename", "uri", "url")
CONTENT_COLUMNS = ("image", "bytes", "image_bytes", "content", "data", "jpg", "jpeg", "png", "webp")


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column with the first of these names, in any case."""
    have = {column.lower(): column for column in columns}
    return next((have[name] for name in names if name in have), None)


def resolve(path: str, file: str) -> str:
    """Return the path that an entry of a list stands for."""
    if storage.is_remote(path) or os.path.isabs(path):
        return path
    return storage.join(storage.parent(file), path)

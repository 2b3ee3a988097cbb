"""What all sources have in common: items, ranges of them, names of columns, and errors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple, TypeVar

from eli5.bulk import filesystem
from eli5.loading.errors import UserError, shortened

T = TypeVar("T")

ID_COLUMNS = ("id", "key", "__key__")
PATH_COLUMNS = ("path", "image_path", "file_path", "filepath", "file", "filename", "uri", "url")
CONTENT_COLUMNS = ("image", "bytes", "image_bytes", "content", "data", "jpg", "jpeg", "png", "webp")


class SourceItem(NamedTuple):
    """An item that has not been read yet."""

    id: str
    path: str  # the picture's file, or the file that holds it
    read: Callable[[], bytes]  # returns the picture's file, or raises OSError
    size: int = 0  # bytes of the picture's file that it holds in memory until then
    is_listed: bool = True  # whether the id is the one that the source was listed with
    label: str | None = None  # the class to explain, by id or name, where the source says it


def held(name: str, path: str, content: bytes) -> SourceItem:
    """Return an item whose picture's file is in memory."""
    return SourceItem(name, path, lambda: content, len(content))


class ItemRange(NamedTuple):
    """Items that follow each other in one file."""

    file: str
    start: int  # of the first one: a byte in a tar file or a listing, a row in a Parquet file
    ids: list[str]


def unreadable(name: str, path: str, reason: str) -> SourceItem:
    """Return an item whose reading fails."""

    def read() -> bytes:
        raise OSError(reason)

    return SourceItem(name, path, read)


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of `size`, the last of what is left."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk


def label_column(columns: Sequence[str], name: str, file: str) -> str | None:
    """Return the column of classes, if one is asked for by `name`; UserError if there is none."""
    if not name or name in columns:
        return name or None
    raise UserError(
        f"Expected `class_column` to be a column of {file}, one of {', '.join(columns)}. "
        f"Received: class_column={name}"
    )


def find_column(columns: Iterable[str], names: Sequence[str]) -> str | None:
    """Return the column with the first of these names, in any case."""
    by_name = {column.lower(): column for column in columns}
    return next((by_name[name] for name in names if name in by_name), None)


def resolve(path: str, file: str) -> str:
    """Return the path that an entry of a list stands for."""
    if filesystem.is_remote(path) or os.path.isabs(path):
        return path
    return filesystem.join(filesystem.parent(file), path)


def changed_source(file: str, how: str) -> UserError:
    """Return the error for a source that is not any more what it was when it was listed."""
    return UserError(
        f"Expected `source` to hold the items that were listed when the run began, in their order. "
        f"Received: {file}, which {how} by now. Put back what it was, or take a new `out`"
    )


def wrong_source(expected: str, received: str) -> UserError:
    """Return the error for a source that is not what it should be."""
    return UserError(f"Expected `source` to {expected}. Received: source={received}")


@contextmanager
def source_errors(
    file: str, expected: str, damage: tuple[type[Exception], ...] = ()
) -> Iterator[None]:
    """Turn what a library raises, but that another is missing, into a `UserError` with the file.

    `damage` is what is raised where the file can be read and is not what is expected.
    """
    try:
        yield
    except (UserError, ModuleNotFoundError):
        raise
    except Exception as error:
        state = "is damaged, or none at all" if isinstance(error, damage) else "cannot be read"
        raise wrong_source(f"be {expected}", f"{file}, which {state}: {reason(error)}") from error


def reason(error: Exception) -> str:
    """Return in words what an exception is about."""
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return shortened(text) or type(error).__name__

"""What sources are listed into, and what is read from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeVar

__all__ = ["Range", "Ref", "chunks"]

T = TypeVar("T")


class Range(NamedTuple):
    """Items that follow each other in one file.

    Attributes
    ----------
    file : str
    start : int
        Where the first one is: a byte in a tar file or a listing, a row in a Parquet file.
    ids : list of str
    """

    file: str
    start: int
    ids: list[str]


class Ref(NamedTuple):
    """An item that has not been read yet.

    Attributes
    ----------
    id : str
    path : str
        The picture's file, or the file that holds it.
    read : callable
        Returns the content of the picture's file. Raises OSError if there is none.
    """

    id: str
    path: str
    read: Callable[[], bytes]


def chunks(values: Iterable[T], size: int) -> Iterator[list[T]]:
    """Yield the values in lists of `size`, the last of what is left."""
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk

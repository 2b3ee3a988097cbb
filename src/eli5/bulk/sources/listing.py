"""The listing that a plan keeps of pictures elsewhere: a line of JSON, id and path, per item."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Iterator
from typing import IO

from eli5.bulk import filesystem as storage
from eli5.bulk.sources.ranges import Range, Ref, chunks

__all__ = ["read", "write"]


def write(
    paths: Iterable[tuple[str, str]], shard_size: int, file: IO[bytes], name: str
) -> Iterator[Range]:
    """Write the listing; yield its ranges of lines on the way.

    Parameters
    ----------
    paths : iterable of (str, str)
        Id and path.
    shard_size : int
    file : file
        What is written to.
    name : str
        What it will be called.
    """
    for chunk in chunks(paths, shard_size):
        start = file.tell()
        file.writelines(json.dumps(pair).encode() + b"\n" for pair in chunk)
        yield Range(name, start, [one for one, _ in chunk])


def read(file: str, start: int, n: int) -> Iterator[Ref]:
    """Yield the items of `n` lines, from the byte `start` on."""
    with storage.open_file(file) as stream:
        stream.seek(start)
        for _ in range(n):
            name, path = json.loads(stream.readline())
            yield Ref(name, path, functools.partial(storage.read_bytes, path))

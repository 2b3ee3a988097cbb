"""How far each shard is that a worker has at hand: a small file per task, beside the fragments.

A worker writes it itself, so that no lock is needed; a run empties the folder when it begins, and
nobody reads the files where no run is at work: what a kill leaves there is not done.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.plan import Shard
from eli5.bulk.results.parts import Counts
from eli5.bulk.results.run_folder import FRAGMENTS

_EVERY, _EVERY_REMOTE = 1.0, 30.0  # seconds between two writes
_ENDING = ".json"


class Record(NamedTuple):
    """What a worker has done of a task."""

    shard_id: str
    counts: Counts

    def is_open(self, names: set[str]) -> bool:
        """Tell whether the part of its shard is not among parts of these names."""
        return not any(name.endswith(f"-{self.shard_id}.parquet") for name in names)


@contextmanager
def keep_record(
    folder: str, shard: Shard, low: int, high: int, count: Callable[[], Counts]
) -> Iterator[Callable[[], None]]:
    """Yield what writes a task's record if it is due; it is gone when all of its shard is done.

    The record of a piece of a shard stays until the other pieces are there.
    """
    path = _path(folder, shard, low, high)
    every = _EVERY_REMOTE if filesystem.is_remote(folder) else _EVERY
    last, is_there = monotonic(), False

    def write() -> None:
        nonlocal last, is_there
        last, is_there = monotonic(), True
        content = json.dumps(count()).encode()
        with filesystem.write_errors(path):
            filesystem.write_aside(path, content, filesystem.join(folder, FRAGMENTS))

    def write_if_due() -> None:
        if monotonic() - last >= every:
            write()

    is_done = False
    try:
        yield write_if_due
        is_done = True
    finally:
        if is_done and high - low < shard.n:
            write()
        elif is_there:
            remove_record(folder, shard, low, high)


def remove_record(folder: str, shard: Shard, low: int, high: int) -> None:
    """Forget how far a task was, if anybody has written that."""
    filesystem.remove(_path(folder, shard, low, high))


def read_records(folder: str) -> list[Record]:
    """Read how far all tasks are that workers have at hand."""
    names = filesystem.list_names(filesystem.join(folder, FRAGMENTS))
    found = (_read(folder, name) for name in names if name.endswith(_ENDING))
    return [one for one in found if one is not None]


def _read(folder: str, name: str) -> Record | None:
    try:
        values = json.loads(filesystem.read_bytes(filesystem.join(folder, FRAGMENTS, name)))
        return Record(name.partition("-")[0], Counts(*values))
    except (OSError, ValueError, TypeError):  # gone by now, as its shard is done
        return None


def _path(folder: str, shard: Shard, low: int, high: int) -> str:
    return filesystem.join(folder, FRAGMENTS, f"{shard.id}-{low}-{high}{_ENDING}")

"""What a pool of workers tells of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from eli5.bulk.results.parts import Counts
from eli5.bulk.worker import Task

__all__ = ["Advanced", "Event", "Finished", "Lost", "Refused", "Tell", "Warned"]


class Advanced(NamedTuple):
    """A worker has done some items of its task."""

    task: Task
    done: int
    failed: int


class Finished(NamedTuple):
    """A worker has done its task."""

    task: Task
    counts: Counts


class Lost(NamedTuple):
    """A worker has ended before its task was done, or an exception has ended the task."""

    task: Task
    reason: str


class Refused(NamedTuple):
    """Nothing can be done, by any worker."""

    lines: tuple[str, ...]


class Warned(NamedTuple):
    """A worker has loaded the model, and this must be known of it."""

    messages: tuple[str, ...]


Event = Advanced | Finished | Lost | Refused | Warned
Tell = Callable[[Event], None]

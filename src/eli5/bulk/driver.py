"""The driver: gives the shards of a plan to workers until each has its part."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator
from itertools import islice
from typing import NamedTuple

from eli5.bulk.executors import Wanted, open_pool
from eli5.bulk.executors.events import Advanced, Event, Finished, Lost, Refused, Warned
from eli5.bulk.job import Job
from eli5.bulk.plan import Shard, refs, shards
from eli5.bulk.progress import Meter
from eli5.bulk.results import parts
from eli5.bulk.results.rows import failed_row
from eli5.bulk.schedule import Schedule
from eli5.bulk.worker import Stopped, Task
from eli5.loading.errors import UserError

__all__ = ["Todo", "drive", "find_todo"]


class Todo(NamedTuple):
    """What is left of a plan.

    Attributes
    ----------
    n_shards, n_items : int
        Without a part.
    done_items : int
        In parts that are there.
    """

    n_shards: int
    n_items: int
    done_items: int


def find_todo(folder: str) -> Todo:
    """Count what is left, by the names of the parts alone."""
    there = parts.finished(folder)
    n_shards = n_items = done = 0
    for shard in shards(folder):
        if parts.part_name(shard) in there:
            done += shard.n
        else:
            n_shards += 1
            n_items += shard.n
    return Todo(n_shards, n_items, done)


def _unfinished(folder: str) -> Iterator[Shard]:
    there = parts.finished(folder)
    return (shard for shard in shards(folder) if parts.part_name(shard) not in there)


def drive(
    job: Job, folder: str, wanted: Wanted, todo: Todo, meter: Meter, stop: Callable[[], int]
) -> None:
    """Explain all that has no part yet.

    Parameters
    ----------
    job : Job
    folder : str
        The run's.
    wanted : Wanted
        By whom.
    todo : Todo
    meter : callable
        Told how many items are done and have failed.
    stop : callable
        Tells whether the run is to end.

    Raises
    ------
    Stopped
        If it was.
    UserError
        If nothing can be explained, or nothing can be written.

    Warns
    -----
    UserWarning
        What must be known of the model or its labels.
    """
    run = _Run(job, folder, Schedule(_unfinished(folder)), _Progress(todo.done_items, meter), set())

    def tell(event: Event) -> None:
        run.heed(event)
        if stop():
            raise Stopped

    pool = open_pool(wanted, job, folder, todo.n_shards)
    try:
        while True:
            while pool.has_room() and (task := run.schedule.next()):
                pool.give(task)
            if run.schedule.is_done:
                return
            pool.wait(0.5, tell)
            if stop():
                raise Stopped
    finally:
        pool.close()
        parts.sweep(folder)  # what workers had in hand when they were lost or stopped


class _Progress:
    """Adds up what workers tell; what a lost worker had done does not count."""

    def __init__(self, done: int, meter: Meter) -> None:
        self.done, self.failed, self.meter = done, 0, meter
        self.at_work: dict[Task, Advanced] = {}

    def advance(self, event: Advanced) -> None:
        self.at_work[event.task] = event
        self.show()

    def settle(self, task: Task, done: int, failed: int) -> None:
        self.at_work.pop(task, None)
        self.done += done
        self.failed += failed
        self.show()

    def show(self) -> None:
        rest = self.at_work.values()
        self.meter(self.done + sum(e.done for e in rest), self.failed + sum(e.failed for e in rest))


class _Run(NamedTuple):
    job: Job
    folder: str
    schedule: Schedule
    progress: _Progress
    warned: set[str]  # what has been said; all workers say the same

    def heed(self, event: Event) -> None:
        match event:
            case Advanced():
                self.progress.advance(event)
            case Finished(task, counts):
                self._finish(task, counts)
            case Lost(task, reason):
                self._lose(task, reason)
            case Refused(lines):
                raise UserError(*lines)
            case Warned(messages):
                self._warn(messages)

    def _warn(self, messages: tuple[str, ...]) -> None:
        for message in messages:
            if message not in self.warned:
                self.warned.add(message)
                warnings.warn(message, stacklevel=2)

    def _finish(self, task: Task, counts: parts.Counts) -> None:
        self.progress.settle(task, counts.items, counts.failed)
        spans = self.schedule.finish(task)
        if spans:
            parts.merge(self.folder, task.shard, spans, self.job.dtype)

    def _lose(self, task: Task, reason: str) -> None:
        self.progress.settle(task, 0, 0)
        is_alone = self.schedule.lose(task)
        if self.schedule.is_hopeless:
            raise UserError(
                f"Expected workers that can do their work. Received: {self.schedule.losses} of "
                f"them lost in a row, the last with: {reason}. Nothing is set aside for that; run "
                "the same command again once the reason is gone."
            )
        if is_alone:
            self._finish(task, _set_aside(self.job, self.folder, task, reason))


def _set_aside(job: Job, folder: str, task: Task, reason: str) -> parts.Counts:
    """Write the row of an item that no worker survives."""
    (ref,) = islice(refs(task.shard), task.low, task.high)
    row = failed_row(ref.id, ref.path, f"Nothing can be explained with it: {reason}")
    counts = parts.Counts(1, 1, 0.0, time.time())
    path = parts.fragment_path(folder, task.shard, task.low, task.high)
    with parts.new_part(path, job.dtype, lambda: counts) as add:
        add([row])
    return counts

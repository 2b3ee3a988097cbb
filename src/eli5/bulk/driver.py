"""The driver: gives the shards of a plan to workers until each has its part.

A shard whose worker is lost is tried once more. If that fails too, it is halved, and so is the half
that fails again, until an item stands alone. If that fails twice, it is set aside.
"""

from __future__ import annotations

import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

from eli5.bulk.cutting import Cutter
from eli5.bulk.executors.pool import Event, ExecutorOptions, Pool, SerialPool
from eli5.bulk.job import Job
from eli5.bulk.plan import Shard, read_items, read_shards
from eli5.bulk.results import parts
from eli5.bulk.results.records import remove_record
from eli5.bulk.worker import Advance, Stopped, Task
from eli5.loading.errors import UserError

_TRIES = 2  # of a whole shard, and of an item alone
_LOSSES = 60  # in a row; a shard of a million items that must be halved takes 24 at most


class Remaining(NamedTuple):
    """What is left of a plan."""

    n_shards: int  # without a part
    n_items: int
    done_items: int  # in parts that are there


def count_remaining(folder: str) -> Remaining:
    """Count what is left, by the names of the parts alone."""
    names = parts.list_parts(folder)
    n_shards = n_items = done = 0
    for shard in read_shards(folder):
        if parts.part_name(shard) in names:
            done += shard.n
        else:
            n_shards += 1
            n_items += shard.n
    return Remaining(n_shards, n_items, done)


def drive(
    job: Job,
    folder: str,
    executor: ExecutorOptions,
    remaining: Remaining,
    show: Advance,
    stop_signal: Callable[[], int],
    cutter: Cutter | None = None,
) -> None:
    """Explain all that has no part yet in a run's folder.

    `show` is called with the numbers of items that are done and that have failed. With `cutter`,
    the plan has grains, which it joins once the rate is known. Raises Stopped
    after a signal, and UserError if nothing can be explained or nothing can be written. Warns of
    what must be known of the model or its labels.
    """
    driver = _Driver(job, folder, remaining.done_items, show, stop_signal)
    pool = _open_pool(executor, job, folder, remaining.n_shards)
    driver.cutter, driver.n_workers = cutter, pool.n_workers
    try:
        while True:
            while pool.has_room() and (task := driver.schedule.next()):
                pool.submit(task)
            if driver.schedule.is_done:
                return
            pool.wait(0.5, driver.handle)
            driver.check_stop()
    finally:
        pool.close()
        parts.prepare_folders(folder)  # without what workers had begun when they were lost


def _open_pool(executor: ExecutorOptions, job: Job, folder: str, n_tasks: int) -> Pool:
    """Start an executor, with no more workers than tasks."""
    if executor.is_this_process:
        return SerialPool(job, folder)
    if executor.ray is None:
        from eli5.bulk.executors.processes import ProcessPool

        return ProcessPool(min(executor.workers or 1, n_tasks), job, folder)
    from eli5.bulk.executors.ray import open_ray

    return open_ray(executor, job, folder, n_tasks)


def _without_part(folder: str) -> Iterator[Shard]:
    names = parts.list_parts(folder)
    return (one for one in read_shards(folder) if parts.part_name(one) not in names)


class _Driver:
    """Handles what workers tell. What a lost worker had done does not count."""

    def __init__(
        self, job: Job, folder: str, done: int, show: Advance, stop_signal: Callable[[], int]
    ) -> None:
        self.job, self.folder, self.show, self.stop_signal = job, folder, show, stop_signal
        self.schedule = Schedule(_without_part(folder))
        self.done, self.failed = done, 0
        self.cutter: Cutter | None = None
        self.n_workers = 1
        self.running: dict[Task, tuple[int, int]] = {}  # items done and failed, of each task
        self.warned: set[str] = set()  # all workers warn of the same

    def handle(self, event: Event) -> None:
        match event:
            case Event("ready", messages):
                for message in messages:
                    if message not in self.warned:
                        self.warned.add(message)
                        warnings.warn(message, stacklevel=2)
            case Event("advanced", counts, Task() as task):
                self.running[task] = counts
                self._show()
            case Event("finished", counts, Task() as task):
                self._finish(task, counts)
            case Event("lost", reason, Task() as task):
                self._lose(task, reason)
            case Event("refused", lines):
                raise UserError(*lines)
        self.check_stop()

    def check_stop(self) -> None:
        if self.stop_signal():
            raise Stopped

    def _show(self) -> None:
        self.show(
            self.done + sum(done for done, _ in self.running.values()),
            self.failed + sum(failed for _, failed in self.running.values()),
        )

    def _finish(self, task: Task, counts: parts.Counts) -> None:
        self.running.pop(task, None)
        self.done += counts.items
        self.failed += counts.failed
        self._show()
        if spans := self.schedule.finish(task):
            parts.merge(self.folder, task.shard, spans, self.job.dtype)
            for low, high in spans:
                remove_record(self.folder, task.shard, low, high)
        if self.cutter is not None:
            self._cut(self.cutter, counts)

    def _cut(self, cutter: Cutter, counts: parts.Counts) -> None:
        cutter.learn(counts)
        if not cutter.is_due(self.n_workers):
            return
        self.cutter = None
        if (number := self.schedule.pause()) is not None:
            cutter.cut(number, self.n_workers)
            shards = _without_part(self.folder)
            self.schedule.go_on(one for one in shards if one.number >= number)

    def _lose(self, task: Task, reason: Any) -> None:
        self.running.pop(task, None)
        remove_record(self.folder, *task)
        self._show()
        is_alone = self.schedule.lose(task)
        if self.schedule.is_hopeless:
            raise UserError(
                f"Expected workers that can do their work. Received: {self.schedule.losses} of "
                f"them lost in a row, the last with: {reason}. Nothing is set aside for that; run "
                "it again once the reason is gone."
            )
        if is_alone:
            self._finish(task, self._set_aside(task, reason))

    def _set_aside(self, task: Task, reason: str) -> parts.Counts:
        """Write the row of an item that no worker survives."""
        (item,) = read_items(*task)
        row = parts.Row(item.id, item.path, False, f"Nothing can be explained with it: {reason}")
        counts = parts.Counts(1, 1, 0.0, time.time())
        path = parts.fragment_path(self.folder, *task)
        with parts.new_part(path, self.job.dtype, lambda: counts) as part:
            part.add([row])
        return counts


class Schedule:
    """The tasks of a run, of shards that have no part yet; those are read one by one."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.go_on(shards)
        self.retries: deque[Task] = deque()  # before any shard
        self.running: set[Task] = set()  # that workers have
        self.tries: Counter[Task] = Counter()
        self.spans: dict[str, list[tuple[int, int]]] = {}  # what is done of the halved shards
        self.losses = 0

    def go_on(self, shards: Iterable[Shard]) -> None:
        """Take the shards that are next."""
        self.whole = (Task(shard, 0, shard.n) for shard in shards)
        self.next_whole = next(self.whole, None)

    def pause(self) -> int | None:
        """Forget the shards that no worker has had, and return the number of the first of them."""
        first = self.next_whole
        self.whole.close()  # the file that they are read from is replaced
        self.next_whole = None
        return None if first is None else first.shard.number

    def next(self) -> Task | None:
        """Return a task for a worker, or None if there is none right now."""
        if self.retries:
            task: Task | None = self.retries.popleft()
        else:
            task, self.next_whole = self.next_whole, next(self.whole, None)
        if task is not None:
            self.running.add(task)
        return task

    @property
    def is_done(self) -> bool:
        """Whether all tasks are done."""
        return not self.running and not self.retries and self.next_whole is None

    @property
    def is_hopeless(self) -> bool:
        """Whether so many workers in a row were lost that no item can be to blame."""
        return self.losses >= _LOSSES

    def finish(self, task: Task) -> list[tuple[int, int]]:
        """Note that a task is done, and return the pieces of its shard if all of them are."""
        self.losses = 0
        self.running.discard(task)
        self.tries.pop(task, None)
        spans = self.spans.get(task.shard.id)
        if spans is None:  # it is whole
            return []
        spans.append((task.low, task.high))
        if sum(high - low for low, high in spans) < task.shard.n:
            return []
        return self.spans.pop(task.shard.id)

    def lose(self, task: Task) -> bool:
        """Note that a worker was lost with a task, and plan how it is tried again.

        Returns whether it is an item alone, to be set aside. Then `finish` is due.
        """
        self.losses += 1
        self.running.discard(task)
        self.tries[task] += 1
        n = task.high - task.low
        if (task.is_whole or n == 1) and self.tries[task] < _TRIES:
            self.retries.appendleft(task)
            return False
        del self.tries[task]
        self.spans.setdefault(task.shard.id, [])
        if n == 1:
            self.running.add(task)
            return True
        middle = task.low + n // 2
        self.retries.appendleft(Task(task.shard, middle, task.high))
        self.retries.appendleft(Task(task.shard, task.low, middle))
        return False

"""What is given to workers next, and what becomes of a task that a worker was lost with.

A shard whose worker is lost is tried once more. If that fails too, it is halved, and so is the half
that fails again, until an item stands alone. If that fails twice, it is set aside.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from eli5.bulk.plan import Shard
from eli5.bulk.worker import Task

_TRIES = 2  # of a whole shard, and of an item alone
_LOSSES = 60  # in a row; a shard of a million items that must be halved takes 24 at most


class Schedule:
    """The tasks of a run, of shards that have no part yet; those are read one by one."""

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards = iter(shards)
        self.next_shard = next(self.shards, None)
        self.retries: deque[Task] = deque()  # before any shard
        self.running: set[Task] = set()  # that workers have
        self.tries: Counter[Task] = Counter()
        self.spans: dict[str, list[tuple[int, int]]] = {}  # what is done of the halved shards
        self.losses = 0

    def next(self) -> Task | None:
        """Return a task for a worker, or None if there is none right now."""
        task = self.retries.popleft() if self.retries else self._next_whole()
        if task is not None:
            self.running.add(task)
        return task

    def _next_whole(self) -> Task | None:
        shard, self.next_shard = self.next_shard, next(self.shards, None)
        return None if shard is None else Task(shard, 0, shard.n)

    @property
    def is_done(self) -> bool:
        """Whether all tasks are done."""
        return not self.running and not self.retries and self.next_shard is None

    def finish(self, task: Task) -> list[tuple[int, int]]:
        """Note that a task is done.

        Returns the pieces that make up its shard, if it was halved and this was the last one.
        """
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
        may_retry = task.is_whole or n == 1
        if may_retry and self.tries[task] < _TRIES:
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

    @property
    def is_hopeless(self) -> bool:
        """Whether so many workers in a row were lost that no item can be to blame."""
        return self.losses >= _LOSSES

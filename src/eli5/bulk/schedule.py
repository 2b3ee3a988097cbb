"""What is given to workers next, and what becomes of a task that a worker was lost with.

A shard whose worker is lost is tried once more. If that fails too, it is halved, and so is the half
that fails again, until an item stands alone. If that fails twice, it is set aside.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable

from eli5.bulk.plan import Shard
from eli5.bulk.worker import Task

__all__ = ["Schedule"]

_TRIES = 2  # of a whole shard, and of an item alone
_LOSSES = 60  # in a row; a shard of a million items that must be halved takes 24 at most


class Schedule:
    """The tasks of a run.

    Parameters
    ----------
    shards : iterable of Shard
        Those that have no part yet; they are asked for one by one.
    """

    def __init__(self, shards: Iterable[Shard]) -> None:
        self.shards = iter(shards)
        self.upcoming = next(self.shards, None)
        self.again: deque[Task] = deque()
        self.out: set[Task] = set()  # that workers have
        self.tries: Counter[Task] = Counter()
        self.spans: dict[str, list[tuple[int, int]]] = {}  # what is done of the halved shards
        self.losses = 0

    def next(self) -> Task | None:
        """Return a task for a worker, or None if there is none right now."""
        task = self.again.popleft() if self.again else self._fresh()
        if task is not None:
            self.out.add(task)
        return task

    def _fresh(self) -> Task | None:
        shard, self.upcoming = self.upcoming, next(self.shards, None)
        return None if shard is None else Task(shard, 0, shard.n)

    @property
    def is_done(self) -> bool:
        """Whether all tasks are done."""
        return not self.out and not self.again and self.upcoming is None

    def finish(self, task: Task) -> list[tuple[int, int]]:
        """Note that a task is done.

        Returns
        -------
        list of (int, int)
            The pieces that make up its shard, if it was halved and this was the last one.
        """
        self.losses = 0
        self.out.discard(task)
        self.tries.pop(task, None)
        if task.is_whole and task.shard.id not in self.spans:
            return []
        spans = self.spans[task.shard.id]
        spans.append((task.low, task.high))
        if sum(high - low for low, high in spans) < task.shard.n:
            return []
        return self.spans.pop(task.shard.id)

    def lose(self, task: Task) -> bool:
        """Note that a worker was lost with a task, and think of another way.

        Returns
        -------
        bool
            Whether it is an item alone, to be set aside. Then `finish` is due.
        """
        self.losses += 1
        self.out.discard(task)
        self.tries[task] += 1
        n = task.high - task.low
        may_retry = task.is_whole or n == 1
        if may_retry and self.tries[task] < _TRIES:
            self.again.appendleft(task)
            return False
        del self.tries[task]
        self.spans.setdefault(task.shard.id, [])
        if n == 1:
            self.out.add(task)
            return True
        middle = task.low + n // 2
        self.again.appendleft(Task(task.shard, middle, task.high))
        self.again.appendleft(Task(task.shard, task.low, middle))
        return False

    @property
    def is_hopeless(self) -> bool:
        """Whether so many workers in a row were lost that no item can be to blame."""
        return self.losses >= _LOSSES

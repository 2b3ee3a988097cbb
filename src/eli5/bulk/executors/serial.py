"""All the work in the calling process, one task after the other."""

from __future__ import annotations

from eli5.bulk.executors.pool import Event, Notify, Pool, try_task
from eli5.bulk.job import Job
from eli5.bulk.worker import Task, Worker


class _SerialPool:
    """A pool of one; see `eli5.bulk.executors.pool.Pool`."""

    def __init__(self, job: Job, folder: str) -> None:
        self.worker = Worker(job, folder)
        self.task: Task | None = None
        self.is_new = True

    def has_room(self) -> bool:
        return self.task is None

    def submit(self, task: Task) -> None:
        self.task = task

    def wait(self, _: float, notify: Notify) -> None:
        if self.is_new:
            self.is_new = False
            notify(Event("ready", self.worker.warnings))
        if self.task is not None:
            task, self.task = self.task, None
            notify(try_task(self.worker, task, lambda *n: notify(Event("advanced", n, task))))

    def close(self) -> None:
        self.task = None


def open_serial(job: Job, folder: str) -> Pool:
    """Load the model in this process."""
    return _SerialPool(job, folder)

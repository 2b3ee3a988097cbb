"""Which executor does the work: this process, or one of the pools in the files here."""

from __future__ import annotations

from eli5.bulk.executors.pool import Event, ExecutorOptions, Notify, Pool, try_task
from eli5.bulk.job import Job
from eli5.bulk.worker import Task, Worker


def open_pool(options: ExecutorOptions, job: Job, folder: str, n_tasks: int) -> Pool:
    """Start an executor for the run in a folder, with no more workers than tasks."""
    if options.is_this_process:
        return _SerialPool(job, folder)
    if options.ray is None:
        from eli5.bulk.executors.processes import open_processes

        return open_processes(min(options.workers or 1, n_tasks), job, folder)
    from eli5.bulk.executors.ray import open_ray

    return open_ray(options, job, folder, n_tasks)


class _SerialPool:
    """The worker in the calling process: one task after the other."""

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

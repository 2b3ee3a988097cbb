"""Which executor does the work: one file each. All are pools, used in the same way."""

from __future__ import annotations

from typing import NamedTuple

from eli5.bulk.executors.pool import Pool
from eli5.bulk.executors.serial import open_serial
from eli5.bulk.job import Job


class ExecutorOptions(NamedTuple):
    """Which executor, and how large."""

    workers: int | None = None  # None: this very process, or as many as Ray has room for
    ray: str | None = None  # a cluster's address, or "local"
    cpus: float = 1.0  # that each worker takes of a Ray cluster
    gpus: float = 0.0

    @property
    def is_this_process(self) -> bool:
        """Whether no other process works."""
        return self.workers is None and self.ray is None


def open_pool(options: ExecutorOptions, job: Job, folder: str, n_tasks: int) -> Pool:
    """Start an executor for the run in a folder, with no more workers than tasks."""
    if options.is_this_process:
        return open_serial(job, folder)
    if options.ray is None:
        from eli5.bulk.executors.processes import open_processes

        return open_processes(min(options.workers or 1, n_tasks), job, folder)
    from eli5.bulk.executors.ray import open_ray

    return open_ray(options.ray, options.workers, options.cpus, options.gpus, job, folder, n_tasks)

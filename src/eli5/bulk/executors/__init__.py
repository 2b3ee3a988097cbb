"""Which executor does the work: one file each. All are pools, used in the same way."""

from __future__ import annotations

from eli5.bulk.executors.pool import ExecutorOptions, Pool
from eli5.bulk.executors.serial import open_serial
from eli5.bulk.job import Job


def open_pool(options: ExecutorOptions, job: Job, folder: str, n_tasks: int) -> Pool:
    """Start an executor for the run in a folder, with no more workers than tasks."""
    if options.is_this_process:
        return open_serial(job, folder)
    if options.ray is None:
        from eli5.bulk.executors.processes import open_processes

        return open_processes(min(options.workers or 1, n_tasks), job, folder)
    from eli5.bulk.executors.ray import open_ray

    return open_ray(options, job, folder, n_tasks)

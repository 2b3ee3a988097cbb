"""Which executor does the work: one file each. All are pools, used in the same way."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from eli5.bulk.executors.events import Tell
from eli5.bulk.executors.serial import open_serial
from eli5.bulk.job import Job
from eli5.bulk.worker import Task

__all__ = ["Pool", "Wanted", "open_pool"]


class Pool(Protocol):
    """Workers."""

    def has_room(self) -> bool:
        """Tell whether a worker is free."""

    def give(self, task: Task) -> None:
        """Hand a task to a free worker."""

    def wait(self, seconds: float, tell: Tell) -> None:
        """Tell what has happened; wait for it, but not for ever. `tell` may raise."""

    def close(self) -> None:
        """End all workers; what they are at is dropped."""


class Wanted(NamedTuple):
    """Which executor, and how large.

    Attributes
    ----------
    workers : int, optional
        None is this very process, or as many as a Ray cluster has room for.
    ray : str, optional
        A Ray cluster's address, or ``"local"``.
    cpus, gpus : float
        What each worker takes of a Ray cluster.
    """

    workers: int | None = None
    ray: str | None = None
    cpus: float = 1.0
    gpus: float = 0.0


def open_pool(wanted: Wanted, job: Job, folder: str, n_tasks: int) -> Pool:
    """Start the executor that is wanted, with no more workers than tasks.

    Parameters
    ----------
    wanted : Wanted
    job : Job
    folder : str
        The run's.
    n_tasks : int
    """
    if wanted.ray is not None:
        from eli5.bulk.executors.ray import open_ray

        return open_ray(wanted.ray, wanted.workers, wanted.cpus, wanted.gpus, job, folder, n_tasks)
    if wanted.workers is not None:
        from eli5.bulk.executors.processes import open_processes

        return open_processes(min(wanted.workers, n_tasks), job, folder)
    return open_serial(job, folder)

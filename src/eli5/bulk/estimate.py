"""What a run would cost: its source is listed, and one batch is explained."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.checks import check_numbers, check_paths
from eli5.bulk.optional_imports import need
from eli5.bulk.options import make_job
from eli5.bulk.plan import make_plan, shards
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import FRAGMENTS, OVERLAYS, PARTS
from eli5.bulk.sources import find_source
from eli5.bulk.worker import Task, start_worker

__all__ = ["Estimate", "estimate"]


class Estimate(NamedTuple):
    """What one batch says about a run.

    Attributes
    ----------
    n_items, n_shards : int
        Of the whole source.
    sample, failed : int
        How many items were tried, and how many of them could not be explained.
    start, seconds : float
        How long a worker takes to start and compile, and then for an item.
    part_bytes, overlay_bytes : float
        Per item.
    """

    n_items: int
    n_shards: int
    sample: int
    failed: int
    start: float
    seconds: float
    part_bytes: float
    overlay_bytes: float

    def duration(self, workers: int = 1) -> float:
        """Return how many seconds so many workers would take, if none waits for another."""
        at_work = min(workers, self.n_shards)
        return self.start + self.n_items * self.seconds / at_work


def estimate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    shard_size: int = 1000,
    cores: int | None = None,
    **options: Any,
) -> Estimate:
    """Tell what a run would cost, and leave nothing behind.

    Parameters
    ----------
    model, source, shard_size, **options
        As `eli5.bulk.explain` takes them, but for where results go and who does the work.
    cores : int, optional
        How many a worker will have; all of this process's if not given.

    Returns
    -------
    Estimate

    Raises
    ------
    TypeError, ValueError, ModuleNotFoundError
        See `eli5.bulk.explain`.
    """
    for module in ("fsspec", "pyarrow.parquet"):
        need(module)
    check_paths(source=source)
    check_numbers(none=("cores",), shard_size=shard_size, cores=cores)
    job = make_job(model, **options)
    name = storage.absolute(os.fspath(source))
    with tempfile.TemporaryDirectory(prefix="eli5-bulk-") as folder, _pinned(cores):
        plan = make_plan(folder, name, find_source(name), "estimate", {}, shard_size)
        first = next(shards(folder))
        task = Task(first, 0, min(first.n, job.batch_size))
        parts.sweep(folder)
        listed = time.perf_counter()
        run = start_worker(job, folder)
        run(task, _nothing)
        started = time.perf_counter()
        counts = run(task, _nothing)
        seconds = time.perf_counter() - started
        part, overlays = (
            sum(_size(storage.join(folder, inner)) for inner in names)
            for names in ((PARTS, FRAGMENTS), (OVERLAYS,))
        )
    return Estimate(
        plan.n_items,
        plan.n_shards,
        counts.items,
        counts.failed,
        started - listed,
        seconds / counts.items,
        part / counts.items,
        overlays / counts.items,
    )


@contextmanager
def _pinned(cores: int | None) -> Iterator[None]:
    """Keep to so many cores; backends that have not begun make no more threads than that."""
    if cores is None or not hasattr(os, "sched_setaffinity"):
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, set(sorted(before)[:cores]))
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _nothing(done: int, failed: int) -> None:
    del done, failed


def _size(folder: str) -> int:
    """Return how many bytes the files in a folder take, if there is one."""
    return sum(
        os.path.getsize(os.path.join(inner, name))
        for inner, _, names in os.walk(folder)
        for name in names
    )

"""What a run would cost: its source is listed, and one batch is explained."""

from __future__ import annotations

import os
import tempfile
import time
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.job import Job
from eli5.bulk.options import expect_path, expect_shard_size, make_job, sizes_of
from eli5.bulk.plan import Plan, make_plan, read_shards
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import FRAGMENTS, OVERLAYS, PARTS
from eli5.bulk.shard_sizes import all_sizes, reason
from eli5.bulk.sources import find_source
from eli5.bulk.worker import Task, Worker
from eli5.checks import expect_integer, need


class Estimate(NamedTuple):
    """What one batch says about a run."""

    n_items: int  # of the whole source
    n_shards: int
    sample: int  # how many items were tried
    failed: int  # how many of those could not be explained
    start: float  # seconds that a worker takes to start and compile
    seconds: float  # that it takes for an item then
    part_bytes: float  # per item
    overlay_bytes: float
    why: str = ""  # the shards are of the size that they are

    def at_work(self, workers: int) -> int:
        """Return how many of so many workers have a shard."""
        return min(workers, self.n_shards)

    def duration(self, workers: int = 1) -> float:
        """Return how many seconds so many workers would take, if none waits for another."""
        return self.start + self.n_items * self.seconds / self.at_work(workers)


def estimate(
    model: str | os.PathLike[str],
    source: str | os.PathLike[str],
    *,
    shard_size: int | None = None,
    workers: int = 1,
    cores: int | None = None,
    **options: Any,
) -> Estimate:
    """Tell what a run would cost, and leave nothing behind.

    Parameters
    ----------
    model, source, shard_size, **options
        As `eli5.bulk.explain` takes them, but for where results go and who does the work.
    workers : int
        For how many the shards are cut, where `shard_size` is not given.
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
    name = filesystem.absolute(expect_path("source", source))
    if cores is not None:
        expect_integer("cores", cores, least=1)
    given_size = expect_shard_size(shard_size)
    expect_integer("workers", workers, least=1)
    job = make_job(model, **options)
    with tempfile.TemporaryDirectory(prefix="eli5-bulk-") as folder, _keep_to_cores(cores):
        size = given_size or job.batch_size
        found_source = find_source(name, job.class_column)
        plan = make_plan(folder, Plan(name, "estimate", {}, size), found_source)
        shard = next(read_shards(folder))._replace(ids="")  # it was listed just now
        parts.prepare_folders(folder)
        found = _measure(job, folder, plan, Task(shard, 0, min(shard.n, job.batch_size)))
    if given_size is not None:
        return found._replace(why=f"at most {given_size} pictures, as asked for")
    rate = 1 / found.seconds
    cut = list(all_sizes(plan.n_items, workers, rate, sizes_of(job)))
    return found._replace(n_shards=len(cut), why=reason(max(cut), workers, rate))


def _measure(job: Job, folder: str, plan: Plan, task: Task) -> Estimate:
    """Explain a batch twice: the first time, programs are compiled for it."""
    begun = time.perf_counter()
    worker = Worker(job, folder)
    for message in worker.warnings:
        warnings.warn(message, stacklevel=3)
    worker.run(task, lambda *_: None)
    started = time.perf_counter()
    n, failed, *_ = worker.run(task, lambda *_: None)
    seconds = (time.perf_counter() - started) / n
    # All of it or none: a task that is no whole shard is a fragment.
    part_bytes = (_size(folder, PARTS) + _size(folder, FRAGMENTS)) / n
    overlay_bytes = _size(folder, OVERLAYS) / n
    totals = (plan.n_items, plan.n_shards, n, failed)
    return Estimate(*totals, started - begun, seconds, part_bytes, overlay_bytes)


@contextmanager
def _keep_to_cores(cores: int | None) -> Iterator[None]:
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


def _size(folder: str, name: str) -> int:
    """Return how many bytes the files in a run's folder of this name take, if there is one."""
    return sum(path.stat().st_size for path in Path(folder, name).rglob("*") if path.is_file())

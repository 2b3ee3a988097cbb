"""Where a run stands and what it came to: added up from its parts, by its files alone.

What a finished run came to is kept in ``summary.json``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, islice
from typing import Any, NamedTuple, TypeVar

from eli5.bulk import filesystem
from eli5.bulk.plan import Plan, read_plan, read_shards
from eli5.bulk.results import parts
from eli5.bulk.results.records import read_records
from eli5.bulk.results.run_folder import PARTS, SUMMARY, is_at_work, runs_in
from eli5.checks import need
from eli5.loading.errors import UserError

T = TypeVar("T")

_THREADS = 16  # for parts that are far away
_EXAMPLES = 10
_RECENT = 200  # parts, of which a rate is told


class Totals(NamedTuple):
    """Sums over parts."""

    parts: int
    items: int
    failed: int
    seconds: float  # of work, whichever worker did it
    first: float  # when the first part was finished, in seconds since 1970; 0 without parts
    last: float
    failures: list[dict[str, str]]  # some of them, with id, path and error
    rate: float = 0.0  # items per second of late, of all workers together, while any was at work


class Summary(NamedTuple):
    """A run that has ended.

    Attributes
    ----------
    folder : str
        Where its files are: the one that was named, or one in it.
    source, fingerprint : str
        See `eli5.bulk.plan.Plan`.
    n_items, n_failed, n_shards : int
    seconds : float
        Of work, of all workers and all times that the run was resumed.
    finished : float
        When the last part was, in seconds since 1970.
    failures : list of dict
        Some of the items that failed, with ``id``, ``path`` and ``error``.
    """

    folder: str
    source: str
    fingerprint: str
    n_items: int
    n_failed: int
    n_shards: int
    seconds: float
    finished: float
    failures: list[dict[str, str]]


_KEPT = Summary._fields[1:]  # in its file


class Status(NamedTuple):
    """Where a run stands.

    Attributes
    ----------
    folder, source : str
    made_from : dict
        What its results depend on; see `eli5.bulk.job.ingredients`.
    n_items, n_shards : int
        All there are.
    done : Totals
        Of the parts that are there.
    at_work : bool or None
        Whether a run is at work there; None if that cannot be told.
    under_way, under_way_failed : int
        Items of parts that are not there yet, and how many of those failed; 0 if no run is at work.
        They are explained once more if the run is killed. Where nobody can tell whether one is at
        work, they may be those of a run that was.
    """

    folder: str
    source: str
    made_from: dict[str, Any]
    n_items: int
    n_shards: int
    done: Totals
    at_work: bool | None
    under_way: int = 0
    under_way_failed: int = 0

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.done.parts == self.n_shards


def status(out: str | os.PathLike[str]) -> list[Status]:
    """Tell where the runs in a folder stand, from their files alone.

    Parameters
    ----------
    out : str or path
        The folder that `eli5.bulk.explain` was given.

    Returns
    -------
    list of Status
        One per run: that of the folder itself first, then those in it.

    Raises
    ------
    ValueError
        If there is no run, or it cannot be read.
    """
    return list(map(_status, find_runs(out)))


def find_runs(out: str | os.PathLike[str]) -> list[str]:
    """Return the folders of the runs in a folder, its own first; UserError if there is none."""
    folder = filesystem.absolute(os.fspath(out))
    try:
        if not filesystem.is_folder(folder):
            reason = "which is a file" if filesystem.exists(folder) else "which does not exist"
        elif folders := runs_in(folder):
            return folders
        elif is_at_work(folder):
            reason = "which has no plan.json yet: a run is listing its source right now"
        else:
            reason = "which has no plan.json"
    except OSError as error:
        received = f"{os.fspath(out)}: {error}"
        raise UserError(f"Expected a folder that can be read. Received: {received}") from error
    raise UserError(f"Expected a folder that a bulk run has made. Received: {folder}, {reason}")


def _status(folder: str) -> Status:
    plan = read_plan(folder)
    if plan is None:
        raise FileNotFoundError(folder)
    # Before the parts: what becomes one meanwhile is counted there, and nowhere else.
    records = read_records(folder)
    there = parts.list_parts(folder)
    planned = list(map(parts.part_name, read_shards(folder)))
    at_work = is_at_work(folder)
    begun = [] if at_work is False else [one.counts for one in records if one.is_open(there)]
    totals = add_up(folder, filter(there.__contains__, planned), begun)
    about = (plan.source, plan.made_from, plan.n_items, len(planned))
    n, failed = sum(one.items for one in begun), sum(one.failed for one in begun)
    return Status(folder, *about, totals, at_work, n, failed)


def add_up(folder: str, names: Iterable[str], begun: Sequence[parts.Counts] = ()) -> Totals:
    """Add up parts, by what each says of itself; only some with failures are read.

    The rate is also that of those that workers have `begun`.
    """
    paths = [filesystem.join(folder, PARTS, name) for name in sorted(names)]
    counts = read_all_counts(paths)
    times = [one.finished for one in counts] or [0.0]
    failed = (path for path, one in zip(paths, counts, strict=True) if one.failed)
    return Totals(
        len(counts),
        sum(one.items for one in counts),
        sum(one.failed for one in counts),
        sum(one.seconds for one in counts),
        min(times),
        max(times),
        list(islice(chain.from_iterable(map(_read_failures, failed)), _EXAMPLES)),
        _rate(sorted([*counts, *begun], key=lambda one: one.finished)[-_RECENT:]),
    )


def _rate(counts: list[parts.Counts]) -> float:
    """Return items per second; parts that several workers made side by side share their time."""
    seconds, until = 0.0, 0.0
    for one in sorted(counts, key=lambda one: one.finished - one.seconds):
        begun = max(until, one.finished - one.seconds)
        seconds += max(0.0, one.finished - begun)
        until = max(until, one.finished)
    return sum(one.items for one in counts) / seconds if seconds else 0.0


def read_all_counts(paths: list[str]) -> list[parts.Counts]:
    """Read what each part says of itself."""
    return _for_all(parts.read_counts, paths)


def find_damaged(paths: list[str]) -> list[str]:
    """Return the parts that cannot be read, or whose rows are not those that were written."""
    whole = _for_all(parts.is_whole, paths)
    return [path for path, is_whole in zip(paths, whole, strict=True) if not is_whole]


def _for_all(read: Callable[[str], T], paths: list[str]) -> list[T]:
    if not any(map(filesystem.is_remote, paths)):
        return list(map(read, paths))  # threads would only get into each other's way
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(read, paths))


def _read_failures(path: str) -> Iterator[dict[str, str]]:
    with filesystem.open_file(path) as file:
        columns = ["ok", "id", "path", "error"]
        table = need("pyarrow.parquet").ParquetFile(file).read(columns=columns)
    for row in table.to_pylist():
        if not row.pop("ok"):
            yield row


def write_summary(folder: str, plan: Plan) -> Summary:
    """Add up all parts of a finished run, and keep that."""
    done = add_up(folder, parts.planned_parts(folder))
    numbers = (done.items, done.failed, done.parts, done.seconds, done.last)
    summary = Summary(folder, plan.source, plan.fingerprint, *numbers, done.failures)
    # Not the folder, which may be moved; what it was made from is in the plan.
    lines = ",\n".join(f' "{name}": {json.dumps(getattr(summary, name))}' for name in _KEPT)
    filesystem.write_whole(filesystem.join(folder, SUMMARY), f"{{\n{lines}\n}}\n".encode())
    return summary


def read_summary(folder: str) -> Summary | None:
    """Read the summary of a run, if it has one that can be read."""
    try:
        content = json.loads(filesystem.read_bytes(filesystem.join(folder, SUMMARY)))
        return Summary(folder, **{name: content[name] for name in _KEPT})
    except (FileNotFoundError, ValueError, TypeError, LookupError):
        return None

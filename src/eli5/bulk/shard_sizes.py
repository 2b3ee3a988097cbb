"""How many items a shard has: from the list, the workers, and the rate at which they work.

Nobody knows the rate before some items are explained. So a plan begins with two small shards per
worker, the *probes*, and behind them has *grains*, shards of a handful of items; as soon as the
rate is known, the grains are joined into shards that take `PART_SECONDS` each.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import NamedTuple

PART_SECONDS = 45.0  # that a part should take: what is lost at most if a worker is
_GRAIN = 8  # items, at most: a line of the plan for each, until the rate is known
_PROBES = 2  # per worker; programs are compiled in the first, so that the second tells the rate


class Granularity(NamedTuple):
    """What sizes go with a job."""

    batch: int  # sizes are multiples of it: a batch of another size may have to be compiled
    probe: int  # items of a probe, at most
    grain: int  # items that stay together; a divisor of `batch`


def granularity(batch_size: int, copies: int = 1, *, is_item_by_item: bool = False) -> Granularity:
    """Return what sizes go with a batch, of which each item is explained in so many copies."""
    if is_item_by_item:  # no batch has several, and one may take long
        return Granularity(1, 1, 1)
    probe = max(batch_size // copies, 1)
    grain = next(n for n in range(min(probe, _GRAIN), 0, -1) if batch_size % n == 0)
    return Granularity(batch_size, probe, grain)


def probe_size(n_items: int, number: int, *, workers: int, sizes: Granularity) -> int:
    """Return how many items shard `number` of a list has before the rate is known."""
    if number >= _PROBES * workers:
        return sizes.grain
    return max(min(sizes.probe, -(-n_items // workers)), sizes.grain)


def shard_size(n_left: int, workers: int, rate: float, sizes: Granularity) -> int:
    """Return how many items the next shard has.

    Parameters
    ----------
    n_left : int
        Items that are in no shard yet.
    workers : int
    rate : float
        Items per second and worker.
    sizes : Granularity

    Returns
    -------
    int
        As many as take `PART_SECONDS`. Fewer at the end of the list, so that all workers end at
        about the same time. Whole batches, unless one takes longer than that.
    """
    share = max(-(-n_left // (2 * workers)), sizes.batch)
    size = min(share, int(rate * PART_SECONDS))
    step = sizes.batch if size >= sizes.batch else sizes.grain
    return max(size // step, 1) * step


def all_sizes(n_items: int, workers: int, rate: float, sizes: Granularity) -> Iterator[int]:
    """Yield the size of each shard of a list."""
    n_left = n_items
    for number in count():
        if not n_left:
            return
        is_probe = number < _PROBES * workers
        size = (
            probe_size(n_items, number, workers=workers, sizes=sizes)
            if is_probe
            else shard_size(n_left, workers, rate, sizes)
        )
        size = min(size, n_left)
        n_left -= size
        yield size


def reason(size: int, workers: int, rate: float) -> str:
    """Say why the largest shards of a run have so many items."""
    pace = f"{rate:.3g} per second" if rate >= 1 else f"{1 / rate:.3g} s each"
    seconds = size / rate
    is_long = seconds > PART_SECONDS / 2
    why = "a kill loses no more than that" if is_long else "each worker has some to the end"
    who = "1 worker" if workers == 1 else f"one of {workers} workers"
    return f"at most {size} pictures, {seconds:.0f} s for {who} at {pace}: so {why}"

"""Cuts what is left of a list into shards, as soon as the rate of the workers is known."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from eli5.bulk.plan import join_grains, read_shards
from eli5.bulk.results import parts
from eli5.bulk.shard_sizes import Granularity, reason, shard_size


class Cutter:
    """Learns the rate from the shards that are done; see `eli5.bulk.shard_sizes`."""

    def __init__(self, folder: str, sizes: Granularity, tell: Callable[[str], None]) -> None:
        self.folder, self.sizes, self.tell = folder, sizes, tell
        self.n_done, self.rate = 0, 0.0

    def learn(self, counts: parts.Counts) -> None:
        """Take what a shard that is done says of itself."""
        self.n_done += 1
        explained = counts.items - counts.failed  # what failed took no time
        # The slower ones had programs to compile.
        self.rate = max(self.rate, explained / counts.seconds if counts.seconds else 0.0)

    def is_due(self, workers: int) -> bool:
        """Tell whether a worker has done more than its first shard."""
        return self.rate > 0 and self.n_done > workers

    def cut(self, next_shard: int, workers: int) -> None:
        """Cut what is behind the shards that have been begun, of which `next_shard` is not one."""
        names = parts.list_parts(self.folder)
        # Of a run that went on, some may be there further on.
        done = [one.number for one in read_shards(self.folder) if parts.part_name(one) in names]
        n_kept = max([next_shard, *(number + 1 for number in done)])
        size = partial(shard_size, workers=workers, rate=self.rate, sizes=self.sizes)
        join_grains(self.folder, n_kept, size)
        new = [one.n for one in read_shards(self.folder) if one.number >= n_kept]
        if new:
            why = reason(max(new), workers, self.rate)
            self.tell(f"{sum(new)} pictures in {len(new)} parts of {why}.")

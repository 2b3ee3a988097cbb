"""How large shards are: a pure function of the list, the workers, the rate and the batch."""

from __future__ import annotations

from itertools import pairwise

import pytest

from eli5.bulk.shard_sizes import (
    PART_SECONDS,
    Granularity,
    all_sizes,
    granularity,
    probe_size,
    reason,
    shard_size,
)

BATCHES = Granularity(32, 32, 8)
ONE_BY_ONE = Granularity(1, 1, 1)


@pytest.mark.parametrize(
    ("n_items", "workers", "rate", "sizes", "expected"),
    [
        (500, 2, 10.0, BATCHES, [32] * 4 + [64, 64] + [32] * 7 + [20]),
        (500, 1, 10.0, BATCHES, [32, 32, 192, 96, 64, 32, 32, 20]),
        (40, 4, 10.0, BATCHES, [10, 10, 10, 10]),  # all have work
        (3, 4, 10.0, BATCHES, [3]),  # no more workers than grains
        (500, 100, 10.0, BATCHES, [8] * 62 + [4]),
        (100, 2, 0.25, BATCHES, [32, 32, 32, 4]),  # the probes are all there is
        (200, 1, 0.25, BATCHES, [32, 32] + [8] * 17),  # a batch would take too long
        (20, 2, 0.1, ONE_BY_ONE, [1] * 4 + [4, 3, 3, 2, 1, 1, 1, 1]),
        (8, 2, 0.01, ONE_BY_ONE, [1] * 8),  # nothing is less than a picture
    ],
)
def test_sizes(
    n_items: int, workers: int, rate: float, sizes: Granularity, expected: list[int]
) -> None:
    assert list(all_sizes(n_items, workers, rate, sizes)) == expected


@pytest.mark.parametrize("workers", [1, 4, 100])
@pytest.mark.parametrize("rate", [0.3, 12.0, 900.0])
def test_a_long_list(workers: int, rate: float) -> None:
    sizes = list(all_sizes(1_000_000, workers, rate, BATCHES))
    assert sum(sizes) == 1_000_000
    cut = sizes[2 * workers :]
    assert all(before >= after for before, after in pairwise(cut))
    assert max(cut) / rate <= PART_SECONDS
    if max(cut) >= 32:
        assert all(size % 32 == 0 for size in cut[:-1])
    # Whoever is last has no more to do than others did meanwhile.
    assert min(cut[-workers - 1 : -1]) <= 32
    assert len(sizes) < 1.3 * 1_000_000 / max(cut) + 20 * workers


@pytest.mark.parametrize(
    ("batch", "copies", "expected"),
    [
        (32, 1, Granularity(32, 32, 8)),
        (31, 1, Granularity(31, 31, 1)),
        (10, 1, Granularity(10, 10, 5)),
        (4, 1, Granularity(4, 4, 4)),
        (32, 10, Granularity(32, 3, 2)),
        (32, 100, Granularity(32, 1, 1)),
    ],
)
def test_grains_divide_batches(batch: int, copies: int, expected: Granularity) -> None:
    assert granularity(batch, copies) == expected


def test_items_that_are_explained_alone_need_no_batch() -> None:
    assert granularity(32, is_item_by_item=True) == ONE_BY_ONE


def test_probes_come_first() -> None:
    assert [probe_size(500, k, workers=2, sizes=BATCHES) for k in range(6)] == [32] * 4 + [8] * 2


def test_the_end_of_a_list_is_shared() -> None:
    assert shard_size(10_000, 2, 10.0, BATCHES) == 448  # whole batches of what takes 45 s
    assert shard_size(1000, 2, 10.0, BATCHES) == 224
    assert shard_size(1, 2, 10.0, BATCHES) == 32


def test_it_says_why() -> None:
    assert reason(448, 2, 10.0) == (
        "at most 448 pictures, 45 s for one of 2 workers at 10 per second: "
        "so a kill loses no more than that"
    )
    assert reason(4, 1, 0.5) == (
        "at most 4 pictures, 8 s for 1 worker at 2 s each: so each worker has some to the end"
    )

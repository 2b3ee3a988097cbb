"""What becomes of a task that a worker was lost with: halved, until what kills stands alone."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from eli5.bulk.driver import Schedule
from eli5.bulk.plan import Shard
from eli5.bulk.worker import Task


def make_shards(*sizes: int) -> list[Shard]:
    return [Shard(k, f"shard-{k}", "list", "file", 0, n) for k, n in enumerate(sizes)]


def play(
    shards: list[Shard], killers: set[tuple[int, int]], n_workers: int = 3, seed: int = 0
) -> tuple[Counter[tuple[int, int]], set[tuple[int, int]], int]:
    """Let workers that end in any order do a schedule.

    Returns
    -------
    explained : Counter of (shard, item)
        What is in the parts.
    aside : set of (shard, item)
    losses : int
    """
    schedule, rng = Schedule(shards), random.Random(seed)
    out: list[Task] = []
    aside: set[tuple[int, int]] = set()
    explained: Counter[tuple[int, int]] = Counter()
    losses = 0
    while not schedule.is_done:
        while len(out) < n_workers and (task := schedule.next()):
            out.append(task)
        task = out.pop(rng.randrange(len(out)))
        items = {(task.shard.number, item) for item in range(task.low, task.high)}
        spans = []
        if items & killers:
            losses += 1
            if schedule.lose(task):
                aside |= items
                spans = schedule.finish(task)
            assert not schedule.is_hopeless
        else:
            spans = schedule.finish(task)
            if task.is_whole and not spans:
                explained.update(items)
        for low, high in spans:
            explained.update((task.shard.number, item) for item in range(low, high))
    assert schedule.next() is None
    return explained, aside, losses


@pytest.mark.parametrize("seed", range(20))
def test_killers_stand_alone_and_all_else_is_done_once(seed: int) -> None:
    rng = random.Random(seed)
    shards = make_shards(*(rng.randint(1, 40) for _ in range(12)))
    items = [(shard.number, item) for shard in shards for item in range(shard.n)]
    killers = set(rng.sample(items, 5))
    explained, aside, _ = play(shards, killers, n_workers=rng.randint(1, 5), seed=seed)
    assert aside == killers
    assert explained == Counter(items)


@pytest.mark.parametrize(("n", "most"), [(1, 2), (2, 4), (1000, 13)])
def test_a_killer_is_found_by_halving(n: int, most: int) -> None:
    # Two losses of the whole, one of each half, two of the item alone.
    explained, aside, losses = play(make_shards(n), {(0, n - 1)}, n_workers=1)
    assert aside == {(0, n - 1)}
    assert sum(explained.values()) == n
    assert losses == most


def test_one_loss_is_no_reason_to_halve() -> None:
    schedule = Schedule(make_shards(10))
    task = schedule.next()
    assert task is not None
    assert not schedule.lose(task)
    assert schedule.next() == task
    assert schedule.finish(task) == []
    assert schedule.is_done


def test_it_gives_up_if_nothing_works() -> None:
    schedule = Schedule(make_shards(*[1000] * 100))
    for losses in range(1, 61):
        task = schedule.next()
        assert task is not None
        assert not schedule.is_hopeless
        if schedule.lose(task):
            break
        assert schedule.losses == losses
    assert schedule.losses < 60  # an item was alone before that
    while not schedule.is_hopeless:
        task = schedule.next()
        assert task is not None
        schedule.lose(task)
    assert schedule.losses == 60


def test_shards_are_asked_for_one_by_one() -> None:
    asked = 0

    def shards() -> object:
        nonlocal asked
        for shard in make_shards(*[1] * 1000):
            asked += 1
            yield shard

    schedule = Schedule(shards())  # type: ignore[arg-type]
    for _ in range(5):
        task = schedule.next()
        assert task is not None
        schedule.finish(task)
    assert asked == 6

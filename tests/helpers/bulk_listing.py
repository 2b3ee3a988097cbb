"""A source as its plan and its shards hand it out."""

from __future__ import annotations

from pathlib import Path

from eli5.bulk import filesystem
from eli5.bulk.plan import Plan, make_plan, read_items, read_plan, read_shards
from eli5.bulk.sources import find_source


def listed(
    folder: Path, source: str | Path, shard_size: int = 3, skip: str | None = None
) -> dict[str, bytes]:
    """Plan a source; return what its shards hold, shard by shard and each from its own place."""
    name = filesystem.absolute(str(source))
    asked = Plan(name, "mark", {}, shard_size)
    plan = make_plan(str(folder), asked, find_source(name), skip)
    assert read_plan(str(folder)) == plan
    found = list(read_shards(str(folder)))
    assert (plan.n_items, plan.n_shards) == (sum(shard.n for shard in found), len(found))
    assert [shard.number for shard in found] == list(range(len(found)))
    assert len({shard.id for shard in found}) == len(found)
    assert max(shard.n for shard in found) <= shard_size
    # From the last to the first: none needs those before it.
    items = [[(ref.id, ref.read()) for ref in read_items(shard)] for shard in reversed(found)]
    assert [len(one) for one in reversed(items)] == [shard.n for shard in found]
    return dict(pair for one in reversed(items) for pair in one)

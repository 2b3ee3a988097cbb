"""The plan: a source, listed once into ordered shards, in three files of the run's folder.

``plan.json`` says what the run is about and is written last, ``shards.jsonl`` has a line per shard,
and ``listing.jsonl`` a line per item if the pictures are not in the source itself. No step holds
more than the ids of one shard.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.sources import Source, list_ranges, read_range
from eli5.bulk.sources.items import ItemRange, SourceItem, changed_source
from eli5.loading.errors import UserError

PLAN, SHARDS, LISTING = "plan.json", "shards.jsonl", "listing.jsonl"
_FORMAT = 1


class Shard(NamedTuple):
    """Items that are explained together, into one part."""

    number: int
    id: str  # a hash of the job's fingerprint and of `ids`
    format: str  # of the source
    file: str
    start: int  # in the file; see `eli5.bulk.sources.items.ItemRange`
    n: int  # of items
    ids: str = ""  # a hash of the ids of its items, in order; "" where nothing is to be checked


class Plan(NamedTuple):
    """What ``plan.json`` says; before the source is listed, without its numbers."""

    source: str
    fingerprint: str  # of the job
    made_from: dict[str, Any]  # what the fingerprint was made from; see `eli5.bulk.job`
    shard_size: int  # items, at most
    n_items: int = 0
    n_shards: int = 0
    listed: float = 0.0  # when, in seconds since 1970

    def is_same_run(self, other: Plan) -> bool:
        """Tell whether another plan is of the same source and job."""
        return (self.source, self.fingerprint) == (other.source, other.fingerprint)


def make_plan(
    folder: str,
    plan: Plan,
    source: Source,
    skip: str | None = None,
    notify: Callable[[int], None] = lambda _: None,
) -> Plan:
    """List a source, write the plan into a run's folder, and return it with its numbers.

    The folder `skip`, of results, is no source. `notify` is called after each shard with the number
    of items so far. Raises UserError if the source has no item or cannot be read, or nothing can be
    written.
    """
    # Drafts lie on the disk of the folder, so that they can be renamed.
    home = None if filesystem.is_remote(folder) else folder
    try:
        os.makedirs(home or ".", exist_ok=True)
        with tempfile.TemporaryDirectory(dir=home, prefix=".plan-") as drafts:
            listing, table = os.path.join(drafts, LISTING), os.path.join(drafts, SHARDS)
            n_items = n_shards = 0
            with open(listing, "wb") as items, open(table, "wb") as shards:
                name = filesystem.join(folder, LISTING)
                for chunk in list_ranges(source, plan.shard_size, skip, items, name):
                    shard = _shard(n_shards, chunk, source.format, plan.fingerprint)
                    shards.write(json.dumps(shard).encode() + b"\n")
                    n_shards += 1
                    n_items += shard.n
                    notify(n_items)
            if not n_items:
                received = f"source={plan.source}, in which there is none"
                raise UserError(f"Expected `source` to have pictures. Received: {received}")
            with filesystem.write_errors(folder, ""):
                filesystem.publish(listing, name)
                filesystem.publish(table, filesystem.join(folder, SHARDS))
    except OSError as error:
        raise UserError(
            "Expected `source` to be readable, and `out` to be a folder with room for the list of "
            f"what is in it. Received: source={plan.source} for {folder}: {error}"
        ) from error
    plan = plan._replace(n_items=n_items, n_shards=n_shards, listed=time.time())
    # Last, so that a plan is there as soon as all of it is.
    content = json.dumps({"format": _FORMAT, **plan._asdict()}, indent=1)
    with filesystem.write_errors(folder, ""):
        filesystem.write_whole(filesystem.join(folder, PLAN), content.encode())
    return plan


def _shard(number: int, items: ItemRange, source_format: str, fingerprint: str) -> Shard:
    ids = _digest(items.ids)
    place = (source_format, items.file, items.start, len(items.ids))
    return Shard(number, _digest([fingerprint, ids]), *place, ids)


def _digest(names: Iterable[str]) -> str:
    digest = hashlib.blake2b(digest_size=12)
    for name in names:
        digest.update(f"{len(name)}:{name}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def read_plan(folder: str) -> Plan | None:
    """Read the plan of a run's folder, if there is one; UserError if it is another file."""
    path = filesystem.join(folder, PLAN)
    if not filesystem.exists(path):
        return None
    text = filesystem.read_bytes(path)
    with _damage(path, "a plan that this version of eli5 has written", "another file"):
        content = json.loads(text)
        if content.pop("format") != _FORMAT:
            raise ValueError
        return Plan(**content)


def read_shards(folder: str) -> Iterator[Shard]:
    """Yield the shards of a plan, in order; UserError if their file is gone or damaged."""
    path = filesystem.join(folder, SHARDS)
    with (
        _damage(path, f"the list of shards that was written with {PLAN}"),
        filesystem.open_file(path) as table,
    ):
        for line in table:
            yield Shard(*json.loads(line))


@contextmanager
def _damage(path: str, expected: str, received: str = "") -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        raise UserError(
            f"Expected {path} to be {expected}. Received: {received or error}. Take another folder."
        ) from error


def read_items(shard: Shard, low: int = 0, high: int | None = None) -> Iterator[SourceItem]:
    """Yield the items of a shard, from `low` to below `high`.

    UserError, at the end, if the items of the whole shard are not those that were listed: then
    those of other shards may be among them, and some would be lost and others be there twice.
    """
    names: list[str] | None = [] if shard.ids else None
    end = shard.n if high is None else high
    for number, item in enumerate(read_range(shard.format, shard.file, shard.start, shard.n)):
        if not item.is_listed:
            names = None  # what cannot be read is not compared; it fails, and says why
        if names is not None:
            names.append(item.id)
        if low <= number < end:
            yield item
        if names is None and number + 1 >= end:
            return
    if names is not None and _digest(names) != shard.ids:
        raise changed_source(shard.file, "holds others, or in another order,")

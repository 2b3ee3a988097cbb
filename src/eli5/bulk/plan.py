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
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import partial
from itertools import islice
from typing import Any, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.sources import Source, list_ranges, read_range
from eli5.bulk.sources.items import ItemRange, SourceItem, changed_source, chunks
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
    grain: int = 0  # `ids` is one of the hashes of so many items each; 0: one of them all


class Plan(NamedTuple):
    """What ``plan.json`` says; before the source is listed, without its numbers."""

    source: str
    fingerprint: str  # of the job
    made_from: dict[str, Any]  # what the fingerprint was made from; see `eli5.bulk.job`
    shard_size: int  # items, at most
    n_items: int = 0
    n_shards: int = 0
    listed: float = 0.0  # when, in seconds since 1970
    is_final: bool = True  # whether the shards are what they stay; see `eli5.bulk.shard_sizes`

    def is_same_run(self, other: Plan) -> bool:
        """Tell whether another plan is of the same source and job."""
        return (self.source, self.fingerprint) == (other.source, other.fingerprint)


def make_plan(
    folder: str,
    plan: Plan,
    source: Source,
    skip: str | None = None,
    notify: Callable[[int], None] = lambda _: None,
    probe: Callable[[int, int], int] | None = None,
) -> Plan:
    """List a source, write the plan into a run's folder, and return it with its numbers.

    The folder `skip`, of results, is no source. `notify` is called after each shard with the number
    of items so far. With `probe`, the shards of `plan.shard_size` items are grains: they are joined
    as it tells, of how many items there are and a shard's number, and later by `join_grains`.
    Raises UserError if the source has no item or cannot be read, or nothing can be written.
    """
    name = filesystem.join(folder, LISTING)
    try:
        with _drafts(folder) as drafts:
            listing, table = os.path.join(drafts, LISTING), os.path.join(drafts, SHARDS)
            n_items = n_shards = 0
            with open(listing, "wb") as items, open(table, "wb") as shards:
                for chunk in list_ranges(source, plan.shard_size, skip, items, name):
                    grain = 0 if probe is None else plan.shard_size
                    shard = _shard(n_shards, chunk, source.format, plan.fingerprint, grain)
                    shards.write(_line(shard))
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
    if probe is not None:
        probe_size = partial(probe, n_items)
        n_shards = _rewrite_shards(folder, plan.fingerprint, 0, lambda n, _: probe_size(n))
        plan = plan._replace(n_shards=n_shards, is_final=False)
    _write_plan(folder, plan)  # last, so that a plan is there as soon as all of it is
    return plan


def join_grains(folder: str, n_kept: int, size: Callable[[int], int]) -> Plan:
    """Join the shards of a plan, but for the first `n_kept`, and return the plan; it is final.

    `size` tells how many items a shard has at most, of how many there are from it on. A kill
    leaves one plan or the other, and neither holds an item twice.
    """
    plan = read_plan(folder)
    if plan is None:
        raise FileNotFoundError(filesystem.join(folder, PLAN))
    left = plan.n_items - sum(one.n for one in islice(read_shards(folder), n_kept))

    def next_size(_: int, n_done: int) -> int:
        return size(left - n_done)

    n_shards = _rewrite_shards(folder, plan.fingerprint, n_kept, next_size)
    largest = max(one.n for one in read_shards(folder))
    plan = plan._replace(n_shards=n_shards, shard_size=largest, is_final=True)
    _write_plan(folder, plan)
    return plan


def _rewrite_shards(
    folder: str, fingerprint: str, n_kept: int, size: Callable[[int, int], int]
) -> int:
    """Join the shards behind the first `n_kept`, in place; return how many there are."""
    n_shards = n_kept
    with filesystem.write_errors(folder), _drafts(folder) as drafts:
        table = os.path.join(drafts, SHARDS)
        with open(table, "wb") as lines, closing(read_shards(folder)) as shards:
            lines.writelines(map(_line, islice(shards, n_kept)))
            for shard in _joined(shards, fingerprint, n_kept, size):
                lines.write(_line(shard))
                n_shards += 1
        filesystem.publish(table, filesystem.join(folder, SHARDS))
    return n_shards


def _joined(
    grains: Iterable[Shard], fingerprint: str, number: int, size: Callable[[int, int], int]
) -> Iterator[Shard]:
    """Yield shards of neighbours in one file; `size` takes a shard's number and its first item."""
    group: list[Shard] = []
    n = n_done = 0
    for one in grains:
        # What has been joined before stays as it is: its hash is made from those of its grains.
        is_alone = any(some.n > some.grain for some in (one, *group[:1]))
        is_new = is_alone or (group and one.file != group[0].file)
        if group and (is_new or n + one.n > size(number, n_done)):
            yield _join(number, group, fingerprint)
            number, n_done, n, group = number + 1, n_done + n, 0, []
        group.append(one)
        n += one.n
    if group:
        yield _join(number, group, fingerprint)


def _join(number: int, group: Sequence[Shard], fingerprint: str) -> Shard:
    ids = _joined_ids([one.ids for one in group])
    n = sum(one.n for one in group)
    return group[0]._replace(number=number, id=_digest([fingerprint, ids]), n=n, ids=ids)


@contextmanager
def _drafts(folder: str) -> Iterator[str]:
    """Make a folder for drafts, on the disk of a run's folder, so that they can be renamed."""
    home = None if filesystem.is_remote(folder) else folder
    os.makedirs(home or ".", exist_ok=True)
    with tempfile.TemporaryDirectory(dir=home, prefix=".plan-") as drafts:
        yield drafts


def _write_plan(folder: str, plan: Plan) -> None:
    content = json.dumps({"format": _FORMAT, **plan._asdict()}, indent=1)
    with filesystem.write_errors(folder, ""):
        filesystem.write_whole(filesystem.join(folder, PLAN), content.encode())


def _line(shard: Shard) -> bytes:
    return json.dumps(shard).encode() + b"\n"


def _shard(
    number: int, items: ItemRange, source_format: str, fingerprint: str, grain: int
) -> Shard:
    ids = _digest(items.ids)
    place = (source_format, items.file, items.start, len(items.ids))
    return Shard(number, _digest([fingerprint, ids]), *place, ids, grain)


def _joined_ids(digests: Sequence[str]) -> str:
    return digests[0] if len(digests) == 1 else _digest(digests)


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


def read_shards(folder: str) -> Generator[Shard]:
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
    if names is not None and _ids(names, shard.grain) != shard.ids:
        raise changed_source(shard.file, "holds others, or in another order,")


def _ids(names: list[str], grain: int) -> str:
    """Return the hash of a shard's ids, as its grains make it."""
    return _joined_ids([_digest(some) for some in chunks(names, grain or len(names))])

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
from collections.abc import Callable, Iterator
from typing import IO, Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.local_disk import on_disk
from eli5.bulk.sources import Source, listing, paths_of, ranges_of, read_range
from eli5.bulk.sources.ranges import Range, Ref
from eli5.loading.errors import UserError

__all__ = ["Plan", "Shard", "make_plan", "read_plan", "refs", "shards"]

FORMAT = 1
PLAN, SHARDS, LISTING = "plan.json", "shards.jsonl", "listing.jsonl"


class Shard(NamedTuple):
    """A run of items that is explained as a whole.

    Attributes
    ----------
    number : int
    id : str
        A hash of the job's fingerprint and of the ids of its items.
    kind, file, start : str, str, int
        Where the items are; see `eli5.bulk.sources.read_range`.
    n : int
        How many items.
    """

    number: int
    id: str
    kind: str
    file: str
    start: int
    n: int


class Plan(NamedTuple):
    """What ``plan.json`` says.

    Attributes
    ----------
    source : str
    fingerprint : str
        Of the job.
    made_from : dict
        What the fingerprint was made from; see `eli5.bulk.job.ingredients`.
    n_items, n_shards, shard_size : int
    listed : float
        When, in seconds since 1970.
    """

    source: str
    fingerprint: str
    made_from: dict[str, Any]
    n_items: int
    n_shards: int
    shard_size: int
    listed: float


def make_plan(
    folder: str,
    name: str,
    source: Source,
    mark: str,
    made_from: dict[str, Any],
    shard_size: int,
    skip: str | None = None,
    tell: Callable[[int], None] | None = None,
) -> Plan:
    """List a source and write the plan.

    Parameters
    ----------
    folder : str
        The run's folder.
    name : str
        What the user calls the source.
    source : Source
    mark : str
        The job's fingerprint.
    made_from : dict
        What that was made from.
    shard_size : int
        How many items a shard has, at most.
    skip : str, optional
        A folder of results, which is no source.
    tell : callable, optional
        Told after each shard how many items there are so far.

    Raises
    ------
    UserError
        If the source has no item or cannot be read, or nothing can be written.
    """
    try:
        return _make_plan(folder, name, source, mark, made_from, shard_size, skip, tell)
    except OSError as error:
        raise UserError(
            "Expected SOURCE to be readable, and --out to be a folder with room for the list of "
            f"what is in it. Received: SOURCE={name}, --out={folder}: {error}"
        ) from error


def _make_plan(
    folder: str,
    name: str,
    source: Source,
    mark: str,
    made_from: dict[str, Any],
    shard_size: int,
    skip: str | None,
    tell: Callable[[int], None] | None,
) -> Plan:
    n_items = n_shards = 0
    with tempfile.TemporaryDirectory(dir=_drafts(folder), prefix=".plan-") as drafts:
        with _draft(drafts, LISTING) as lines, _draft(drafts, SHARDS) as table:
            for one in _ranges(folder, source, shard_size, skip, lines):
                shard = _shard(n_shards, one, source.kind, mark)
                table.write(json.dumps(shard).encode() + b"\n")
                n_shards += 1
                n_items += shard.n
                if tell is not None:
                    tell(n_items)
        if not n_items:
            raise UserError(
                f"Expected SOURCE to have pictures. Received: SOURCE={name}, in which there is none"
            )
        for file in (LISTING, SHARDS):
            with on_disk(folder, ""):
                storage.put(os.path.join(drafts, file), storage.join(folder, file))
    plan = Plan(name, mark, made_from, n_items, n_shards, shard_size, time.time())
    content = {"format": FORMAT, **plan._asdict()}
    with on_disk(folder, ""):
        storage.write_whole(storage.join(folder, PLAN), json.dumps(content, indent=1).encode())
    return plan


def read_plan(folder: str) -> Plan | None:
    """Read the plan of a run's folder, if there is one.

    Raises
    ------
    UserError
        If the file is none that this version has written.
    """
    path = storage.join(folder, PLAN)
    if not storage.exists(path):
        return None
    try:
        content = json.loads(storage.read_bytes(path))
        is_known = content.pop("format") == FORMAT
        plan = Plan(**content)
    except (ValueError, TypeError, LookupError, AttributeError):
        is_known = False
    if not is_known:
        raise UserError(
            f"Expected {path} to be a plan that this version of eli5 has written. Received: "
            "another file. Take another --out."
        )
    return plan


def shards(folder: str) -> Iterator[Shard]:
    """Yield the shards of a plan, in order.

    Raises
    ------
    UserError
        If the file that lists them is gone or damaged.
    """
    path = storage.join(folder, SHARDS)
    try:
        with storage.open_file(path) as table:
            for line in table:
                yield Shard(*json.loads(line))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"Expected {path} to be the list of shards that was written with {PLAN}. Received: "
            f"{error}. Take another --out."
        ) from error


def refs(shard: Shard) -> Iterator[Ref]:
    """Yield the items of a shard."""
    return read_range(shard.kind, shard.file, shard.start, shard.n)


def _ranges(
    folder: str, source: Source, shard_size: int, skip: str | None, lines: IO[bytes]
) -> Iterator[Range]:
    paths = paths_of(source, skip)
    if paths is None:
        return ranges_of(source, shard_size)
    return listing.write(paths, shard_size, lines, storage.join(folder, LISTING))


def _shard(number: int, one: Range, kind: str, mark: str) -> Shard:
    digest = hashlib.blake2b(mark.encode(), digest_size=12)
    for name in one.ids:
        digest.update(f"{len(name)}:{name}".encode("utf-8", "surrogatepass"))
    return Shard(number, digest.hexdigest(), kind, one.file, one.start, len(one.ids))


def _drafts(folder: str) -> str | None:
    """Return where drafts are written: on the disk of the folder, so that they can be renamed."""
    if storage.is_remote(folder):
        return None
    os.makedirs(folder, exist_ok=True)
    return folder


def _draft(drafts: str, name: str) -> IO[bytes]:
    return open(os.path.join(drafts, name), "wb")

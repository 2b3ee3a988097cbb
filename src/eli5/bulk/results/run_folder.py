"""Which folder a run has: the one that was named, or one in it if another run is there already."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from eli5.bulk import filesystem
from eli5.bulk.job import fingerprint
from eli5.bulk.plan import LISTING, PLAN, SHARDS, Plan, read_plan
from eli5.loading.errors import UserError
from eli5.saving.folder_lock import is_locked, open_locked

LOCK, PARTS, OVERLAYS, FRAGMENTS, SUMMARY, RETRY = (
    "lock", "parts", "overlays", "fragments", "summary.json", "retry.json",
)  # fmt: skip
_PREFIX = "run-"
_OURS = {LOCK, PARTS, OVERLAYS, FRAGMENTS, SUMMARY, RETRY, PLAN, SHARDS, LISTING}


def find_run_folder(out: str, plan: Plan) -> tuple[str, list[str]]:
    """Return a run's folder, and how the run differs from that in `out`, if that is another one.

    Raises UserError if `out` holds anything but runs.
    """
    with filesystem.write_errors(out, ""):
        _check_ours(out)
        first = read_plan(out)
    is_free = first is None or (is_at_work(out) is False and _has_no_part(out))
    if first is None or is_free or first.is_same_run(plan):
        return out, []
    before = {"source": first.source, **first.made_from}
    now = {"source": plan.source, **plan.made_from}
    # Named after the run, so that it is found again.
    name = f"{_PREFIX}{fingerprint([plan.source, plan.fingerprint])[:12]}"
    differences = [name for name in now if now[name] != before.get(name)]
    return filesystem.join(out, name), differences


@contextmanager
def claim_run_folder(out: str, plan: Plan) -> Iterator[tuple[str, list[str]]]:
    """Find a run's folder, and keep other runs out of it; without parts, another plan may go."""
    while True:
        folder, differences = find_run_folder(out, plan)
        with locked(folder):
            # Another run may have begun here before the lock was had; then there is one in it.
            first = read_plan(folder)
            if first is None or first.is_same_run(plan) or _has_no_part(folder):
                yield folder, differences
                return


def forget_plan(folder: str) -> None:
    """Make room for another run, if there is no part of this one."""
    if _has_no_part(folder):
        filesystem.remove(filesystem.join(folder, PLAN))
        filesystem.remove(filesystem.join(folder, OVERLAYS))  # no row tells what they are


def runs_in(out: str) -> list[str]:
    """Return the folders of all runs: `out` itself, and those in it."""
    names = sorted(name for name in filesystem.list_names(out) if name.startswith(_PREFIX))
    folders = [out, *(filesystem.join(out, name) for name in names)]
    return [one for one in folders if filesystem.exists(filesystem.join(one, PLAN))]


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """Keep other runs out of a folder on a disk; the end of the process, any end, frees it."""
    if filesystem.is_remote(folder):
        yield
        return
    with filesystem.write_errors(folder, ""):
        os.makedirs(folder, exist_ok=True)
        try:
            file = open_locked(os.path.join(folder, LOCK))
        except BlockingIOError as error:
            raise UserError(
                f"Expected `out` to be a folder that no other run works on. Received: {folder}, "
                "on which one is at work right now"
            ) from error
    with file:
        yield


def is_at_work(folder: str) -> bool | None:
    """Tell whether a run is at work in a folder, or None if nobody can."""
    return None if filesystem.is_remote(folder) else is_locked(os.path.join(folder, LOCK))


def _check_ours(out: str) -> None:
    if not filesystem.exists(out):
        return
    if not filesystem.is_folder(out):
        raise UserError(f"Expected `out` to be a folder. Received: out={out}, which is a file")
    names = [name for name in filesystem.list_names(out) if not name.startswith((".", _PREFIX))]
    # What is left if listing a source was interrupted, or its plan is gone.
    is_begun = SHARDS in names or {LOCK, LISTING}.issuperset(names)
    if not _OURS.issuperset(names) or not (PLAN in names or is_begun):
        raise UserError(
            "Expected `out` to be a new or empty folder, or one that a bulk run has made. "
            f"Received: out={out}, which holds other files. Take a folder in it: "
            f"{filesystem.join(out, 'explained')}"
        )


def _has_no_part(folder: str) -> bool:
    names = filesystem.list_names(filesystem.join(folder, PARTS))
    return all(name.startswith(".") for name in names)

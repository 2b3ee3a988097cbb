"""Where a run stands, from its files alone."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from eli5.bulk import filesystem
from eli5.bulk.plan import read_plan
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import is_at_work, runs_in
from eli5.bulk.results.summary import Totals, add_up
from eli5.loading.errors import UserError


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
    """

    folder: str
    source: str
    made_from: dict[str, Any]
    n_items: int
    n_shards: int
    done: Totals
    at_work: bool | None

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
    folder = filesystem.absolute(os.fspath(out))
    try:
        if not filesystem.is_folder(folder):
            reason = "which is a file" if filesystem.exists(folder) else "which does not exist"
        elif folders := runs_in(folder):
            return list(map(_status, folders))
        elif is_at_work(folder):
            reason = "which has no plan.json yet: a run is listing its source right now"
        else:
            reason = "which has no plan.json"
    except OSError as error:
        raise UserError(
            f"Expected a folder that can be read. Received: {os.fspath(out)}: {error}"
        ) from error
    raise UserError(f"Expected a folder that a bulk run has made. Received: {folder}, {reason}")


def _status(folder: str) -> Status:
    plan = read_plan(folder)
    if plan is None:
        raise FileNotFoundError(folder)
    return Status(
        folder,
        plan.source,
        plan.made_from,
        plan.n_items,
        plan.n_shards,
        add_up(folder, parts.planned_parts(folder)),
        is_at_work(folder),
    )

"""Where a run stands, from its files alone."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from eli5.bulk import filesystem as storage
from eli5.bulk.plan import read_plan
from eli5.bulk.results import parts
from eli5.bulk.results.run_folder import is_at_work, runs_in
from eli5.bulk.results.summary import Totals, add_up
from eli5.loading.errors import UserError

__all__ = ["Status", "status"]


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
        One per run: that of the folder itself first, then those beside it.

    Raises
    ------
    ValueError
        If there is no run, or it cannot be read.
    """
    folder = storage.absolute(os.fspath(out))
    try:
        folders = runs_in(folder) if storage.is_folder(folder) else []
        if not folders:
            raise UserError(
                f"Expected a folder that a bulk run has made. Received: {os.fspath(out)}, "
                f"{_why_none(folder)}"
            )
        return [_status(one) for one in folders]
    except OSError as error:
        raise UserError(
            f"Expected a folder that can be read. Received: {os.fspath(out)}: {error}"
        ) from error


def _why_none(folder: str) -> str:
    if not storage.exists(folder):
        return "which does not exist"
    if not storage.is_folder(folder):
        return "which is a file"
    if is_at_work(folder):
        return "where a run is listing its source right now: it has no plan.json yet. Ask again"
    return "which has no plan.json"


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
        add_up(folder, parts.planned(folder)),
        is_at_work(folder),
    )

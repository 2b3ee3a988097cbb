"""``eli5 bulk-status``: where a run stands, from its files alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.bulk.progress import pace
from eli5.cli.console import UserError, print_fact, print_text

if TYPE_CHECKING:
    from eli5.bulk import Status


def show_bulk_status(out: str | Path, /) -> int:
    """Tell where bulk runs stand, from their files alone.

    Parameters
    ----------
    out
        The folder or URL that `eli5 bulk` was given as `--out`.
    """
    from eli5 import bulk

    try:
        runs = bulk.status(out)
    except (ImportError, OSError) as error:
        raise UserError(str(error)) from error
    for number, run in enumerate(runs):
        if number:
            print_text("")
        _print_run(run)
    return 0


def _print_run(run: Status) -> None:
    done = run.done
    print_fact("Run", run.folder)
    print_fact("Source", run.source)
    print_fact("Methods", ", ".join(run.made_from["methods"]))
    print_fact("Options", ", ".join(_options(run.made_from)))
    rate = pace(done.rate, run.n_items - done.items, 1.0)
    is_running = {True: "at work", False: "nothing is at work", None: "unknown if at work"}
    state = "finished" if run.is_done else is_running[run.at_work]
    if run.at_work and rate:  # a run that was interrupted has none
        state += f", {rate}"
    print_fact("Images", f"{done.items} of {run.n_items} done, {done.failed} failed")
    print_fact("Parts", f"{done.parts} of {run.n_shards}")
    print_fact("State", state)
    for one in done.failures:
        print_fact("Failed", f"{one['id']}: {one['error']}")


def _options(made_from: dict[str, Any]) -> Iterator[str]:
    """Tell runs in one folder from each other, as far as they differ in what was asked for."""
    names = ("preprocess", "overlays", "dtype")
    options = {**made_from["options"], **{name: made_from[name] for name in names}}
    return (f"{name}={value}" for name, value in options.items() if value is not None)

"""How far a run is: a bar on a terminal, elsewhere a line a minute; all on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import Any

__all__ = ["Meter", "listing_told", "measured", "pace"]

_EVERY = 60.0  # seconds between two lines
_LISTING = 10.0  # and between two as long as a source is listed
_OFTEN = 0.5  # and between two looks of the bar

Meter = Callable[[int, int], None]  # takes how many items are done, and how many of them failed


@contextmanager
def measured(total: int, before: int, *, shown: bool) -> Iterator[Meter]:
    """Say how many of `total` items are done.

    Parameters
    ----------
    total : int
    before : int
        How many of them earlier runs have done.
    shown : bool
        Whether anything is said at all.
    """
    if not shown:
        yield lambda done, failed: None
    elif sys.stderr is not None and sys.stderr.isatty():
        yield from _bar(total, before)
    else:
        yield _paced(total, before, _EVERY, _say)


def listing_told(*, shown: bool) -> Callable[[int], None]:
    """Return what says from time to time how many items a source has so far."""
    said = monotonic()

    def tell(n_items: int) -> None:
        nonlocal said
        now = monotonic()
        if shown and now - said >= _LISTING:
            said = now
            _say(f"listing the source: {n_items} so far", n_items)

    return tell


def _say(text: str, done: int) -> None:
    sys.stderr.write(f"eli5: {text}\n")
    sys.stderr.flush()


def _bar(total: int, before: int) -> Iterator[Meter]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.fields[said]}"))
    console = Console(stderr=True)
    with Progress(*columns, console=console, redirect_stdout=False, transient=True) as progress:
        task = progress.add_task("", total=total, completed=before, said="starting")

        def show(text: str, done: int) -> None:
            progress.update(task, completed=done, said=text)

        yield _paced(total, before, _OFTEN, show)


def _paced(total: int, before: int, every: float, say: Callable[[str, int], Any]) -> Meter:
    begun = said = monotonic()

    def tell(done: int, failed: int) -> None:
        nonlocal said
        now = monotonic()
        if now - said >= every:
            said = now
            about = pace(done - before, total - done, now - begun)
            say(f"{done} of {total} done, {failed} failed{about}", done)

    return tell


def pace(done: float, left: int, seconds: float) -> str:
    """Return rate and time left, to follow other words: ``", 8.3 per second, 46 s left"``."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    shown = f"{rate:.3g} per second" if rate >= 1 else f"{1 / rate:.3g} s each"
    return f", {shown}, {duration(left / rate)} left" if left else f", {shown}"


def duration(seconds: float) -> str:
    """Return a time for people: ``"46 s"``, ``"12 min"``, ``"3 h 5 min"``, ``"9 days"``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 72 else f"{hours / 24:.0f} days"

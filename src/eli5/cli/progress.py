"""How far a long run is: a bar on a terminal, elsewhere a line from time to time."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import NamedTuple

from eli5.cli.console import above_bar, print_notice

__all__ = ["Meter", "measured", "pace"]

_EVERY = 10.0  # seconds between two lines


class Meter(NamedTuple):
    """Says how far a run is.

    Attributes
    ----------
    advance : callable
        One more is done.
    stop : callable
        Gives the terminal back, where a bar is shown.
    """

    advance: Callable[[], None]
    stop: Callable[[], None]


@contextmanager
def measured(total: int, *, has_bar: bool, what: str = "pictures") -> Iterator[Meter]:
    """Say on standard error how many of `total` are done.

    Parameters
    ----------
    total : int
    has_bar : bool
        Whether a bar may be shown, if standard error is a terminal.
    what : str
        What is counted.
    """
    if has_bar and sys.stderr is not None and sys.stderr.isatty():
        yield from _bar(total)
    else:
        yield Meter(_lines(total, what), lambda: None)


def _bar(total: int) -> Iterator[Meter]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (
        TextColumn("Explaining"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[pace]}"),
    )
    begun, console = monotonic(), Console(stderr=True)
    # Standard output may be a file, which the bar has nothing to do with.
    progress = Progress(*columns, console=console, redirect_stdout=False, transient=True)
    with above_bar(console), progress as bar:
        task = bar.add_task("", total=total, pace="")

        def advance() -> None:
            bar.advance(task)
            bar.update(task, pace=pace(int(bar.tasks[0].completed), total, monotonic() - begun))

        yield Meter(advance, bar.stop)


def _lines(total: int, what: str) -> Callable[[], None]:
    begun = said = monotonic()
    done = 0

    def advance() -> None:
        nonlocal done, said
        done += 1
        now = monotonic()
        if now - said >= _EVERY and done < total:
            said = now
            print_notice(f"{done} of {total} {what}, {pace(done, total, now - begun)}")

    return advance


def pace(done: int, total: int, seconds: float) -> str:
    """Return rate and time left, for people: ``"8.3 per second, 46 s left"``."""
    if not done or seconds <= 0:
        return ""
    rate = done / seconds
    said = f"{rate:.3g} per second" if rate >= 1 else f"{1 / rate:.3g} s each"
    return said if done >= total else f"{said}, {_duration((total - done) / rate)} left"


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"

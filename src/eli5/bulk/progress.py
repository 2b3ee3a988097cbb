"""How far a run is: a bar on a terminal, elsewhere a line from time to time; on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


class Progress:
    """Tells how many items are done; see `show_progress`."""

    def __init__(self, total: int, done: int, noun: str, show: Callable[[str, int], Any]) -> None:
        self.total, self.before, self.done, self.noun, self.show = total, done, done, noun, show
        self.begun = monotonic()
        self.console: Console | None = None  # prints above the bar, if there is one
        self.stop: Callable[[], None] = lambda: None  # gives the terminal back

    def advance(self) -> None:
        """Tell that one more is done."""
        self.update(self.done + 1)

    def update(self, done: int, failed: int = 0) -> None:
        """Tell how many are done, and how many of them have failed."""
        self.done = done
        facts = (
            f"{done} of {self.total} {self.noun}",
            f"{failed} failed" if failed else "",
            pace(done - self.before, self.total - done, monotonic() - self.begun),
        )
        self.show(", ".join(filter(None, facts)), done)


@contextmanager
def show_progress(
    total: int,
    done: int = 0,
    *,
    noun: str = "pictures",
    shown: bool = True,
    has_bar: bool = True,
    every: float = 60.0,
) -> Iterator[Progress]:
    """Say how many of `total` items are done; earlier runs have done some of them already.

    Standard error gets a bar if it is a terminal and may have one (`has_bar`), or a line ``every``
    so many seconds, or nothing if it is not `shown`.
    """
    if shown and has_bar and sys.stderr is not None and sys.stderr.isatty():
        yield from _bar(total, done, noun)
        return
    notify_if_due = notify_every(every, shown=shown)
    # Not at the end, which is told by what comes of the run.
    yield Progress(total, done, noun, lambda text, n: n < total and notify_if_due(text))


def _bar(total: int, done: int, noun: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, TextColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("Explaining"), BarColumn(), TextColumn("{task.fields[text]}"))
    console = Console(stderr=True)
    # Standard output may be a file, which the bar has nothing to do with.
    with Bar(*columns, console=console, redirect_stdout=False, transient=True) as bar:
        task = bar.add_task("", total=total, completed=done, text="")
        shown = Progress(
            total, done, noun, lambda text, n: bar.update(task, completed=n, text=text)
        )
        shown.console, shown.stop = console, bar.stop
        yield shown


def notify(text: str, *, shown: bool = True) -> None:
    """Print a line on standard error."""
    if shown and sys.stderr is not None:
        print(f"eli5: {text}", file=sys.stderr, flush=True)


def notify_every(seconds: float, *, shown: bool) -> Callable[[str], None]:
    """Return what prints a line if so much time has passed since the last one."""
    last = monotonic()

    def notify_if_due(text: str) -> None:
        nonlocal last
        if monotonic() - last >= seconds:
            last = monotonic()
            notify(text, shown=shown)

    return notify_if_due


def pace(done: float, left: int, seconds: float) -> str:
    """Return rate and time left, for people: ``"8.3 per second, 46 s left"``, or ``""``."""
    if done <= 0 or seconds <= 0:
        return ""
    rate = done / seconds
    shown = f"{rate:.3g} per second" if rate >= 1 else f"{1 / rate:.3g} s each"
    return f"{shown}, {duration(left / rate)} left" if left > 0 else shown


def duration(seconds: float) -> str:
    """Return a time for people: ``"46 s"``, ``"12 min"``, ``"3 h 5 min"``, ``"9 days"``."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 120:
        return f"{minutes} min"
    hours = minutes // 60
    return f"{hours} h {minutes % 60} min" if hours < 72 else f"{hours / 24:.0f} days"

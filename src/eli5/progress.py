"""How far long work is: a bar on a terminal or in a notebook, else a line from time to time.

All of it goes to standard error, and all of the package shows it by `show_progress`. A bar appears
after a second of work, and is cleared at its end. What works within other work has a line below it,
and so has another thread: whoever draws, draws the lines of all. Who listens (`listening`), such as
a server, is told in the place of all that.
"""

from __future__ import annotations

import html
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

if TYPE_CHECKING:
    from rich.console import Console

T = TypeVar("T")

_DELAY = 1.0  # seconds of work before there is a bar
_REFRESH = 0.1  # seconds between two drawings of it


class Progress:
    """Tells how many items are done; see `show_progress`."""

    def __init__(self, total: int | None, done: int, label: str, noun: str, parts: int) -> None:
        self.total, self.before, self.done, self.failed = total, done, done, 0
        self.label, self.noun, self.parts = label, noun, parts
        self.begun = monotonic()
        self.show: Callable[[Progress], Any] = lambda _: None

    def advance(self) -> None:
        """Tell that one more is done."""
        self.update(self.done + 1)

    def update(self, done: int, failed: int = 0) -> None:
        """Tell how many are done, and how many of them have failed."""
        self.done, self.failed = done, failed
        self.show(self)

    def track(self, n: int, blocks: Iterable[T], size: int) -> Iterator[T]:
        """Yield blocks of `size` out of `n` items, the last of the rest; each is done then.

        The total is known from here on: so many in each of the parts that are to come.
        """
        end = self.done + n
        self.total = self.done + n * self.parts
        self.parts = max(self.parts - 1, 1)
        for block in blocks:
            yield block
            self.update(min(self.done + size, end))

    def in_words(self) -> str:
        """Return numbers, rate and time left: ``"3 of 10 pictures, 2 s each, 14 s left"``."""
        total, seconds = self.total, monotonic() - self.begun
        left = 0 if total is None else total - self.done
        facts = (
            f"{self.done} {self.noun}" if total is None else f"{self.done} of {total} {self.noun}",
            f"{self.failed} failed" if self.failed else "",
            pace(self.done - self.before, left, seconds),
        )
        return ", ".join(filter(None, facts))


def untracked(n: int, blocks: Iterable[T], size: int) -> Iterator[T]:
    """Yield the blocks, and tell nobody; see `Progress.track`."""
    yield from blocks


@contextmanager
def show_progress(
    total: int | None = None,
    done: int = 0,
    *,
    label: str = "Explaining",
    noun: str = "pictures",
    parts: int = 1,
    shown: bool | None = True,
    has_bar: bool = True,
    every: float = 10.0,
) -> Iterator[Progress]:
    """Say how many of `total` items are done; earlier runs have done some of them already.

    Parameters
    ----------
    total : int, optional
        None where it is not known, or where `Progress.track` is told so.
    done : int
    label, noun : str
        What is done, and to what.
    parts : int
        How often `Progress.track` will be called.
    shown : bool, optional
        None: a bar if standard error is a terminal or a notebook, else nothing. True: or a line
        ``every`` so many seconds. False: nothing.
    has_bar : bool
        Whether a terminal may have a bar. If not, it is taken for none.
    every : float
    """
    progress = Progress(total, done, label, noun, parts)
    listen = _LISTENER.get()
    if listen is not None:
        progress.show = listen
        yield progress
        return
    if shown is not False and has_bar and _display() is not None:
        with _SCREEN.showing(progress):
            yield progress
        return
    if shown:
        progress.show = _lines(label, every)
    yield progress


@contextmanager
def listening(listen: Callable[[Progress], Any]) -> Iterator[None]:
    """Let a function be told how far work on this thread is, and nobody else.

    It is called between two runs of the model. What it raises ends the work.
    """
    token = _LISTENER.set(listen)
    try:
        yield
    finally:
        _LISTENER.reset(token)


# Of a thread, each of which has its own context.
_LISTENER: ContextVar[Callable[[Progress], Any] | None] = ContextVar("listener", default=None)


def _lines(label: str, every: float) -> Callable[[Progress], None]:
    notify_if_due = notify_every(every, shown=True)
    start = "" if label == "Explaining" else f"{label}: "

    def show(progress: Progress) -> None:
        if progress.done != progress.total:  # the end is told by what comes of the work
            notify_if_due(start + progress.in_words())

    return show


def clear() -> None:
    """Take all bars away, as before the process ends or others write; they come back if told to."""
    _SCREEN.clear()


def bar_console() -> Console | None:
    """Return the console that can write above the bars, if a terminal shows some."""
    return getattr(_SCREEN.display, "console", None)


# ---- bars ----------------------------------------------------------------------------------------


class _Display(Protocol):
    def draw(self, tasks: list[Progress]) -> None: ...

    def close(self) -> None: ...


class _Screen:
    """The bars of the process: they share a terminal, and a lock."""

    def __init__(self) -> None:
        # Of signal handlers, too, which may come in between.
        self.lock = threading.RLock()
        self.tasks: list[Progress] = []  # in the order in which they began
        self.display: _Display | None = None
        self.drawn = 0.0

    @contextmanager
    def showing(self, task: Progress) -> Iterator[None]:
        """Show a bar from its first second on, and clear it whatever happens."""
        task.show = self.show
        with self.lock:
            self.tasks.append(task)
        try:
            yield
        finally:
            with self.lock:
                self.tasks.remove(task)
                if self.display is not None:
                    self.draw()

    def show(self, task: Progress) -> None:
        now = monotonic()
        if now - task.begun < _DELAY or (self.display and now - self.drawn < _REFRESH):
            return
        with self.lock:
            self.draw()

    def draw(self) -> None:
        self.drawn = monotonic()
        due = [task for task in self.tasks if self.drawn - task.begun >= _DELAY]
        if not due:
            self.clear()
            return
        if self.display is None:
            self.display = (_display() or _Terminal)()
        self.display.draw(due)

    def clear(self) -> None:
        with self.lock:
            display, self.display = self.display, None
            if display is not None:
                display.close()


_SCREEN = _Screen()


def _display() -> Callable[[], _Display] | None:
    """Return what shows bars here: on a terminal, in a notebook, or nothing elsewhere."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    if hasattr(shell, "kernel"):
        return _Notebook
    return _Terminal if sys.stderr is not None and sys.stderr.isatty() else None


class _Terminal:
    """Bars by rich, which comes with Keras; loaded only where there are some."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bars

        self.console = Console(stderr=True)
        width = max(10, min(40, self.console.width - 70))
        # No thread of its own that draws, which Ctrl-C might leave behind. Standard output may be a
        # file, which the bars have nothing to do with; what others write to standard error comes
        # above them.
        self.bars = Bars(
            TextColumn("{task.description}", markup=False),
            BarColumn(width),
            TextColumn("{task.fields[text]}", markup=False),
            console=self.console,
            redirect_stdout=False,
            auto_refresh=False,
            transient=True,
        )
        self.ids: dict[Progress, Any] = {}

    def draw(self, tasks: list[Progress]) -> None:
        for gone in self.ids.keys() - set(tasks):
            self.bars.remove_task(self.ids.pop(gone))
        for task in tasks:
            if task not in self.ids:
                self.ids[task] = self.bars.add_task(task.label, text="")
            facts: dict[str, Any] = {"total": task.total, "completed": task.done}
            self.bars.update(self.ids[task], text=task.in_words(), **facts)
        self.bars.start()
        self.bars.refresh()

    def close(self) -> None:
        self.bars.stop()


class _Notebook:
    """Bars as HTML in the output of a cell: neither widgets nor signs that move a cursor."""

    def __init__(self) -> None:
        self.handle: Any = None

    def draw(self, tasks: list[Progress]) -> None:
        display: Any = sys.modules["IPython"].display.display

        content = {
            "text/plain": "\n".join(f"{task.label}: {task.in_words()}" for task in tasks),
            "text/html": "".join(map(_as_html, tasks)),
        }
        if self.handle is None:
            self.handle = display(content, raw=True, display_id=True)
        else:
            self.handle.update(content, raw=True)

    def close(self) -> None:
        if self.handle is not None:
            self.handle.update({"text/plain": "", "text/html": ""}, raw=True)


def _as_html(task: Progress) -> str:
    share = "" if task.total is None else f' max="{task.total}" value="{task.done}"'
    label, text = map(html.escape, (task.label, task.in_words()))
    return f"<div>{label} <progress{share}></progress> {text}</div>"


# ---- lines ---------------------------------------------------------------------------------------


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

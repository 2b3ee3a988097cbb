"""One bounded queue for the models: few threads that explain, and who waits for them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
import warnings
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from time import monotonic
from typing import Any

from eli5.progress import Progress, listening
from eli5.server.refusal import RefusedError

_LOOK_AGAIN = 0.1  # seconds between two looks at how far a job is

# What is warned of on a thread that explains; elsewhere warnings go where they always go.
_WARNINGS: ContextVar[list[str] | None] = ContextVar("warnings", default=None)


class CancelledJobError(Exception):
    """Nobody waits for the job any more."""


class Job:
    """Something that is explained, or waits for it.

    Parameters
    ----------
    seconds : float
        After which it ends without a result.
    """

    def __init__(self, seconds: float) -> None:
        self.future: Future[Any]
        self.deadline = monotonic() + seconds
        self.is_cancelled = False
        self.progress: dict[str, Any] = {"label": "Waiting", "done": 0, "total": None}
        self.warnings: list[str] = []

    def cancel(self) -> None:
        """Let it end before the next run of the model."""
        self.is_cancelled = True
        self.future.cancel()  # where it has not begun

    def tell(self, label: str, done: int = 0, total: int | None = None) -> None:
        """Say how far it is; what ends it early is raised here."""
        self.progress = {"label": label, "done": done, "total": total}
        if self.is_cancelled:
            raise CancelledJobError
        if monotonic() > self.deadline:
            raise TimeoutError

    def listen(self, progress: Progress) -> None:
        """Take what `eli5.progress` tells."""
        self.tell(progress.label, progress.done, progress.total)

    async def result(self) -> Any:
        """Wait for it; RefusedError with 504 if that takes too long."""
        async for _ in self.updates():
            pass
        return self.future.result()

    async def updates(self) -> AsyncIterator[dict[str, Any]]:
        """Yield how far it is, each time that this has changed, until it is done."""
        waiting, told = asyncio.wrap_future(self.future), None
        waiting.add_done_callback(lambda one: one.cancelled() or one.exception())  # is told below
        while not waiting.done():
            await asyncio.wait({waiting}, timeout=_LOOK_AGAIN)
            if not waiting.done() and self.progress != told:
                told = self.progress
                yield told
            if monotonic() > self.deadline and not waiting.done():
                self.cancel()
                raise too_long()


def too_long() -> RefusedError:
    """Return what a caller is told whose job takes too long."""
    return RefusedError(504, "It takes too long. Ask for less, such as fewer samples or classes.")


class Queue:
    """What is asked of the models, in turn.

    Parameters
    ----------
    n_threads : int
        That explain: two, so that one draws while the other runs the model.
    n_places : int
        Of jobs that are explained or wait.
    seconds : float
        Which a job may take, with its waiting.
    """

    def __init__(self, n_threads: int, n_places: int, seconds: float) -> None:
        self.n_places, self.seconds = n_places, seconds
        self._threads = ThreadPoolExecutor(n_threads, thread_name_prefix="eli5-serve")
        self._lock = threading.Lock()
        self.n_taken = 0

    def check(self) -> None:
        """Raise RefusedError with 429 if there is no place."""
        if self.n_taken >= self.n_places:
            raise _busy()

    def submit(self, work: Callable[[Job], Any]) -> Job:
        """Take a place; it is free again when the work is done, whoever waits for it or not."""
        with self._lock:
            self.check()
            self.n_taken += 1
        job = Job(self.seconds)
        job.future = self._threads.submit(contextvars.Context().run, _run, work, job)
        job.future.add_done_callback(self._free)
        return job

    def _free(self, _: Future[Any]) -> None:
        with self._lock:
            self.n_taken -= 1

    def close(self) -> None:
        """Let nothing begin any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)


def _busy() -> RefusedError:
    return RefusedError(429, "Busy: too many explanations wait. Try again.", {"Retry-After": "1"})


def _run(work: Callable[[Job], Any], job: Job) -> Any:
    _WARNINGS.set(job.warnings)
    job.tell("Explaining")
    with listening(job.listen):
        return work(job)


def collect_warnings() -> Callable[[], None]:
    """Let the threads of a queue collect what they are warned of; return what ends that.

    `warnings.catch_warnings` is that of the whole process, and so none for threads.
    """
    shown = warnings.showwarning

    def show(message: Warning | str, category: type[Warning], *rest: Any, **named: Any) -> None:
        told = _WARNINGS.get()
        if told is None:
            shown(message, category, *rest, **named)
        elif issubclass(category, UserWarning) and str(message) not in told:
            told.append(str(message))

    def end() -> None:
        warnings.showwarning = shown

    warnings.showwarning = show
    warnings.simplefilter("always", UserWarning)  # and not once alone from each line
    return end

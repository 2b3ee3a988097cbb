"""What all executors have in common, and the simplest of them, which is this very process."""

from __future__ import annotations

import faulthandler
import os
import threading
import time
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from eli5.bulk.job import Job
from eli5.bulk.worker import Advance, Stopped, Task, Worker
from eli5.loading.errors import UserError, shortened

_GRACE = 30.0  # seconds, beyond what a picture may take
_FAILED_STARTS = 3  # of workers, in a row, after which no other is started

# OpenMP (PyTorch, NumPy), XLA (JAX), and TensorFlow twice.
_THREADS = ("OMP_NUM_THREADS", "NPROC", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class ExecutorOptions(NamedTuple):
    """Which executor, and how large."""

    workers: int | None = None  # None: this very process, or as many as Ray has room for
    ray: str | None = None  # a cluster's address, or "local"
    cpus: float = 1.0  # that each worker takes of a Ray cluster
    gpus: float = 0.0

    @property
    def is_this_process(self) -> bool:
        """Whether no other process works."""
        return self.workers is None and self.ray is None

    @property
    def in_words(self) -> str:
        """Who works, for people."""
        if self.is_this_process:
            return "in this process"
        if self.ray is not None:
            n = f"{self.workers} workers" if self.workers else "as many workers as fit"
            return f"by {n} on the Ray cluster {self.ray}"
        return f"by {self.workers} worker{'' if self.workers == 1 else 's'}"


class Event(NamedTuple):
    """What has happened to a worker.

    It is ready (with warnings of the model), has advanced in its task (by numbers of items done and
    failed), has finished it (with `Counts`), is lost with it (for a reason), or has refused (with
    the lines of a `UserError`): then no worker can do anything.
    """

    name: Literal["ready", "advanced", "finished", "lost", "refused"]
    value: Any
    task: Task | None = None


Notify = Callable[[Event], None]


class Pool(Protocol):
    """Workers of one executor."""

    n_workers: int  # that there should be

    def has_room(self) -> bool:
        """Tell whether a worker is free."""

    def submit(self, task: Task) -> None:
        """Hand a task to a free worker."""

    def wait(self, seconds: float, notify: Notify) -> None:
        """Notify of what has happened; wait for it, but not for ever. `notify` may raise."""

    def close(self) -> None:
        """End all workers; what they have begun is dropped."""


class SerialPool:
    """A pool of one: the calling process, which loads the model when it is made."""

    n_workers = 1

    def __init__(self, job: Job, folder: str) -> None:
        self.worker = Worker(job, folder)
        self.task: Task | None = None
        self.is_new = True

    def has_room(self) -> bool:
        return self.task is None

    def submit(self, task: Task) -> None:
        self.task = task

    def wait(self, _: float, notify: Notify) -> None:
        if self.is_new:
            self.is_new = False
            notify(Event("ready", self.worker.warnings))
        if self.task is not None:
            task, self.task = self.task, None
            notify(try_task(self.worker, task, lambda *n: notify(Event("advanced", n, task))))

    def close(self) -> None:
        self.task = None


def try_task(worker: Worker, task: Task, advance: Advance) -> Event:
    """Let a worker do a task, and return what came of it."""
    try:
        return Event("finished", worker.run(task, advance), task)
    except UserError as error:
        return Event("refused", error.lines)
    except (Stopped, EOFError, BrokenPipeError):  # the run is to end, or its driver has gone
        raise
    except Exception as error:  # a backend may raise anything, of a lack of memory say
        return Event("lost", shortened(f"{type(error).__name__}: {error}"), task)


def end_if_stuck(time_limit: float) -> None:
    """End this process, a worker, if no Python runs in it for longer than pictures may take.

    So it is with a decoder that hangs in native code and keeps Python's lock: no thread can find
    that out. The timer, which is no thread of Python, is set anew as long as one runs.
    """
    sink = open(os.devnull, "wb")  # noqa: SIM115 - where it would tell what hangs

    def go_on() -> None:
        while True:
            faulthandler.dump_traceback_later(time_limit + _GRACE, exit=True, file=sink)
            time.sleep(1.0)

    threading.Thread(target=go_on, name="eli5-stuck", daemon=True).start()


def check_starts(n_failed: int, reason: str, notify: Notify) -> None:
    """Notify that workers do not start, if that has happened too often in a row."""
    if n_failed >= _FAILED_STARTS:
        notify(Event("refused", (f"Expected workers that start. Received: {reason}",)))


def available_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def thread_variables(cores: float) -> dict[str, str]:
    """Return environment variables, which must be set before a backend is imported."""
    return dict.fromkeys(_THREADS, str(max(1, int(cores))))

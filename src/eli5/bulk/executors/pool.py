"""What all executors have in common: pools of workers, what they tell, and cores."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, Protocol

from eli5.bulk.worker import Advance, Stopped, Task, Worker
from eli5.loading.errors import UserError, shortened

FAILED_STARTS = 3  # of workers, in a row, after which no other is started

# OpenMP (PyTorch, NumPy), XLA (JAX), and TensorFlow twice.
_THREADS = ("OMP_NUM_THREADS", "NPROC", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")


class Event(NamedTuple):
    """What has happened to a worker.

    It is ready (with warnings of the model), has advanced in its task (by numbers of items done and
    failed), has finished it (with `Counts`), is lost with it (for a reason), or has refused (with
    the lines of a `UserError`): then no worker can do anything.
    """

    kind: Literal["ready", "advanced", "finished", "lost", "refused"]
    value: Any
    task: Task | None = None


Notify = Callable[[Event], None]


class Pool(Protocol):
    """Workers."""

    def has_room(self) -> bool:
        """Tell whether a worker is free."""

    def submit(self, task: Task) -> None:
        """Hand a task to a free worker."""

    def wait(self, seconds: float, notify: Notify) -> None:
        """Notify of what has happened; wait for it, but not for ever. `notify` may raise."""

    def close(self) -> None:
        """End all workers; what they have begun is dropped."""


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


def no_start(reason: str) -> Event:
    """Return what is told if workers do not start."""
    return Event("refused", (f"Expected workers that start. Received: {reason}",))


def available_cores() -> int:
    """Return how many cores this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def thread_variables(cores: float) -> dict[str, str]:
    """Return environment variables, which must be set before a backend is imported."""
    return dict.fromkeys(_THREADS, str(max(1, int(cores))))

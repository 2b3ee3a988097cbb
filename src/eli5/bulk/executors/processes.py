"""Several processes of this machine, each with a model of its own and its part of the cores."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from contextlib import suppress
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.bulk.executors.pool import (
    Event,
    Notify,
    check_starts,
    end_if_stuck,
    thread_variables,
    try_task,
)
from eli5.bulk.job import Job
from eli5.bulk.worker import Task, Worker
from eli5.loading.errors import UserError

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess


class ProcessPool:
    """A pool of so many processes; see `eli5.bulk.executors.pool.Pool`."""

    def __init__(self, n_workers: int, job: Job, folder: str) -> None:
        self.n_workers, self.job, self.folder = n_workers, job, folder
        self.cores = _share_cores(n_workers)
        self.failed_starts = 0
        self.workers = list(map(self._start, range(n_workers)))

    def _start(self, number: int) -> _Process:
        return _Process(number, self.job, self.folder, self.cores[number])

    def has_room(self) -> bool:
        return any(worker.is_idle for worker in self.workers)

    def submit(self, task: Task) -> None:
        next(worker for worker in self.workers if worker.is_idle).submit(task)

    def wait(self, seconds: float, notify: Notify) -> None:
        by_pipe = {worker.pipe: worker for worker in self.workers}
        for pipe in wait(list(by_pipe), seconds):
            worker = by_pipe[pipe]  # type: ignore[index]
            try:
                while worker.pipe.poll():
                    self._handle(worker, worker.pipe.recv(), notify)
            except (EOFError, OSError):  # it has ended, and so has its end of the pipe
                self._replace(worker, notify)

    def _handle(self, worker: _Process, event: Event, notify: Notify) -> None:
        if event.name == "ready":
            worker.is_ready, self.failed_starts = True, 0
        elif event.name in ("finished", "lost"):
            worker.task = None
        notify(event)

    def _replace(self, worker: _Process, notify: Notify) -> None:
        reason, task = worker.how_it_ended(), worker.task
        if not worker.is_ready:
            self.failed_starts += 1
            check_starts(self.failed_starts, f"{reason}, as they start", notify)
        self.workers[worker.number] = self._start(worker.number)
        if task is not None:
            notify(Event("lost", reason, task))

    def close(self) -> None:
        for worker in self.workers:
            worker.process.kill()  # what it has half written is removed later
        for worker in self.workers:
            worker.process.join()
            worker.pipe.close()


class _Process:
    """A process, and the task that it has."""

    def __init__(self, number: int, job: Job, folder: str, cores: set[int]) -> None:
        # Never a fork: it would copy the locks of the backend's threads, and hang on them.
        context = multiprocessing.get_context("spawn")
        self.number, self.is_ready = number, False
        self.task: Task | None = None
        self.pipe, theirs = context.Pipe()
        # Not a daemon: those may start no processes, which a user's own data may need.
        self.process: SpawnProcess = context.Process(
            target=_work, args=(theirs, job, folder, cores), name=f"eli5-bulk-{number}"
        )
        self.process.start()
        theirs.close()

    @property
    def is_idle(self) -> bool:
        return self.is_ready and self.task is None

    def submit(self, task: Task) -> None:
        self.task = task
        try:
            self.pipe.send(task)
        except OSError:
            return  # it has ended, which the next wait finds

    def how_it_ended(self) -> str:
        self.pipe.close()
        self.process.join()
        code = self.process.exitcode or 0
        if code >= 0:
            hint = ", as for native code that hangs" if code == 1 else ""
            return f"the worker process ended with exit code {code}{hint}"
        name = signal.Signals(-code).name
        hint = ", as for a lack of memory" if name == "SIGKILL" else ""
        return f"the worker process was ended by {name}{hint}"


def _share_cores(n_workers: int) -> list[set[int]]:
    """Deal out the cores: each worker its own, or none to anybody if they do not suffice."""
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if len(cores) < n_workers:
        return [set()] * n_workers
    return [set(cores[number::n_workers]) for number in range(n_workers)]


def _work(pipe: Connection, job: Job, folder: str, cores: set[int]) -> None:
    """Be a worker; the process begins here."""
    # A terminal sends Ctrl-C to all of them; the driver decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    _end_with_parent()
    _end_before_parent()
    os.environ["KERAS_BACKEND"] = job.backend
    if cores:
        # The backends make as many threads as there are cores that they may use.
        os.sched_setaffinity(0, cores)
        os.environ.update(thread_variables(len(cores)))
    try:
        worker = Worker(job, folder)
        end_if_stuck(job.time_limit)
        pipe.send(Event("ready", worker.warnings))
        while True:
            task: Task = pipe.recv()
            pipe.send(try_task(worker, task, lambda *n, t=task: pipe.send(Event("advanced", n, t))))
    except UserError as error:
        pipe.send(Event("refused", error.lines))
    except EOFError:  # the driver has gone
        return


def _end_with_parent() -> None:
    """End this process as soon as the driver has ended, however that was."""
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _end_before_parent() -> None:
    """Let Linux end this process, not the driver, where memory runs out; others know no such."""
    with suppress(OSError):  # who may not say so is left as it is
        Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")

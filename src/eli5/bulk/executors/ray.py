"""A Ray cluster: actors that load the model once, on whichever machines it has."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from eli5.bulk.executors.pool import (
    Event,
    ExecutorOptions,
    Notify,
    Pool,
    check_starts,
    end_if_stuck,
    thread_variables,
    try_task,
)
from eli5.bulk.job import Job
from eli5.bulk.worker import Task, Worker
from eli5.checks import need
from eli5.loading.errors import UserError, shortened

_LOCAL = "local"
_PATIENCE = 10.0  # seconds
_STORE = 100 << 20  # bytes, of which little is needed: tasks and counts are small


def open_ray(options: ExecutorOptions, job: Job, folder: str, n_tasks: int) -> Pool:
    """Connect to a cluster, or start one, and ask it for actors, no more than there are tasks.

    Raises UserError if it cannot be reached, or has no room for one actor.
    """
    ray = need("ray")
    is_ours = not ray.is_initialized()
    if is_ours:
        _connect(ray, str(options.ray))
    try:
        # A cluster of our own on this machine will not grow: what has no room waits for ever.
        may_grow = not (is_ours and options.ray == _LOCAL)
        n_workers = options.workers if may_grow and options.workers else _room(ray, options)
    except UserError:
        if is_ours:
            with _keep_signals():
                ray.shutdown()
        raise
    variables = {"KERAS_BACKEND": job.backend, "TF_CPP_MIN_LOG_LEVEL": "3"}
    actor = ray.remote(_Actor).options(
        num_cpus=options.cpus,
        num_gpus=options.gpus,
        # Tries are counted here, by shard, and a lost actor is replaced by a new one.
        max_restarts=0,
        max_task_retries=0,
        runtime_env={"env_vars": {**variables, **thread_variables(options.cpus)}},
    )
    return _RayPool(
        ray, lambda: actor.remote(job, folder), min(n_workers, n_tasks), is_ours=is_ours
    )


def _connect(ray: Any, address: str) -> None:
    # Nothing is reported to anybody. Whether a token is asked for is left alone: Ray asks for one
    # on a cluster that starts here.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    local: dict[str, Any] = {"include_dashboard": False, "object_store_memory": _STORE}
    more = local if address == _LOCAL else {}
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    try:
        if colon and port.isdigit():  # nobody may listen there; Ray itself would try for minutes
            socket.create_connection((host.strip("[]"), int(port)), _PATIENCE).close()
        with _keep_signals():
            ray.init(address, **more, log_to_driver=False, logging_level="ERROR")
    except (OSError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UserError(
            "Expected `ray` to be the address of a Ray cluster, with its token where this user's "
            f"is looked for. Received: ray={address}: {shortened(str(error))}"
        ) from error


@contextmanager
def _keep_signals() -> Iterator[None]:
    """Keep what this process does on SIGTERM; Ray has an answer of its own."""
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        if threading.current_thread() is threading.main_thread():  # no other may set one
            signal.signal(signal.SIGTERM, before)


def _room(ray: Any, options: ExecutorOptions) -> int:
    """Return how many workers a cluster has room for now, but not more than are wanted."""
    have = ray.cluster_resources()
    takes = {"CPU": options.cpus, "GPU": options.gpus}
    room = min(int(have.get(name, 0) / n) for name, n in takes.items() if n > 0)
    if room < 1:
        raise UserError(
            f"Expected a Ray cluster with room for a worker that takes {options.cpus:g} CPUs and "
            f"{options.gpus:g} GPUs. Received: {have.get('CPU', 0):g} CPUs and "
            f"{have.get('GPU', 0):g} GPUs. Let it take less; for a cluster elsewhere that grows, "
            "give `workers`"
        )
    return min(room, options.workers or room)


class _Actor:
    """What runs in the cluster."""

    def __init__(self, job: Job, folder: str) -> None:
        self.job, self.folder = job, folder
        self.worker: Worker

    def start(self) -> Event:
        try:
            self.worker = Worker(self.job, self.folder)
        except UserError as error:
            return Event("refused", error.lines)
        end_if_stuck(self.job.time_limit)
        return Event("ready", self.worker.warnings)

    def run(self, task: Task) -> Event:
        return try_task(self.worker, task, lambda *_: None)


class _RayPool:
    """A pool of actors; see `eli5.bulk.executors.pool.Pool`."""

    def __init__(self, ray: Any, new: Callable[[], Any], n_workers: int, *, is_ours: bool) -> None:
        self.ray, self.new, self.is_ours = ray, new, is_ours
        self.n_workers = n_workers
        self.idle: list[Any] = []
        self.running: dict[Any, tuple[Any, Task | None]] = {}  # by what is waited for
        self.failed_starts = 0
        for _ in range(n_workers):
            self._start()

    def _start(self) -> None:
        # One that the cluster has no room for stays away; tasks go to those that have come.
        actor = self.new()
        self.running[actor.start.remote()] = (actor, None)

    def has_room(self) -> bool:
        return bool(self.idle)

    def submit(self, task: Task) -> None:
        actor = self.idle.pop()
        self.running[actor.run.remote(task)] = (actor, task)

    def wait(self, seconds: float, notify: Notify) -> None:
        ready, _ = self.ray.wait(list(self.running), num_returns=1, timeout=seconds)
        for promise in ready:
            actor, task = self.running.pop(promise)
            try:
                event: Event = self.ray.get(promise)
            except self.ray.exceptions.RayError as error:  # the actor, or its node, has gone
                self._replace(actor, task, error, notify)
            else:
                self.failed_starts = 0
                if event.name != "refused":
                    self.idle.append(actor)
                notify(event)

    def _replace(self, actor: Any, task: Task | None, error: Exception, notify: Notify) -> None:
        self.ray.kill(actor)
        reason = f"the Ray actor has gone: {_reason(error)}"
        self._start()
        if task is not None:
            notify(Event("lost", reason, task))
        else:
            self.failed_starts += 1
            check_starts(self.failed_starts, reason, notify)

    def close(self) -> None:
        for actor in (*self.idle, *(actor for actor, _ in self.running.values())):
            self.ray.kill(actor)
        if self.is_ours:
            with _keep_signals():
                self.ray.shutdown()


def _reason(error: Exception) -> str:
    """Return the line of Ray's message that tells; the others are names and ids."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    telling = [line for line in lines if "died" in line or "killed" in line or "exit" in line]
    return shortened((telling or lines or [type(error).__name__])[-1])

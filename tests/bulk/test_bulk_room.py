"""Whether a Ray cluster has room, with a stand-in for Ray: starting one takes long."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from eli5.bulk.executors import ray as executor
from eli5.bulk.executors.pool import ExecutorOptions
from eli5.bulk.job import Job
from eli5.loading.errors import UserError

JOB = Job("m", None, ["Grad-CAM"], {}, None, None, False, "float32", 1, 1, "jax")


class FakeRay:
    """A cluster of four CPUs, and how often it was started and ended."""

    exceptions = SimpleNamespace(RayError=RuntimeError)

    def __init__(self) -> None:
        self.started = self.ended = self.actors = 0

    def is_initialized(self) -> bool:
        return self.started > self.ended

    def init(self, *_: Any, **__: Any) -> None:
        self.started += 1

    def shutdown(self) -> None:
        self.ended += 1

    def cluster_resources(self) -> dict[str, float]:
        return {"CPU": 4.0}

    def kill(self, _: Any) -> None:
        self.actors -= 1

    def remote(self, _: Any) -> Any:
        return SimpleNamespace(options=lambda **_: SimpleNamespace(remote=self._actor))

    def _actor(self, *_: Any) -> Any:
        self.actors += 1
        return SimpleNamespace(start=SimpleNamespace(remote=object))


@pytest.fixture
def ray(monkeypatch: pytest.MonkeyPatch) -> FakeRay:
    fake = FakeRay()
    monkeypatch.setattr(executor, "need", lambda _: fake)
    return fake


@pytest.mark.parametrize("n_workers", [None, 1])
def test_no_room_on_this_machine_ends_the_cluster(ray: FakeRay, n_workers: int | None) -> None:
    with pytest.raises(UserError, match=r"takes 500 CPUs and 0 GPUs\. Received: 4 CPUs"):
        executor.open_ray(ExecutorOptions(n_workers, "local", 500.0), JOB, "out", 9)
    assert (ray.started, ray.ended, ray.actors) == (1, 1, 0)


@pytest.mark.parametrize(
    ("address", "n_workers", "n_actors"),
    [("local", 3, 3), ("local", 8, 4), ("local", None, 4), ("auto", 8, 8), ("auto", None, 4)],
)
def test_only_a_cluster_elsewhere_may_grow(
    ray: FakeRay, address: str, n_workers: int | None, n_actors: int
) -> None:
    pool = executor.open_ray(ExecutorOptions(n_workers, address), JOB, "out", 9)
    assert ray.actors == n_actors
    pool.close()
    assert (ray.ended, ray.actors) == (1, 0)


def test_a_cluster_that_somebody_else_has_started_is_left_open(ray: FakeRay) -> None:
    ray.init()
    with pytest.raises(UserError, match="room for a worker"):
        executor.open_ray(ExecutorOptions(None, "local", 500.0), JOB, "out", 9)
    assert ray.ended == 0

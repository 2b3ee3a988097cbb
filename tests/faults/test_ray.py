"""Ray: the same rows as one process, after an actor was killed, and after a node was."""

from __future__ import annotations

import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from eli5 import bulk
from helpers.bulk_helpers import (
    check_complete,
    check_kills,
    environment,
    hostile_decoders,
    make_photos,
    read_rows,
    small_model,
    start,
)

ARGV = ("--shard-size", "10", "--batch-size", "2", "--overlays")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give Ray a home, in which it keeps the token that lets into its clusters."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text(secrets.token_hex(32))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    # Or a node that is killed is missed after half a minute only.
    monkeypatch.setenv("RAY_health_check_period_ms", "500")
    monkeypatch.setenv("RAY_health_check_failure_threshold", "3")


def actors() -> list[psutil.Process]:
    """Return the processes that run our actors."""
    return [one for one in psutil.process_iter(["cmdline"]) if _is_actor(one.info["cmdline"])]


def _is_actor(cmdline: list[str] | None) -> bool:
    return any(part.startswith("ray::_Actor") for part in cmdline or ())


def wait_for_parts(process: subprocess.Popen[str], out: Path, n: int) -> None:
    while len(list(out.glob("parts/*.parquet"))) < n:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)


def test_a_local_cluster_gives_the_rows_of_one_process(model: str, tmp_path: Path) -> None:
    photos = tmp_path / "photos"
    ids = make_photos(photos, 40, broken=[7])
    process = start(
        model, photos, "--out", tmp_path / "ray", *ARGV, "--ray", "local", "--workers", "2"
    )
    _, error = process.communicate(timeout=300)
    assert process.returncode == 1, error
    bulk.explain(model, photos, tmp_path / "one", shard_size=10, batch_size=2, overlays=True)
    check_complete(tmp_path / "ray", ids, ["1/00007.png"])
    assert read_rows(tmp_path / "ray") == read_rows(tmp_path / "one")


def test_the_driver_is_killed_at_random_moments(model: str, tmp_path: Path) -> None:
    check_kills(10, model, tmp_path, 200, [*ARGV, "--ray", "local", "--workers", "2"])


def test_an_actor_is_killed(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 600)
    process = start(model, photos, "--out", out, *ARGV, "--ray", "local", "--workers", "2")
    for n in (2, 12):
        wait_for_parts(process, out, n)
        actors()[0].send_signal(signal.SIGKILL)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    check_complete(out, ids)


def test_an_item_aborts_its_actor(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 12)
    (photos / "1" / "00004.png").write_bytes(b"ABORT")
    path = hostile_decoders(tmp_path / "site")
    argv = ["--shard-size", "4", "--overlays", "--ray", "local", "--workers", "2"]
    process = start(model, photos, "--out", out, *argv, PYTHONPATH=path)
    _, error = process.communicate(timeout=400)
    assert process.returncode == 1, error
    check_complete(out, ids, ["1/00004.png"])
    (row,) = (row for row in read_rows(out) if not row["ok"])
    assert row["error"].startswith("Nothing can be explained with it: the Ray actor has gone")


# ---- a cluster of two nodes ----------------------------------------------------------------------


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


def node(*argv: str) -> subprocess.Popen[bytes]:
    """Start a node that lives as long as this process of it."""
    code = "import sys; from ray.scripts.scripts import main; sys.exit(main())"
    common = ["--node-ip-address=127.0.0.1", "--block", "--object-store-memory=80000000"]
    return subprocess.Popen(
        [sys.executable, "-c", code, "start", *common, *argv],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environment(),
    )


def tree(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Return a node's processes; those that it has started live on without it."""
    root = psutil.Process(process.pid)
    return [root, *root.children(recursive=True)]


def kill(processes: list[psutil.Process]) -> None:
    for one in processes:
        try:
            one.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(processes, timeout=10)


def wait_for_raylets(address: str, n: int) -> None:
    until = time.monotonic() + 60
    while _count_raylets(address) < n:
        assert time.monotonic() < until, f"less than {n} nodes have started"
        time.sleep(0.2)
    time.sleep(3)  # until it is known to the head


def _count_raylets(address: str) -> int:
    port = address[address.index(":") :]  # Ray may have another name for this machine
    lines = [one.info["cmdline"] or [""] for one in psutil.process_iter(["cmdline"])]
    return sum(line[0].endswith("/raylet") and port in " ".join(line) for line in lines)


@pytest.fixture
def cluster() -> Iterator[tuple[str, Any, Any]]:
    """Start a head without CPUs of its own, and two nodes with one each."""
    port = free_port()
    address = f"127.0.0.1:{port}"
    head = node("--head", f"--port={port}", "--num-cpus=0", "--include-dashboard=false")
    wait_for_raylets(address, 1)
    nodes = []
    for number in (2, 3):  # one after the other, or they may choose the same ports
        nodes.append(node(f"--address={address}", "--num-cpus=1"))
        wait_for_raylets(address, number)
    yield address, nodes[0], nodes[1]
    kill([one for process in (*nodes, head) if process.poll() is None for one in tree(process)])
    for process in (*nodes, head):
        process.wait()


def test_a_node_is_killed(model: str, tmp_path: Path, cluster: tuple[str, Any, Any]) -> None:
    address, first, _ = cluster
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 600)
    # A slow method, or one node is done with all of it before the other has started.
    argv = (*ARGV, "--method", "RISE", "--ray", address, "--workers", "2")
    process = start(model, photos, "--out", out, *argv)
    try:
        while len(actors()) < 2:  # one on each node
            assert process.poll() is None, process.communicate()
            time.sleep(0.1)
        wait_for_parts(process, out, len(list(out.glob("parts/*.parquet"))) + 4)
        kill(tree(first))
        assert len(actors()) == 1
        left = len(ids) // 10 - len(list(out.glob("parts/*.parquet")))
        assert left > 4
        _, error = process.communicate(timeout=400)
    finally:
        process.kill()
    assert process.returncode == 0, error
    check_complete(out, ids)


def test_without_the_token_nothing_runs(
    model: str, tmp_path: Path, cluster: tuple[str, Any, Any]
) -> None:
    make_photos(tmp_path / "photos", 2)
    home = tmp_path / "stranger"
    (home / ".ray").mkdir(parents=True)
    (home / ".ray" / "auth_token").write_text("wrong" * 8)
    argv = (model, tmp_path / "photos", "--out", tmp_path / "out", "--ray", cluster[0])
    process = start(*argv, HOME=str(home))
    _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert "Expected --ray to be the address of a Ray cluster, with its token" in error

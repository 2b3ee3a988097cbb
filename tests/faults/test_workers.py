"""Worker processes are killed, from outside or by what they read; nothing is lost or doubled."""

from __future__ import annotations

import random
import time
from pathlib import Path

import psutil
import pytest

from helpers.bulk_helpers import (
    check_complete,
    hostile_decoders,
    make_photos,
    read_rows,
    small_model,
    start,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


def workers_of(driver: int) -> list[psutil.Process]:
    """Return the worker processes, without Python's own helper of spawned processes."""
    children = psutil.Process(driver).children()
    return [child for child in children if "spawn_main" in " ".join(child.cmdline())]


def test_workers_are_killed_now_and_then(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 900)
    argv = ["--shard-size", "30", "--batch-size", "2", "--overlays", "--workers", "2"]
    process = start(model, photos, "--out", out, *argv)
    rng, kills = random.Random(0), 0
    while process.poll() is None and kills < 4:
        # After a part was written since the last kill: so no shard is to blame for two in a row.
        n_parts = len(list(out.glob("parts/*.parquet")))
        if n_parts > 4 * kills:
            workers = workers_of(process.pid)
            if workers:
                rng.choice(workers).kill()
                kills += 1
        time.sleep(0.01)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert kills >= 2
    check_complete(out, ids)


def test_several_items_abort_their_worker(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 64)
    killers = [ids[5], ids[6], ids[40]]
    for name in killers:
        (photos / name).write_bytes(b"ABORT")
    argv = ["--shard-size", "32", "--overlays", "--workers", "2"]
    path = hostile_decoders(tmp_path / "site")
    process = start(model, photos, "--out", out, *argv, PYTHONPATH=path)
    _, error = process.communicate(timeout=400)
    assert process.returncode == 1, error
    check_complete(out, ids, killers)
    errors = {row["error"] for row in read_rows(out) if not row["ok"]}
    assert errors == {"Nothing can be explained with it: the worker process was ended by SIGABRT"}


def test_native_code_that_hangs_ends_its_worker(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 8)
    (photos / ids[5]).write_bytes(b"STUCK")
    argv = ["--shard-size", "1", "--overlays", "--workers", "2", "--time-limit", "1"]
    process = start(
        model, photos, "--out", out, *argv, PYTHONPATH=hostile_decoders(tmp_path / "site")
    )
    _, error = process.communicate(timeout=600)
    assert process.returncode == 1, error
    check_complete(out, ids, [ids[5]])
    (row,) = (row for row in read_rows(out) if not row["ok"])
    assert row["error"] == (
        "Nothing can be explained with it: the worker process ended with exit code 1, as for "
        "native code that hangs"
    )

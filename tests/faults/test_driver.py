"""The driver is killed at random moments, or its disk fills up; the same command goes on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eli5 import bulk
from helpers.bulk_helpers import (
    check_complete,
    check_kills,
    command,
    environment,
    make_photos,
    read_rows,
    small_model,
    start,
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.mark.parametrize("workers", [None, 2], ids=["serial", "processes"])
def test_killed_at_random_moments(workers: int | None, model: str, tmp_path: Path) -> None:
    argv = ["--shard-size", "4", "--batch-size", "2", "--overlays"]
    argv += [] if workers is None else ["--workers", str(workers)]
    check_kills(20, model, tmp_path, 600, argv)


@pytest.mark.parametrize("workers", [None, 2], ids=["serial", "processes"])
def test_killed_before_and_after_the_list_is_cut(
    workers: int | None, model: str, tmp_path: Path
) -> None:
    argv = ["--batch-size", "2", "--overlays"]
    argv += [] if workers is None else ["--workers", str(workers)]
    check_kills(6, model, tmp_path, 600, argv)


def test_no_worker_outlives_its_driver(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    make_photos(photos, 2000)
    argv = ["--shard-size", "20", "--batch-size", "1", "--overlays", "--workers", "2"]
    process = start(model, photos, "--out", out, *argv)
    while not list(out.glob("parts/*.parquet")):
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.communicate()
    time.sleep(2)
    before = sorted(out.rglob("*"))
    time.sleep(2)
    assert sorted(out.rglob("*")) == before
    (state,) = bulk.status(out)
    assert state.at_work is False


def test_one_in_a_hundred_is_broken(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    broken = random.Random(0).sample(range(2000), 20)
    ids = make_photos(photos, 2000, broken)
    process = start(model, photos, "--out", out, "--overlays", "--shard-size", "300")
    said, error = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "Images  1980 explained, 20 failed" in said
    assert error.count("eli5: error: ") == 10  # as examples
    check_complete(out, ids, [name for name in ids if int(name[2:7]) in broken])


# ---- a disk that fills up ------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Mount a disk in memory with room for a few hundred overlays."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only the administrator may mount a disk")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.parametrize("workers", [None, 2], ids=["serial", "processes"])
def test_a_disk_that_fills_up(
    workers: int | None, model: str, tmp_path: Path, small_disk: Path
) -> None:
    photos, out = tmp_path / "photos", small_disk / "out"
    ids = make_photos(photos, 400)
    argv: list[object] = ["--shard-size", "20", "--overlays"]
    argv += [] if workers is None else ["--workers", workers]
    process = start(model, photos, "--out", out, *argv)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 2
    assert error.count("eli5: error: ") == 1
    assert "Expected --out to be a folder that can be written to" in error
    assert "No space left on device" in error
    done = len(read_rows(out))
    assert 0 < done < 400
    subprocess.run(["mount", "-o", "remount,size=20m", str(small_disk)], check=True)
    process = start(model, photos, "--out", out, *argv)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert f"{done} of 400 are done already" in error
    check_complete(out, ids)


_LIMITED = """
import os, resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
os.execv(sys.executable, sys.argv[1:])
"""


def test_a_file_that_may_not_grow(model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 50)
    argv = command(model, photos, "--out", out, "--shard-size", "10", "--method", "Saliency")
    done = subprocess.run(
        [sys.executable, "-c", _LIMITED, *argv],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "File too large" in done.stderr
    assert not list((out / "parts").iterdir())
    assert subprocess.run(argv, env=environment(), check=False).returncode == 0
    assert [row["id"] for row in read_rows(out)] == ids

"""Several processes: the same rows as one, and a picture that kills its worker set aside."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import keras
import pytest

from eli5 import bulk
from helpers.bulk_helpers import (
    check_complete,
    hostile_decoders,
    make_photos,
    read_rows,
    small_model,
)

KILLER = "1/00004.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(autouse=True)
def _same_backend(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_BACKEND", keras.backend.backend())


def test_an_item_that_aborts_its_worker_is_set_aside(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 8, broken=[0])
    bulk.explain(model, photos, tmp_path / "serial", shard_size=2, overlays=True)
    (photos / KILLER).write_bytes(b"ABORT")
    monkeypatch.setenv("PYTHONPATH", hostile_decoders(tmp_path / "site"))
    bulk.explain(model, photos, out, shard_size=2, overlays=True, workers=2)
    check_complete(out, ids, failed=["0/00000.png", KILLER])
    rows, serial = read_rows(out), read_rows(tmp_path / "serial")
    killed = next(row for row in rows if row["id"] == KILLER)
    assert killed["error"] == (
        "Nothing can be explained with it: the worker process was ended by SIGABRT"
    )
    # And all other rows are what one process makes of them.
    for row, other in zip(rows, serial, strict=True):
        assert row["id"] == KILLER or {**row, "path": ""} == {**other, "path": ""}


def test_workers_that_cannot_start_end_the_run(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_photos(tmp_path / "photos", 2)
    site = tmp_path / "site"
    site.mkdir()
    # Not what watches over the workers for Python itself.
    ends = "import os, sys\nif '--multiprocessing-fork' in sys.orig_argv: os._exit(3)"
    (site / "sitecustomize.py").write_text(ends)
    monkeypatch.setenv("PYTHONPATH", str(site))
    with pytest.raises(ValueError, match=r"workers that start. Received: .* exit code 3, as they"):
        bulk.explain(model, tmp_path / "photos", tmp_path / "out", workers=1)


def test_what_a_worker_refuses_ends_the_run(model: str, tmp_path: Path) -> None:
    make_photos(tmp_path / "photos", 2)
    with pytest.raises(ValueError, match="no_such_layer"):
        bulk.explain(model, tmp_path / "photos", tmp_path / "out", workers=1, layer="no_such_layer")


def test_what_hangs_and_what_eats_memory_is_set_aside(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 6)
    (photos / ids[1]).write_bytes(b"HANG")
    (photos / ids[4]).write_bytes(b"KILLED")
    monkeypatch.setenv("PYTHONPATH", hostile_decoders(tmp_path / "site"))
    monkeypatch.setenv("TOLD", str(tmp_path / "told"))
    bulk.explain(model, photos, out, shard_size=2, time_limit=5, overlays=True, workers=1)
    check_complete(out, ids, failed=[ids[1], ids[4]])
    hung, killed = (row["error"] for row in read_rows(out) if not row["ok"])
    assert hung == (
        "Expected a picture that is read and decoded within 5 s (`time_limit`). It was not."
    )
    assert killed == (
        "Nothing can be explained with it: the worker process was ended by SIGKILL, as for a lack "
        "of memory"
    )
    # So the driver is the last that Linux ends.
    assert (tmp_path / "told").read_text().strip() == "500"


_STUCK = """
import re, sys, time
from eli5.bulk.executors import pool
pool._GRACE = 0.0
pool.end_if_stuck(2.0)
time.sleep(4)  # others work meanwhile
print("alive", flush=True)
re.match("(a*)*b", "a" * 60)  # which holds Python's lock for years
"""


def test_a_process_that_is_stuck_ends_itself() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _STUCK], capture_output=True, text=True, check=False, timeout=240
    )
    assert (done.returncode, done.stdout) == (1, "alive\n")

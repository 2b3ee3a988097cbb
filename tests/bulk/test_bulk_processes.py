"""Several processes: the same rows as one, and a picture that kills its worker set aside."""

from __future__ import annotations

from pathlib import Path

import keras
import pytest

from eli5 import bulk
from helpers.bulk_helpers import (
    aborting_decoder,
    check_complete,
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
    monkeypatch.setenv("PYTHONPATH", aborting_decoder(tmp_path / "site"))
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

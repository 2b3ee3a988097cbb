"""``eli5 bulk`` and ``eli5 bulk-status``: what they print, and how a run is stopped."""

from __future__ import annotations

import importlib
import os
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from eli5 import bulk
from eli5.bulk.worker import Worker
from eli5.cli.commands.bulk import _cores
from helpers.bulk_helpers import check_complete, make_photos, read_rows, small_model, start
from helpers.cli_helpers import fails, run

Capsys = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 5, broken=[4])
    return tmp_path / "photos"


def test_a_run_and_its_status(capsys: Capsys, model: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    ended = run(capsys, "bulk", model, photos, "--out", out, "--shard-size", 2, "--overlays")
    assert ended.code == 1
    assert ended.fact("Images") == "4 explained, 1 failed"
    assert ended.fact("Written") == f"{out}/parts: 3 files"
    began, size, ending, error = ended.err.splitlines()
    assert began.startswith(f"eli5: 5 pictures of {photos}, explained with model.keras on ")
    assert began.endswith(" by Grad-CAM, in this process.")
    assert size == "eli5: Parts of at most 2 pictures, as asked for."
    assert re.fullmatch(r"eli5: 5 pictures in [\d.]+ s, [\d.]+ per second\.", ending)
    assert error.startswith("eli5: error: 1/00004.png: Expected IMAGE to be a picture")
    names = sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))
    check_complete(out, names, failed=["1/00004.png"])
    status = run(capsys, "bulk-status", out)
    assert status.code == 0
    assert status.fact("Images") == "5 of 5 done, 1 failed"
    assert status.fact("State") == "finished"
    assert status.fact("Options") == "score=auto, top_targets=1, overlays=True, dtype=float32"
    assert status.fact("Failed").startswith("1/00004.png: ")


def test_options_reach_the_rows(capsys: Capsys, model: str, photos: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (photos / "1" / "00004.png").unlink()
    argv = ["--method", "HiResCAM", "--method", "LayerCAM", "--top", 2, "--layer", "colours"]
    ended = run(capsys, "bulk", model, photos, "--out", out, *argv, "--dtype", "float16")
    assert ended.code == 0
    assert " by HiResCAM and LayerCAM, " in ended.err
    rows = [row for row in read_rows(out) if row["id"] == "0/00000.png"]
    assert [(row["method"], row["rank"]) for row in rows] == [
        ("HiResCAM", 0),
        ("HiResCAM", 1),
        ("LayerCAM", 0),
        ("LayerCAM", 1),
    ]
    assert {row["layer"] for row in rows} == {"colours"}


@pytest.mark.parametrize("more", [[], ["--dry-run"]])
def test_what_must_be_known_is_told(
    more: list[str], capsys: Capsys, model: str, photos: Path, tmp_path: Path
) -> None:
    (photos / "1" / "00004.png").unlink()
    labels = tmp_path / "names.txt"
    labels.write_text("a\nb\n", encoding="utf-8")
    ended = run(capsys, "bulk", model, photos, "--out", tmp_path / "out", "--labels", labels, *more)
    assert ended.code == 0
    told = "eli5: The labels are 2 and the model's classes 3: they may belong to another model."
    assert ended.err.splitlines().count(told) == 1
    assert bool(more) == (ended.err == f"{told}\n")


@pytest.mark.parametrize("command", ["bulk", "bulk-status"])
def test_a_library_that_a_url_needs(
    command: str, capsys: Capsys, model: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing(*_: Any, **__: Any) -> None:
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr("fsspec.core.url_to_fs", missing)
    url = "s3://bucket/explained"
    argv = [url] if command == "bulk-status" else [model, photos, "--out", url]
    assert "Install s3fs" in fails(capsys, command, *argv)


def test_a_dry_run_writes_nothing(capsys: Capsys, model: str, photos: Path, tmp_path: Path) -> None:
    argv = ["--out", tmp_path / "out", "--dry-run", "--overlays", "--batch-size", 3]
    ended = run(capsys, "bulk", model, photos, *argv, "--shard-size", 2)
    assert ended.code == 0
    assert ended.fact("Images") == "5 in 3 shards"
    assert ended.fact("Shards") == "at most 2 pictures, as asked for"
    assert ended.fact("Tried").startswith("2 pictures: ")
    assert ended.fact("Parts").endswith("kB")
    assert ended.fact("Overlay").endswith("kB")
    assert not (tmp_path / "out").exists()


def test_an_estimate_keeps_to_a_workers_cores(
    model: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, seen = os.sched_getaffinity(0), list[set[int]]()

    def starting(*asked: Any) -> Any:
        seen.append(os.sched_getaffinity(0))
        return Worker(*asked)

    monkeypatch.setattr(importlib.import_module("eli5.bulk.estimation"), "Worker", starting)
    bulk.estimate(model, photos, cores=1)
    assert seen == [{min(before)}]
    assert os.sched_getaffinity(0) == before


@pytest.mark.parametrize(
    ("workers", "cpus", "cores"), [(None, None, 8), (3, None, 2), (20, None, 1), (9, 2.5, 2)]
)
def test_a_worker_has_its_share(
    workers: int | None, cpus: float | None, cores: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)  # of which this process may use few
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert _cores(workers, cpus) == cores


def test_an_estimate_scales_what_it_has_seen() -> None:
    found = bulk.Estimate(1_000_000, 1000, 32, 0, 10.0, 0.02, 300.0, 0.0)
    assert found.duration() == 20_010
    assert found.duration(workers=100) == 210
    assert found.duration(workers=5000) == 30  # there are no more shards


@pytest.mark.parametrize(("allowed", "code"), [(0, 1), (1, 0), (7, 0)])
def test_pictures_that_may_fail(
    allowed: int, code: int, capsys: Capsys, model: str, photos: Path, tmp_path: Path
) -> None:
    argv = ["bulk", model, photos, "--out", tmp_path / "out", "--allow-failed", allowed]
    assert run(capsys, *argv).code == code
    assert run(capsys, *argv).code == code  # it was done already


def test_a_dry_run_says_how_the_work_is_shared(
    capsys: Capsys, model: str, photos: Path, tmp_path: Path
) -> None:
    argv = ["--out", tmp_path / "out", "--dry-run", "--batch-size", 2, "--workers", 8]
    ended = run(capsys, "bulk", model, photos, *argv)
    assert ended.fact("Images") == "5 in 3 shards"
    assert ended.fact("Shards").startswith("at most 2 pictures, ")
    assert " for one of 8 workers at " in ended.fact("Shards")
    assert "with 8 such workers, of which 3 have work: " in ended.out
    assert ended.out.count(" per second\n") >= 2


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--allow-failed", "-1"], "--allow-failed"),
        (["--workers", "0"], "--workers"),
        (["--score", "best"], "--score"),
        (["--dtype", "int8"], "--dtype"),
        (["--method", "nope"], "nope"),
        (["--layer", "nope"], "nope"),
        (["--ray", "127.0.0.1:1"], "Expected --ray to be the address of a Ray cluster"),
    ],
)
def test_one_line_says_what_is_wrong(
    argv: list[str], message: str, capsys: Capsys, model: str, photos: Path, tmp_path: Path
) -> None:
    ended = run(capsys, "bulk", model, photos, "--out", tmp_path / "out", *argv)
    assert (ended.code, ended.out) == (2, "")
    *before, error = ended.err.splitlines()
    assert error.startswith("eli5: error: ")
    assert message in error
    assert len(before) in (0, 2)  # what is done, where the workers find out


def test_no_status_without_a_run(capsys: Capsys, tmp_path: Path) -> None:
    assert "Expected a folder that a bulk run has made" in fails(capsys, "bulk-status", tmp_path)


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)],
    ids=["ctrl-c", "sigterm", "sigkill"],
)
def test_a_run_that_is_stopped_goes_on(number: int, code: int, model: str, tmp_path: Path) -> None:
    photos, out = tmp_path / "photos", tmp_path / "out"
    ids = make_photos(photos, 400)
    argv = (model, photos, "--out", out, "--shard-size", "5", "--batch-size", "1", "--overlays")
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    process = start(*argv)
    signal.signal(signal.SIGINT, before)
    with process:
        try:
            while process.poll() is None and len(list(out.glob("parts/part-*"))) < 2:
                time.sleep(0.01)
            process.send_signal(number)
            said, error = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, said) == (code, "")
    done = len(read_rows(out))
    assert 10 <= done < 400
    if number != signal.SIGKILL:
        ending = f"eli5: Stopped with {done} of 400 done. To go on, run it again."
        assert error.splitlines()[2:] == [ending]
        assert not [path for path in out.rglob(".*") if path.is_file()]
    (state,) = bulk.status(out)
    assert (state.at_work, state.done.items, state.is_done) == (False, done, False)
    bulk.explain(model, photos, out, overlays=True, batch_size=1)
    check_complete(out, ids)


# ---- how far it is -------------------------------------------------------------------------------


def test_a_line_now_and_then_while_listing(
    model: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capsys
) -> None:
    monkeypatch.setattr("eli5.bulk.run._LISTING", 0.0)
    bulk.explain(model, photos, tmp_path / "out", shard_size=2, progress=True)
    assert capsys.readouterr().err.splitlines()[:3] == [
        f"eli5: listing the source: {n} so far" for n in (2, 4, 5)
    ]
    bulk.explain(model, photos, tmp_path / "other")
    assert capsys.readouterr().err == ""

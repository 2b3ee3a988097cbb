"""Parts that are made again, and files of a run that somebody has damaged."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eli5 import bulk
from eli5.bulk.plan import Shard
from eli5.bulk.results import parts
from eli5.bulk.results.parts import Counts
from eli5.bulk.results.run_folder import locked
from eli5.bulk.results.summary import add_up
from eli5.bulk.run import drop_failed
from helpers.bulk_helpers import check_complete, make_photos, picture_bytes, read_rows, small_model
from helpers.cli_helpers import fails, run

Capsys = pytest.CaptureFixture[str]
AWAY = "1/00004.png"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    make_photos(tmp_path / "photos", 6, broken=[0])
    (tmp_path / "photos" / AWAY).unlink()
    (tmp_path / "photos" / AWAY).write_bytes(b"away for a moment")
    return tmp_path / "photos"


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def part_files(out: Path) -> list[Path]:
    return sorted((out / "parts").iterdir())


# ---- failures ------------------------------------------------------------------------------------


def test_what_failed_is_tried_again_if_wanted(
    model: str, photos: Path, out: Path, capsys: Capsys
) -> None:
    asked: dict[str, Any] = {"shard_size": 2, "overlays": True}
    assert bulk.explain(model, photos, out, **asked).n_failed == 2
    times = [path.stat().st_mtime_ns for path in part_files(out)]
    (photos / AWAY).write_bytes(picture_bytes(4))
    assert bulk.explain(model, photos, out, **asked).n_failed == 2
    argv = ["--shard-size", 2, "--overlays", "--retry-failed"]
    ended = run(capsys, "bulk", model, photos, "--out", out, *argv)
    assert ended.fact("Images") == "5 explained, 1 failed"
    assert "eli5: Shards with pictures that failed, explained again: 2." in ended.err
    check_complete(out, sorted(row["id"] for row in read_rows(out)), failed=["0/00000.png"])
    assert json.loads((out / "summary.json").read_text())["n_failed"] == 1
    after = [path.stat().st_mtime_ns for path in part_files(out)]
    assert [a == b for a, b in zip(times, after, strict=True)] == [False, False, True]
    assert not (out / "retry.json").exists()


def test_an_interrupted_retry_does_not_begin_again(
    model: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bulk.explain(model, photos, out, shard_size=2)

    def killed(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eli5.bulk.run.write_summary", killed)
    with pytest.raises(KeyboardInterrupt):
        bulk.explain(model, photos, out, retry_failed=True)
    monkeypatch.undo()
    assert not (out / "summary.json").exists()
    assert len(part_files(out)) == 3
    assert drop_failed(str(out)) == 0  # they have been tried, and failed again
    (out / "retry.json").unlink()
    assert drop_failed(str(out)) == 2
    bulk.explain(model, photos, out)
    assert drop_failed(str(out)) == 2


@pytest.mark.parametrize("days", [-1000, 1000])
def test_a_retry_compares_no_clocks(days: int, tmp_path: Path) -> None:
    shards = [Shard(number, f"{number:x}", "list", "file", 0, 2) for number in range(3)]
    (tmp_path / "shards.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in shards))
    parts.prepare_folders(str(tmp_path))
    for shard in shards:
        # As of a machine whose clock is wrong.
        counts = Counts(2, shard.number % 2, 1.0, time.time() + days * 86400)
        path = tmp_path / "parts" / parts.part_name(shard)
        with parts.new_part(str(path), "float32", lambda counts=counts: counts):  # type: ignore[misc]
            pass
    assert drop_failed(str(tmp_path)) == 1
    assert parts.list_parts(str(tmp_path)) == {
        parts.part_name(shards[0]),
        parts.part_name(shards[2]),
    }
    assert drop_failed(str(tmp_path)) == 0  # as long as the retry is noted


# ---- damage --------------------------------------------------------------------------------------


def test_other_files_among_the_parts_are_left_alone(model: str, photos: Path, out: Path) -> None:
    first = bulk.explain(model, photos, out, shard_size=2)
    (out / "parts" / "mine.parquet").write_bytes(b"no parquet")
    (out / "parts" / "part-00000009-00.parquet").write_bytes(part_files(out)[0].read_bytes())
    (out / "parts" / "folder").mkdir()
    (out / "summary.json").unlink()
    assert bulk.explain(model, photos, out) == first
    (state,) = bulk.status(out)
    assert (state.done.parts, state.done.items, state.is_done) == (3, 6, True)


@pytest.mark.parametrize("content", ["", "[1]", "{}"])
def test_a_damaged_summary_is_written_again(
    content: str, model: str, photos: Path, out: Path
) -> None:
    first = bulk.explain(model, photos, out)
    (out / "summary.json").write_text(content)
    assert bulk.explain(model, photos, out) == first
    assert json.loads((out / "summary.json").read_text())["n_items"] == 6


def no_shards(out: Path) -> None:
    (out / "shards.jsonl").unlink()


def half_a_shard(out: Path) -> None:
    path = out / "shards.jsonl"
    path.write_bytes(path.read_bytes()[:-5])


def damaged_part(out: Path) -> None:
    path = part_files(out)[0]
    content = path.read_bytes()
    path.write_bytes(content[:-200] + bytes(192) + content[-8:])


def part_that_is_cut_short(out: Path) -> None:
    path = part_files(out)[0]
    path.write_bytes(path.read_bytes()[:100])


def foreign_part(out: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1]}), part_files(out)[0])


def damaged_rows(out: Path) -> None:
    path = part_files(out)[0]
    content = path.read_bytes()
    path.write_bytes(content[:100] + bytes(20) + content[120:])


@pytest.mark.parametrize("damage", [no_shards, half_a_shard])
def test_damage_that_is_told_of(
    damage: Callable[[Path], None], model: str, photos: Path, out: Path
) -> None:
    bulk.explain(model, photos, out)
    (out / "summary.json").unlink()
    damage(out)
    message = r"Expected .*shards.jsonl to be the list of shards .* Take another folder"
    with pytest.raises(ValueError, match=message):
        bulk.status(out)
    with pytest.raises(ValueError, match=message):
        bulk.explain(model, photos, out)


@pytest.mark.parametrize("retry_failed", [False, True])
@pytest.mark.parametrize(
    "damage", [damaged_part, part_that_is_cut_short, foreign_part, damaged_rows]
)
def test_a_damaged_part_is_made_again(
    damage: Callable[[Path], None],
    model: str,
    photos: Path,
    out: Path,
    capsys: Capsys,
    *,
    retry_failed: bool,
) -> None:
    first, rows = bulk.explain(model, photos, out, shard_size=3), read_rows(out)
    (out / "summary.json").unlink()
    damage(out)
    if damage is not damaged_rows:  # whose footer says what it said
        with pytest.raises(ValueError, match=r"Expected a part that a bulk run .* Remove it"):
            bulk.status(out)
    again = bulk.explain(model, photos, out, progress=True, retry_failed=retry_failed)
    assert again._replace(seconds=0, finished=0) == first._replace(seconds=0, finished=0)
    assert read_rows(out) == rows
    said = "explained again: 2." if retry_failed else "Damaged parts that are made again: 1."
    assert said in capsys.readouterr().err


def test_a_disk_that_damages_whatever_is_written(
    model: str, photos: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "is_whole", lambda _: False)
    with pytest.raises(
        ValueError, match=r"gives back what was written .* 1 damaged parts, 3 times"
    ):
        bulk.explain(model, photos, out)
    assert not (out / "summary.json").exists()


def test_a_list_of_shards_that_is_cut_between_two(model: str, photos: Path, out: Path) -> None:
    bulk.explain(model, photos, out, shard_size=2)
    path = out / "shards.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:2]))
    with pytest.raises(ValueError, match=r"to be that of all 6 pictures. Received: one of 4"):
        bulk.explain(model, photos, out)


def test_a_status_of_what_is_no_run(
    tmp_path: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"")
    assert fails(capsys, "bulk-status", tmp_path / "file").endswith("which is a file")
    assert fails(capsys, "bulk-status", tmp_path / "none").endswith("which does not exist")
    with locked(str(tmp_path / "new")):
        said = fails(capsys, "bulk-status", tmp_path / "new")
    assert "a run is listing its source right now" in said

    def refused(_: str) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(importlib.import_module("eli5.bulk.results.summary"), "runs_in", refused)
    said = fails(capsys, "bulk-status", tmp_path)
    assert said.startswith("Expected a folder that can be read. Received: ")


# ---- how fast it is ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ends", "rate"),
    [
        ([10, 20, 30], 10.0),  # one worker
        ([10, 10, 20, 20, 30, 30], 20.0),  # two of them
        ([10, 20, 100_010, 100_020], 10.0),  # and a pause in which nobody worked
        ([], 0.0),
    ],
)
def test_the_rate_is_of_the_time_at_work(ends: list[float], rate: float, tmp_path: Path) -> None:
    parts.prepare_folders(str(tmp_path))
    now = time.time()
    for number, end in enumerate(ends):
        counts = Counts(100, 0, 10.0, now + end)
        path = tmp_path / "parts" / f"{number}.parquet"
        with parts.new_part(str(path), "float32", lambda counts=counts: counts):  # type: ignore[misc]
            pass
    names = [f"{number}.parquet" for number in range(len(ends))]
    assert add_up(str(tmp_path), names).rate == pytest.approx(rate, rel=1e-4)

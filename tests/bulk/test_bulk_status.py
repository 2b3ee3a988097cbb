"""Where a run stands, picture by picture, while it works and after it was killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fsspec
import pytest

from eli5 import bulk
from eli5.bulk.driver import _Driver
from eli5.bulk.executors.pool import Event
from eli5.bulk.plan import Shard, read_shards
from eli5.bulk.results import records
from eli5.bulk.results.parts import Counts
from eli5.bulk.results.run_folder import locked
from helpers.bulk_helpers import make_photos, small_model
from helpers.cli_helpers import run

Capsys = pytest.CaptureFixture[str]
ASKED: dict[str, Any] = {"shard_size": 4, "batch_size": 2}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make_photos(folder, 10, broken=[3])
    return folder


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let records be written after each picture."""
    monkeypatch.setattr(records, "_EVERY", 0.0)
    monkeypatch.setattr(records, "_EVERY_REMOTE", 0.0)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("where", ["disk", "url"])
def test_pictures_count_as_they_are_done(
    where: str, model: str, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = str(tmp_path / "out")
    if where == "url":
        # There are no folders to be made at the URLs that people have.
        monkeypatch.setitem(fsspec.config.conf, "file", {"auto_mkdir": True})
        out = f"file://{out}"
    seen: list[tuple[bulk.Status, int]] = []
    handle = _Driver.handle

    def look(self: _Driver, event: Event) -> None:
        if event.name == "advanced":
            seen.append((*bulk.status(out), event.value[1]))
        handle(self, event)

    monkeypatch.setattr(_Driver, "handle", look)
    bulk.explain(model, photos, out, **ASKED)
    # Parts of 4, 4 and 2; what is under way is that of the part at hand alone.
    assert [(one.done.parts, one.done.items, one.under_way) for one, _ in seen] == [
        *((0, 0, n) for n in (1, 2, 3, 4)),
        *((1, 4, n) for n in (1, 2, 3, 4)),
        *((2, 8, n) for n in (1, 2)),
    ]
    assert [one.under_way_failed for one, _ in seen] == [failed for _, failed in seen]
    assert any(failed for _, failed in seen)
    assert {one.at_work for one, _ in seen} == {True if where == "disk" else None}
    (state,) = bulk.status(out)
    assert (state.is_done, state.done.items, state.under_way) == (True, 10, 0)


def write_record(out: Path, shard: Shard, low: int, high: int, counts: Counts) -> None:
    (out / "fragments").mkdir(exist_ok=True)
    path = out / "fragments" / f"{shard.id}-{low}-{high}.json"
    path.write_text(json.dumps(counts))


@pytest.fixture
def killed(model: str, photos: Path, tmp_path: Path) -> Path:
    """Return the folder of a run that was killed as two workers had shards at hand."""
    out = tmp_path / "out"
    bulk.explain(model, photos, out, **ASKED)
    (out / "summary.json").unlink()
    _, two, three = sorted((out / "parts").iterdir())
    two.unlink()
    three.unlink()
    first, second, third = read_shards(str(out))
    write_record(out, first, 0, 4, Counts(3, 1, 0.5, 100.0))  # its part has come since
    write_record(out, second, 0, 2, Counts(2, 1, 1.0, 100.0))
    write_record(out, second, 2, 4, Counts(1, 0, 1.0, 100.0))
    write_record(out, third, 0, 2, Counts(1, 0, 1.0, 100.0))
    (out / "fragments" / "half.json").write_text("[1, ")
    return out


def test_what_a_kill_leaves_is_not_counted(killed: Path, capsys: Capsys) -> None:
    (state,) = bulk.status(killed)
    assert (state.at_work, state.done.items, state.under_way) == (False, 4, 0)
    assert run(capsys, "bulk-status", killed).fact("Images").startswith("4 of 10 done, ")


def test_records_of_a_run_at_work(killed: Path, capsys: Capsys) -> None:
    with locked(str(killed)):
        (state,) = bulk.status(killed)
        said = run(capsys, "bulk-status", killed)
    assert (state.done.items, state.under_way, state.under_way_failed) == (4, 4, 1)
    n_failed = state.done.failed + 1
    assert said.fact("Images") == f"8 of 10 done, {n_failed} failed"
    assert " per second" in said.fact("State")
    assert "Begun" not in said.out


def test_records_where_nobody_knows_of_a_run(
    killed: Path, capsys: Capsys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eli5.bulk.results.summary.is_at_work", lambda _: None)
    said = run(capsys, "bulk-status", killed)
    assert said.fact("Images").startswith("4 of 10 done, ")
    assert said.fact("Begun") == "4 more, if a run is at work"


def test_a_run_begins_without_the_records_of_another(
    killed: Path, model: str, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def look(*_: Any, **__: Any) -> None:
        (state,) = bulk.status(killed)
        assert (state.at_work, state.done.items, state.under_way) == (True, 4, 0)
        raise KeyboardInterrupt

    monkeypatch.setattr("eli5.bulk.run._tell_beginning", look)
    with pytest.raises(KeyboardInterrupt):
        bulk.explain(model, photos, killed, **ASKED)


def test_a_record_is_gone_with_its_worker(tmp_path: Path) -> None:
    shard = Shard(0, "abc", "list", "file", 0, 4)
    folder = tmp_path / "fragments"
    folder.mkdir()
    write_record(tmp_path, shard, 0, 4, Counts(1, 0, 1.0, 1.0))
    assert [one.shard_id for one in records.read_records(str(tmp_path))] == ["abc"]
    records.remove_record(str(tmp_path), shard, 0, 4)
    records.remove_record(str(tmp_path), shard, 0, 4)
    assert not list(folder.iterdir())


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize(("high", "stays"), [(4, False), (2, True)])
def test_the_record_of_a_piece_stays(high: int, stays: bool, tmp_path: Path) -> None:
    shard = Shard(0, "abc", "list", "file", 0, 4)
    (tmp_path / "fragments").mkdir()
    counts = Counts(2, 0, 1.0, 1.0)
    with records.keep_record(str(tmp_path), shard, 0, high, lambda: counts) as write:
        write()
        assert records.read_records(str(tmp_path)) == [records.Record("abc", counts)]
    assert bool(records.read_records(str(tmp_path))) is stays

    def lose() -> None:
        with records.keep_record(str(tmp_path), shard, 0, high, lambda: counts) as write:
            write()
            raise MemoryError

    with pytest.raises(MemoryError):
        lose()
    assert not records.read_records(str(tmp_path))


def test_records_are_rare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, written = 0.0, []
    monkeypatch.setattr(records, "monotonic", lambda: now)
    monkeypatch.setattr("eli5.bulk.filesystem.write_aside", lambda *_: written.append(now))
    shard = Shard(0, "abc", "list", "file", 0, 4)
    for folder, expected in ((str(tmp_path), [1, 2, 3, 4]), ("memory://out", [30, 60])):
        now, written = 0.0, []
        with records.keep_record(folder, shard, 0, 4, lambda: Counts(1, 0, 1.0, 1.0)) as write:
            while now < (4.5 if expected == [1, 2, 3, 4] else 70):
                now += 0.5
                write()
        assert written == expected


def test_the_summary_is_short(model: str, photos: Path, tmp_path: Path) -> None:
    labels = [f"class {number}" for number in range(3)]
    found = bulk.explain(model, photos, tmp_path, labels=labels, **ASKED)
    text = (tmp_path / "summary.json").read_text()
    content = json.loads(text)
    assert list(content) == [
        "source", "fingerprint", "n_items", "n_failed", "n_shards", "seconds", "finished",
        "failures",
    ]  # fmt: skip
    assert len(text.splitlines()) == len(content) + 2
    assert "class 1" not in text
    # A run that is done is read from there, also of a version that wrote more.
    (tmp_path / "summary.json").write_text(json.dumps({**content, "made_from": {}}))
    assert bulk.explain(model, photos, tmp_path, labels=labels, **ASKED) == found


def test_integers_are_integers_where_pictures_failed(
    model: str, photos: Path, tmp_path: Path
) -> None:
    pandas = pytest.importorskip("pandas")
    bulk.explain(model, photos, tmp_path, **ASKED)
    frame = pandas.read_parquet(tmp_path / "parts")
    assert not frame.ok.all()
    assert set(frame[["rank", "class_id", "height", "width"]].dtypes.astype(str)) == {"Int32"}
    row = frame[frame.ok].iloc[0]
    assert row.heatmap.reshape(row.height, row.width).shape == (8, 8)

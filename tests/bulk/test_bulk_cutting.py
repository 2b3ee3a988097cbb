"""A list is cut into shards once the rate is known; a kill in the midst of it costs nothing."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from eli5 import bulk
from eli5.bulk.cutting import Cutter
from eli5.bulk.plan import Plan, join_grains, make_plan, read_items, read_plan, read_shards
from eli5.bulk.results.parts import Counts
from eli5.bulk.shard_sizes import Granularity
from eli5.bulk.sources import find_source
from helpers.bulk_helpers import (
    check_complete,
    make_photos,
    make_tar,
    picture_bytes,
    read_rows,
    small_model,
    write_parquet,
)

N = 60


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return small_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("photos")
    make_photos(folder, N, broken=[5])
    return folder


@pytest.fixture(scope="module")
def ids(photos: Path) -> list[str]:
    return sorted(str(path.relative_to(photos)) for path in photos.rglob("*.png"))


ASKED: dict[str, Any] = {"overlays": True, "batch_size": 4}
FAILED = ["2/00005.png"]


def sizes(out: Path) -> list[int]:
    return [shard.n for shard in read_shards(str(out))]


class Killed(Exception):  # noqa: N818 - it is no error of ours
    pass


def killed(*_: Any, **__: Any) -> None:
    raise Killed


def test_parts_follow_from_the_rate(
    model: str, photos: Path, ids: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bulk.explain(model, photos, tmp_path, progress=True, **ASKED)
    check_complete(tmp_path, ids, FAILED)
    # Two probes, and then half of what is left each time.
    assert sizes(tmp_path) == [4, 4, 24, 12, 8, 4, 4]
    plan = read_plan(str(tmp_path))
    assert plan is not None
    assert (plan.is_final, plan.n_shards) == (True, 7)
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"eli5: {N} pictures of {photos}, explained with model.keras on ")
    assert said[0].endswith(" by Grad-CAM, in this process.")
    assert said[1] == "eli5: How many pictures a part has follows when the rate is known."
    assert said[2].startswith("eli5: 52 pictures in 5 parts of at most 24 pictures, ")
    assert said[3].startswith(f"eli5: {N} pictures in ")
    assert said[3].endswith(" per second.")
    assert len(said) == 4
    for path in ("summary.json", min((tmp_path / "parts").iterdir())):
        (tmp_path / path).unlink()
    bulk.explain(model, photos, tmp_path, progress=True, shard_size=9, **ASKED)
    said = capsys.readouterr().err.splitlines()
    assert said[1] == "eli5: Parts of at most 24 pictures, as the run was planned."
    assert said[2] == f"eli5: {N - 4} of {N} are done already; going on."
    assert said[3].startswith("eli5: 4 pictures in ")
    assert sizes(tmp_path) == [4, 4, 24, 12, 8, 4, 4]


def test_the_size_that_was_asked_for_wins(model: str, photos: Path, tmp_path: Path) -> None:
    bulk.explain(model, photos, tmp_path, shard_size=25, **ASKED)
    assert sizes(tmp_path) == [25, 25, 10]


@pytest.mark.parametrize(
    "where",
    [
        "eli5.bulk.driver.Schedule.finish",
        "eli5.bulk.cutting.join_grains",
        "eli5.bulk.plan._rewrite_shards",
        "eli5.bulk.plan._write_plan",
        "eli5.bulk.driver.Schedule.go_on",
    ],
)
def test_a_kill_at_any_moment_of_the_cut(
    where: str,
    model: str,
    photos: Path,
    ids: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("eli5.bulk.driver._Driver._cut", _patch_then_cut(patched, where))
        with pytest.raises(Killed):
            bulk.explain(model, photos, tmp_path, **ASKED)
    done = [row["id"] for row in read_rows(tmp_path)]
    assert done == ids[: len(done)]
    assert len(done) >= 4
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    bulk.explain(model, photos, tmp_path, **ASKED)
    check_complete(tmp_path, ids, FAILED)
    after = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "parts").iterdir()}
    assert before.items() <= after.items()  # what was done is not done again
    assert len(after) < 10


def _patch_then_cut(patched: pytest.MonkeyPatch, where: str) -> Any:
    """Return a first cut, in which what `where` names kills the run."""
    from eli5.bulk.driver import _Driver

    cut = _Driver._cut

    def harmed(self: _Driver, cutter: Cutter, counts: Counts) -> None:
        patched.setattr(where, killed)
        cut(self, cutter, counts)

    return harmed


def test_plans_of_before_go_on(model: str, photos: Path, ids: list[str], tmp_path: Path) -> None:
    bulk.explain(model, photos, tmp_path, shard_size=25, **ASKED)
    plan = json.loads((tmp_path / "plan.json").read_bytes())
    del plan["is_final"]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    lines = (tmp_path / "shards.jsonl").read_text().splitlines()
    (tmp_path / "shards.jsonl").write_text(
        "".join(f"{json.dumps(json.loads(line)[:7])}\n" for line in lines)
    )
    (tmp_path / "summary.json").unlink()
    first, *_ = sorted((tmp_path / "parts").iterdir())
    first.unlink()
    bulk.explain(model, photos, tmp_path, **ASKED)
    check_complete(tmp_path, ids, FAILED)
    assert first.exists()
    assert sizes(tmp_path) == [25, 25, 10]


def planned(tmp_path: Path, source: Path) -> str:
    """Plan a source, with grains of 2 behind two probes of 4."""
    plan = Plan(str(source), "mark", {}, 2, is_final=False)
    found = find_source(str(source))
    made = make_plan(
        str(tmp_path / "plan"), plan, found, probe=lambda _, number: 4 if number < 2 else 2
    )
    assert not made.is_final
    return str(tmp_path / "plan")


@pytest.mark.parametrize("kind", ["tar", "parquet", "folder"])
def test_joined_shards_stay_in_one_file(kind: str, tmp_path: Path) -> None:
    contents = {f"{number:03d}.png": picture_bytes(number) for number in range(21)}
    source = tmp_path / "source"
    source.mkdir()
    if kind == "folder":
        for name, content in contents.items():
            (source / name).write_bytes(content)
    for number, some in enumerate(({**contents}, dict(list(contents.items())[:3]))):
        if kind == "tar":
            make_tar(source / f"{number}.tar", some)
        elif kind == "parquet":
            write_parquet(source / f"{number}.parquet", {"image": list(some.values())})
    folder = planned(tmp_path, source)
    ids = [item.id for shard in read_shards(folder) for item in read_items(shard)]
    plan = join_grains(folder, 1, lambda left: 6 if left > 8 else 3)
    shards = list(read_shards(folder))
    expected = {"folder": [4, 4, 6, 2, 2, 3], "tar": [4, 4, 6, 6, 1, 3]}
    assert [shard.n for shard in shards] == expected.get(kind, expected["tar"])
    assert [shard.number for shard in shards] == list(range(plan.n_shards))
    # What they hold is compared with the hashes of their grains.
    assert [item.id for shard in shards for item in read_items(shard)] == ids
    assert len({shard.id for shard in shards}) == len(shards)


def test_a_joined_shard_notices_what_has_changed(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", {"id": list("abcdefghijkl"), "image": [b""] * 12})
    folder = planned(tmp_path, path)
    join_grains(folder, 2, lambda _: 4)
    write_parquet(path, {"id": list("abcdefghijlk"), "image": [b""] * 12})
    *_, last = read_shards(folder)
    assert last.n == 4
    with pytest.raises(ValueError, match=r"Expected `source` to hold the items that were listed"):
        list(read_items(last))


def test_parts_further_on_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photos(tmp_path / "photos", 20)
    folder = planned(tmp_path, tmp_path / "photos")
    fourth = list(read_shards(folder))[3]
    monkeypatch.setattr(
        "eli5.bulk.results.parts.list_parts", lambda _: {f"part-{3:08d}-{fourth.id}.parquet"}
    )
    said: list[str] = []
    cutter = Cutter(folder, Granularity(4, 4, 2), said.append)
    cutter.learn(Counts(4, 0, 4.0, 0.0))
    assert not cutter.is_due(workers=1)
    cutter.learn(Counts(4, 2, 1.0, 0.0))
    assert cutter.is_due(workers=1)
    assert not cutter.is_due(workers=2)
    cutter.cut(2, workers=1)
    shards = list(read_shards(folder))
    assert shards[3] == fourth
    assert all(before.n >= after.n for before, after in pairwise(shards[4:]))
    assert said == [
        "8 pictures in 2 parts of at most 4 pictures, 2 s for 1 worker at 2 per second: "
        "so each worker has some to the end."
    ]


def test_a_disk_without_room_for_the_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_photos(tmp_path / "photos", 20)
    folder = planned(tmp_path, tmp_path / "photos")
    before = list(read_shards(folder))

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("eli5.bulk.filesystem.publish", full)
    with pytest.raises(ValueError, match="Expected `out` to be a folder that can be written to"):
        join_grains(folder, 2, lambda _: 4)
    assert list(read_shards(folder)) == before


def test_nothing_is_cut_by_a_rate_of_failures() -> None:
    cutter = Cutter("", Granularity(4, 4, 2), lambda _: None)
    for _ in range(5):
        cutter.learn(Counts(4, 4, 0.01, 0.0))
    assert not cutter.is_due(workers=1)


def test_a_plan_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"plan\.json"):
        join_grains(str(tmp_path), 0, lambda _: 1)

"""A plan is never in memory: neither while it is made, nor while it is worked off."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eli5.bulk.driver import Schedule, count_remaining
from eli5.bulk.plan import Plan, make_plan, read_shards
from eli5.bulk.sources import find_source
from helpers.bulk_helpers import make_tar


def peak(act: Callable[[], Any]) -> int:
    """Return how many bytes were in use at most."""
    tracemalloc.start()
    try:
        act()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def write_list(path: Path, n: int) -> str:
    path.write_text("".join(f"s3://bucket/photos/{number:09}.jpg\n" for number in range(n)))
    return str(path)


def plan(folder: Path, source: str) -> None:
    make_plan(str(folder), Plan(source, "mark", {}, 100), find_source(source))


def test_a_list_ten_times_as_long_takes_no_more(tmp_path: Path) -> None:
    few, many = (write_list(tmp_path / f"{n}.txt", n) for n in (3_000, 30_000))
    plan(tmp_path / "first", few)  # what is imported on the way
    a, b = peak(lambda: plan(tmp_path / "few", few)), peak(lambda: plan(tmp_path / "many", many))
    assert b < a + 50_000
    a, b = (
        peak(lambda folder=str(tmp_path / name): count_remaining(folder))  # type: ignore[misc]
        for name in ("few", "many")
    )
    assert b < a + 50_000


def test_a_tar_file_ten_times_as_long_takes_no_more(tmp_path: Path) -> None:
    sources = []
    for n in (300, 3_000):
        contents = {f"{number:06}.png": b"x" for number in range(n)}
        sources.append(str(make_tar(tmp_path / f"{n}.tar", contents)))
    few, many = sources
    plan(tmp_path / "first", few)
    a, b = peak(lambda: plan(tmp_path / "few", few)), peak(lambda: plan(tmp_path / "many", many))
    assert b < a + 50_000


def test_shards_are_read_as_they_are_due(tmp_path: Path) -> None:
    plan(tmp_path / "plan", write_list(tmp_path / "list.txt", 100_000))

    def work_off() -> None:
        schedule = Schedule(read_shards(str(tmp_path / "plan")))
        while task := schedule.next():
            schedule.finish(task)
        assert schedule.is_done

    work_off()
    assert peak(work_off) < 100_000  # 1,000 shards would take 300 bytes each

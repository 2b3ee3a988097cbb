"""What docs/ground-truth.md tells is true: its examples run, and its tables have all there is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from eli5.ground_truth.agreement import NUMBERS
from eli5.ground_truth.report import BenchmarkReport
from eli5.ground_truth.sets import SETS
from eli5.keras.methods import WITHOUT_ATTENTION
from eli5.metrics import METRICS

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = (DOCS / "ground-truth.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


def between(page: str, name: str) -> str:
    text = (DOCS / page).read_text(encoding="utf-8")
    return text.partition(f"<!-- {name}: begin -->")[2].partition(f"<!-- {name}: end -->")[0]


def first_cells(table: str) -> list[str]:
    return re.findall(r"^\| ([^|]*?) \|", table, flags=re.MULTILINE)[2:]


@pytest.mark.parametrize("number", range(len(EXAMPLES)))
def test_an_example_runs(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    shown: list[Any] = []
    names: dict[str, Any] = {"print": shown.append}
    exec(EXAMPLES[number], names)
    assert isinstance(names["report"], BenchmarkReport)
    if "worse" in EXAMPLES[number]:
        brightness, mine = shown
        assert brightness
        assert mine == []
    else:
        assert (tmp_path / "benchmark.html").is_file()


def test_there_are_two_examples() -> None:
    assert len(EXAMPLES) == 2


def test_the_sets_and_numbers_are_described() -> None:
    sets, numbers = PAGE.partition("## The sets")[2].partition("## The numbers")[::2]
    assert re.findall(r"^\| `([\w-]+)` \|", sets, flags=re.MULTILINE) == list(SETS)
    rows = dict(re.findall(r"^\| ([a-z ]+) \| (higher|lower) \|", numbers, flags=re.MULTILINE))
    assert rows == {one.name: one.better for one in NUMBERS.values()}


def test_the_generated_tables_have_all_methods_problems_and_metrics() -> None:
    assert first_cells(between("methods.md", "ground-truth")) == [
        "noise",
        "edges",
        *WITHOUT_ATTENTION,
    ]
    problems = [one.name for found in SETS.values() for one in found.make(0, 1)]
    rows = re.findall(r"^\| [\w-]+ \| ([^|]*?) \|", between("ground-truth.md", "problems"), re.M)
    assert [row for row in rows if row not in ("Problem", "---")] == problems
    metrics = {one.name for one in METRICS.values() if "masks" not in one.needs}
    assert set(first_cells(between("metrics.md", "metric-truth"))) == metrics

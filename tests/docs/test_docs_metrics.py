"""What docs/metrics.md tells is true: its examples run, and its table has every metric."""

from __future__ import annotations

import re
from pathlib import Path

import keras
import numpy as np
import pytest

from eli5.metrics import METRICS, Metric
from helpers.models import sample

PATH = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
PAGE = PATH.read_text(encoding="utf-8")
EXAMPLES = re.findall(r"^```python\n(import eli5\n.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(example: str, model: keras.Model) -> list[str]:
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])
    lines: list[str] = []
    names = {
        "model": model,
        "docs": docs,
        "print": lambda *said: lines.append(" ".join(map(str, said))),
    }
    exec(example, names)
    return lines


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_runs(example: str, classifier: keras.Model) -> None:
    assert run(example, classifier)


def test_every_python_block_is_an_example() -> None:
    assert len(EXAMPLES) == PAGE.count("```python") == 10


def test_maps_of_nothing_get_what_the_page_says(classifier: keras.Model) -> None:
    (example,) = [one for one in EXAMPLES if '"ones"' in one]
    rows = {line.split()[0]: line.split() for line in run(example, classifier)}
    assert float(rows["ones"][2]) == 0 <= min(float(row[2]) for row in rows.values())
    assert max(rows.values(), key=lambda row: float(row[4])) == rows["ones"]
    assert abs(float(rows["ones"][1])) < max(float(row[1]) for row in rows.values()) / 2


@pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)
def test_a_metric_stands_in_the_table(metric: Metric) -> None:
    table = PAGE.partition("list: begin -->")[2].partition("<!-- metric-list: end -->")[0]
    name = re.escape(metric.name)
    row = re.search(rf"^\| {name} \((.*?)\) \| (\w+) \|.*\| (.*) \|$", table, re.MULTILINE)
    assert row is not None
    assert (row[1], row[2]) == (metric.paper, metric.better)
    assert row[3].startswith("may stand alone") == (not metric.not_alone)

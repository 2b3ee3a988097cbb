"""The programs that write what known truth tells: of methods, and of metrics."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import eli5
from eli5.ground_truth.sequences import make_sequences
from eli5.metrics import METRICS

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))

import metric_truth

import ground_truth


def rows(table: str) -> list[list[str]]:
    return [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("|")]


def test_methods_and_problems_become_tables() -> None:
    report = eli5.benchmark(["CAM", "Saliency"], ["hand-set"], n_docs=2)
    head, _, *methods = rows(ground_truth.method_table(report))
    assert head == ["Method", "hand-set", "Impossible", "Share error"]
    assert [row[0] for row in methods] == ["noise", "edges", "CAM", "Saliency"]
    assert methods[2][1].endswith(r"\*")  # not applicable to all of them
    assert methods[3][2] == "0%"
    _, _, *problems = rows(ground_truth.problem_table(report))
    assert {row[1] for row in problems} == {one for _, one in report.examples}
    assert next(row for row in problems if row[1] == "sum")[3] == "CAM, Saliency"
    *_, last = rows(ground_truth.seconds_table(report))
    assert last[0] == "all"


def test_a_metric_that_ranks_as_the_truth_does_has_a_correlation_of_one() -> None:
    known = {"a": np.array([0.1, 0.9]), "b": np.array([0.5, 0.5]), "c": np.array([0.9, 0.1])}
    assert list(metric_truth.over_methods(known, known)) == pytest.approx([1, 1])
    turned = {name: -values for name, values in known.items()}
    assert list(metric_truth.over_methods(turned, known)) == pytest.approx([-1, -1])
    few = {name: known[name] for name in ("a", "b")}
    assert not list(metric_truth.over_methods(few, known))


def test_metrics_are_measured_on_problems(monkeypatch: pytest.MonkeyPatch) -> None:
    some = ["Grad-CAM", "Saliency", "Occlusion", "CAM"]
    monkeypatch.setattr(metric_truth, "WITHOUT_ATTENTION", some)
    _, negation, _ = make_sequences(0, 2)
    metrics = [METRICS[name] for name in ("SRG", "ROAD", "Random logit", "Max-sensitivity")]
    found = metric_truth.rank_correlations(negation, metrics)
    assert {name: len(values) for name, values in found.items()} == {
        "SRG": 2,
        "ROAD": 0,  # not for texts
        "Random logit": 2,
        "Max-sensitivity": 0,  # not for ids
    }
    _, _, *table = rows(metric_truth.metric_table(metrics[:1], found))
    assert table[0][0] == "SRG"
    assert table[0][3] == "2"

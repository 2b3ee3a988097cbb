"""The grade where the truth is known: a small part of what `benchmarks/grades.py` tries."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.append(str(Path(__file__).resolve().parents[2] / "benchmarks"))
sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))

import grades

from demo_scenes import draw_scenes
from eli5.demo import load_model
from eli5.metrics.grade import MOST_PASSES

# Of other scenes than those that the formula was made or proven on.
SEED, N = 70_000, 5
METHODS: dict[str, dict[str, Any]] = {"Grad-CAM": {}, "Gradient × Input": {}}


@pytest.fixture(scope="module")
def maps() -> list[grades.Graded]:
    model, scenes = load_model(), draw_scenes(SEED, N, 2)
    return list(grades.grade_scenes(model, scenes, methods=METHODS))


def test_right_maps_are_told_from_wrong_ones(maps: list[grades.Graded]) -> None:
    found = grades.figures(maps)
    assert found["wrong maps not supported"] >= 0.95
    assert found["right maps contradicted"] <= 0.05
    assert found["right maps supported"] >= 0.8
    assert found["rank correlation with the heat inside"] >= 0.7
    assert max(one.grade.passes for one in maps) <= MOST_PASSES


def test_each_kind_of_wrong_map_is_there_and_wrong(maps: list[grades.Graded]) -> None:
    planted = [one for one in maps if one.is_planted]
    assert len({one.name for one in planted}) == 6
    assert np.mean([one.inside for one in planted]) < 0.2
    for name in ("of the other object", "inverted", "ones everywhere"):
        assert max(one.value for one in planted if one.name == name) < 0.1, name


def test_the_tables_have_a_row_for_each(maps: list[grades.Graded]) -> None:
    text = grades.tables(maps)
    assert text.count("\n| *") == 6
    assert all(f"| {name} |" in text for name in (*METHODS, *grades.LADDER))

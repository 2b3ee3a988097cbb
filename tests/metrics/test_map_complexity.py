"""Complexity and sparseness: literal formulas, and their ends."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from eli5.base import Explanation, TargetExplanation
from eli5.metrics import complexity, sparseness
from eli5.placement import Placement

Array = np.ndarray[Any, Any]


def maps() -> list[Array]:
    """Return signed maps with zeros."""
    return [np.random.default_rng(k).normal(size=(4, 5)).round(1) for k in range(3)]


def test_complexity_is_its_twin() -> None:
    for value, one in zip(complexity(maps()).values, maps(), strict=True):
        total = sum(abs(number) for number in one.ravel())
        shares = [abs(number) / total for number in one.ravel() if number]
        assert value == pytest.approx(-sum(p * math.log(p) for p in shares), abs=1e-9)


def test_sparseness_is_its_twin() -> None:
    for value, one in zip(sparseness(maps()).values, maps(), strict=True):
        numbers = [abs(number) for number in one.ravel()]
        # Half of the mean difference of two numbers, in units of their mean.
        differences = [abs(a - b) for a in numbers for b in numbers]
        expected = np.mean(differences) / 2 / np.mean(numbers)
        assert value == pytest.approx(expected, abs=1e-9)


def test_the_ends() -> None:
    one_place = np.zeros((4, 5))
    one_place[1, 2] = -3
    everywhere = np.full((4, 5), -2.0)
    np.testing.assert_allclose(complexity([one_place, everywhere]).values, [0, math.log(20)])
    np.testing.assert_allclose(
        sparseness([one_place, everywhere]).values, [1 - 1 / 20, 0], atol=1e-12
    )


def test_a_map_of_zeros_has_neither() -> None:
    for metric in (complexity, sparseness):
        assert np.isnan(metric([np.zeros((4, 5))]).mean)
        assert repr(metric([np.zeros((4, 5))])).startswith(f"<{metric(maps()).metric} nan (")


def test_the_map_is_taken_where_the_layer_looked() -> None:
    # One cell of a layer that sees half of the input: the same there, and nothing beside it.
    placement = Placement((4, 6), (0, 1), (1.5, 1.0), (1.5, 1.0), ((-0.5, 3.5), (-0.5, 2.5)))
    target = TargetExplanation(0, attribution=np.ones((1, 1), "float32"), placement=placement)
    explanation = Explanation("net", targets=[target])
    assert complexity(explanation).mean == pytest.approx(math.log(12))
    assert sparseness(explanation).mean == pytest.approx(0.5)

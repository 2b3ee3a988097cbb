"""The distance of two maps: how far what they show has moved, whatever their sizes are."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from eli5.base import (
    DocWeightedSpans,
    Explanation,
    Series,
    TargetExplanation,
    WeightedSpans,
)
from eli5.testing import evidence_distance

Array = np.ndarray[Any, Any]

BIN = 1 / 256  # to so much of a line, places are told apart


def spot(row: float, column: float, size: int = 40) -> Array:
    """Return a map with one place of heat, given from 0 to 1."""
    values = np.zeros((size, size))
    values[int(row * (size - 1)), int(column * (size - 1))] = 2.5
    return values


def slow_distance(old: Array, new: Array) -> float:
    """Go along each of eight lines, from place to place, and add up what must be carried on."""
    most = 0.0
    for a, b in itertools.product(range(-2, 3), repeat=2):
        if math.gcd(a, b) != 1:
            continue
        events = []
        for values, sign in ((old, 1), (new, -1)):
            heat = np.maximum(values, 0)
            for (i, j), amount in np.ndenumerate(heat / heat.sum()):
                place = (
                    a * (i + 0.5) / len(values) + b * (j + 0.5) / values.shape[1]
                ) / math.hypot(a, b)
                events.append((place, sign * amount))
        events.sort()
        carried = way = 0.0
        for (place, amount), (following, _) in itertools.pairwise(events):
            carried += amount
            way += abs(carried) * (following - place)
        most = max(most, way)
    return most / math.sqrt(2)


def test_it_is_that_of_a_slow_twin() -> None:
    rng = np.random.default_rng(0)
    for shapes in (((6, 9), (6, 9)), ((6, 9), (12, 5))):
        old, new = (rng.normal(size=shape) ** 3 for shape in shapes)
        assert evidence_distance(old, new) == pytest.approx(slow_distance(old, new), abs=BIN)


def test_a_heap_that_moves_as_a_whole_has_its_way() -> None:
    diagonal = evidence_distance(spot(0, 0), spot(1, 1))
    assert diagonal == pytest.approx(39 / 40, abs=BIN)
    assert evidence_distance(spot(0, 0), spot(0, 1)) == pytest.approx(diagonal / 2**0.5, abs=BIN)
    assert evidence_distance(spot(0.5, 0), spot(0.5, 0.5)) == pytest.approx(
        19 / 40 / 2**0.5, abs=BIN
    )


def test_it_is_a_distance() -> None:
    rng = np.random.default_rng(1)
    a, b, c = rng.random((3, 8, 8)) ** 6
    assert evidence_distance(a, a) == 0
    assert evidence_distance(a, 7 * a) == pytest.approx(0, abs=1e-12)
    assert evidence_distance(a, b) == evidence_distance(b, a) > 0
    assert evidence_distance(a, c) <= evidence_distance(a, b) + evidence_distance(b, c)


def test_what_speaks_against_the_class_does_not_count() -> None:
    assert evidence_distance(spot(0, 0), spot(0, 0) - spot(1, 1)) == 0


def test_equal_sums_of_rows_and_columns_are_told_apart() -> None:
    one, other = spot(0, 0) + spot(1, 1), spot(0, 1) + spot(1, 0)
    assert evidence_distance(one, other) > 0.4


def test_sizes_need_not_be_equal() -> None:
    small = np.zeros((7, 7))
    small[5, 1] = 1
    large = np.kron(small, np.ones((16, 16)))
    assert evidence_distance(small, large) < 0.04


def test_without_any_evidence_all_of_it_is_gone() -> None:
    nothing = np.zeros((5, 5))
    assert evidence_distance(nothing, nothing) == 0
    assert evidence_distance(nothing, spot(0, 0)) == evidence_distance(spot(0, 0), -spot(0, 0)) == 1


def series_with(values: Array) -> Explanation:
    target = TargetExplanation(0, attribution=values, heatmap=values)
    return Explanation("net", targets=[target], series=Series(np.zeros((len(values), 2))))


def test_a_series_moves_in_time_or_to_another_channel() -> None:
    first, last, other = np.zeros((3, 10, 2))
    first[0, 0] = last[9, 0] = other[0, 1] = 1
    assert evidence_distance(first[:, 0], last[:, 0]) == pytest.approx(0.9, abs=BIN)
    assert evidence_distance(series_with(first), series_with(last)) == pytest.approx(0.9, abs=BIN)
    assert evidence_distance(series_with(first), series_with(other)) == 1


def text_with(*spans: tuple[str, list[tuple[int, int]], float]) -> Explanation:
    weights = np.array([weight for *_, weight in spans])
    document = DocWeightedSpans("a good film", list(spans))
    target = TargetExplanation(
        0, attribution=weights, heatmap=weights, weighted_spans=WeightedSpans([document])
    )
    return Explanation("net", targets=[target])


def test_a_text_may_be_cut_into_other_tokens() -> None:
    words = text_with(("a", [(0, 1)], 0.0), ("good", [(2, 6)], 2.0), ("film", [(7, 11)], -1.0))
    pieces = text_with(("[CLS]", [], 3.0), ("go", [(2, 4)], 1.0), ("od", [(4, 6)], 1.0))
    film = text_with(("film", [(7, 11)], 1.0))
    assert evidence_distance(words, pieces) == 0
    assert evidence_distance(words, film) == 1


@pytest.mark.parametrize("other", [np.ones((3, 3, 3)), series_with(np.ones((4, 2)))])
def test_maps_of_other_kinds_of_docs_are_refused(other: Any) -> None:
    with pytest.raises(ValueError, match="maps of the same doc, of any size but with as many axes"):
        evidence_distance(np.ones((3, 3)), other)


def test_what_is_no_map_is_refused() -> None:
    with pytest.raises(TypeError, match="to be an Explanation, or a map"):
        evidence_distance([[1.0]], np.ones((3, 3)))

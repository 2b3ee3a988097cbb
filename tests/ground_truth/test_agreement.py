"""The numbers of a map against the truth, beside values known by hand and slow twins."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from eli5.ground_truth.agreement import NUMBERS, measure_map, pearson, rank_share

Array = np.ndarray[Any, Any]

TRUTH = np.array([[2.0, -1.0, 0.0], [0.0, 3.0, 0.0]])


def drawn(seed: int) -> Array:
    return np.random.default_rng(seed).normal(0, 1, (5, 7))


def test_each_number_is_described_and_measured() -> None:
    assert set(measure_map(TRUTH, TRUTH, "signed")) == set(NUMBERS)


def test_the_truth_itself_is_the_best_and_its_opposite_the_worst() -> None:
    best, worst = measure_map(TRUTH, TRUTH, "signed"), measure_map(-TRUTH, TRUTH, "signed")
    assert best["agreement"] == pytest.approx(1)
    assert (best["inside"], best["rank accuracy"]) == (1, 1)
    assert worst["agreement"] == pytest.approx(-1)
    assert worst["inside"] == 0


def test_a_map_is_compared_with_what_it_claims_to_show() -> None:
    for_alone, size = np.maximum(TRUTH, 0), np.abs(TRUTH)
    assert measure_map(for_alone, TRUTH, "for")["agreement"] == pytest.approx(1)
    assert measure_map(size, TRUTH, "size")["agreement"] == pytest.approx(1)
    # A map that shows what speaks against, and claims not to, is wrong there.
    assert measure_map(TRUTH, TRUTH, "for")["agreement"] < 0.98
    assert measure_map(size, TRUTH, "size")["inside"] == 1
    assert measure_map(size, TRUTH, "signed")["inside"] == pytest.approx(5 / 6)


def test_of_places_alone_a_map_is_read_by_its_size_or_positive_part() -> None:
    places = (TRUTH != 0).astype(float)
    assert measure_map(-places, places, "signed", "size")["agreement"] == pytest.approx(1)
    assert measure_map(places - 2 * (1 - places), places, "signed", "for")[
        "agreement"
    ] == pytest.approx(1)


def test_a_map_of_nothing_gets_nothing() -> None:
    numbers = measure_map(np.zeros((2, 3)), TRUTH, "signed", blind=TRUTH == 0)
    assert (numbers["agreement"], numbers["inside"]) == (0, 0)
    assert numbers["rank accuracy"] == pytest.approx(1 / 3)  # what chance gives: 2 of 6 places
    assert np.isnan(numbers["impossible"])
    ones = measure_map(np.ones((2, 3)), TRUTH, "signed", blind=TRUTH == 0)
    assert (ones["agreement"], ones["impossible"]) == (0, 0.5)


def test_heat_where_nothing_is_seen_is_counted_whatever_its_sign() -> None:
    values, blind = np.array([3.0, -1.0, 0.0, 0.0]), np.array([False, True, True, False])
    assert measure_map(values, np.ones(4), "signed", blind=blind)["impossible"] == 0.25


def test_a_share_is_compared_with_the_share_of_the_truth() -> None:
    truth, part = np.array([1.0, 1.0, 2.0, 0.0]), np.array([False, False, True, True])
    assert measure_map(truth, truth, "signed", part=part)["share error"] == 0
    error = measure_map(np.array([1.0, 0, 0, 0]), truth, "signed", part=part)["share error"]
    assert error == 0.5
    assert np.isnan(measure_map(truth, truth, "signed")["share error"])


@pytest.mark.parametrize("seed", range(3))
def test_correlation_is_numpys(seed: int) -> None:
    one, other = drawn(seed), drawn(seed + 10)
    expected = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert pearson(one, other) == pytest.approx(expected)
    assert pearson(3 * one + 2, other) == pytest.approx(expected)


def test_ranks_of_equal_places_are_the_mean_over_their_orders() -> None:
    heat, inside = np.array([2.0, 1.0, 1.0, 1.0, 0.0]), np.array([True, True, False, False, True])
    orders = [
        np.mean([inside[0], *(inside[k] for k in order[:2])])
        for order in itertools.permutations([1, 2, 3])
    ]
    assert rank_share(heat, inside) == pytest.approx(np.mean(orders))
    assert np.isnan(rank_share(heat, np.zeros(5, bool)))

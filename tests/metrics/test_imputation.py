"""ROAD: the imputed pictures are the literal equations' solution, and their noise is seeded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eli5.metrics import road
from eli5.metrics.imputation import fill_picture, fill_series
from helpers.closed_forms import Linear, docs_of, highest_first, linear

Array = np.ndarray[Any, Any]
SHAPE = (6, 7, 2)


@pytest.fixture(scope="module")
def net() -> Linear:
    return linear(SHAPE, scale=0.3)


def slowly_filled(picture: Array, hidden: Array) -> Array:
    """Write each hidden place as the weighted mean of its neighbours, and solve them all."""
    height, width = hidden.shape
    places = [tuple(map(int, place)) for place in np.argwhere(hidden)]
    matrix, right = np.eye(len(places)), np.zeros((len(places), picture.shape[-1]))
    for k, (row, column) in enumerate(places):
        around = {
            (row + i, column + j): 1 / 12 if i and j else 1 / 6
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
            if (i or j) and 0 <= row + i < height and 0 <= column + j < width
        }
        for place, weight in around.items():
            share = weight / sum(around.values())
            if hidden[place]:
                matrix[k, places.index(place)] -= share
            else:
                right[k] += share * picture[place]
    filled = picture.astype("float64").copy()
    for found, values in zip(places, np.linalg.solve(matrix, right), strict=True):
        filled[found] = values
    return filled


@pytest.mark.parametrize("share", [0.1, 0.5, 0.97])
def test_imputation_is_its_twin(share: float) -> None:
    picture = docs_of(SHAPE)[0].astype("float64")
    hidden = np.random.default_rng(0).permutation(42).reshape(6, 7) < share * 42
    filled = fill_picture(picture, hidden)
    np.testing.assert_allclose(filled, slowly_filled(picture, hidden), atol=1e-9)
    np.testing.assert_array_equal(filled[~hidden], picture[~hidden])


def test_inside_the_weights_of_the_neighbours_add_up_to_one() -> None:
    picture = np.arange(9.0).reshape(3, 3, 1) ** 2
    hidden = np.zeros((3, 3), bool)
    hidden[1, 1] = True
    beside, corners = (1 + 9 + 25 + 49) / 6, (0 + 4 + 36 + 64) / 12
    assert fill_picture(picture, hidden)[1, 1, 0] == pytest.approx(beside + corners)


def test_road_is_its_twin(net: Linear) -> None:
    docs, values = docs_of(SHAPE), np.random.default_rng(1).normal(size=(2, 6, 7)).round(0)
    result = road(net.model, docs, values, targets=[1, 1], shares=[0.2, 0.5], seed=3)
    for k, (doc, one) in enumerate(zip(docs, values, strict=True)):
        noise = np.random.default_rng(3).normal(0, 0.01 * float(np.ptp(doc)), SHAPE)
        order, halves = highest_first(one, 3), []
        for count in (round(0.2 * 42), 21):
            scores = []
            for places in (order[:count], order[-count:]):
                hidden = np.zeros((6, 7), bool)
                for place in places:
                    hidden[place] = True
                filled = slowly_filled(doc, hidden) + noise * hidden[..., None]
                scores.append(net.probability(filled.astype("float32")))
            halves.append((scores[1] - scores[0]) / 2)
        assert result.values[k] == pytest.approx(np.mean(halves), abs=1e-6)
    assert result.passes == 2 * 4
    assert result.perturbation == "linear imputation, noise 0.01 of the range"


def test_a_map_and_its_reverse_are_opposites(net: Linear) -> None:
    docs = docs_of(SHAPE)
    # What a place adds beside the mean of its neighbours is what imputing takes away, nearly.
    maps = [net.contributions(doc, doc.mean(axis=(0, 1))) for doc in docs]
    best = road(net.model, docs, maps, targets=[1, 1])
    worst = road(net.model, docs, [-one for one in maps], targets=[1, 1])
    assert best.values.min() > 0.02
    np.testing.assert_allclose(worst.values, -best.values, atol=1e-7)


def test_the_noise_is_that_of_the_seed(net: Linear) -> None:
    docs, maps = docs_of(SHAPE), np.random.default_rng(1).normal(size=(2, 6, 7))
    found = [
        road(net.model, docs, maps, noise=0.5, shares=[0.5], seed=seed).values for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).all()


def test_steps_of_a_series_are_filled_in_on_lines() -> None:
    series = np.array([[0.0, 5], [9, 9], [9, 9], [3, 2], [9, 9]])
    hidden = np.array([False, True, True, False, True])
    filled = fill_series(series, hidden)
    np.testing.assert_allclose(filled, [[0, 5], [1, 4], [2, 3], [3, 2], [3, 2]])
    each = fill_series(series[..., None], np.stack([hidden, np.ones(5, bool)], axis=1))
    np.testing.assert_allclose(each[:, 0, 0], filled[:, 0])
    np.testing.assert_allclose(each[:, 1, 0], series[:, 1].mean())


@pytest.mark.parametrize("shape", [(2, 8), (2, 8, 3)])
def test_road_of_series(shape: tuple[int, ...]) -> None:
    net, docs = linear((8, 3)), docs_of((8, 3))
    maps = np.random.default_rng(1).normal(size=shape)
    result = road(net.model, docs, maps, targets=[1, 1], shares=[0.5], noise=0)
    for k, (doc, one) in enumerate(zip(docs, maps, strict=True)):
        ranks = (-one).ravel().argsort().argsort().reshape(one.shape)
        scores = []
        for hidden in (ranks < one.size // 2, ranks >= one.size - one.size // 2):
            changed = doc.astype("float64").copy()
            for channel in range(3):
                gone = hidden if hidden.ndim == 1 else hidden[:, channel]
                known = np.flatnonzero(~gone)
                changed[gone, channel] = np.interp(np.flatnonzero(gone), known, doc[known, channel])
            scores.append(net.probability(changed))
        assert result.values[k] == pytest.approx((scores[1] - scores[0]) / 2, abs=1e-6)


def test_what_has_no_neighbours_is_refused() -> None:
    net, doc = linear((3, 4, 5, 1)), docs_of((3, 4, 5, 1), 1)
    with pytest.raises(ValueError, match="Received: places of 3 axes"):
        road(net.model, doc, np.ones((1, 3, 4, 5)))


@pytest.mark.parametrize("shares", [[], [0.5, 1], 0.5])
def test_wrong_shares_are_refused(net: Linear, shares: Any) -> None:
    with pytest.raises(ValueError, match="Expected `shares` to hold numbers between 0 and 1"):
        road(net.model, docs_of(SHAPE), np.ones((2, 6, 7)), shares=shares)


def test_without_scipy_the_extra_is_named(net: Linear, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "scipy.sparse.linalg", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "eli5-keras\[metrics\]"'):
        road(net.model, docs_of(SHAPE), np.ones((2, 6, 7)))

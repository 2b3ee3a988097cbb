"""Localisation: literal formulas, boxes and masks, tolerance, ties."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from eli5.base import Explanation, Series, TargetExplanation
from eli5.metrics import best_iou, energy_inside, pointing_game, rank_accuracy
from eli5.metrics.localisation import read_mask
from helpers.closed_forms import highest_first

Array = np.ndarray[Any, Any]
ALL = [energy_inside, pointing_game, rank_accuracy, best_iou]
BOX = (1, 2, 4, 5)  # columns 1 to 3, rows 2 to 4
INSIDE = {(row, column) for row in (2, 3, 4) for column in (1, 2, 3)}


def maps() -> list[Array]:
    """Return signed maps with equal numbers."""
    return [np.random.default_rng(k).normal(size=(6, 7)).round(0) for k in range(4)]


def energy(values: Array) -> float:
    heat = {place: max(number, 0) for place, number in np.ndenumerate(values)}
    return sum(heat[place] for place in INSIDE) / sum(heat.values())


def hit(values: Array) -> float:
    highest = [place for place, number in np.ndenumerate(values) if number == values.max()]
    return float(np.mean([place in INSIDE for place in highest]))


def rank_share(values: Array) -> float:
    return len(INSIDE & set(highest_first(values, 0)[:9])) / 9


def iou(values: Array) -> float:
    ious = []
    for threshold in set(values.ravel()):
        found = {place for place, number in np.ndenumerate(values) if number >= threshold}
        ious.append(len(found & INSIDE) / len(found | INSIDE))
    return max(ious)


@pytest.mark.parametrize(
    ("metric", "twin"), list(zip(ALL, [energy, hit, rank_share, iou], strict=True))
)
def test_a_metric_is_its_twin(metric: Callable[..., Any], twin: Callable[[Array], float]) -> None:
    expected = [twin(one) for one in maps()]
    np.testing.assert_allclose(metric(maps(), [BOX] * 4).values, expected, atol=1e-12)
    assert len(set(expected)) > 1


@pytest.mark.parametrize("metric", ALL)
def test_a_map_of_the_object_and_one_of_all_else(metric: Callable[..., Any]) -> None:
    mask = read_mask(BOX, (6, 7))
    result = metric([mask.astype(float), 1.0 - mask], [mask, mask])
    # A threshold that lets in all places finds the object, and all else with it.
    assert result.values.tolist() == [1, 9 / 42 if metric is best_iou else 0]


def test_the_pointing_game_has_a_tolerance() -> None:
    values = np.zeros((6, 7))
    values[0, 6] = 1  # three columns and two rows off
    distance = np.hypot(3, 2)
    for tolerance, expected in ((distance - 0.01, 0), (distance, 1)):
        assert pointing_game([values], [BOX], tolerance=tolerance).mean == expected
    assert np.isnan(pointing_game([np.ones((6, 7))], [BOX]).mean)


def test_energy_is_not_defined_without_heat() -> None:
    assert np.isnan(energy_inside([-np.ones((6, 7))], [BOX]).mean)


def test_masks_of_all_forms() -> None:
    box = read_mask(BOX, (6, 7))
    assert {tuple(map(int, place)) for place in np.argwhere(box)} == INSIDE
    for form in (box.astype("uint8") * 255, [BOX], np.array(BOX), [BOX, (1, 2, 2, 3)]):
        np.testing.assert_array_equal(read_mask(form, (6, 7)), box)
    two = read_mask([BOX, (5, 0, 7, 1)], (6, 7))
    np.testing.assert_array_equal(two ^ box, read_mask((5, 0, 7, 1), (6, 7)))
    assert np.flatnonzero(read_mask((2, 4), (7,))).tolist() == [2, 3]
    for k, (row, column) in enumerate(itertools.product(range(6), range(7))):
        assert read_mask((column, row, column + 1, row + 1), (6, 7)).ravel()[k]


@pytest.mark.parametrize("span", [(2, 4), [(2, 3), (3, 4)], np.isin(np.arange(7), (2, 3))])
@pytest.mark.parametrize("metric", ALL)
def test_a_span_of_a_series_is_of_all_its_channels(metric: Callable[..., Any], span: Any) -> None:
    values = np.random.default_rng(0).normal(size=(7, 3))
    series = Explanation(
        estimator="", targets=[TargetExplanation(0, attribution=values)], series=Series(values)
    )
    inside = np.zeros((7, 3), bool)
    inside[2:4] = True
    expected = metric([values], [inside]).values
    np.testing.assert_array_equal(metric([series], [span]).values, expected)
    np.testing.assert_array_equal(metric(series, [inside]).values, expected)
    with pytest.raises(TypeError, match=r"\(7,\), or boxes \(start, end\) of integers"):
        metric([series], [(1, 2, 3, 4)])


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (np.ones((6, 6)), TypeError, r"size, \(6, 7\), or boxes \(left, top, .*shape \(6, 6\)"),
        ((1, 2), TypeError, r"Received: masks\[0\] with \[1, 2\]"),
        ([(1, 2, 3.5, 4)], TypeError, r"Received: masks\[0\] with \(1, 2, 3.5, 4\)"),
        ("box", TypeError, r"Received: masks\[0\] with 'box'"),
        ((1, 2, 9, 4), ValueError, r"within the input's size, \(6, 7\).*with \(1, 2, 9, 4\)"),
        ((3, 2, 3, 4), ValueError, r"within the input's size"),
        (np.full((6, 7), np.nan), ValueError, r"a mask that is finite.*masks\[0\] with NaN"),
        (np.zeros((6, 7)), ValueError, r"Expected a mask with places in it.*masks\[0\] with none"),
    ],
)
def test_wrong_masks_are_refused(mask: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        energy_inside(maps()[:1], [mask])


def test_as_many_masks_as_maps_are_due() -> None:
    with pytest.raises(ValueError, match=r"one entry in `masks` per map, 4 of them\. Received: 1"):
        energy_inside(maps(), [BOX])
    with pytest.raises(TypeError, match="Expected `masks` to be a mask, or boxes, for each map"):
        energy_inside(maps(), 3)
    with pytest.raises(ValueError, match="Expected `tolerance` to be finite and >= 0"):
        pointing_game(maps(), [BOX] * 4, tolerance=-1)

"""Deletion, insertion, SRG and single deletion: slow twins, and the best and worst of maps."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

import eli5
from eli5.metrics import deletion, insertion, single_deletion, srg
from eli5.metrics.faithfulness import rank
from helpers.closed_forms import Linear, curve_of, docs_of, highest_first, linear, trapezoids

Array = np.ndarray[Any, Any]
SHAPE = (5, 4, 2)


@pytest.fixture(scope="module")
def net() -> Linear:
    return linear(SHAPE)


def docs() -> Array:
    return docs_of(SHAPE)


def maps() -> Array:
    """Return maps of which half is the same number, as behind a ReLU."""
    return np.maximum(np.random.default_rng(3).normal(size=(2, 5, 4)), 0)


def mean_of(doc: Array) -> Array:
    return np.broadcast_to(doc.astype("float64").mean(axis=(0, 1)), doc.shape)


@pytest.mark.parametrize("steps", [1, 6, 500])
def test_deletion_is_its_twin(net: Linear, steps: int) -> None:
    result = deletion(net.model, docs(), maps(), targets=[1, 1], steps=steps, seed=4)
    for k, (doc, one) in enumerate(zip(docs(), maps(), strict=True)):
        n = min(steps, 20)
        counts = [round(20 * step / n) for step in range(n + 1)]
        order = highest_first(one, 4)
        curve = curve_of(net.probability, doc, mean_of(doc), order, counts)
        shares = [count / 20 for count in counts]
        assert result.values[k] == pytest.approx(trapezoids(shares, curve), abs=1e-6)
        np.testing.assert_allclose(result.curves[k]["score"], curve, atol=1e-6)
        np.testing.assert_allclose(result.curves[k]["share"], shares)
    assert (result.baseline, result.seed, result.score) == ("mean", 4, "probability")
    assert result.passes == 2 * (min(steps, 20) + 1)


def test_insertion_is_its_twin(net: Linear) -> None:
    result = insertion(net.model, docs(), maps(), targets=[1, 1], steps=5, baseline=0.5)
    for k, (doc, one) in enumerate(zip(docs(), maps(), strict=True)):
        start, counts = np.full(doc.shape, 0.5), range(0, 21, 4)
        curve = curve_of(net.probability, start, doc, highest_first(one, 0), counts)
        shares = [count / 20 for count in counts]
        assert result.values[k] == pytest.approx(trapezoids(shares, curve), abs=1e-6)
    assert result.baseline == "0.5"


def test_insertion_comes_into_the_blurred_doc(net: Linear) -> None:
    result = insertion(net.model, docs(), maps(), targets=[1, 1])
    blurred = insertion(net.model, docs(), maps(), targets=[1, 1], baseline="blur")
    assert result.baseline == "blur"
    np.testing.assert_array_equal(result.values, blurred.values)
    assert abs(result.values - insertion(net.model, docs(), maps(), baseline="mean").values).min()


def test_srg_is_its_twin(net: Linear) -> None:
    result = srg(net.model, docs(), maps(), targets=[1, 1], steps=5)
    shares = [0, 0.2, 0.4, 0.6, 0.8, 1]
    for k, (doc, one) in enumerate(zip(docs(), maps(), strict=True)):
        order = highest_first(one, 0)
        highest, lowest = (
            curve_of(net.probability, doc, mean_of(doc), places, range(0, 21, 4))
            for places in (order, order[::-1])
        )
        area = trapezoids(shares, lowest) - trapezoids(shares, highest)
        assert result.values[k] == pytest.approx(area, abs=1e-6)
        np.testing.assert_allclose(result.curves[k]["lowest first"], lowest, atol=1e-6)
        np.testing.assert_allclose(result.curves[k]["highest first"], highest, atol=1e-6)
    assert result.passes == 2 * 10


def ranks_of(values: list[float]) -> Array:
    """Return the mean rank of each number among all."""
    return np.array(
        [sum(v < u for v in values) + (sum(v == u for v in values) - 1) / 2 for u in values]
    )


def test_single_deletion_is_its_twin(net: Linear) -> None:
    result = single_deletion(net.model, docs(), maps(), targets=[1, 1], patches=(5, 2))
    for k, (doc, one) in enumerate(zip(docs(), maps(), strict=True)):
        sums, drops = [], []
        for row, column in itertools.product(range(5), range(2)):
            patch = slice(row, row + 1), slice(2 * column, 2 * column + 2)
            changed = doc.astype("float64").copy()
            changed[patch] = mean_of(doc)[patch]
            sums.append(float(one[patch].sum()))
            drops.append(net.probability(doc) - net.probability(changed))
        expected = np.corrcoef(ranks_of(sums), ranks_of(drops))[0, 1]
        assert result.values[k] == pytest.approx(expected, abs=1e-6)
    assert result.passes == 2 * 10


def test_single_deletion_takes_sixteen_passes(net: Linear) -> None:
    assert single_deletion(net.model, docs(), maps(), targets=[1, 1]).passes == 2 * 16


def test_no_order_beats_that_of_what_each_place_contributes() -> None:
    net = linear((5, 1), seed=2)
    doc = docs_of((5, 1), 1)
    ideal = net.contributions(doc[0], 0)
    orders = np.array(list(itertools.permutations(range(5))), float)
    many = np.repeat(doc, len(orders), axis=0)
    options: dict[str, Any] = {"baseline": 0, "channel_names": ["a"]}
    ones = [1] * len(orders)
    gone = deletion(net.model, many, orders, targets=ones, **options).values
    come = insertion(net.model, many, orders, targets=ones, **options).values
    options["targets"] = [1]
    best, worst = (deletion(net.model, doc, [one], **options).mean for one in (ideal, -ideal))
    assert (best, worst) == pytest.approx((gone.min(), gone.max()), abs=1e-7)
    best, worst = (insertion(net.model, doc, [one], **options).mean for one in (ideal, -ideal))
    assert (best, worst) == pytest.approx((come.max(), come.min()), abs=1e-7)


def test_an_ideal_map_and_its_reverse_are_opposites(net: Linear) -> None:
    ideal = [net.contributions(doc, mean_of(doc)) for doc in docs()]
    reverse = [-one for one in ideal]
    best, worst = (srg(net.model, docs(), one, targets=[1, 1]) for one in (ideal, reverse))
    assert best.values.min() > 0.1
    np.testing.assert_allclose(worst.values, -best.values, atol=1e-7)
    best, worst = (single_deletion(net.model, docs(), m, targets=[1, 1]) for m in (ideal, reverse))
    np.testing.assert_allclose(best.values, 1)
    np.testing.assert_allclose(worst.values, -1)


def test_a_correlation_with_what_never_changes_is_not_defined(net: Linear) -> None:
    result = single_deletion(net.model, docs(), [np.zeros((5, 4)), maps()[1]], targets=[1, 1])
    assert np.isnan(result.values).tolist() == [True, False]
    assert result.mean == result.values[1]
    assert "undefined for 1" in repr(result)


def test_a_model_that_does_not_react_has_no_ranks() -> None:
    net = linear(SHAPE, scale=1e-8)
    result = single_deletion(net.model, docs(), maps(), targets=[1, 1])
    assert np.isnan(result.values).all()
    assert np.isnan(result.mean)


def test_equal_places_go_in_an_order_that_the_seed_decides() -> None:
    values = maps()[0]
    first, again, other = (rank(values, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert (values.ravel()[first.ravel().argsort()] == np.sort(values, axis=None)[::-1]).all()
    # Nor in that in which they lie there, which would favour the top of a picture.
    ties = first[values == 0]
    assert (np.diff(ties) < 0).any()


def test_a_score_may_take_the_place_of_the_probability(net: Linear) -> None:
    result = deletion(net.model, docs(), maps(), targets=[1, 1], steps=1, score="logit")
    ends = [net.score(doc) for doc in docs()]
    assert result.score == "logit"
    np.testing.assert_allclose([c["score"][0] for c in result.curves], ends, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 0}, "Expected `steps` >= 1. Received: steps=0"),
        ({"seed": -1}, "Expected `seed` >= 0. Received: seed=-1"),
        ({"baseline": "grey"}, 'Expected `baseline` to be "mean", "blur" or "mask"'),
    ],
)
def test_wrong_options_are_refused(net: Linear, options: dict[str, Any], message: str) -> None:
    for metric in (deletion, insertion, srg):
        with pytest.raises(ValueError, match=message):
            metric(net.model, docs(), maps(), **options)


def test_wrong_patches_are_refused(net: Linear) -> None:
    with pytest.raises(ValueError, match="Expected `patches` to be an int, or 2: one per axis"):
        single_deletion(net.model, docs(), maps(), patches=(4,))


def test_a_map_is_ranked_with_its_sign() -> None:
    net, doc = linear(SHAPE), docs()[:1]
    explanation = eli5.explain_prediction(net.model, doc, [1], method="Gradient × Input")
    own = deletion(net.model, doc, explanation, baseline=0).mean
    ideal = deletion(net.model, doc, [net.contributions(doc[0], 0)], targets=[1], baseline=0).mean
    positive = deletion(net.model, doc, [explanation.targets[0].heatmap], targets=[1], baseline=0)
    assert own == pytest.approx(ideal, abs=1e-6)
    assert own < positive.mean

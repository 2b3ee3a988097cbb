"""Average drop, increase and gain: literal formulas, and the map that must not be trusted alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.metrics import METRICS, average_drop, average_gain, average_increase
from helpers.closed_forms import Linear, docs_of, linear
from helpers.models import with_weights

Array = np.ndarray[Any, Any]
SHAPE = (6, 7, 2)
N = 6


@pytest.fixture(scope="module")
def net() -> Linear:
    return linear(SHAPE)


def maps() -> Array:
    return np.random.default_rng(1).normal(size=(N, 6, 7))


def drop(p: float, o: float) -> float:
    return max(0, p - o) / p * 100


def increase(p: float, o: float) -> float:
    return 100 if o > p else 0


def gain(p: float, o: float) -> float:
    return max(0, o - p) / (1 - p) * 100


@pytest.mark.parametrize(
    ("metric", "formula"),
    [(average_drop, drop), (average_increase, increase), (average_gain, gain)],
)
def test_a_metric_is_its_twin(
    net: Linear, metric: Callable[..., Any], formula: Callable[[float, float], float]
) -> None:
    docs = docs_of(SHAPE, N)
    result = metric(net.model, docs, maps(), targets=[1] * N)
    expected = []
    for doc, one in zip(docs, maps(), strict=True):
        shown = doc * (np.maximum(one, 0) / one.max())[..., None]
        expected.append(formula(net.probability(doc), net.probability(shown)))
    np.testing.assert_allclose(result.values, expected, atol=1e-4)  # of 100
    assert 0 < result.mean < 100
    assert (result.baseline, result.passes) == ("0", 2 * N)


def test_a_map_of_ones_drops_nothing(net: Linear) -> None:
    docs = docs_of(SHAPE, N)
    assert average_drop(net.model, docs, np.ones((N, 6, 7)), targets=[1] * N).mean == 0
    assert "1 everywhere" in METRICS["Average drop"].not_alone


def test_a_map_of_what_speaks_against_drops_all_that_it_can(net: Linear) -> None:
    docs = docs_of(SHAPE, N)
    ideal = [(net.contributions(doc, 0) > 0).astype(float) for doc in docs]
    reverse = [1 - one for one in ideal]
    assert average_drop(net.model, docs, ideal, targets=[1] * N).mean == 0
    assert average_increase(net.model, docs, ideal, targets=[1] * N).mean == 100
    assert average_drop(net.model, docs, reverse, targets=[1] * N).values.min() > 50
    assert average_increase(net.model, docs, reverse, targets=[1] * N).mean == 0
    assert average_gain(net.model, docs, reverse, targets=[1] * N).mean == 0


def test_probabilities_at_their_ends() -> None:
    net = linear(SHAPE, scale=0)
    for bias, target in ((200, 1), (-2000, 1)):
        net.model.set_weights([np.zeros((84, 1)), np.array([bias])])
        for metric in (average_drop, average_gain):
            result = metric(net.model, docs_of(SHAPE, 1), maps()[:1], targets=[target])
            assert result.mean == 0


def values_model(task: str | None = None) -> keras.Model:
    return with_weights(keras.Sequential([keras.Input(SHAPE), layers.Flatten(), layers.Dense(3)]))


def test_without_probabilities_it_is_refused() -> None:
    message = "Expected a classifier whose probabilities are known, and no `score`.*classification"
    with pytest.raises(ValueError, match=message):
        average_drop(values_model(), docs_of(SHAPE, 1), maps()[:1])


def test_with_a_score_it_is_refused(net: Linear) -> None:
    with pytest.raises(ValueError, match=r"Received: model .* with 'logit' as its number"):
        average_drop(net.model, docs_of(SHAPE, 1), maps()[:1], score="logit")


def test_logits_become_probabilities() -> None:
    model, doc = values_model(), docs_of(SHAPE, 1)
    logits = keras.ops.convert_to_numpy(model(doc))[0].astype("float64")
    result = average_drop(model, doc, maps()[:1], targets=[2], task="classification")
    assert result.score == "probability"
    expected = np.exp(logits[2]) / np.exp(logits).sum()
    assert result.curves[0]["score"][0] == pytest.approx(expected, abs=1e-6)

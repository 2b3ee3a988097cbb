"""Infidelity and max-sensitivity: slow twins, and their values for right and wrong maps."""

from __future__ import annotations

import zlib
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.metrics import infidelity, max_sensitivity
from eli5.metrics.sensitivity import draw_boxes
from helpers.closed_forms import Linear, docs_of, linear
from helpers.models import with_weights

Array = np.ndarray[Any, Any]
SHAPE = (6, 7, 2)


@pytest.fixture(scope="module")
def net() -> Linear:
    return linear(SHAPE)


def test_infidelity_is_its_twin(net: Linear) -> None:
    docs, maps = docs_of(SHAPE), np.random.default_rng(1).normal(size=(2, 6, 7))
    result = infidelity(net.model, docs, maps, targets=[1, 1], n_samples=40, baseline=0.5, seed=2)
    boxes = draw_boxes((6, 7), 40, np.random.default_rng(2))
    for k, (doc, one) in enumerate(zip(docs, maps, strict=True)):
        sums, drops = [], []
        for box in boxes:
            changed = doc.astype("float64").copy()
            changed[box] = 0.5
            sums.append(sum(one[tuple(place)] for place in np.argwhere(box)))
            drops.append(net.score(doc) - net.score(changed))
        tried = np.linspace(0, 5, 200_001)[:, None]
        errors = ((tried * sums - drops) ** 2).mean(axis=1)
        assert result.values[k] == pytest.approx(errors.min() / np.mean(np.square(drops)), abs=1e-6)
        assert result.curves[k]["scale"][0] == pytest.approx(tried[errors.argmin(), 0], abs=1e-4)
    assert (result.score, result.baseline, result.passes) == ("log-odds", "0.5", 2 * 41)
    assert result.perturbation == "40 boxes left out"


def test_boxes_are_up_to_half_as_long_as_the_doc_and_lie_anywhere() -> None:
    boxes = draw_boxes((6, 7), 500, np.random.default_rng(0))
    rows, columns = boxes.any(axis=2), boxes.any(axis=1)
    for along in (rows, columns):
        assert set(along.sum(axis=1)) == {1, 2, 3}
        assert along.any(axis=0).all()
    np.testing.assert_array_equal(boxes, np.einsum("nr,nc->nrc", rows, columns))


def test_a_map_that_foretells_all_changes_and_its_reverse(net: Linear) -> None:
    docs = docs_of(SHAPE)
    ideal = [net.contributions(doc, 0) for doc in docs]
    for scale, expected in ((1, 0), (1e-3, 0), (-1, 1)):
        maps = [scale * one for one in ideal]
        result = infidelity(net.model, docs, maps, targets=[1, 1], baseline=0)
        np.testing.assert_allclose(result.values, expected, atol=1e-6)
    zeros = infidelity(net.model, docs, np.zeros((2, 6, 7)), targets=[1, 1], baseline=0)
    np.testing.assert_array_equal(zeros.values, 1)


def test_infidelity_is_not_defined_where_nothing_changes() -> None:
    net = linear(SHAPE, scale=0)
    assert np.isnan(infidelity(net.model, docs_of(SHAPE, 1), np.ones((1, 6, 7))).mean)


def test_max_sensitivity_is_its_twin(net: Linear) -> None:
    docs = docs_of(SHAPE)
    result = max_sensitivity(
        net.model, docs, targets=[1, 1], n_samples=3, radius=0.1, seed=4, method="Gradient × Input"
    )
    for k, doc in enumerate(docs):
        random = np.random.default_rng([4, zlib.crc32(doc.tobytes())])
        reach = 0.1 * float(np.ptp(doc))
        before, changes = net.contributions(doc, 0), []
        for _ in range(3):
            near = (doc + random.uniform(-reach, reach, (1, *SHAPE))[0]).astype("float32")
            change = net.contributions(near, 0) - before
            changes.append(np.sqrt((change**2).sum()) / np.sqrt((before**2).sum()))
        assert result.values[k] == pytest.approx(max(changes), abs=1e-6)
        np.testing.assert_allclose(result.curves[k]["change"], changes, atol=1e-6)
    assert result.explanations == 2 * 4
    assert result.perturbation == "uniform noise, up to 0.1 of the range"


def test_a_map_that_never_changes_is_not_sensitive(net: Linear) -> None:
    result = max_sensitivity(net.model, iter(docs_of(SHAPE)), method="Saliency", n_samples=2)
    np.testing.assert_allclose(result.values, 0, atol=1e-6)


@pytest.mark.filterwarnings("ignore:.*heatmap of target")
def test_max_sensitivity_is_not_defined_for_an_empty_map() -> None:
    net = linear(SHAPE, scale=0)
    assert np.isnan(max_sensitivity(net.model, docs_of(SHAPE, 1), method="Saliency").mean)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_samples": 0}, "Expected `n_samples` >= 1. Received: n_samples=0"),
        ({"radius": -1}, "Expected `radius` to be finite and >= 0. Received: radius=-1"),
    ],
)
def test_wrong_options_are_refused(net: Linear, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        max_sensitivity(net.model, docs_of(SHAPE), **options)


def test_several_methods_are_measured_one_at_a_time(net: Linear) -> None:
    with pytest.raises(TypeError, match=r"Expected one `method`\. Received: `methods`"):
        max_sensitivity(net.model, docs_of(SHAPE), methods=["Saliency", "RISE"])


def test_token_ids_cannot_change_by_a_little() -> None:
    parts = [keras.Input((6,), dtype="int32"), layers.Embedding(5, 3), layers.Flatten()]
    model = with_weights(keras.Sequential([*parts, layers.Dense(2, activation="softmax")]))
    with pytest.raises(ValueError, match=r"Expected docs of numbers.*Received: token ids"):
        max_sensitivity(model, np.array([[1, 2, 3, 4, 1, 2]]), method="Saliency")

"""Metrics of the same maps and models are equal on TensorFlow, JAX and PyTorch.

One backend gave the stored numbers; each must come to them.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]

STORED = {
    "deletion": [0.59902, 0.11277],
    "insertion": [0.59721, 0.10392],
    "srg": [-0.00704, -0.00609],
    "road": [-0.00318, -0.00501],
    "single_deletion": [-0.35294, -0.00588],
    "infidelity": [0.92471, 1.0],
    "average_drop": [9.00693, 0.0],
    "average_gain": [0.0, 0.46023],
}


def docs() -> Array:
    return np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])


@pytest.fixture(scope="module")
def maps() -> Array:
    return np.random.default_rng(3).normal(size=(2, 12, 20))


@pytest.mark.parametrize("metric", STORED)
def test_a_metric_equals_what_is_stored(metric: str, classifier: keras.Model, maps: Array) -> None:
    result = getattr(eli5.metrics, metric)(classifier, docs(), maps, targets=[0, 2])
    tolerance = 1e-2 if result.unit == "percent" else 1e-4
    np.testing.assert_allclose(result.values, STORED[metric], atol=tolerance)


def test_tokens_are_left_out_alike() -> None:
    parts = [layers.Embedding(9, 4, mask_zero=True), layers.GlobalAveragePooling1D()]
    top = layers.Dense(3, activation="softmax")
    model = with_weights(keras.Sequential([keras.Input((6,), dtype="int32"), *parts, top]), seed=3)
    ids = np.array([[5, 3, 7, 2, 0, 0]])
    result = eli5.metrics.srg(model, ids, [np.array([0.1, 0.4, -0.3, 0.2])], targets=[1])
    assert result.mean == pytest.approx(-0.02464, abs=1e-4)


def test_a_comparison_does_not_depend_on_its_chunks(classifier: keras.Model) -> None:
    metrics = ["SRG", "Random logit", "Efficient randomisation"]
    whole = eli5.compare(classifier, docs(), ["Saliency"], metrics, seed=2)
    one_by_one = eli5.compare(classifier, iter(docs()), ["Saliency"], metrics, seed=2, chunk_size=1)
    for key, result in whole.results.items():
        np.testing.assert_allclose(one_by_one.results[key].values, result.values, atol=1e-3)
    assert [one[:4] for one in one_by_one.examples] == [one[:4] for one in whole.examples]


def test_weights_are_drawn_anew_and_put_back() -> None:
    model = make_classifier()
    before = [np.array(keras.ops.convert_to_numpy(one.value)) for one in model.variables]
    result = eli5.metrics.cascading_randomisation(model, docs(), method="Saliency", stages=2)
    assert (np.abs(result.values) < 0.9).all()
    for one, variable in zip(before, model.variables, strict=True):
        assert one.tobytes() == np.array(keras.ops.convert_to_numpy(variable.value)).tobytes()
    result = eli5.metrics.max_sensitivity(model, docs(), method="Saliency", n_samples=1)
    assert (result.values > 0).all()

"""Many docs: the same explanations as one by one."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.many_docs import assert_same, one_by_one, pictures
from helpers.models import with_weights

empty_heatmaps = pytest.mark.filterwarnings("ignore:The heatmap of target")


OPTIONS: dict[str, dict[str, Any]] = {
    "a layer": {"methods": ["LayerCAM"], "layer": "conv"},
    "several methods": {"methods": ["Grad-CAM", "Saliency", "Finer-CAM", "Eigen-CAM"]},
    "curvature": {"method": "ShapleyCAM"},
    "top classes": {"top_targets": 3, "class_names": ["a", "b", "c", "d"]},
    "against": {"sign": "negative", "top_targets": 2, "score": "output"},
    "fused layers": {"layer": ["conv", "pool", "relu"], "fusion": "max"},
    "smoothing": {"n_samples": 2, "augment": True},
    "Integrated Gradients": {"method": "Integrated Gradients", "steps": 4},
    "Ablation-CAM": {"method": "Ablation-CAM"},
    "formulas and black-box methods": {
        "methods": ["Occlusion", "XGrad-CAM", "RISE"],
        "patch": 6,
        "stride": 6,
        "top_targets": 2,
        "n_masks": 8,
    },
}


@empty_heatmaps
@pytest.mark.parametrize("name", OPTIONS)
def test_they_equal_the_explanations_one_by_one(classifier: keras.Model, name: str) -> None:
    docs = pictures(4)
    expected = one_by_one(classifier, docs, **OPTIONS[name])
    found = eli5.explain_predictions(classifier, docs, batch_size=3, **OPTIONS[name])
    assert_same(list(found), expected)


def test_several_come_in_a_list_that_shows_itself(classifier: keras.Model) -> None:
    methods = ["Grad-CAM", "LayerCAM"]
    stream = eli5.explain_predictions(classifier, pictures(3), methods=methods)
    first = next(stream)
    assert type(first) is eli5.Explanations
    (alone,) = one_by_one(classifier, pictures(3)[:1], methods=methods)
    assert type(alone) is eli5.Explanations
    rest = stream.collect()
    assert type(rest) is eli5.Explanations
    assert [one.method for one in rest] == methods * 2


@pytest.mark.parametrize("batch_size", [1, 2, 7, 32])
def test_any_batch_size_gives_the_same(classifier: keras.Model, batch_size: int) -> None:
    docs = pictures(7)
    found = eli5.explain_predictions(classifier, docs, batch_size=batch_size)
    assert_same(list(found), one_by_one(classifier, docs))


@pytest.mark.parametrize("docs", [pictures(0), [], iter([])])
def test_no_docs_give_no_explanations(classifier: keras.Model, docs: Any) -> None:
    assert list(eli5.explain_predictions(classifier, docs)) == []
    assert list(eli5.explain_predictions(classifier, docs, targets=[])) == []


def score_of_two(outputs: Any) -> Any:
    return outputs[:, 0] - outputs[:, 1]


@empty_heatmaps
def test_a_score_of_ones_own(classifier: keras.Model) -> None:
    found = eli5.explain_predictions(classifier, pictures(3), score=score_of_two, batch_size=2)
    assert_same(list(found), one_by_one(classifier, pictures(3), score=score_of_two))


@empty_heatmaps
def test_docs_of_other_sizes_and_types() -> None:
    model = with_weights(
        keras.Sequential(
            [
                keras.Input((None, None, 3)),
                layers.Conv2D(4, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(3, activation="softmax"),
            ]
        )
    )
    rng = np.random.default_rng(0)
    sizes = [(8, 9), (8, 9), (8, 9), (10, 7), (8, 9)]
    docs = [rng.integers(0, 5, (1, *size, 3), "uint8") for size in sizes]
    docs += [docs[0].astype("float64")]
    found = eli5.explain_predictions(model, docs, batch_size=2)
    assert_same(list(found), [eli5.explain_prediction(model, doc) for doc in docs])

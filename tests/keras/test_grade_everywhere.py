"""The same model, doc and seed have the same grade on each backend; tests/metrics has all else."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import make_classifier, sample, with_weights


def reader() -> keras.Model:
    steps = [
        keras.Input((9,), dtype="int32"),
        layers.Embedding(20, 4),
        layers.Conv1D(4, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, activation="softmax"),
    ]
    return with_weights(keras.Sequential(steps), seed=4)


IDS = np.array([[3, 5, 7, 9, 2, 4, 0, 0, 0]])
CASES: dict[str, tuple[Any, Any, dict[str, Any], dict[str, float | None]]] = {
    "picture": (
        make_classifier,
        sample((12, 20, 3)),
        {},
        {
            "single deletion": 0.8189,
            "SRG": 0.3585,
            "noise": 0.9936,
            "other class": 1,
            "edges": 0.8556,
        },
    ),
    "text": (
        reader,
        IDS,
        {"tokens": [*"abcdef---"], "pad_value": 0, "method": "Gradient x Input"},
        {
            "single deletion": 0.9479,
            "SRG": 0.8398,
            "noise": 0.9981,
            "other class": 1,
            "edges": None,
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_the_grade_is_the_same_on_each_backend(name: str) -> None:
    make, doc, options, parts = CASES[name]
    grade = eli5.explain_prediction(make(), doc, **options, grade=True).targets[0].grade
    assert grade.parts == pytest.approx(parts, abs=2e-3)
    assert grade.passes <= 37

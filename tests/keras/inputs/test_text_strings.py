"""Raw strings: explained as the model cuts them into tokens, shown as they were written."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import with_weights

pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow, on any backend")

TEXTS = ["The film -- was NOT good!", "so dull, so bad"]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    vectorizer = layers.TextVectorization(
        vocabulary=["the", "film", "was", "not", "good", "so", "dull", "bad"],
        output_sequence_length=7,
    )
    reader = keras.Sequential(
        [
            keras.Input((1,), dtype="string"),
            vectorizer,
            layers.Embedding(10, 5, mask_zero=True, name="embed"),
            layers.Dense(4, activation="relu", name="inner"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ],
        name="reader",
    )
    return with_weights(reader, seed=0)


def spans_of(expl: Any) -> Any:
    (found,) = expl.targets[0].weighted_spans.docs_weighted_spans
    return found


@pytest.mark.parametrize("doc", [TEXTS[0], np.array([TEXTS[0]]), np.array([[TEXTS[0]]])])
def test_a_string(model: keras.Model, doc: Any) -> None:
    expl = eli5.explain_prediction(model, doc, method="HiResCAM")
    spans = spans_of(expl)
    assert expl.estimator == "reader"
    assert spans.document == TEXTS[0]
    assert [token for token, _, _ in spans.spans] == ["the", "film", "was", "not", "good"]
    shown = [spans.document[start:end] for _, ((start, end),), _ in spans.spans]
    assert shown == ["The", "film", "was", "NOT", "good"]


def test_the_same_as_its_ids(model: keras.Model) -> None:
    ids = np.array([[2, 3, 4, 5, 6, 0, 0]])
    behind = keras.Sequential([keras.Input((7,)), *model.layers[1:]])
    for method in ("HiResCAM", "Occlusion", "Gradient × Input"):
        text = eli5.explain_prediction(model, TEXTS[0], method=method)
        numbers = eli5.explain_prediction(behind, ids, method=method)
        np.testing.assert_allclose(
            text.targets[0].attribution, numbers.targets[0].attribution, atol=1e-6
        )


def test_layers_count_as_in_the_model_itself(model: keras.Model) -> None:
    for layer in (1, "embed", model.layers[1], -4):
        expl = eli5.explain_prediction(model, TEXTS[0], layer=layer, method="HiResCAM")
        assert expl.layer == "embed"


def test_many_strings(model: keras.Model) -> None:
    for docs in (TEXTS, np.array(TEXTS), iter(TEXTS)):
        many = list(eli5.explain_predictions(model, docs, method="HiResCAM"))
        assert [spans_of(expl).document for expl in many] == TEXTS
        for text, expl in zip(TEXTS, many, strict=True):
            alone = eli5.explain_prediction(model, text, method="HiResCAM").targets[0]
            np.testing.assert_allclose(expl.targets[0].attribution, alone.attribution, atol=1e-6)


def test_errors(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="Expected neither `tokens` nor padding for a string"):
        eli5.explain_prediction(model, TEXTS[0], tokens=["a"])
    with pytest.raises(ValueError, match="Received: '', 7 steps of padding"):
        eli5.explain_prediction(model, "")
    with pytest.raises(ValueError, match="Expected neither `tokens` nor padding for a string"):
        list(eli5.explain_predictions(model, TEXTS, pad_value=0))

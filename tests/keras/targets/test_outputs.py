"""Outputs that hold what is no tensor: None, numbers, texts, an array."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import ROUNDING, sample, with_weights

METHODS = ["Grad-CAM", "Saliency", "Ablation-CAM", "Occlusion", "Integrated Gradients"]

# What a model may return beside the probabilities; and where these are, as `output` takes it.
RETURNS: dict[str, tuple[Callable[[Any], Any], Any]] = {
    "None behind": (lambda probs: (probs, None), 0),
    "None before": (lambda probs: (None, probs), 1),
    "numbers, texts, flags": (lambda probs: [3, probs, "cat", 2.5, True], 1),
    "dict": (lambda probs: {"aux": None, "probs": probs, "version": "1.0"}, "probs"),
    "nested": (lambda probs: (probs, {"loss": None, "name": "x"}, [None]), 0),
    "list in a dict": (lambda probs: {"probs": probs, "z": [2 * probs[:, None], None]}, "probs"),
    "dict in a dict": (lambda probs: {"main": {"n": 3, "probs": probs}}, "main/probs"),
    "dict in a list in a dict": (lambda probs: {"b": [{"probs": probs}], "a": 1}, "b/0/probs"),
    "array": (lambda probs: (probs, np.zeros(3)), 0),
}


class Returning(keras.Model):  # type: ignore[misc]
    """A convolutional classifier that returns more than its probabilities."""

    def __init__(self, returns: Callable[[Any], Any]) -> None:
        super().__init__(name="returning")
        self.conv = layers.Conv2D(4, 3, activation="relu", name="conv")
        self.pool = layers.GlobalAveragePooling2D()
        self.head = layers.Dense(3, activation="softmax")
        self.returns = returns

    def call(self, x: Any) -> Any:
        return self.returns(self.head(self.pool(self.conv(x))))


def make(returns: Callable[[Any], Any]) -> keras.Model:
    model = Returning(returns)
    model(sample((9, 11, 2)))
    return with_weights(model)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("kind", RETURNS)
def test_what_is_no_tensor_changes_nothing(kind: str, method: str) -> None:
    doc = sample((9, 11, 2))
    returns, output = RETURNS[kind]
    plain = eli5.explain_prediction(make(lambda probs: probs), doc, method=method).targets[0]
    for asked in (None, output):
        found = eli5.explain_prediction(make(returns), doc, method=method, output=asked).targets[0]
        assert found.target == plain.target
        assert found.proba == pytest.approx(plain.proba, rel=1e-5)
        np.testing.assert_allclose(found.heatmap, plain.heatmap, atol=ROUNDING * 1e-4)
        assert plain.heatmap.any()


def test_a_batch_of_docs() -> None:
    docs = np.concatenate([sample((9, 11, 2), seed) for seed in range(3)])
    found = list(eli5.explain_predictions(make(lambda probs: (probs, None)), docs))
    plain = list(eli5.explain_predictions(make(lambda probs: probs), docs))
    for one, other in zip(found, plain, strict=True):
        np.testing.assert_allclose(one.targets[0].heatmap, other.targets[0].heatmap, atol=1e-4)


def test_a_callable_score_gets_the_outputs_as_the_model_returns_them() -> None:
    def score(outputs: Any) -> Any:
        probs, nothing, name = outputs
        assert (nothing, name) == (None, "cat")
        return probs[:, 1]

    model = make(lambda probs: (probs, None, "cat"))
    found = eli5.explain_prediction(model, sample((9, 11, 2)), score=score).targets[0]
    plain = eli5.explain_prediction(
        make(lambda probs: probs), sample((9, 11, 2)), targets=[1], score="output"
    ).targets[0]
    np.testing.assert_allclose(found.heatmap, plain.heatmap, atol=ROUNDING * 1e-4)


@pytest.mark.parametrize("method", ["Grad-CAM", "Ablation-CAM", "Occlusion"])
@pytest.mark.parametrize(
    ("returns", "pick"),
    [(lambda probs: (3, probs), lambda outputs: outputs[1]),
     (lambda probs: {"a": None, "p": probs}, lambda outputs: outputs["p"]),
     (lambda probs: {"a": {"n": "x"}, "p": [probs]}, lambda outputs: outputs["p"][0])],
)  # fmt: skip
def test_a_callable_score_where_the_first_output_is_no_tensor(
    returns: Any, pick: Any, method: str
) -> None:
    doc = sample((9, 11, 2))
    found = eli5.explain_prediction(
        make(returns), doc, score=lambda outputs: pick(outputs)[:, 1], method=method
    ).targets[0]
    plain = eli5.explain_prediction(
        make(lambda probs: probs), doc, targets=[1], score="output", method=method
    ).targets[0]
    np.testing.assert_allclose(found.heatmap, plain.heatmap, atol=ROUNDING * 1e-4)


def test_nested_outputs_of_a_functional_model() -> None:
    inputs = keras.Input((9, 11, 2))
    maps = layers.Conv2D(4, 3, name="conv")(inputs)
    pooled = layers.GlobalAveragePooling2D()(maps)
    first, second = layers.Dense(3)(pooled), layers.Dense(2)(pooled)
    model = keras.Model(inputs, {"z": first, "feats": [maps, {"b": second}]})
    doc = sample((9, 11, 2))
    for output, n_classes in ((None, 3), ("z", 3), (0, 3), ("feats/1/b", 2), (2, 2)):
        expl = eli5.explain_prediction(model, doc, output=output, top_targets=2)
        values = keras.tree.map_structure(keras.ops.convert_to_numpy, model(doc))
        expected = values["z"] if n_classes == 3 else values["feats"][1]["b"]
        assert expl.targets[0].score == pytest.approx(float(expected.max()), rel=1e-4)
    with pytest.raises(ValueError, match=r"one of \['feats/0', 'feats/1/b', 'z'\] or an index"):
        eli5.explain_prediction(model, doc, output="feats")


def test_what_is_no_tensor_cannot_be_explained() -> None:
    model = make(lambda probs: (probs, None))
    with pytest.raises(ValueError, match=r"one of \['0'\].*output=1, which is no tensor"):
        eli5.explain_prediction(model, sample((9, 11, 2)), output=1)
    model = make(lambda probs: (None, "cat"))
    with pytest.raises(
        ValueError, match=r"a model that returns a tensor.*which returns \(None, None\)"
    ):
        eli5.explain_prediction(model, sample((9, 11, 2)))


def test_a_model_without_classes_is_named_as_that() -> None:
    model = make(lambda probs: probs[:, :0])
    with pytest.raises(
        ValueError, match=r"at least one class\. Received: .* output shape \(1, 0\)"
    ):
        eli5.explain_prediction(model, sample((9, 11, 2)))
    with pytest.raises(
        ValueError, match=r"a model that returns a tensor\. Received: .*returns \[\]"
    ):
        eli5.explain_prediction(make(lambda probs: []), sample((9, 11, 2)))

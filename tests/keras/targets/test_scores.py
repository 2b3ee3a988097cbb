"""Which number is differentiated, and that a saturated model still gets a heatmap."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras.gradcam import gradcam_backend
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]


def features(x: Any) -> Any:
    x = layers.Conv2D(5, 3, activation="relu", name="conv")(x)
    return layers.GlobalAveragePooling2D()(x)


def build(head: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((12, 20, 3))
    return with_weights(keras.Model(inputs, head(features(inputs))))


class OpsAtTheEnd(keras.Model):  # type: ignore[misc]
    """A subclass that applies a function, not a layer, to its logits."""

    def __init__(self, function: Callable[[Any], Any]) -> None:
        super().__init__()
        self.conv = layers.Conv2D(5, 3, activation="relu", name="conv")
        self.pool = layers.GlobalAveragePooling2D()
        self.dense = layers.Dense(4)
        self.function = function

    def call(self, x: Any) -> Any:
        return self.function(self.dense(self.pool(self.conv(x))))


def subclassed(function: Callable[[Any], Any]) -> Callable[[], keras.Model]:
    def make() -> keras.Model:
        model = OpsAtTheEnd(function)
        model(sample((12, 20, 3)))
        return with_weights(model)

    return make


def nested_head(x: Any) -> Any:
    head = keras.Sequential(
        [keras.Input((5,)), layers.Dense(4), layers.Activation("softmax")], name="nested"
    )
    return head(x)


ENDINGS: dict[str, Callable[[], keras.Model]] = {
    "dense softmax": lambda: build(layers.Dense(4, activation="softmax")),
    "dense sigmoid": lambda: build(layers.Dense(4, activation="sigmoid")),
    "dense log_softmax": lambda: build(layers.Dense(4, activation="log_softmax")),
    "activation layer": lambda: build(lambda x: layers.Activation("softmax")(layers.Dense(4)(x))),
    "activation float32": lambda: build(
        lambda x: layers.Activation("softmax", dtype="float32")(layers.Dense(4)(x))
    ),
    "softmax layer": lambda: build(lambda x: layers.Softmax()(layers.Dense(4)(x))),
    "ops.softmax": lambda: build(lambda x: keras.ops.softmax(layers.Dense(4)(x))),
    "ops.sigmoid": lambda: build(lambda x: keras.ops.sigmoid(layers.Dense(4)(x))),
    "nested head": lambda: build(nested_head),
    "subclass, ops": subclassed(keras.ops.softmax),
    "subclass, activations": subclassed(keras.activations.softmax),
    "subclass, ops.sigmoid": subclassed(keras.ops.sigmoid),
    "behind it a dropout": lambda: build(
        lambda x: layers.Dropout(0.5)(layers.Dense(4, activation="softmax")(x))
    ),
}


@pytest.mark.parametrize("ending", ENDINGS)
def test_score_before_the_activation_is_found_and_equals_the_logit_model(
    ending: str, doc: Array
) -> None:
    model = ENDINGS[ending]()
    logits = build(layers.Dense(4))
    for target in range(4):
        terms = gradcam_backend(model, doc, [target], "conv", score="logit")
        _, _, gradients, _, value = terms
        _, _, expected, _, _ = gradcam_backend(logits, doc, [target], "conv")
        np.testing.assert_allclose(gradients, expected, atol=1e-6)
        np.testing.assert_allclose(value, model.predict(doc, verbose=0)[0, target], atol=1e-6)
    assert np.abs(expected).max() > 1e-4


@pytest.mark.parametrize("ending", ENDINGS)
def test_probability_is_reported_where_the_output_is_one(ending: str, doc: Array) -> None:
    explanation = eli5.explain_prediction(ENDINGS[ending](), doc, top_targets=4, score="logit")
    for target in explanation.targets:
        assert target.proba == (None if "log" in ending else target.score)


def saturate(model: keras.Model) -> keras.Model:
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel * 3000, bias])
    return model


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_a_saturated_model_gets_the_heatmap_of_its_logits(activation: str, doc: Array) -> None:
    model = saturate(make_classifier(activation=activation))
    logits = saturate(make_classifier(activation=None))
    explanation = eli5.explain_prediction(model, doc, score="logit")
    expected = eli5.explain_prediction(logits, doc, targets=[explanation.targets[0].target])
    assert explanation.targets[0].score == 1.0
    assert explanation.targets[0].proba == 1.0
    assert expected.targets[0].proba is None
    assert explanation.targets[0].heatmap.max() == 1
    np.testing.assert_allclose(
        explanation.targets[0].heatmap, expected.targets[0].heatmap, atol=1e-5
    )


def test_output_is_differentiated_as_it_is_when_asked(doc: Array) -> None:
    model, logits = make_classifier(), make_classifier(activation=None)
    values = keras.ops.convert_to_tensor(logits.predict(doc, verbose=0)[0])
    p = keras.ops.convert_to_numpy(keras.ops.softmax(values))
    terms = [gradcam_backend(logits, doc, [k], "conv")[2] for k in range(4)]
    # d p_1 / d A = p_1 (d z_1 / d A - sum_k p_k d z_k / d A)
    expected = p[1] * (terms[1] - sum(p[k] * terms[k] for k in range(4)))
    weights = expected.mean(axis=(0, 1))
    activations = gradcam_backend(model, doc, [1], "conv")[1]
    cam = np.maximum(activations @ weights, 0)
    heatmap = eli5.explain_prediction(model, doc, targets=[1], layer="conv", score="output")
    np.testing.assert_allclose(heatmap.targets[0].heatmap, cam / cam.max(), atol=1e-4)
    logit = eli5.explain_prediction(model, doc, targets=[1], layer="conv", score="logit")
    assert np.abs(logit.targets[0].heatmap - heatmap.targets[0].heatmap).max() > 0.01


def test_a_saturated_output_gives_an_empty_heatmap_that_says_why(doc: Array) -> None:
    model = saturate(make_classifier())
    with pytest.warns(UserWarning, match="gradient of the model's output is zero.*saturated"):
        explanation = eli5.explain_prediction(model, doc, score="output")
    assert not explanation.targets[0].heatmap.any()
    assert "is empty: the gradient of the model's output is zero" in str(explanation.description)


def test_log_odds_are_the_default_where_there_are_logits(model: keras.Model, doc: Array) -> None:
    explanation = eli5.explain_prediction(model, doc, score="log-odds")
    assert explanation == eli5.explain_prediction(model, doc)
    assert explanation != eli5.explain_prediction(model, doc, score="logit")


def test_logit_is_refused_where_there_is_none(doc: Array) -> None:
    model = make_classifier(activation=None)
    with pytest.raises(ValueError, match='ends in a softmax or a sigmoid for score="logit"'):
        eli5.explain_prediction(model, doc, score="logit")


def margin(outputs: Any) -> Any:
    return outputs[:, 1] - outputs[:, 2]


def test_a_callable_picks_its_own_number(doc: Array) -> None:
    model = make_classifier(activation=None)
    explanation = eli5.explain_prediction(model, doc, layer="conv", score=margin)
    (target,) = explanation.targets
    output = model.predict(doc, verbose=0)[0]
    assert (target.target, target.proba) == ("margin", None)
    assert target.score == pytest.approx(output[1] - output[2], abs=1e-5)
    assert explanation.is_regression
    one, two = (gradcam_backend(model, doc, [k], "conv") for k in (1, 2))
    cam = np.maximum(one[1] @ (one[0] - two[0]), 0)
    np.testing.assert_allclose(target.heatmap, cam / cam.max(), atol=1e-5)


def test_a_callable_explains_what_is_no_classifier() -> None:
    inputs = keras.Input((12, 20, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    model = with_weights(keras.Model(inputs, layers.Conv2D(2, 1, name="mask")(x)))
    with pytest.warns(UserWarning, match="comes from layer 'conv' place by place"):
        explanation = eli5.explain_prediction(
            model, sample((12, 20, 3)), layer="conv", score=lambda mask: mask[0, 3, 4, 1]
        )
    assert explanation.targets[0].target == "<lambda>"
    assert explanation.targets[0].heatmap.shape == (10, 18)


@pytest.mark.parametrize(
    ("score", "error", "message"),
    [
        (
            "logits",
            ValueError,
            r"\('auto', 'log-odds', 'logit', 'output'\) or a callable. Received: score='lo",
        ),
        (3, TypeError, "Received: score=3"),
        (None, TypeError, "Received: score=None"),
        (lambda outputs: outputs, ValueError, r"one number per sample.*returned shape \(1, 4\)"),
        (lambda outputs: 1.0, ValueError, r"<lambda> returned 1\.0"),
        (lambda outputs: keras.ops.ones(1), ValueError, "depends on in a differentiable way"),
    ],
)
def test_a_bad_score_is_refused(
    model: keras.Model, doc: Array, score: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, score=score)


def test_a_callable_score_stands_alone(model: keras.Model, doc: Array) -> None:
    with pytest.raises(
        ValueError, match=r"beside a callable `score`.*Received: targets=\[1\], top_targets=None"
    ):
        eli5.explain_prediction(model, doc, score=margin, targets=[1])

"""The log-odds of a class: against float64 by hand, and never without a gradient."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras.gradcam import gradcam_backend
from eli5.keras.targets.class_scores import log_odds
from helpers.model_kinds import flat, picture
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
SIZE = (12, 20, 3)


def by_hand(logits: Array, class_id: int) -> float:
    """Return ``y_c - log sum_{k != c} exp y_k`` in float64."""
    others = np.delete(logits.astype("float64"), class_id)
    return float(logits[class_id] - others.max() - np.log(np.exp(others - others.max()).sum()))


def gap_dense(activation: str | None = "softmax", units: int = 4, times: float = 1) -> keras.Model:
    """Return convolution, global average pooling and one dense layer of `times` the weights."""
    inputs = keras.Input(SIZE)
    x = layers.Conv2D(5, 3, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(x)
    model = with_weights(
        keras.Model(inputs, layers.Dense(units, activation=activation, name="head")(x)), seed=5
    )
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([times * kernel, bias])
    return model


@pytest.mark.parametrize("scale", [1e-3, 1, 30, 3000])
def test_they_equal_those_by_hand(scale: float) -> None:
    logits = np.random.default_rng(0).normal(0, scale, (5, 7)).astype("float32")
    logits[3] = logits[3, 0]  # all equal
    logits[4, :2] = logits[4].max()  # two share the first place
    classes = np.tile(np.arange(7, dtype="int32"), (5, 1))
    found = ops.convert_to_numpy(log_odds(ops.convert_to_tensor(logits), classes))
    right = [[by_hand(row, k) for k in range(7)] for row in logits]
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, right, rtol=2e-6, atol=1e-6 * max(scale, 1))


def test_of_half_precision_they_are_those_of_its_numbers() -> None:
    logits = np.array([[9.5, -3.25, 0.5, 30.0]], "float16")
    found = log_odds(ops.convert_to_tensor(logits), np.array([[0, 3]], "int32"))
    right = [[by_hand(logits[0], 0), by_hand(logits[0], 3)]]
    np.testing.assert_allclose(ops.convert_to_numpy(found), right, rtol=1e-6)


def test_the_terms_are_those_of_the_formula_behind_pooling_and_a_dense_layer() -> None:
    model, doc = gap_dense(), sample(SIZE)
    kernel = model.get_layer("head").get_weights()[0].astype("float64")
    p = ops.convert_to_numpy(model(doc))[0].astype("float64")
    for c in range(4):
        weights, *_ = gradcam_backend(model, doc, [c], "conv", score="log-odds")
        others = np.delete(p, c) / np.delete(p, c).sum()
        right = (kernel[:, c] - np.delete(kernel, c, axis=1) @ others) / (10 * 18)
        np.testing.assert_allclose(weights, right, rtol=2e-4, atol=1e-8)


def test_the_gradient_equals_finite_differences() -> None:
    model, logits, doc = gap_dense(), gap_dense(None), sample(SIZE)
    head = keras.Sequential([keras.Input((10, 18, 5)), *logits.layers[2:]])
    _, activations, gradients, *_ = gradcam_backend(model, doc, [2], "conv", score="log-odds")

    def score(points: Array) -> Array:
        rows = head.predict(points, verbose=0, batch_size=1024)
        return np.array([by_hand(row, 2) for row in rows])

    step = np.zeros_like(activations)
    for k in range(5):  # behind pooling each place has the same slope
        step[4, 7] = 0
        step[4, 7, k] = 8.0
        high, low = score(np.stack([activations + step, activations - step]))
        assert gradients[4, 7, k] == pytest.approx((high - low) / 16, abs=2e-5)


@pytest.mark.parametrize("method", ["Grad-CAM", "HiResCAM", "LayerCAM", "XGrad-CAM"])
def test_an_unsaturated_map_is_that_of_the_output(method: str) -> None:
    options: dict[str, Any] = {"method": method, "top_targets": 4}
    by_default = eli5.explain_prediction(flat(), picture(), **options)
    output = eli5.explain_prediction(flat(), picture(), score="output", **options)
    for one, other in zip(by_default.targets, output.targets, strict=True):
        assert one.heatmap.max() == 1
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16", "bfloat16"])
def test_a_prediction_of_exactly_one_has_a_map(policy: str) -> None:
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = gap_dense(times=300)
    finally:
        keras.config.set_dtype_policy(before)
    (target,) = eli5.explain_prediction(model, sample(SIZE)).targets
    assert target.proba == 1.0
    assert target.heatmap.max() == 1
    assert target.explained > 20
    # What speaks for the class and not for the one that comes next.
    kernel, bias = gap_dense(None, times=300).get_layer("head").get_weights()
    activations = gradcam_backend(gap_dense(), sample(SIZE), [0], "conv")[1]
    order = np.argsort(activations.mean(axis=(0, 1)) @ kernel + bias)
    cam = np.maximum(activations @ (kernel[:, order[-1]] - kernel[:, order[-2]]), 0)
    np.testing.assert_allclose(
        target.heatmap, cam / cam.max(), atol=1e-4 if policy == "float32" else 0.05
    )


def test_methods_on_logits_keep_them_in_the_same_run() -> None:
    names = ["Grad-CAM", "CAM", "Finer-CAM", "Occlusion"]
    together = eli5.explain_prediction(flat(), picture(), methods=names, top_targets=2)
    said = {one.method: one.targets[0].explained_name for one in together}
    assert said == {
        "Grad-CAM": "log-odds",
        "CAM": "logit",
        "Finer-CAM": "contrasted logit",
        "Occlusion": "log-odds",
    }
    logits = flat(None).predict(picture(), verbose=0)[0]
    for explanation in together:
        alone = eli5.explain_prediction(flat(), picture(), method=explanation.method, top_targets=2)
        for found, right in zip(explanation.targets, alone.targets, strict=True):
            np.testing.assert_allclose(found.heatmap, right.heatmap, atol=1e-5)
            assert found.explained == pytest.approx(right.explained, abs=1e-5)
            c = found.target
            closest = np.delete(logits, c)[np.argsort(np.abs(np.delete(logits, c) - logits[c]))]
            number = {
                "log-odds": by_hand(logits, c),
                "logit": logits[c],
                "contrasted logit": logits[c] - closest[:3].mean(),
            }[found.explained_name]
            assert found.explained == pytest.approx(number, abs=1e-4)
        assert (
            "log-odds of the class" in explanation.description or explanation.method in names[1:3]
        )


@pytest.mark.parametrize("method", ["CAM", "Finer-CAM"])
def test_methods_on_logits_refuse_other_numbers(method: str) -> None:
    message = f"logits of the classes for method='{method}'.*Received: score='log-odds'. Leave"
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(flat(), picture(), methods=["Grad-CAM", method], score="log-odds")


def test_the_outputs_of_a_model_without_a_softmax_are_taken_for_logits_if_asked() -> None:
    right = eli5.explain_prediction(flat(), picture(), top_targets=4)
    found = eli5.explain_prediction(flat(None), picture(), top_targets=4, score="log-odds")
    plain = eli5.explain_prediction(flat(None), picture(), top_targets=4)
    for one, other, as_it_is in zip(found.targets, right.targets, plain.targets, strict=True):
        assert one.target == other.target
        assert one.explained == pytest.approx(other.explained, abs=1e-5)
        np.testing.assert_allclose(one.heatmap, other.heatmap, atol=1e-5)
        assert (as_it_is.explained, as_it_is.explained_name) == (as_it_is.score, "output")
        assert one.proba is as_it_is.proba is None


def test_of_labels_that_stand_alone_they_are_the_logits() -> None:
    model = flat("sigmoid")
    explanation = eli5.explain_prediction(model, picture(), top_targets=4)
    logit = eli5.explain_prediction(model, picture(), top_targets=4, score="logit")
    logits = flat(None).predict(picture(), verbose=0)[0]
    for one, other in zip(explanation.targets, logit.targets, strict=True):
        np.testing.assert_array_equal(one.heatmap, other.heatmap)
        assert one.explained == pytest.approx(logits[one.target], abs=1e-5)


def test_against_a_class_speaks_what_lowers_them() -> None:
    options: dict[str, Any] = {"method": "HiResCAM", "targets": [1]}
    found = eli5.explain_prediction(flat(), picture(), sign="negative", **options).targets[0]
    right = eli5.explain_prediction(flat(), picture(), **options).targets[0]
    np.testing.assert_allclose(found.attribution, -right.attribution, atol=1e-7)
    assert found.explained == pytest.approx(right.explained)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.filterwarnings(r"ignore:(.|\n)*You are using a softmax over axis")
def test_a_softmax_over_one_unit_has_its_logit() -> None:
    model = gap_dense(units=1)
    (target,) = eli5.explain_prediction(model, sample(SIZE)).targets
    logit = gap_dense(None, units=1).predict(sample(SIZE), verbose=0)[0, 0]
    assert target.explained == pytest.approx(logit, abs=1e-5)
    assert (target.target, target.proba) == (0, 1.0)


def test_ablation_of_a_score_that_is_zero_but_for_rounding_is_not_scaled() -> None:
    model = gap_dense("softmax", units=2)
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, bias - bias])
    logits = (
        keras.Model(model.inputs, model.get_layer("head").input)
        .predict(sample(SIZE), verbose=0)[0]
        .astype("float64")
        @ kernel
    )
    shift = np.array([0, logits[0] - logits[1]], "float32")
    model.get_layer("head").set_weights([kernel, shift])
    explanation = eli5.explain_prediction(
        model, sample(SIZE), targets=[1], method="Ablation-CAM", layer="conv"
    )
    (target,) = explanation.targets
    assert abs(target.explained) < 1e-5
    pooled = gradcam_backend(model, sample(SIZE), [1], "conv")[1]
    drops = pooled.mean(axis=(0, 1)) * (kernel[:, 1] - kernel[:, 0])
    right = np.maximum(pooled @ drops, 0)
    np.testing.assert_allclose(target.attribution, right, atol=1e-4 * right.max())

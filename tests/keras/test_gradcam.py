"""Grad-CAM and its terms against literal, slow computations."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
import eli5.keras
from eli5.keras.gradcam import gradcam, gradcam_backend
from helpers.finite_differences import Array, finite_differences
from helpers.models import make_classifier, sample, with_weights


def slow_gradcam(weights: Array, activations: Array) -> Array:
    """Return arXiv:1610.02391, equation 2, loop by loop in float64, over its maximum."""
    height, width, maps = activations.shape
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            total = sum(float(weights[k]) * float(activations[i, j, k]) for k in range(maps))
            result[i, j] = max(total, 0.0)
    return result / result.max() if result.max() > 0 else result


@pytest.mark.parametrize(
    ("weights", "activations"),
    [
        (sample((5,))[0], sample((3, 4, 5))[0]),
        (sample((5,))[0], np.zeros((3, 4, 5))),
        (np.zeros(5), sample((3, 4, 5))[0]),
        (np.ones(5), np.full((3, 4, 5), 2.0)),
        (sample((5,))[0] * 1e4, sample((3, 4, 5))[0] * 1e4),
        (sample((5,))[0] * 1e-12, sample((3, 4, 5))[0] * 1e-12),
        (np.ones(5), -np.ones((3, 4, 5))),
        (np.ones(2, dtype=int), np.arange(12).reshape(2, 3, 2)),
    ],
    ids=["mixed", "dead", "no weight", "constant", "huge", "tiny", "negative", "integers"],
)
def test_map_equals_its_slow_twin(weights: Array, activations: Array) -> None:
    heatmap = gradcam(weights, activations)
    assert heatmap.shape == activations.shape[:2]
    assert 0 <= heatmap.min() <= heatmap.max() <= 1
    np.testing.assert_allclose(heatmap, slow_gradcam(weights, activations), atol=1e-5)


@pytest.mark.parametrize(
    ("weights", "activations", "message"),
    [
        (np.ones((2, 2)), np.ones((3, 3, 2)), r"shape \(C,\).*weights.shape=\(2, 2\)"),
        (np.ones(2), np.ones((3, 3)), r"activations.shape=\(3, 3\)"),
        (np.ones(3), np.ones((3, 3, 2)), r"weights.shape=\(3,\), activations.shape=\(3, 3, 2\)"),
        (np.array([1, np.nan]), np.ones((3, 3, 2)), "Expected finite"),
        (np.ones(2), np.full((3, 3, 2), np.inf), "Expected finite"),
    ],
)
def test_map_refuses_what_has_no_map(weights: Array, activations: Array, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        gradcam(weights, activations)


def head_of(model: keras.Model, layer: str) -> keras.Model:
    """Return the part of a Sequential behind `layer`, as a model of its own on the same weights."""
    names = [one.name for one in model.layers]
    behind = model.layers[names.index(layer) + 1 :]
    return keras.Sequential([keras.Input(model.get_layer(layer).output.shape[1:]), *behind])


def test_backend_terms_equal_finite_differences_through_the_head(doc: Array) -> None:
    # A smooth head: finite differences tell nothing at the kinks of a maximum.
    model = with_weights(make_classifier(activation=None, pool=layers.AveragePooling2D))
    weights, activations, gradients, index, value = gradcam_backend(
        model, doc, [2], model.get_layer("relu")
    )
    body = keras.Model(model.inputs, model.get_layer("relu").output)
    head = head_of(model, "relu")
    np.testing.assert_allclose(activations, body.predict(doc, verbose=0)[0], atol=1e-6)

    def score(points: Array) -> Array:
        return head.predict(points, verbose=0, batch_size=512)[:, 2]

    np.testing.assert_allclose(gradients, finite_differences(score, activations), atol=1e-4)
    assert np.abs(gradients).max() > 0.02
    np.testing.assert_allclose(weights, gradients.mean(axis=(0, 1)), atol=1e-6)
    assert (index, type(index), type(value)) == (2, int, float)
    np.testing.assert_allclose(value, model.predict(doc, verbose=0)[0, 2], atol=1e-6)


def test_backend_takes_the_top_prediction_without_targets(model: keras.Model, doc: Array) -> None:
    *_, index, value = gradcam_backend(model, doc, None, "conv")
    prediction = model.predict(doc, verbose=0)[0]
    assert index == prediction.argmax()
    np.testing.assert_allclose(value, prediction.max(), atol=1e-6)


def test_heatmap_is_the_map_of_the_backend_terms(model: keras.Model, doc: Array) -> None:
    terms = gradcam_backend(model, doc, [1], "conv", score="log-odds")
    weights, activations, gradients, *_ = terms
    assert gradients.shape == activations.shape == (10, 18, 6)
    heatmap = eli5.explain_prediction(model, doc, targets=[1], layer="conv").targets[0].heatmap
    np.testing.assert_allclose(heatmap, slow_gradcam(weights, activations), atol=1e-5)


def test_equals_cam_on_a_net_of_conv_pooling_dense(doc: Array) -> None:
    model = keras.Sequential(
        [
            keras.Input((12, 20, 3)),
            layers.Conv2D(5, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax", name="head"),
        ]
    )
    with_weights(model)
    weights, activations, *_ = gradcam_backend(model, doc, [3], "conv", score="logit")
    kernel = keras.ops.convert_to_numpy(model.get_layer("head").kernel)
    height, width, _ = activations.shape
    np.testing.assert_allclose(weights, kernel[:, 3] / (height * width), rtol=1e-4, atol=1e-8)
    cam = np.maximum(activations @ kernel[:, 3], 0)
    explanation = eli5.explain_prediction(model, doc, targets=[3], score="logit")
    heatmap = explanation.targets[0].heatmap
    np.testing.assert_allclose(heatmap, cam / cam.max(), atol=1e-5)


def test_backend_differentiates_the_output_node(doc: Array) -> None:
    model = keras.Sequential(
        [
            keras.Input((12, 20, 3)),
            layers.Conv2D(5, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(4, activation="softmax", name="head"),
        ]
    )
    with_weights(model)
    kernel = model.get_layer("head").get_weights()[0].astype("float64")
    conv = keras.Sequential(model.layers[:1])
    p = model.predict(doc, verbose=0)[0].astype("float64")
    for c in range(4):
        weights, activations, gradients, index, value = gradcam_backend(model, doc, [c], "conv")
        right = p[c] * (kernel[:, c] - kernel @ p) / (10 * 18)
        np.testing.assert_allclose(weights, right, rtol=2e-4, atol=1e-9)
        np.testing.assert_allclose(gradients, np.broadcast_to(right, (10, 18, 5)), atol=1e-8)
        np.testing.assert_allclose(activations, conv.predict(doc, verbose=0)[0], atol=1e-6)
        assert index == c
        assert value == pytest.approx(p[c], abs=1e-6)


def test_backend_takes_other_scores(doc: Array) -> None:
    model, logits = make_classifier(), make_classifier(activation=None)
    _, _, expected, *_ = gradcam_backend(logits, doc, [2], "conv")
    _, _, found, *_ = gradcam_backend(model, doc, [2], "conv", score="logit")
    np.testing.assert_allclose(found, expected, atol=1e-6)
    terms = gradcam_backend(model, doc, None, "conv", score=lambda outputs: 3 * outputs[:, 1])
    _, _, output, *_ = gradcam_backend(model, doc, [1], "conv")
    np.testing.assert_allclose(terms[2], 3 * output, atol=1e-6)


def test_dotted_name_works_after_importing_the_package() -> None:
    assert eli5.keras.gradcam.gradcam is gradcam
    assert eli5.keras.gradcam.gradcam_backend is gradcam_backend


def test_backend_checks_as_the_explanation_does(model: keras.Model, doc: Array) -> None:
    with pytest.raises(ValueError, match=r"doc.shape=\(2, 12, 20, 3\)"):
        gradcam_backend(model, np.concatenate([doc, doc]), None, "conv")
    with pytest.raises(TypeError, match="targets=3"):
        gradcam_backend(model, doc, 3, "conv")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"layer=1\.5"):
        gradcam_backend(model, doc, None, 1.5)


@pytest.mark.parametrize(
    "wrong", [[None], "ab", [[1.0], [1.0, 2.0]], np.array([1j]), {1.0}, object()]
)
def test_what_is_no_array_of_numbers_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"Expected `weights` to be a NumPy array of numbers\. Rec"):
        gradcam(wrong, np.ones((2, 3, 1)))
    with pytest.raises(TypeError, match=r"Expected `activations` to be a NumPy array of numbers"):
        gradcam(np.ones(1), wrong)


def test_masked_terms_are_refused() -> None:
    weights = np.ma.masked_array([1.0, 2.0], [False, True])
    with pytest.raises(ValueError, match="Expected `weights` without masked values"):
        gradcam(weights, np.ones((2, 3, 2)))

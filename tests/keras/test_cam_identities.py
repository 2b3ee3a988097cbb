"""What class activation maps must be on models whose maps can be worked out otherwise."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras.gradcam import gradcam_backend
from helpers.ablation_twin import Array, brute_force, output_of, sample_of
from helpers.model_kinds import GRID, SIZE, body, chain, flat, picture
from helpers.models import make_classifier, with_weights
from helpers.transformers import transformer


def explained(model: keras.Model, doc: Any, method: str, **options: Any) -> Array:
    """Return the attribution of one class."""
    (target,) = eli5.explain_prediction(model, doc, method=method, **options).targets
    assert target.attribution.dtype == np.float32
    return target.attribution


def assert_equal(found: Array, right: Array, tolerance: float = 1e-5) -> None:
    assert np.abs(right).max() > 1e-4
    np.testing.assert_allclose(found, right, atol=tolerance * np.abs(right).max())


# Behind the target layer: global average pooling and one dense layer

N_PLACES = GRID[0] * GRID[1]


def cam_by_hand(target: int) -> tuple[Array, Array, Array]:
    """Return the maps, the dense layer's own weights, and CAM, for `flat`."""
    model = flat()
    kernel = keras.ops.convert_to_numpy(model.get_layer("top").kernel).astype("float64")
    maps = output_of(model, "last")
    return maps, kernel[:, target], maps @ kernel[:, target]


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("target", range(4))
def test_on_a_net_of_convolution_pooling_dense_most_maps_are_cam(target: int) -> None:
    names = ["CAM", "Grad-CAM", "HiResCAM", "XGrad-CAM", "LayerCAM", "ShapleyCAM", "Ablation-CAM"]
    options: dict[str, Any] = {"targets": [target], "score": "logit"}
    explanations = eli5.explain_prediction(flat(), picture(), methods=names, **options)
    found = {one.method: one.targets[0].attribution for one in explanations}
    maps, weights, cam = cam_by_hand(target)
    assert_equal(found["CAM"], cam)
    assert_equal(found["Grad-CAM"] * N_PLACES, np.maximum(cam, 0))
    assert_equal(found["ShapleyCAM"] * N_PLACES, np.maximum(cam, 0))
    assert_equal(found["HiResCAM"] * N_PLACES, cam)
    assert_equal(found["XGrad-CAM"] * N_PLACES, cam)
    assert_equal(found["LayerCAM"] * N_PLACES, maps @ np.maximum(weights, 0))
    parts = weights * maps.mean(axis=(0, 1))  # of the score, before the bias
    score = parts.sum() + flat().get_weights()[-1][target]
    assert_equal(found["Ablation-CAM"], np.maximum(maps @ (parts / abs(score)), 0), 1e-4)


def test_layer_cam_is_hires_cam_where_gradients_are_positive() -> None:
    model, options = flat(), {"targets": [2], "score": "logit"}
    *body, kernel, bias = model.get_weights()
    model.set_weights([*body, np.abs(kernel), bias])
    hires_cam = explained(model, picture(), "HiResCAM", **options)
    assert_equal(explained(model, picture(), "LayerCAM", **options), hires_cam)


# Terms


@pytest.mark.parametrize("layer", ["conv", "relu", "pool"])
def test_formulas_on_the_backends_terms(layer: str) -> None:
    model = make_classifier()
    doc, options = sample_of(model), {"targets": [1], "layer": layer}
    terms = gradcam_backend(model, doc, [1], layer, score="log-odds")
    weights, activations, gradients, *_ = terms
    product = activations.astype("float64") * gradients
    assert_equal(explained(model, doc, "HiResCAM", **options), product.sum(axis=-1))
    cam = np.maximum(activations @ weights, 0)
    assert_equal(explained(model, doc, "Grad-CAM", **options), cam)
    # The axiom of sensitivity.
    total = explained(model, doc, "XGrad-CAM", **options).sum()
    np.testing.assert_allclose(total, product.sum(), rtol=1e-3)


def test_finer_cam_is_grad_cam_of_the_contrast() -> None:
    model = flat(activation=None)
    outputs = model.predict(picture(), verbose=0)[0]
    one, two = np.argsort(np.abs(outputs - outputs[3]))[1:3]

    def contrast(outputs: Any) -> Any:
        return outputs[:, 3] - 0.6 * (outputs[:, one] + outputs[:, two]) / 2

    signed = explained(model, picture(), "HiResCAM", score=contrast)
    options = {"targets": [3], "n_similar": 2, "gamma": 0.6}
    for sign, right in (("positive", signed), ("negative", -signed)):
        found = explained(model, picture(), "Finer-CAM", sign=sign, **options)
        assert_equal(found, np.maximum(right, 0))


# ShapleyCAM's second order


def sum_of_squares(outputs: Any) -> Any:
    return keras.ops.sum(keras.ops.square(outputs), axis=-1)


def test_shapley_cam_of_a_quadratic_score() -> None:
    model = flat(activation=None)
    maps = output_of(model, "last")
    kernel, bias = (w.astype("float64") for w in model.get_weights()[-2:])
    outputs = maps.mean(axis=(0, 1)) @ kernel + bias
    slopes = kernel @ (2 * outputs) / N_PLACES
    # The Hessian times the maps: of (p W + b)^2 with p the pooled maps it is 2 W W^T p.
    hessian_products = kernel @ (2 * (outputs - bias)) / N_PLACES
    right = np.maximum(maps @ (slopes - hessian_products / 2), 0)
    assert_equal(explained(model, picture(), "ShapleyCAM", score=sum_of_squares), right)
    grad_cam = np.maximum(maps @ slopes, 0)
    assert np.abs(right - grad_cam).max() > 0.1 * np.abs(right).max()


def test_shapley_cam_equals_finite_differences_of_the_gradient() -> None:
    model = make_classifier(pool=layers.AveragePooling2D)
    maps = output_of(model, "relu")
    W, b, V, c = (w.astype("float64") for w in model.get_weights()[-4:])

    def score(points: Array) -> Array:
        pooled = points.reshape(len(points), 5, 2, 9, 2, 6).mean(axis=(2, 4))
        return np.tanh(pooled.reshape(len(points), -1) @ W + b) @ V[:, 3] + c[3]

    def gradient(point: Array, step: float = 1e-4) -> Array:
        steps = step * np.eye(point.size).reshape(-1, *point.shape)
        return ((score(point + steps) - score(point - steps)) / (2 * step)).reshape(point.shape)

    bend = (gradient(1.01 * maps) - gradient(0.99 * maps)) / 0.02
    right = np.maximum(maps @ (gradient(maps) - bend / 2).mean(axis=(0, 1)), 0)
    doc = sample_of(model)
    options: dict[str, Any] = {"layer": "relu", "targets": [3], "score": "logit"}
    assert_equal(explained(model, doc, "ShapleyCAM", **options), right, 2e-3)
    grad_cam = explained(model, doc, "Grad-CAM", **options)
    assert np.abs(right - grad_cam).max() > 0.02 * right.max()


# Ablation-CAM


def check_ablation(model: keras.Model, layer: str, n_before: int = 0, **options: Any) -> None:
    """Compare the maps of all classes with brute force; those of most must not be empty."""
    explanation = eli5.explain_prediction(
        model, sample_of(model), method="Ablation-CAM", layer=layer, top_targets=4, **options
    )
    right = brute_force(model, layer, n_before)
    for target in explanation.targets:
        expected = right[target.target].reshape(target.attribution.shape)
        atol = 1e-3 * expected.max() + 1e-6
        np.testing.assert_allclose(target.attribution, expected, atol=atol)
    assert sum(target.heatmap.any() for target in explanation.targets) >= 2


def skipped(join: type[layers.Layer], around: bool) -> keras.Model:
    """Return a net with a connection around the target layer, or from it to a later one."""
    inputs = keras.Input(SIZE)
    x = chain(inputs, body()[:3])
    y = layers.Conv2D(6, 3, padding="same", activation="relu", name="target")(x)
    z = layers.Conv2D(6, 3, padding="same", activation="tanh")(y)
    x = join()([x if around else y, z])
    x = layers.Dense(4)(layers.GlobalMaxPooling2D()(x))
    return with_weights(keras.Model(inputs, x), seed=3)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("around", [True, False])
@pytest.mark.parametrize("join", [layers.Add, layers.Concatenate])
def test_ablation_equals_brute_force_beside_a_skip_connection(
    join: type[layers.Layer], around: bool
) -> None:
    for batch_size in (4, 32):
        check_ablation(skipped(join, around), "target", batch_size=batch_size)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("layer", ["conv", "relu", "pool"])
def test_ablation_equals_brute_force_in_a_sequential(layer: str) -> None:
    check_ablation(make_classifier(), layer, score="logit")


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize(
    ("n_before", "pooled", "layer"), [(0, True, "norm"), (5, True, "norm"), (1, False, "two_norm1")]
)
def test_ablation_of_tokens_leaves_those_before_the_patches(
    n_before: int, pooled: bool, layer: str
) -> None:
    check_ablation(transformer(n_before, pooled=pooled), layer, n_before, score="logit")

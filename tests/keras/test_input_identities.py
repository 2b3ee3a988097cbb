"""What methods that explain the input must give on models whose answer is known."""

from __future__ import annotations

from itertools import combinations
from math import factorial
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.finite_differences import finite_differences
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]
SIZE = (8, 12, 3)


def explained(model: keras.Model, method: str, **options: Any) -> Any:
    (target,) = eli5.explain_prediction(model, doc(), method=method, **options).targets
    assert target.attribution.shape == SIZE[:2]
    assert target.attribution.dtype == np.float32
    return target


def doc() -> Array:
    return sample(SIZE, seed=3)


def smooth(activation: str | None = "softmax") -> keras.Model:
    """Return a convolutional net without kinks."""
    steps = [
        layers.Conv2D(6, 3, activation="tanh"),
        layers.AveragePooling2D(2),
        layers.Conv2D(8, 3, activation="gelu"),
        layers.Flatten(),
        layers.Dense(6, activation="softplus"),
        layers.Dense(4, activation=activation),
    ]
    return with_weights(keras.Sequential([keras.Input(SIZE), *steps]), seed=1)


def linear() -> keras.Model:
    return with_weights(
        keras.Sequential([keras.Input(SIZE), layers.Flatten(), layers.Dense(3)]), seed=1
    )


def contributions(target: int) -> Array:
    """Return weight times input of the linear model, summed over channels."""
    kernel = linear().get_weights()[0].astype("float64")
    return (kernel[:, target].reshape(SIZE) * doc()[0]).sum(axis=-1)


# Gradients


@pytest.mark.parametrize("target", [0, 3])
def test_gradients_equal_finite_differences(target: int) -> None:
    model = smooth(activation=None)

    def score(points: Array) -> Array:
        return model.predict(points, verbose=0, batch_size=1024)[:, target]

    slopes = finite_differences(score, doc()[0].astype("float64"))
    for made, score_name in ((smooth(activation=None), "output"), (smooth(), "logit")):
        options: dict[str, Any] = {"targets": [target], "score": score_name}
        saliency = explained(made, "Saliency", **options).attribution
        np.testing.assert_allclose(saliency, np.abs(slopes).max(axis=-1), atol=2e-4)
        product = explained(made, "Gradient × Input", **options).attribution
        np.testing.assert_allclose(product, (slopes * doc()[0]).sum(axis=-1), atol=2e-4)
    assert np.abs(slopes).max() > 0.01


def test_the_gradient_of_the_output_is_that_of_the_probability() -> None:
    model = smooth()

    def score(points: Array) -> Array:
        return model.predict(points, verbose=0, batch_size=1024)[:, 1]

    slopes = finite_differences(score, doc()[0].astype("float64"))
    found = explained(model, "Saliency", targets=[1], score="output").attribution
    np.testing.assert_allclose(found, np.abs(slopes).max(axis=-1), atol=1e-4)


# Integrated Gradients


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("baseline", [0.0, "mean", "blur"])
def test_integrated_gradients_are_complete_on_a_smooth_net(baseline: Any) -> None:
    options = {"method": "Integrated Gradients", "top_targets": 4, "baseline": baseline}
    explanation = eli5.explain_prediction(smooth(), doc(), score="logit", **options)
    logits = smooth(activation=None)
    start = np.zeros_like(doc())
    if baseline == "mean":
        start = start + doc().mean(axis=(1, 2), keepdims=True)
    whole, empty = (logits.predict(x, verbose=0)[0] for x in (doc(), start))
    for target in explanation.targets:
        difference = target.details["score_difference"]
        assert target.details["completeness_error"] < 0.01
        assert target.attribution.sum() == pytest.approx(difference, rel=0.01)
        if baseline != "blur":
            assert difference == pytest.approx((whole - empty)[target.target], abs=1e-5)
    assert "sum of the attributions misses the difference" in str(explanation.description)


def test_too_few_steps_are_told() -> None:
    explanation = eli5.explain_prediction(
        make_classifier(), 4 * sample((12, 20, 3)), method="integratedgradients", steps=1
    )
    assert explanation.targets[0].details["completeness_error"] > 0.05
    assert "Take more `steps`" in str(explanation.description)


@pytest.mark.parametrize("steps", [1, 5])
def test_integrated_gradients_of_a_linear_model_are_exact(steps: int) -> None:
    found = explained(linear(), "Integrated Gradients", targets=[1], steps=steps)
    np.testing.assert_allclose(found.attribution, contributions(1), atol=1e-5)
    assert found.details["completeness_error"] < 1e-4


# Perturbations


def test_occlusion_of_single_pixels_of_a_linear_model_is_weight_times_input() -> None:
    found = explained(linear(), "Occlusion", targets=[2], patch=1, stride=1).attribution
    np.testing.assert_allclose(found, contributions(2), atol=1e-5)


def test_occlusion_of_patches_of_a_linear_model_is_their_sum() -> None:
    found = explained(linear(), "Occlusion", targets=[2], patch=4, stride=4).attribution
    sums = contributions(2).reshape(2, 4, 3, 4).sum(axis=(1, 3))
    np.testing.assert_allclose(found, sums.repeat(4, axis=0).repeat(4, axis=1), atol=1e-5)


def test_rise_of_a_linear_model_follows_weight_times_input() -> None:
    model = linear()
    # Cells as large as a pixel: the masks blur by no more than that.
    found = explained(model, "RISE", targets=[0], n_masks=4000, cells=12, batch_size=500)
    right = contributions(0)
    assert np.corrcoef(found.attribution.ravel(), blurred(right).ravel())[0, 1] > 0.9


def blurred(values: Array) -> Array:
    """Return the mean over a pixel and its neighbours, near ones first: the masks' own blur."""
    for axis in (0, 1):
        padded = np.pad(values, [(int(axis == k),) * 2 for k in (0, 1)])
        one, two, three = (
            np.take(padded, range(k, k + values.shape[axis]), axis) for k in range(3)
        )
        values = (one + 4 * two + three) / 6
    return values


def segments() -> Array:
    """Return five segments of unlike size and form."""
    rows, columns = np.indices(SIZE[:2])
    return (rows > 4) + 2 * (columns > 3 + rows // 2) + (rows + columns > 14)


def test_kernel_shap_equals_the_shapley_values_by_brute_force() -> None:
    model, labels = smooth(activation=None), segments()
    players = np.unique(labels).tolist()
    n = len(players)
    assert 4 <= n <= 6
    coalitions = [c for size in range(n + 1) for c in combinations(players, size)]
    shown = np.stack([np.isin(labels, coalition)[..., None] for coalition in coalitions])
    pictures = np.where(shown, doc()[0], doc()[0].mean(axis=(0, 1))).astype("float32")
    value = dict(zip(coalitions, model.predict(pictures, verbose=0)[:, 1], strict=True))
    right = np.zeros(SIZE[:2])
    for player in players:
        for coalition in coalitions:
            if player not in coalition:
                size, joined = len(coalition), tuple(sorted((*coalition, player)))
                weight = factorial(size) * factorial(n - size - 1) / factorial(n)
                right[labels == player] += weight * (value[joined] - value[coalition])
    for made, score in ((model, "output"), (smooth(), "logit")):
        found = explained(made, "kernel-shap", targets=[1], segments=labels, score=score)
        np.testing.assert_allclose(found.attribution, right, atol=2e-5)
        assert found.details == {"n_segments": n, "n_samples": 2**n - 2}
    assert np.abs(right).max() > 0.01


def test_lime_of_a_linear_model_finds_the_segments_sums() -> None:
    labels, mean = segments(), doc()[0].mean(axis=(0, 1))
    kernel = linear().get_weights()[0].astype("float64")[:, 1].reshape(SIZE)
    parts = (kernel * (doc()[0] - mean)).sum(axis=-1)
    right = np.zeros(SIZE[:2])
    for label in np.unique(labels):
        right[labels == label] = parts[labels == label].sum()
    found = explained(linear(), "LIME", targets=[1], segments=labels, n_samples=200, alpha=0.0)
    np.testing.assert_allclose(found.attribution, right, atol=1e-4)
    assert found.details["r2"] > 0.999

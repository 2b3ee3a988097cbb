"""Names of methods, their options, and several of them in one call."""

from __future__ import annotations

import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops
from PIL import Image

import eli5
from eli5.keras import METHODS
from helpers.backend_limits import ONCE

pytestmark = ONCE  # names and options

Array = np.ndarray[Any, Any]


def explained(model: keras.Model, doc: Array, method: Any = "Grad-CAM", **options: Any) -> Any:
    """Return the attribution of class 1."""
    options = dict[str, Any]({"targets": [1], "layer": "relu"}) | options
    if isinstance(method, str) and METHODS.get(method, METHODS["CAM"]).at == "input":
        del options["layer"]
    return eli5.explain_prediction(model, doc, method=method, **options).targets[0].attribution


# Names


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        ("gradcam", "Grad-CAM"),
        ("GRAD CAM", "Grad-CAM"),
        ("grad_cam++", "Grad-CAM++"),
        ("hirescam", "HiResCAM"),
        ("Eigen_Grad cam", "EigenGrad-CAM"),
        ("element wise gradcam", "Element-wise Grad-CAM"),
        ("gradient x input", "Gradient × Input"),
        ("gradientxinput", "Gradient × Input"),
        ("Gradient*Input", "Gradient × Input"),
        ("GRADIENT × INPUT", "Gradient × Input"),
        ("smooth-grad", "SmoothGrad"),
    ],
)
def test_a_name_is_matched_in_any_spelling(
    name: str, canonical: str, model: keras.Model, doc: Array
) -> None:
    options: dict[str, Any] = {"n_samples": 2} if canonical == "SmoothGrad" else {}
    explanation = eli5.explain_prediction(model, doc, method=name, targets=[1], **options)
    assert explanation.method == canonical
    assert str(explanation.description).startswith(f"{canonical} heatmap of ")


def test_an_unknown_name_lists_what_exists(model: keras.Model, doc: Array) -> None:
    listed = r"methods Grad-CAM, HiResCAM, .*KernelSHAP, LIME\. Received: method='xyzzy'\.$"
    with pytest.raises(ValueError, match=listed):
        eli5.explain_prediction(model, doc, method="xyzzy")


@pytest.mark.parametrize(
    ("name", "said", "method"),
    [
        ("gradcan", "Did you mean", "Grad-CAM"),
        ("saliency map", "Did you mean", "Saliency"),
        ("SHAP", "The nearest to it is", "KernelSHAP"),
        ("DeepExplainer", "The nearest to it is", "KernelSHAP"),
        ("GradientSHAP", "The nearest to it is", "Integrated Gradients"),
        ("DeepLIFT", "The nearest to it is", "Integrated Gradients"),
        ("LRP", "The nearest to it is", "Integrated Gradients"),
        ("CAM++", "The nearest to it is", "Grad-CAM++"),
        ("Guided Grad-CAM", "The nearest to it is", "HiResCAM"),
        ("guided_backprop", "The nearest to it is", "Saliency"),
        ("gradients", "The nearest to it is", "Saliency"),
        ("FullGrad", "The nearest to it is", "LayerCAM"),
        ("feature ablation", "The nearest to it is", "Occlusion"),
        ("attention flow", "The nearest to it is", "Attention Rollout"),
        ("raw attention", "The nearest to it is", "Attention Rollout"),
    ],
)
def test_a_method_of_another_package_has_a_nearest_one(
    name: str, said: str, method: str, model: keras.Model, doc: Array
) -> None:
    match = rf"METHODS`\. Received: method='{re.escape(name)}'\. {said} method='(.*)'[.?]$"
    with pytest.raises(ValueError, match=match) as caught:
        eli5.explain_prediction(model, doc, method=name)
    assert re.findall(match, str(caught.value)) == [method]
    assert method in METHODS


@pytest.mark.parametrize(
    ("given", "call"),
    [
        ({"class_idx": 2}, {"targets": [2]}),
        ({"pred_index": np.int64(2)}, {"targets": [2]}),
        ({"target_class": None}, {"targets": [281]}),
        ({"category": "cat"}, {"classes": ["cat"]}),
        ({"layer_name": "conv"}, {"layer": "conv"}),
        ({"target_layers": ["conv"]}, {"layer": ["conv"]}),
        ({"penultimate_layer": -1}, {"layer": -1}),
        ({"top_k": 3}, {"top_targets": 3}),
    ],
)
def test_an_argument_of_another_package_is_named_as_here(
    given: dict[str, Any], call: dict[str, Any], model: keras.Model, doc: Array
) -> None:
    (name,), ((own, value),) = given, call.items()
    with pytest.raises(TypeError, match=rf"Received: {name}=.*{re.escape(f'{own}={value!r}')}"):
        eli5.explain_prediction(model, doc, **given)


def test_an_argument_of_another_call_is_named_as_there(model: keras.Model, doc: Array) -> None:
    picture = Image.new("RGB", (20, 12))
    with pytest.raises(TypeError, match=r"Received: images=\[.*it is image=images\[0\]$"):
        eli5.explain_prediction(model, doc, images=[picture])
    with pytest.raises(TypeError, match=r"Received: image=.*it is a list: images=\[image\]$"):
        eli5.explain_predictions(model, doc, image=picture)
    with pytest.raises(TypeError, match=r"Received: cmap='jet'\. In eli5\.show_.* called colormap"):
        eli5.show_prediction(model, doc, cmap="jet")
    with pytest.raises(TypeError, match=r"colormap='jet'\. It is an option of eli5\.show_predict"):
        eli5.explain_prediction(model, doc, colormap="jet")


@pytest.mark.parametrize("method", [3, ["Grad-CAM"]])
def test_what_is_neither_name_nor_callable_is_refused(
    method: Any, model: keras.Model, doc: Array
) -> None:
    with pytest.raises(TypeError, match=r"name from `eli5\.keras\.METHODS`, or a callable"):
        eli5.explain_prediction(model, doc, method=method)


def test_the_table_is_read_only_and_complete() -> None:
    with pytest.raises(TypeError):
        METHODS["mine"] = METHODS["CAM"]  # type: ignore[index]
    assert len(METHODS) == 26
    assert all(name == method.name and method.paper for name, method in METHODS.items())
    assert all(method.cost and method.function.__doc__ for method in METHODS.values())
    assert list(METHODS["Finer-CAM"].options) == [
        *("n_samples", "noise", "seed", "augment"),
        *("n_similar", "gamma"),
    ]
    assert METHODS["RISE"].options == {
        "n_masks": 1000,
        "cells": 8,
        "probability": 0.5,
        "baseline": 0.0,
        "seed": 0,
    }


def test_an_entry_of_the_table_is_a_method(model: keras.Model, doc: Array) -> None:
    found = explained(model, doc, METHODS["LayerCAM"])
    np.testing.assert_array_equal(found, explained(model, doc, "LayerCAM"))


# Options


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "Grad-CAM", "steps": 3}, r"steps=3.*Grad-CAM: n_samples, noise, seed, augment"),
        ({"method": "Occlusion", "n_masks": 3}, r"n_masks=3.*Occlusion: patch, stride, baseline"),
        ({"method": "Ablation-CAM", "seed": 3}, r"seed=3.*Ablation-CAM: none"),
        ({"methods": ["RISE", "Ablation-CAM"], "steps": 3}, r"RISE: n_masks.*; Ablation-CAM: none"),
        ({"wrong": 1}, "wrong=1"),
    ],
)
def test_an_option_that_no_method_has_lists_those_that_exist(
    options: Any, message: str, model: keras.Model, doc: Array
) -> None:
    with pytest.raises(
        TypeError, match=r"Expected an option of the method. Received: .*" + message
    ):
        eli5.explain_prediction(model, doc, **options)


def test_options_reach_their_methods(model: keras.Model, doc: Array) -> None:
    changes: dict[str, dict[str, Any]] = {
        "Integrated Gradients": {"baseline": 0.7},
        "Occlusion": {"patch": 5},
        "Score-CAM": {"n_maps": 2},
        "Finer-CAM": {"gamma": 0.1},
        "Grad-CAM": {"n_samples": 2},
    }
    for method, options in changes.items():
        one, two = explained(model, doc, method), explained(model, doc, method, **options)
        assert np.abs(one - two).max() > 1e-3 * np.abs(one).max()


@pytest.mark.parametrize("method", ["RISE", "SmoothGrad", "KernelSHAP", "LIME"])
def test_a_random_method_gives_the_same_map_each_time(
    method: str, model: keras.Model, doc: Array
) -> None:
    options: dict[str, Any] = {"n_masks" if method == "RISE" else "n_samples": 20}
    if method in ("KernelSHAP", "LIME"):
        options["segments"] = np.arange(240).reshape(12, 20) // 30
    one, two = explained(model, doc, method, **options), explained(model, doc, method, **options)
    np.testing.assert_array_equal(one, two)
    assert np.abs(one - explained(model, doc, method, seed=1, **options)).max() > 0


@pytest.mark.parametrize("method", ["RISE", "SmoothGrad", "KernelSHAP", "LIME", "Grad-CAM"])
@pytest.mark.parametrize(
    ("seed", "error", "message"),
    [
        (-1, ValueError, "Expected `seed` >= 0. Received: seed=-1"),
        (1.5, TypeError, "Expected `seed` to be an integer. Received: seed=1.5"),
        (None, TypeError, "Received: seed=None"),
    ],
)
def test_a_seed_is_a_whole_number(
    method: str, seed: Any, error: Any, message: str, model: keras.Model, doc: Array
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, method=method, seed=seed)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_similar": 0}, ValueError, "`n_similar` >= 1. Received: n_similar=0"),
        ({"n_similar": 1.5}, TypeError, "`n_similar` to be an integer.*n_similar=1.5"),
        ({"gamma": -1}, ValueError, "`gamma` to be finite and >= 0. Received: gamma=-1"),
        ({"gamma": "1"}, TypeError, "`gamma` to be a number. Received: gamma='1'"),
    ],
)
def test_options_of_finer_cam_are_checked(
    options: Any, error: Any, message: str, model: keras.Model, doc: Array
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, method="Finer-CAM", **options)


# Several methods


def positive_gradients(activations: Any, gradients: Any) -> Any:
    return ops.sum(activations * ops.relu(gradients), axis=-1)


def test_several_methods_give_one_explanation_each(model: keras.Model, doc: Array) -> None:
    methods = ["layercam", "RISE", "Saliency", "Grad-CAM", positive_gradients, "Finer-CAM"]
    options: dict[str, Any] = {"targets": [1], "layer": "relu"}
    found = eli5.explain_prediction(model, doc, methods=methods, n_masks=20, **options)
    assert [one.method for one in found] == [
        *("LayerCAM", "RISE", "Saliency", "Grad-CAM", "positive_gradients", "Finer-CAM")
    ]
    for method, explanation in zip(methods, found, strict=True):
        is_input = method in ("RISE", "Saliency")
        own: Any = {"n_masks": 20} if method == "RISE" else {}
        right = explained(model, doc, method, **own)
        np.testing.assert_allclose(explanation.targets[0].attribution, right, rtol=1e-5, atol=1e-6)
        assert explanation.layer == (None if is_input else "relu")


def test_one_method_in_a_list_gives_a_list(model: keras.Model, doc: Array) -> None:
    (explanation,) = eli5.explain_prediction(model, doc, methods=("eigencam",))
    assert explanation.method == "Eigen-CAM"


@pytest.mark.parametrize(
    ("methods", "error", "message"),
    [
        ([], ValueError, r"at least one method. Received: methods=\[\]"),
        ("Grad-CAM", TypeError, r"list of methods; one alone is `method=`.*methods='Grad-CAM'"),
        ({"Grad-CAM"}, TypeError, "of type set"),
        (["Grad-CAM", 3], TypeError, "Received: method=3"),
        (["Grad-CAM", "nope"], ValueError, "Received: method='nope'"),
    ],
)
def test_bad_lists_of_methods_are_refused(
    methods: Any, error: type[Exception], message: str, model: keras.Model, doc: Array
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(model, doc, methods=methods)


def test_a_layer_is_for_methods_that_have_one(model: keras.Model, doc: Array) -> None:
    message = r"no `layer` for methods that explain the input.*layer='relu' with Saliency, RISE"
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(model, doc, methods=["Saliency", "RISE"], layer="relu")

"""Every method on every kind of model that it can serve: the map does not depend on the kind."""

from __future__ import annotations

import functools
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
import eli5.keras
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.backend_limits import skip_what_cannot_run
from helpers.model_kinds import KINDS, SIZE, body, chain, flat, picture
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]
TARGET = 1  # something speaks for it in each map
FORMULAS = [name for name in WITHOUT_ATTENTION if not METHODS[name].is_black_box]
BLACK_BOX = [name for name, method in METHODS.items() if method.is_black_box]
# For differences of scores: the number that is the least rounded.
LOGIT: dict[str, Any] = {"score": "logit", "targets": [3]}
# Few runs of the model, all of them on batches of 8.
CHEAP: dict[str, Any] = {
    "steps": 8,
    "n_samples": 8,
    "patch": 8,
    "stride": 8,
    "n_masks": 8,
    "cells": 3,
    "n_maps": 5,
    "segments": np.repeat(np.arange(SIZE[1])[None] // 14, SIZE[0], axis=0),
    "batch_size": 8,
}
NOT_GAP_DENSE = {"metadata, dict", "metadata, list", "two outputs, list", "two outputs, dict"}
# What is perturbed, padded, masked and replaced differs among these; the rest are built otherwise,
# and are left to PyTorch, which compiles nothing.
DIFFERENT = [
    "nested functional",
    "subclass, lists",
    "task with backbone",
    "metadata, list",
    "two outputs, dict",
    "channels first",
    "mixed_float16",
    "Lambda",
]
# Its segments are of another size; rounding to 8 bits switches single ReLUs.
NOT_COMPARED = {"preprocessing inside", "bfloat16", "mixed_bfloat16"}
PERTURBED = DIFFERENT
if keras.backend.backend() == "torch":
    PERTURBED = [name for name in KINDS if name not in NOT_COMPARED]


@functools.cache
def plain_maps() -> dict[str, Any]:
    """Return the explanations of the plain network by each method."""
    options: dict[str, Any] = {"layer": "last", "targets": [TARGET]}
    found = eli5.explain_prediction(flat(), picture(), methods=FORMULAS, **options)
    options |= {**CHEAP, **LOGIT}
    found += eli5.explain_prediction(flat(), picture(), methods=BLACK_BOX, **options)
    return {explanation.method: explanation for explanation in found}


def plain(method: str) -> Any:
    (target,) = plain_maps()[method].targets
    return target


def check(explanation: Any, atol: float) -> None:
    """Compare with the explanation of the plain network, relative to the map's maximum."""
    (found,), right = explanation.targets, plain(explanation.method)
    assert found.attribution.shape == right.attribution.shape, explanation.method
    difference = np.abs(found.attribution - right.attribution) / np.abs(right.attribution).max()
    method = METHODS[explanation.method]
    worst, limit = difference.max(), atol
    if atol > 0.01 and method.at == "input" and not method.hides:
        # Rounding turns single ReLUs on or off, and so changes the slope at a few pixels.
        worst = np.quantile(difference, 0.95)
    elif atol > 0.01 and method.is_black_box:
        limit = 0.1  # differences of scores that are rounded to 16 bits
    assert worst <= limit, explanation.method
    assert found.score == pytest.approx(right.score, abs=max(atol, 1e-4))


def test_the_maps_to_compare_with_are_not_empty_and_differ() -> None:
    targets = {name: plain(name) for name in WITHOUT_ATTENTION}
    assert all(target.heatmap.max() == 1 for target in targets.values())
    some = ["LayerCAM", "HiResCAM", "Eigen-CAM", "Finer-CAM", "Score-CAM", "Ablation-CAM"]
    for k, one in enumerate(some):
        for two in some[:k]:
            difference = np.abs(targets[one].heatmap - targets[two].heatmap).max()
            assert difference > 1e-2, (one, two)


@pytest.mark.parametrize("name", KINDS)
def test_formulas_on_a_kind_of_model_give_the_maps_of_the_plain_network(name: str) -> None:
    kind = KINDS[name]
    model, doc = kind.make(), kind.doc(picture())
    skip_what_cannot_run(name, model, doc)
    options: dict[str, Any] = {"targets": [TARGET], **kind.options}
    methods = [one for one in FORMULAS if one != "CAM" or name not in NOT_GAP_DENSE]
    explanations = eli5.explain_prediction(model, doc, methods=methods, **options)
    assert [explanation.method for explanation in explanations] == methods
    for explanation in explanations:
        if METHODS[explanation.method].at == "layer":
            assert str(explanation.layer).startswith(kind.layer)
        else:
            assert explanation.layer is None
            if name == "preprocessing inside":  # of another size
                continue
        check(explanation, kind.atol)
    if name in NOT_GAP_DENSE:
        with pytest.raises(ValueError, match=r"global average pooling and one dense layer.*'CAM'"):
            eli5.explain_prediction(model, doc, method="CAM", **options)


@pytest.mark.parametrize("name", PERTURBED)
def test_black_box_methods_on_a_kind_of_model_give_the_maps_of_the_plain_network(name: str) -> None:
    kind = KINDS[name]
    model, doc = kind.make(), kind.doc(picture())
    skip_what_cannot_run(name, model, doc)
    options: dict[str, Any] = {**kind.options, **CHEAP, **LOGIT}
    for explanation in eli5.explain_prediction(model, doc, methods=BLACK_BOX, **options):
        check(explanation, kind.atol)


def test_a_picture_of_another_size_than_the_network_sees_is_explained_at_its_own() -> None:
    kind = KINDS["preprocessing inside"]
    explanation = eli5.explain_prediction(
        kind.make(), kind.doc(picture()), method="Saliency", targets=[TARGET]
    )
    right = plain("Saliency").heatmap.repeat(2, axis=0).repeat(2, axis=1)
    np.testing.assert_allclose(explanation.targets[0].heatmap, right, atol=kind.atol)


def test_the_other_inputs_stay_as_they_are() -> None:
    image, gate = keras.Input(SIZE), keras.Input((4,))
    model = keras.Model([gate, image], layers.Multiply()([flat(None)(image), gate]))
    doc = [np.full((1, 4), 3, "float32"), picture()]
    # Whatever is linear in the score is three times that of the plain network.
    methods = ["SmoothGrad", "Integrated Gradients", "Occlusion", "RISE", "KernelSHAP", "LIME"]
    options: dict[str, Any] = {"targets": [TARGET], **CHEAP}
    del options["n_maps"]
    explanations = eli5.explain_prediction(model, doc, methods=methods, **options)
    plain_ones = eli5.explain_prediction(flat(None), picture(), methods=methods, **options)
    for explanation, plain_one in zip(explanations, plain_ones, strict=True):
        (found,), right = explanation.targets, 3 * plain_one.targets[0].attribution
        atol = 1e-4 * np.abs(right).max()
        np.testing.assert_allclose(found.attribution, right, atol=atol)


# Where a method cannot serve a model


def test_finer_cam_needs_several_classes() -> None:
    model = flat(activation="sigmoid", units=1)
    with pytest.raises(ValueError, match=r"several classes for method='Finer-CAM'.*one output"):
        eli5.explain_prediction(model, picture(), method="finer cam")


def sum_of_outputs(outputs: Any) -> Any:
    return keras.ops.sum(outputs, axis=-1)


@pytest.mark.parametrize("method", ["CAM", "Finer-CAM"])
def test_a_callable_score_has_no_class_to_contrast_or_to_look_up(method: str) -> None:
    with pytest.raises(ValueError, match=f"score of a class for method='{method}'.*callable"):
        eli5.explain_prediction(flat(), picture(), method=method, score=sum_of_outputs)


def test_all_other_methods_take_a_callable_score() -> None:
    methods = [name for name in WITHOUT_ATTENTION if name not in ("CAM", "Finer-CAM")]
    kept: dict[str, Any] = {name: value for name, value in CHEAP.items() if name != "n_samples"}
    explanations = eli5.explain_prediction(
        flat("linear"), picture(), methods=methods, score=first_output, **kept
    )
    by_class = eli5.explain_prediction(
        flat("linear"), picture(), methods=methods, targets=[0], **kept
    )
    for one, two in zip(explanations, by_class, strict=True):
        assert one.targets[0].target == "first_output"
        attribution = two.targets[0].attribution
        atol = 1e-5 * np.abs(attribution).max()
        np.testing.assert_allclose(one.targets[0].attribution, attribution, atol=atol)


def first_output(outputs: Any) -> Any:
    return outputs[:, 0]


def gap_dense(*behind: layers.Layer) -> keras.Model:
    return with_weights(keras.Sequential([keras.Input(SIZE), *body(), *behind]))


def mean_over_channels() -> keras.Model:
    inputs = keras.Input(SIZE)
    x = keras.ops.mean(chain(inputs, body()), axis=-1)
    return with_weights(keras.Model(inputs, layers.Dense(4)(layers.Flatten()(x))))


@pytest.mark.parametrize(
    "make",
    [
        make_classifier,
        lambda: gap_dense(layers.GlobalMaxPooling2D(), layers.Dense(4)),
        lambda: gap_dense(layers.GlobalAveragePooling2D(), layers.Dense(8), layers.Dense(4)),
        lambda: gap_dense(layers.GlobalAveragePooling2D(), layers.Dense(4, activation="tanh")),
        lambda: gap_dense(
            layers.GlobalAveragePooling2D(), layers.Dense(4), layers.Activation("relu")
        ),
        lambda: gap_dense(layers.Flatten(), layers.Dense(4)),
        lambda: gap_dense(
            layers.Reshape((24, 10, 8)), layers.GlobalAveragePooling2D(), layers.Dense(4)
        ),
        mean_over_channels,
    ],
    ids=["deep", "max", "two dense", "tanh", "relu", "flat", "reshaped", "over channels"],
)
def test_cam_needs_global_average_pooling_and_one_dense_layer(make: Any) -> None:
    model = make()
    doc = sample(model.input_shape[1:])
    layer = "pool" if model.name == "classifier" else "last"
    with pytest.raises(ValueError, match="followed by global average pooling and one dense layer"):
        eli5.explain_prediction(model, doc, method="CAM", layer=layer)


def test_cam_needs_the_layer_before_the_pooling_and_the_class_score() -> None:
    with pytest.raises(ValueError, match=r"layer='first', followed by 'norm'"):
        eli5.explain_prediction(flat(), picture(), method="CAM", layer="first")
    with pytest.raises(ValueError, match=r"score before the final softmax.*score='output'"):
        eli5.explain_prediction(flat(), picture(), method="CAM", score="output")


@pytest.mark.parametrize(
    "behind",
    [
        [layers.GlobalAveragePooling2D, lambda: layers.Dropout(0.5), lambda: layers.Dense(4)],
        [
            lambda: layers.GlobalAveragePooling2D(keepdims=True),
            layers.Flatten,
            lambda: layers.Dense(4),
            layers.Softmax,
        ],
        [
            layers.GlobalAveragePooling2D,
            lambda: layers.Dense(4),
            lambda: layers.Activation("sigmoid"),
        ],
    ],
)
def test_cam_serves_what_leaves_the_pooled_maps_alone(behind: Any) -> None:
    model = gap_dense(*(make() for make in behind))
    found = eli5.explain_prediction(model, picture(), method="CAM", targets=[2])
    body_model = keras.Model(model.inputs, model.get_layer("last").output)
    (kernel,) = (w for w in model.trainable_variables[-2:] if len(w.shape) == 2)
    maps = body_model.predict(picture(), verbose=0)[0]
    right = maps @ keras.ops.convert_to_numpy(kernel)[:, 2]
    np.testing.assert_allclose(found.targets[0].attribution, right, atol=1e-5)


@pytest.mark.parametrize(
    ("method", "name"),
    [
        ("Grad-CAM", "n_samples"),
        ("SmoothGrad", "n_samples"),
        ("VarGrad", "n_samples"),
        ("SquareGrad", "n_samples"),
        ("Integrated Gradients", "steps"),
        ("RISE", "n_masks"),
        ("KernelSHAP", "n_samples"),
        ("KernelSHAP", "n_segments"),
        ("LIME", "n_samples"),
    ],
)
def test_a_count_that_would_never_end_is_refused(method: str, name: str) -> None:
    options: dict[str, Any] = {name: 2**40}
    with pytest.raises(
        ValueError, match=rf"Expected `{name}` <= 10+\. Received: {name}=1099511627"
    ):
        eli5.explain_prediction(make_classifier(), sample((12, 20, 3)), method=method, **options)

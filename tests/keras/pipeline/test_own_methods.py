"""A method of one's own; what speaks against a class; what the result holds."""

from __future__ import annotations

import functools
import gc
import weakref
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import eli5
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.backend_limits import ONCE
from helpers.models import make_classifier

pytestmark = ONCE  # what a method of one's own is given and may give

Array = np.ndarray[Any, Any]


def explained(model: keras.Model, doc: Array, method: Any, **options: Any) -> Array:
    """Return the attribution of class 1 at one layer."""
    explanation = eli5.explain_prediction(
        model, doc, method=method, targets=[1], layer="relu", **options
    )
    return explanation.targets[0].attribution


# A method of one's own


def positive_gradients(activations: Any, gradients: Any) -> Any:
    return ops.sum(activations * ops.relu(gradients), axis=-1)


def in_numpy(activations: Any, gradients: Any, *, power: float = 1.0) -> Any:
    return np.maximum(activations * np.mean(gradients, axis=(1, 2), keepdims=True), 0).sum(-1)


class InNumPy:
    def __call__(self, activations: Any, gradients: Any) -> Any:
        return in_numpy(np.asarray(activations), gradients)


def powered(activations: Any, gradients: Any, *, power: float = 1.0, shift: float = 0.0) -> Any:
    return ops.sum(ops.abs(gradients) ** power, axis=-1) + shift


class Squared:
    """A callable without a name of its own."""

    def __call__(self, A: Any, G: Any) -> Any:
        return ops.sum(ops.square(A * G), axis=-1)


class Slotted:
    """A callable that cannot be referred to weakly."""

    __slots__ = ()

    def __call__(self, A: Any, G: Any) -> Any:
        return ops.sum(ops.square(A * G), axis=-1)


class Holder:
    """Holds the model, as a method of one's own may."""

    def __init__(self, model: keras.Model) -> None:
        self.model = model

    def formula(self, A: Any, G: Any) -> Any:
        return ops.sum(A, axis=-1) * len(self.model.layers)

    def __call__(self, outputs: Any) -> Any:
        return outputs[:, 0] * len(self.model.layers)


@pytest.mark.parametrize("method", [in_numpy, functools.partial(in_numpy, power=2.0), InNumPy()])
def test_a_method_in_numpy_is_told_what_it_may_use(
    classifier: keras.Model, doc: Array, method: Any
) -> None:
    match = r"method of your own to compute with `keras\.ops`.*uses NumPy\. Write keras\.ops\.mean"
    with pytest.raises(TypeError, match=match) as caught:
        explained(classifier, doc, method)
    assert isinstance(caught.value.__cause__, Exception)


def test_a_score_in_numpy_is_told_what_it_may_use(classifier: keras.Model, doc: Array) -> None:
    def score(outputs: Any) -> Any:
        return np.asarray(outputs).reshape(7, 7)

    with pytest.raises(TypeError, match=r"callable `score` to compute with .* score, which uses N"):
        eli5.explain_prediction(classifier, doc, score=score)


def test_an_error_of_a_method_without_numpy_is_its_own(classifier: keras.Model, doc: Array) -> None:
    def method(activations: Any, gradients: Any) -> Any:
        raise ZeroDivisionError("in the method")

    with pytest.raises(ZeroDivisionError, match="in the method"):
        explained(classifier, doc, method)


def test_own_methods_are_functions_lambdas_partials_and_objects(
    model: keras.Model, doc: Array
) -> None:
    squared, halved = Squared(), functools.partial(powered, power=0.5)
    method_of_mine = Holder(model).formula
    terms = explained(model, doc, first_map), explained(model, doc, first_slope)
    doubled = lambda A, G: 2 * first_map(A, G)  # noqa: E731
    np.testing.assert_allclose(explained(model, doc, doubled), 2 * terms[0], rtol=1e-6)
    assert all(np.ptp(term) > 0 for term in terms)
    for method, name in [
        (positive_gradients, "positive_gradients"),
        (doubled, "<lambda>"),
        (squared, "Squared"),
        (Slotted(), "Slotted"),
        (halved, "powered"),
        (method_of_mine, "formula"),
    ]:
        explanation = eli5.explain_prediction(model, doc, method=method, targets=[1], layer="relu")
        assert explanation.method == name
        assert explanation.targets[0].attribution.any()
    one = explained(model, doc, powered, power=0.5)
    np.testing.assert_allclose(explained(model, doc, halved), one, rtol=1e-6)
    np.testing.assert_allclose(
        explained(model, doc, powered, power=0.5, shift=2.0), one + 2, rtol=1e-5
    )
    layer_cam = explained(model, doc, "LayerCAM")  # of activations that are not negative
    np.testing.assert_allclose(
        explained(model, doc, positive_gradients), layer_cam, rtol=1e-5, atol=1e-6
    )


def first_map(activations: Any, gradients: Any) -> Any:
    return activations[..., 0]


def first_slope(activations: Any, gradients: Any) -> Any:
    return gradients[..., 0]


def test_own_methods_explain_several_classes_and_layers(model: keras.Model, doc: Array) -> None:
    options: dict[str, Any] = {"method": first_slope, "top_targets": 3, "layer": ["conv", "relu"]}
    explanation = eli5.explain_prediction(model, doc, **options)
    assert len({float(target.attribution.sum()) for target in explanation.targets}) == 3
    assert explanation.layer == "conv, relu"


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_an_own_method_that_holds_the_model_lets_it_go(doc: Array) -> None:
    model = make_classifier()
    holder = Holder(model)
    formula, score = functools.partial(holder.formula), functools.partial(holder)
    held = weakref.ref(model)
    eli5.explain_prediction(model, doc, method=formula, score=score)
    eli5.explain_prediction(model, doc, method=formula, n_samples=2)
    eli5.explain_prediction(model, doc, method="Ablation-CAM", score=score)
    eli5.explain_prediction(model, doc, method="Occlusion", score=score, patch=6)
    del model, holder, formula, score
    gc.collect()
    assert held() is None


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        (lambda A: A, r"\(A\)"),
        (lambda A, G, products: A, r"\(A, G, products\)"),
        (lambda A, *, option: A, r"\(A, \*, option\)"),
        (max, "unknown"),
    ],
)
def test_an_own_method_takes_activations_and_gradients(
    method: Any, signature: str, model: keras.Model, doc: Array
) -> None:
    message = r"callable as method\(activations, gradients\). Received: .*signature " + signature
    with pytest.raises(TypeError, match=message):
        eli5.explain_prediction(model, doc, method=method)


@pytest.mark.parametrize(
    ("method", "received"),
    [
        (lambda A, G: A * G, r"<lambda> returned shape \(1, 10, 18, 6\)"),
        (lambda A, G: ops.sum(A * G, axis=(1, 2, 3)), r"<lambda> returned shape \(1,\)"),
        (lambda A, G: ops.sum(A), r"<lambda> returned shape \(\)"),
        (lambda A, G: None, "<lambda> returned None"),
    ],
)
def test_an_own_method_returns_a_map(
    method: Any, received: str, model: keras.Model, doc: Array
) -> None:
    message = r"return a map of shape \(1, 10, 18\).*Received: " + received
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(model, doc, method=method, layer="relu")


def with_list(A: Any, G: Any, *, parts: Any = ()) -> Any:
    return ops.sum(A, axis=-1)


def test_options_of_an_own_method_must_hash(model: keras.Model, doc: Array) -> None:
    with pytest.raises(TypeError, match=r"options that hash.*'parts': \[1\].*method='with_list'"):
        eli5.explain_prediction(model, doc, method=with_list, parts=[1])
    assert explained(model, doc, with_list, parts=(1,)).any()


# What speaks against a class


def minus_second(outputs: Any) -> Any:
    return -outputs[:, 1]


SIGNED = [
    name
    for name, method in METHODS.items()
    if method.is_signed and name in WITHOUT_ATTENTION and name not in ("CAM", "Finer-CAM")
]


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_the_negative_sign_explains_the_negated_score(doc: Array) -> None:
    model = make_classifier(activation=None)
    cheap: dict[str, Any] = {
        "steps": 4,
        "n_masks": 8,
        "cells": 3,
        "patch": 6,
        "stride": 6,
        "n_maps": 4,
        "segments": np.arange(240).reshape(12, 20) // 80,
    }
    negative = eli5.explain_prediction(
        model, doc, methods=SIGNED, layer="relu", targets=[1], sign="negative", **cheap
    )
    negated = eli5.explain_prediction(
        model, doc, methods=SIGNED, layer="relu", score=minus_second, **cheap
    )
    for one, two in zip(negative, negated, strict=True):
        found, right = one.targets[0].attribution, two.targets[0].attribution
        np.testing.assert_allclose(found, right, atol=1e-5 * np.abs(right).max())
        assert "lowers the model's output" in str(one.description)
        assert (one.targets[0].target, one.targets[0].sign) == (1, "negative")
        assert two.targets[0].sign == "positive"
        output = float(model.predict(doc, verbose=0)[0, 1])
        assert one.targets[0].score == pytest.approx(output, abs=1e-5)  # its sign stays
    assert sum(one.targets[0].heatmap.any() for one in negative) > len(SIGNED) / 2


@pytest.mark.parametrize("method", ["Eigen-CAM", "Saliency", "SmoothGrad", "VarGrad", "SquareGrad"])
def test_a_method_without_a_sign_has_no_negative(
    method: str, model: keras.Model, doc: Array
) -> None:
    assert not METHODS[method].is_signed
    with pytest.raises(ValueError, match=rf"sign='negative'. Received: {method}, whose map has no"):
        eli5.explain_prediction(model, doc, methods=["Grad-CAM", method], sign="negative")


@pytest.mark.parametrize("sign", ["both", None, -1, ["negative"]])
def test_a_bad_sign_is_refused(sign: Any, model: keras.Model, doc: Array) -> None:
    error = ValueError if isinstance(sign, str) else TypeError
    with pytest.raises(error, match=r"`sign` to be one of \('positive', 'negative'\). Rec"):
        eli5.explain_prediction(model, doc, sign=sign)


# Attribution and heatmap


def test_the_heatmap_is_the_positive_part_of_the_attribution(
    model: keras.Model, doc: Array
) -> None:
    for method in ("HiResCAM", "Grad-CAM", "Gradient × Input", "Occlusion"):
        explanation = eli5.explain_prediction(model, doc, method=method, targets=[1])
        (target,) = explanation.targets
        attribution = target.attribution
        assert (attribution.dtype, target.heatmap.dtype) == (np.float32, np.float32)
        right = np.maximum(attribution, 0) / attribution.max()
        np.testing.assert_allclose(target.heatmap, right, rtol=1e-6)
        assert (attribution.min() < 0) == (method != "Grad-CAM")
        assert attribution.max() != pytest.approx(1)  # not scaled
        assert attribution.base is None  # not a view that keeps a whole batch alive

"""An empty or broken heatmap is told, with its reason; NaN never reaches the picture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras.methods.normalize import normalize
from helpers.models import make_classifier, with_weights

Array = np.ndarray[Any, Any]


@pytest.mark.parametrize(
    ("attribution", "expected"),
    [
        ([[1.0, 2.0], [-4.0, 0.0]], [[0.5, 1.0], [0.0, 0.0]]),
        ([[0.0, 0.0]], [[0.0, 0.0]]),
        ([[-1.0, -2.0]], [[0.0, 0.0]]),
        ([[1e-30, 2e-30]], [[0.5, 1.0]]),
        ([[1e38, 3e38]], [[1 / 3, 1.0]]),
        ([[np.nan, 1.0]], [[0.0, 0.0]]),
        ([[np.inf, 1.0]], [[0.0, 0.0]]),
        ([[-np.inf, 1.0]], [[0.0, 0.0]]),
    ],
)
def test_positive_part_is_divided_by_its_maximum(attribution: Any, expected: Any) -> None:
    heatmap = normalize(np.array(attribution, "float32"), 2)
    assert heatmap.dtype == np.float32
    np.testing.assert_allclose(heatmap, expected, rtol=1e-6)


def test_maps_of_a_batch_are_divided_each_by_its_own_maximum() -> None:
    maps = np.array([[[[1, 2]], [[8, -4]]], [[[0, -1]], [[np.nan, 1]]]], "float32")
    expected = [[[[0.5, 1]], [[1, 0]]], [[[0, 0]], [[0, 0]]]]
    np.testing.assert_array_equal(normalize(maps, 2), expected)


def poison(model: keras.Model, layer: str, value: float) -> None:
    """Put `value` into a layer's kernel."""
    weights = model.get_layer(layer).get_weights()
    weights[0].flat[0] = value
    model.get_layer(layer).set_weights(weights)


def kill(model: keras.Model, layer: str) -> None:
    """Make a layer give nothing but zeros."""
    kernel, bias = model.get_layer(layer).get_weights()
    model.get_layer(layer).set_weights([kernel * 0, bias * 0])


def blind_head(model: keras.Model) -> None:
    """Make the head ignore what it is given."""
    kernel, bias = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel * 0, bias])


def opposing_head(model: keras.Model) -> None:
    """Let everything speak against class 0."""
    for layer, sign in (("conv", 1), ("head", -1)):
        kernel, bias = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([sign * np.abs(kernel), np.abs(bias)])


def overflowing_head(model: keras.Model) -> None:
    """Let gradients and activations be finite, and their product not."""
    for layer, scale in (("conv", 1e21), ("head", 1e21)):
        kernel, bias = model.get_layer(layer).get_weights()
        model.get_layer(layer).set_weights([np.abs(kernel) * scale, bias])


BROKEN: dict[str, tuple[Callable[[keras.Model], None], str]] = {
    "NaN before the layer": (lambda m: poison(m, "conv", np.nan), "activations are not finite"),
    "NaN behind the layer": (lambda m: poison(m, "head", np.nan), "gradient of .* is not finite"),
    "dead layer": (lambda m: kill(m, "conv"), "activations are all zero"),
    "blind head": (blind_head, "gradient of .* is zero at the layer"),
    "opposing head": (opposing_head, "nothing in the layer's activations raises"),
    "overflow": (overflowing_head, "too large for float32"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_an_empty_heatmap_says_why(kind: str, doc: Array) -> None:
    inputs = keras.Input((12, 20, 3))
    x = layers.Conv2D(4, 3, name="conv")(inputs)  # no relu: TensorFlow's makes zeros of NaN
    x = layers.GlobalAveragePooling2D()(x)
    model = with_weights(keras.Model(inputs, layers.Dense(3, name="head")(x)))
    damage, reason = BROKEN[kind]
    damage(model)
    with pytest.warns(
        UserWarning, match=f"heatmap of target 0 at layer 'conv' is empty: .*{reason}"
    ):
        explanation = eli5.explain_prediction(model, np.abs(doc), targets=[0])
    assert explanation.targets[0].heatmap.shape == (10, 18)
    assert not explanation.targets[0].heatmap.any()
    assert "The heatmap of target 0 at layer 'conv' is empty" in str(explanation.description)


def test_a_good_heatmap_gives_no_warning(model: keras.Model, doc: Array) -> None:
    explanation = eli5.explain_prediction(model, doc)  # a warning would be an error here
    assert "empty" not in str(explanation.description)


def test_the_warning_points_at_the_call(doc: Array) -> None:
    model = make_classifier()
    blind_head(model)
    with pytest.warns(UserWarning, match="empty") as caught:
        eli5.explain_prediction(model, doc)
    assert [one.filename for one in caught] == [__file__]

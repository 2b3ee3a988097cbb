"""The target layer: the right one without being asked, and clear words for a wrong one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.backend_limits import ONCE
from helpers.models import with_weights

pytestmark = ONCE  # the choice is made from shapes

Array = np.ndarray[Any, Any]


def conv(name: str, **options: Any) -> layers.Layer:
    return layers.Conv2D(4, 3, padding="same", name=name, **options)


def classify(x: Any) -> Any:
    return layers.Dense(3, activation="softmax")(x)


def pooled(x: Any) -> Any:
    return classify(layers.GlobalAveragePooling2D()(x))


def flattened(x: Any) -> Any:
    return classify(layers.Flatten()(x))


def with_excitation(x: Any) -> Any:
    """Return a squeeze-and-excitation block: a branch behind pooling, multiplied in."""
    x = conv("conv")(x)
    gate = layers.GlobalAveragePooling2D(keepdims=True)(x)
    gate = layers.Conv2D(4, 1, activation="sigmoid", name="gate")(gate)
    return pooled(layers.Multiply(name="scaled")([x, gate]))


def behind_pooling(x: Any) -> Any:
    """Return a map that is made up again from a pooled vector, as in a decoder."""
    x = layers.GlobalAveragePooling2D()(conv("conv")(x))
    x = layers.Reshape((2, 2, 1), name="reshaped")(x)
    x = layers.Conv2D(4, 1, name="late")(x)
    return flattened(layers.UpSampling2D(name="up")(x))


# What a model is made of, from its input on, and the layer that must be chosen.
CHOICES: dict[str, tuple[Callable[[Any], Any], str]] = {
    "conv": (lambda x: pooled(conv("conv")(x)), "conv"),
    "conv, bn, relu": (
        lambda x: pooled(
            layers.ReLU(name="act")(layers.BatchNormalization()(conv("conv", use_bias=False)(x)))
        ),
        "act",
    ),
    "conv, pool": (
        lambda x: flattened(layers.MaxPooling2D(name="pool")(conv("conv", activation="relu")(x))),
        "conv",
    ),
    "conv, dropout": (lambda x: pooled(layers.Dropout(0.5)(conv("conv")(x))), "conv"),
    "conv, spatial dropout": (
        lambda x: pooled(layers.SpatialDropout2D(0.5)(conv("conv")(x))),
        "conv",
    ),
    "conv, noise": (lambda x: pooled(layers.GaussianNoise(0.5)(conv("conv")(x))), "conv"),
    "two convs": (lambda x: pooled(conv("second")(conv("first")(x))), "second"),
    "residual": (
        lambda x: pooled(layers.Add(name="sum")([conv("a")(x), conv("b")(x)])),
        "sum",
    ),
    "1x1 map": (
        lambda x: flattened(
            layers.Conv2D(4, 1, name="one")(
                layers.GlobalAveragePooling2D(keepdims=True)(conv("conv")(x))
            )
        ),
        "conv",
    ),
    "squeeze and excitation": (with_excitation, "scaled"),
    "behind global pooling": (behind_pooling, "conv"),
    "rescaling": (lambda x: pooled(conv("conv")(layers.Rescaling(2.0)(x))), "conv"),
    "augmentation": (
        lambda x: pooled(conv("conv")(layers.RandomFlip()(layers.RandomRotation(0.1)(x)))),
        "conv",
    ),
    "only a pooling": (lambda x: flattened(layers.AveragePooling2D(2, name="pool")(x)), "pool"),
    "nested": (
        lambda x: pooled(
            keras.Sequential([keras.Input((12, 20, 3)), conv("inner")], name="base")(x)
        ),
        "base/inner",
    ),
}


def build(make: Callable[[Any], Any]) -> keras.Model:
    inputs = keras.Input((12, 20, 3), name="input")
    return positive(keras.Model(inputs, make(inputs)))


def positive(model: keras.Model) -> keras.Model:
    """Give a model weights above zero: whatever is chosen, its heatmap is not empty."""
    with_weights(model).set_weights([np.abs(weight) for weight in model.get_weights()])
    return model


@pytest.mark.parametrize("kind", CHOICES)
def test_the_last_feature_map_is_chosen(kind: str, doc: Array) -> None:
    make, expected = CHOICES[kind]
    explanation = eli5.explain_prediction(build(make), np.abs(doc), top_targets=3, score="logit")
    assert explanation.layer == expected
    assert f"layer {expected!r} (" in str(explanation.description)
    assert "chosen automatically" in str(explanation.description)


def simple() -> keras.Model:
    def make(x: Any) -> Any:
        return pooled(layers.ReLU(name="act")(conv("conv")(x)))

    return build(make)


@pytest.mark.parametrize(
    ("layer", "expected"), [("conv", "conv"), (1, "conv"), (-4, "conv"), (2, "act"), (None, "act")]
)
def test_a_layer_is_given_by_name_or_index(layer: Any, expected: str, doc: Array) -> None:
    explanation = eli5.explain_prediction(simple(), doc, layer=layer, top_targets=3, score="logit")
    assert explanation.layer == expected
    assert ("automatically" in str(explanation.description)) == (layer is None)


def test_a_layer_is_given_as_itself(doc: Array) -> None:
    model = simple()
    by_instance = eli5.explain_prediction(model, doc, layer=model.get_layer("conv"))
    assert by_instance == eli5.explain_prediction(model, doc, layer="conv")


def test_layers_differ(doc: Array) -> None:
    model = simple()
    one, two = (eli5.explain_prediction(model, doc, layer=name) for name in ("conv", "act"))
    assert np.abs(one.targets[0].heatmap - two.targets[0].heatmap).max() > 0.01


@pytest.mark.parametrize(
    ("layer", "error", "message"),
    [
        (
            1.5,
            TypeError,
            r"its index, or a Keras layer; or a pair.*Received: layer=1.5 \(of type float",
        ),
        (True, TypeError, r"layer=True \(of type bool"),
        ([1.5], TypeError, r"layer=1.5 \(of type float"),
        ([], ValueError, r"at least one layer. Received: layer=\[\]"),
        (b"conv", TypeError, "of type bytes"),
        ("", ValueError, "name of a layer of model.*layer=''"),
        (
            "cnov",
            ValueError,
            r"layer='cnov'. Did you mean 'conv'\? Layers that would do, last first: 'act' \(12x",
        ),
        (9, ValueError, r"index in \[-5, 5\), as the model has 5 layers. Received: layer=9"),
        (-6, ValueError, "Received: layer=-6"),
        (0, ValueError, "layer=0, which is the model's input"),
        ("input", ValueError, "layer='input', which is the model's input"),
        (-1, ValueError, r"feature map of shape \(1, height.*layer=-1 with output shape \(1, 3\)"),
        (keras.layers.Conv2D(1, 1), ValueError, "which is no layer of this model"),
    ],
)
def test_a_bad_layer_is_refused(
    layer: Any, error: type[Exception], message: str, doc: Array
) -> None:
    with pytest.raises(error, match=message):
        eli5.explain_prediction(simple(), doc, layer=layer)


def test_a_model_without_feature_maps_is_refused(doc: Array) -> None:
    model = build(lambda x: flattened(layers.Rescaling(2.0)(x)))
    with pytest.raises(ValueError, match="Expected a model with a layer that gives a feature map"):
        eli5.explain_prediction(model, doc)


def test_a_layer_behind_which_no_gradient_flows_is_refused(doc: Array) -> None:
    class Stop(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            return keras.ops.stop_gradient(x)

    model = build(lambda x: pooled(Stop()(conv("conv")(x))))
    with pytest.raises(ValueError, match=r"differentiable way. Received: layer='conv'"):
        eli5.explain_prediction(model, doc, layer="conv")


def test_a_layer_that_the_score_does_not_use_is_refused(doc: Array) -> None:
    class Idle(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.used, self.idle = conv("used"), conv("idle")
            self.pool, self.head = layers.GlobalAveragePooling2D(), layers.Dense(3)

        def call(self, x: Any) -> Any:
            self.idle(x)
            return self.head(self.pool(self.used(x)))

    model = Idle()
    model(doc)
    with pytest.raises(ValueError, match=r"differentiable way. Received: layer='idle'"):
        eli5.explain_prediction(model, doc, layer="idle")
    assert eli5.explain_prediction(positive(model), np.abs(doc), layer="used").targets

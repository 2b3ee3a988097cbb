"""The target layer that is chosen in `keras.applications`: one small model of each family.

And where it looks: with ``ELI5_MOVING_MODELS``, as `make test-places` has it, of 20 architectures.
"""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

import eli5
from eli5.keras.inputs.sample import read_sample
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import make_request
from helpers.alignments import assert_within_a_cell, followed_and_measured

Array = np.ndarray[Any, Any]

SHAPE = (128, 192, 3)  # not square, so that a swapped axis shows

# The model, the layer that must be chosen, and its grid.
CHOICES = {
    "ConvNeXtTiny": (
        "add_17",
        (4, 6),
    ),  # the sum that ends the last block, no layer but an operation
    "DenseNet121": ("relu", (4, 6)),
    "EfficientNetB0": ("top_activation", (4, 6)),
    "EfficientNetV2B0": ("top_activation", (4, 6)),
    "InceptionResNetV2": ("conv_7b_ac", (2, 4)),
    "InceptionV3": ("mixed10", (2, 4)),
    "MobileNet": ("conv_pw_13_relu", (4, 6)),  # not the head's convolution, which has a 1x1 map
    "MobileNetV2": ("out_relu", (4, 6)),
    "MobileNetV3Small": ("activation_17", (4, 6)),  # not the head's two, which have 1x1 maps
    "NASNetMobile": ("activation_187", (4, 6)),
    "ResNet50": ("conv5_block3_out", (4, 6)),
    "ResNet50V2": ("post_relu", (4, 6)),
    "VGG16": ("block5_conv3", (8, 12)),  # not the pooling behind it
    "Xception": ("block14_sepconv2_act", (4, 6)),
}


# Layers and shapes are the same on each backend; some compile for long. PyTorch has all but the one
# that JAX has.
CHOSEN = tuple(CHOICES)
if keras.backend.backend() != "torch" and "ELI5_MOVING_MODELS" not in os.environ:
    CHOSEN = ("MobileNetV2", {"jax": "NASNetMobile"}.get(keras.backend.backend(), "ResNet50"))


@pytest.fixture(autouse=True)
def _fresh_session() -> None:
    """Let Keras count the layers without a name from zero."""
    keras.backend.clear_session(free_memory=False)


def draw(initializer: Any, shape: tuple[int, ...], dtype: Any = None) -> Any:
    """Stand in for Keras's random initializers, for which JAX compiles a program per shape."""
    fan_in = np.prod(shape) / max(shape)
    values = np.random.default_rng(0).standard_normal(shape, "float32") / np.sqrt(fan_in)
    return ops.convert_to_tensor(values, dtype)


# Where the first cell of that layer lies, by the arithmetic of kernels, strides and padding: a
# convolution of 7 with a border of 3, a pooling of 3 with one of 1, and strides of 1x1 convolutions
# move nothing in ResNet50; each of MobileNet's five strides pads on the far side only, and moves
# the cells by a pixel of its own input; VGG16 halves four times by pairs.
FIRST_CELLS = {"ResNet50": 0, "MobileNet": 1 + 2 + 4 + 8 + 16, "VGG16": (16 - 1) / 2}
STRIDES = {"ResNet50": 32, "MobileNet": 32, "VGG16": 16}


@pytest.fixture(autouse=True)
def _quick_weights(monkeypatch: pytest.MonkeyPatch) -> None:
    for kind in (keras.initializers.VarianceScaling, keras.initializers.TruncatedNormal):
        monkeypatch.setattr(kind, "__call__", draw)


def build(name: str) -> keras.Model:
    return getattr(keras.applications, name)(weights=None, input_shape=SHAPE, classes=10)


def picture() -> Array:
    return np.random.default_rng(0).uniform(0, 255, (1, *SHAPE)).astype("float32")


def _skip_what_keras_refuses(name: str) -> None:
    if name == "NASNetMobile" and keras.backend.backend() == "torch":
        pytest.skip("Keras refuses to build NASNetMobile on PyTorch")


@pytest.mark.parametrize("name", CHOSEN)
def test_the_last_feature_map_is_chosen(name: str) -> None:
    _skip_what_keras_refuses(name)
    model = build(name)
    layer, grid = CHOICES[name]
    plan = make_plan(make_request(), [read_sample(model, picture())])
    assert plan.sites[0].path == layer
    (located,) = plan.located
    assert located.is_known
    if name in FIRST_CELLS:
        assert located.placement.first == (FIRST_CELLS[name],) * 2
        assert located.placement.strides(grid) == [STRIDES[name]] * 2
    grids = {site.name: site.grid for site in eli5.keras.target_layers(model)}
    assert grids[layer] == grid
    assert all(np.prod(places) > 1 for places in grids.values())


DEEPER = ("DenseNet169", "MobileNetV3Large", "ResNet101", "ResNet101V2", "ResNet152", "VGG19")
LOCATED = (*CHOICES, *DEEPER) if "ELI5_MOVING_MODELS" in os.environ else ("MobileNetV2",)
# Whose slices see so much that no line shows; all others are to be measured.
STRETCHED = {
    "DenseNet121", "DenseNet169", "InceptionResNetV2", "InceptionV3", "ResNet101V2", "ResNet152",
}  # fmt: skip
_counts = {"measured": 0, "stretched": 0}


@pytest.fixture(scope="module", autouse=True)
def _print_counts() -> Any:
    yield
    print("\napplications, where the last feature map looks:", _counts)


@pytest.mark.parametrize("name", LOCATED)
def test_what_is_measured_lies_within_a_cell_of_what_is_followed(name: str) -> None:
    _skip_what_keras_refuses(name)
    followed, measured = followed_and_measured(build(name), picture())
    assert followed.is_known
    if measured.is_known:  # else it is stretched, and the description says so
        assert_within_a_cell(followed, measured)
    assert measured.is_known == (name not in STRETCHED)
    _counts["measured" if measured.is_known else "stretched"] += 1


def kernel_of(model: keras.Model, name: str) -> Array:
    """Return the weights of a dense layer, or of a convolution of 1x1 maps, as a matrix."""
    kernel = ops.convert_to_numpy(model.get_layer(name).kernel).astype("float64")
    return kernel.reshape(kernel.shape[-2:])


def dense_head(model: keras.Model, pooled: Array) -> Array:
    return pooled @ kernel_of(model, "predictions")


def convolutional_head(model: keras.Model, pooled: Array) -> Array:
    hidden = pooled @ kernel_of(model, "conv_2")
    return hidden * np.clip(hidden / 6 + 0.5, 0, 1) @ kernel_of(model, "logits")


def normalised_head(model: keras.Model, pooled: Array) -> Array:
    epsilon = model.get_layer("convnext_tiny_head_layernorm").epsilon
    centred = pooled - pooled.mean(-1, keepdims=True)
    scaled = centred / np.sqrt((centred**2).mean(-1, keepdims=True) + epsilon)
    return scaled @ kernel_of(model, "convnext_tiny_head_dense")


# Each model's logits, but for a bias, which is zero, from the mean over places of its last map.
HEADS = {
    "MobileNetV2": dense_head,
    "MobileNetV3Small": convolutional_head,
    "ConvNeXtTiny": normalised_head,
}


def features_of(model: keras.Model, name: str) -> Array:
    output = next(operation.output for operation in model.operations if operation.name == name)
    features = keras.Model(model.input, output)(picture(), training=False)
    return ops.convert_to_numpy(features)[0].astype("float64")


@pytest.mark.parametrize("name", HEADS)
def test_the_heatmap_is_that_of_the_head_by_hand(name: str) -> None:
    model = build(name)
    features = features_of(model, CHOICES[name][0])
    pooled = features.mean((0, 1))
    step = 1e-5 * np.abs(pooled).max()
    nearby = step * np.eye(len(pooled))
    slopes = HEADS[name](model, pooled + nearby) - HEADS[name](model, pooled - nearby)
    maps = np.maximum(features @ slopes, 0)  # (height, width, classes)
    target = int(maps.max((0, 1)).argmax())
    expected = maps[..., target] / maps[..., target].max()

    explanation = eli5.explain_prediction(model, picture(), targets=[target], score="logit")
    assert explanation.layer == CHOICES[name][0]
    np.testing.assert_allclose(explanation.targets[0].heatmap, expected, atol=1e-5)
    options: Any = {"targets": [target], "layer": explanation.layer, "score": "logit"}
    named = eli5.explain_prediction(model, picture(), **options)
    np.testing.assert_array_equal(named.targets[0].heatmap, explanation.targets[0].heatmap)

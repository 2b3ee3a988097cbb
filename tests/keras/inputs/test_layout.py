"""Where the channels of a picture are: told by what the model does, or by the caller."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras.inputs.sample import read_sample

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()


class Moving(keras.Model):  # type: ignore[misc]
    """Takes ``(1, C, H, W)``, and moves the channels itself."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = layers.Conv2D(2, 1, kernel_initializer="ones", name="conv")
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        return self.dense(ops.mean(self.conv(ops.transpose(x, (0, 2, 3, 1))), axis=(1, 2)))


def in_a_lambda() -> keras.Model:
    inputs = keras.Input((3, 12, 20))
    x = layers.Lambda(lambda y: ops.transpose(y, (0, 2, 3, 1)))(inputs)
    x = layers.Conv2D(2, 1, kernel_initializer="ones", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))


def rescaled_first() -> keras.Model:
    inputs = keras.Input((3, 12, 20))
    x = layers.Permute((2, 3, 1))(layers.Rescaling(2.0)(inputs))
    x = layers.Conv2D(2, 1, kernel_initializer="ones", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))


def bright(shape: tuple[int, ...], where: tuple[Any, ...]) -> Array:
    doc = np.full((1, *shape), 0.01, "float32")
    doc[(0, *where)] = 1
    return doc


@pytest.mark.parametrize("make", [Moving, in_a_lambda, rescaled_first])
def test_channels_that_the_model_moves(make: Any) -> None:
    model = make()
    doc = bright((3, 12, 20), (slice(None), slice(2, 5), slice(9, 13)))
    model(doc)
    expl = eli5.explain_prediction(model, doc, layer="conv")
    assert expl.targets[0].heatmap.shape == (12, 20)
    assert expl.image.size == (20, 12)
    assert expl.image.mode == "RGB"
    np.testing.assert_array_equal(expl.heatmap_on_input() > 0.5, doc[0, 0] > 0.5)
    np.testing.assert_array_equal(np.asarray(expl.image)[..., 0] > 128, doc[0, 0] > 0.5)
    saliency = eli5.explain_prediction(model, doc, method="Gradient x Input")
    np.testing.assert_array_equal(saliency.targets[0].heatmap > 0.5, doc[0, 0] > 0.5)


@pytest.mark.skipif(BACKEND != "torch", reason="a module of PyTorch runs on PyTorch alone")
def test_a_module_of_pytorch_has_its_own_layout() -> None:
    import torch

    conv = torch.nn.Conv2d(3, 8, 1)
    torch.nn.init.ones_(conv.weight)
    inputs = keras.Input((3, 16, 16))
    x = layers.TorchModuleWrapper(conv, output_shape=(None, 8, 16, 16), name="module")(inputs)
    x = layers.GlobalAveragePooling2D(data_format="channels_first")(x)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    doc = bright((3, 16, 16), (slice(None), slice(2, 5), slice(9, 13)))
    expl = eli5.explain_prediction(model, doc, layer="module")
    assert expl.targets[0].heatmap.shape == (16, 16)
    np.testing.assert_array_equal(expl.heatmap_on_input() > 0.5, doc[0, 0] > 0.5)


class Silent(keras.Model):  # type: ignore[misc]
    """Whose layers do not show what is what in a picture ``(1, 3, 16, 3)``."""

    def __init__(self) -> None:
        super().__init__()
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        return self.dense(ops.reshape(x, (-1, 3 * 16 * 3)))


def test_a_doubt_is_said_and_settled_by_the_caller() -> None:
    model, doc = Silent(), np.ones((1, 3, 16, 3), "float32")
    model(doc)
    expl = eli5.explain_prediction(model, doc, method="Saliency")
    assert "Say it with data_format=" in expl.description
    assert expl.targets[0].heatmap.shape == (3, 16)
    expl = eli5.explain_prediction(model, doc, method="Saliency", data_format="channels_first")
    assert "data_format" not in expl.description
    assert expl.targets[0].heatmap.shape == (16, 3)
    assert expl.image.size == (3, 16)
    (expl,) = eli5.explain_predictions(model, doc, method="Saliency", data_format="channels_first")
    assert expl.targets[0].heatmap.shape == (16, 3)


def test_a_layout_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected `data_format` to be one of"):
        eli5.explain_prediction(Silent(), np.ones((1, 3, 16, 3), "float32"), data_format="CHW")


def test_a_layer_behind_a_rescaling_tells_the_layout() -> None:
    inputs = keras.Input((3, 8, 8))
    x = layers.Rescaling(2.0)(inputs)
    x = layers.BatchNormalization(axis=1)(x)
    x = layers.AveragePooling2D(2, data_format="channels_first")(x)
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(x)))
    assert read_sample(model, np.ones((1, 3, 8, 8), "float32")).channels_first


def test_a_layout_that_is_given_is_not_that_of_the_call_before() -> None:
    inputs = keras.Input((3, 3, 3))
    x = layers.Lambda(lambda y: 1.0 * y, name="same")(inputs)
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(layers.Flatten()(x)))
    doc = bright((3, 3, 3), (0, 1, 2))
    places = {}
    for data_format in ("channels_last", "channels_first"):
        expl = eli5.explain_prediction(model, doc, layer="same", data_format=data_format)
        heat = expl.heatmap_on_input()
        places[data_format] = np.unravel_index(heat.argmax(), heat.shape)
    assert places == {"channels_last": (0, 1), "channels_first": (1, 2)}

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


def patches_in_a_lambda() -> keras.Model:
    """Return a model with patches of 2 x 2 whose 12 numbers are as many as the picture has rows."""

    def cut(x: Any) -> Any:
        x = ops.reshape(x, (-1, 6, 2, 12, 2, 3))
        return ops.reshape(ops.transpose(x, (0, 1, 3, 2, 4, 5)), (-1, 6, 12, 12))

    inputs = keras.Input((12, 24, 3))
    x = layers.Lambda(cut)(inputs)
    x = layers.Conv2D(1, 1, kernel_initializer="ones", name="conv")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))


@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency", "Occlusion"])
def test_patches_are_not_taken_for_moved_channels(method: str) -> None:
    doc = bright((12, 24, 3), (slice(2, 4), slice(8, 10)))
    expl = eli5.explain_prediction(patches_in_a_lambda(), doc, method=method)
    assert expl.heatmap_on_input().shape == (12, 24)
    assert expl.image.size == (24, 12)


class Flat(keras.Model):  # type: ignore[misc]
    """Whose layers do not show what is what in a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.flatten = layers.Flatten()
        self.dense = layers.Dense(2, kernel_initializer="ones")

    def call(self, x: Any) -> Any:
        return self.dense(self.flatten(x))


@pytest.mark.parametrize("method", ["Saliency", "Occlusion"])
@pytest.mark.parametrize(
    ("shape", "size", "is_said"),
    [((3, 8, 12), (8, 12), False), ((1, 8, 12), (8, 12), False), ((8, 12, 3), (8, 12), False),
     ((5, 8, 12), (5, 8), True), ((3, 8, 4), (3, 8), True)],
)  # fmt: skip
def test_flattening_says_nothing_of_channels(
    method: str, shape: tuple[int, ...], size: tuple[int, ...], is_said: bool
) -> None:
    model, doc = Flat(), np.random.default_rng(0).random((1, *shape)).astype("float32")
    model(doc)
    expl = eli5.explain_prediction(model, doc, method=method)
    assert expl.targets[0].heatmap.shape == size
    assert ("Nothing in the model tells where the channels" in expl.description) == is_said


# ---- series --------------------------------------------------------------------------------------


def transposed(x: Any) -> Any:
    return layers.Lambda(lambda y: ops.transpose(y, (0, 2, 1)))(x)


@pytest.mark.parametrize("move", [layers.Permute((2, 1)), transposed])
@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency", "Occlusion"])
def test_channels_of_a_series_that_the_model_moves(move: Any, method: str) -> None:
    inputs = keras.Input((3, 20))
    x = layers.Conv1D(1, 1, kernel_initializer="ones", name="conv")(move(inputs))
    x = ops.square(layers.GlobalMaxPooling1D()(x))
    model = keras.Model(inputs, layers.Dense(2, kernel_initializer="ones")(x))
    doc = bright((3, 20), (slice(None), 13))
    expl = eli5.explain_prediction(model, doc, method=method, channel_names=["a", "b", "c"])
    assert expl.series.values.shape == (20, 3)
    assert int(np.argmax(expl.heatmap_on_input())) // (1 if method == "Grad-CAM" else 3) == 13


def test_a_recurrent_layer_tells_the_steps_of_a_series() -> None:
    inputs = keras.Input((3, 20))
    x = layers.LSTM(4, return_sequences=True)(layers.Permute((2, 1))(inputs))
    model = keras.Model(inputs, layers.Dense(2)(layers.GlobalAveragePooling1D()(x)))
    assert read_sample(model, np.ones((1, 3, 20), "float32")).size == (20,)


def test_convolutions_outweigh_a_recurrent_layer_that_takes_channels_for_steps() -> None:
    inputs = keras.Input((3, 20))
    x = layers.Conv1D(4, 3, name="conv")(layers.Permute((2, 1))(inputs))
    x = layers.Concatenate()([layers.LSTM(4)(inputs), layers.GlobalAveragePooling1D()(x)])
    model = keras.Model(inputs, layers.Dense(2)(x))
    assert read_sample(model, np.ones((1, 3, 20), "float32")).size == (20,)

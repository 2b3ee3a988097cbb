"""Docs of which the model itself makes a picture: flat columns, waveforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import eli5
from eli5.keras import target_layers
from eli5.keras.explain_prediction import explain_prediction_keras_image
from helpers.backend_limits import ONCE
from helpers.models import ROUNDING, sample, with_weights

pytestmark = ONCE  # which input is explained

Array = np.ndarray[Any, Any]

HEIGHT, WIDTH = 10, 14
METHODS = ["Grad-CAM", "Score-CAM", "Saliency", "Integrated Gradients", "Occlusion", "LIME"]


def head(x: Any) -> Any:
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    return layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling2D()(x))


def of_columns(channels: int, fold: Callable[[Any], Any] | None = None) -> keras.Model:
    inputs = keras.Input((HEIGHT * WIDTH * channels,))
    fold = fold or layers.Reshape((HEIGHT, WIDTH, channels), name="fold")
    return with_weights(keras.Model(inputs, head(fold(inputs))))


def of_pictures(channels: int) -> keras.Model:
    inputs = keras.Input((HEIGHT, WIDTH, channels))
    return with_weights(keras.Model(inputs, head(inputs)))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("method", METHODS)
def test_columns_are_a_picture_where_that_is_said(method: str, channels: int) -> None:
    picture = sample((HEIGHT, WIDTH, channels))
    options: dict[str, Any] = {"method": method, "targets": [1]}
    if method == "LIME":
        options["n_samples"] = 60
    expected = eli5.explain_prediction(of_pictures(channels), picture, **options)
    said: list[dict[str, Any]] = [
        {"grid": (HEIGHT, WIDTH)},
        {"image": Image.new("RGB", (WIDTH, HEIGHT))},
    ]
    for how in said:
        found = eli5.explain_prediction(
            of_columns(channels), picture.reshape(1, -1), **how, **options
        )
        one, other = found.targets[0].attribution, expected.targets[0].attribution
        assert one.shape == other.shape
        assert other.any()
        np.testing.assert_allclose(one, other, atol=ROUNDING * 1e-4 * np.abs(other).max())
        assert found.layer == expected.layer
    assert "grid" in said[0]
    drawn = eli5.explain_prediction(of_columns(channels), picture.reshape(1, -1), **said[0])
    np.testing.assert_array_equal(np.asarray(drawn.image), np.asarray(expected.image))


def test_columns_are_a_picture_for_the_function_that_explains_pictures() -> None:
    doc = sample((HEIGHT, WIDTH, 1)).reshape(1, -1)
    options: dict[str, Any] = {"targets": [1], "method": "Saliency"}
    found = explain_prediction_keras_image(of_columns(1), doc, **options)
    said = eli5.explain_prediction(of_columns(1), doc, grid=(HEIGHT, WIDTH), **options)
    np.testing.assert_array_equal(found.targets[0].heatmap, said.targets[0].heatmap)


def test_many_rows_of_columns_are_many_pictures() -> None:
    docs = np.concatenate([sample((HEIGHT, WIDTH, 1), seed) for seed in range(3)])
    options: dict[str, Any] = {"method": "Saliency", "targets": [0, 1, 2]}
    found = eli5.explain_predictions(
        of_columns(1), docs.reshape(3, -1), grid=(HEIGHT, WIDTH), **options
    )
    expected = eli5.explain_predictions(of_pictures(1), docs, **options)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            one.targets[0].heatmap, other.targets[0].heatmap, atol=ROUNDING * 1e-4
        )


def test_columns_of_which_nothing_is_said_are_a_table() -> None:
    doc = sample((HEIGHT, WIDTH, 1)).reshape(1, -1)
    for layer in (None, "conv"):
        explanation = eli5.explain_prediction(of_columns(1), doc, layer=layer)
        assert 'try passing the "image" argument' in str(explanation.error)
    assert target_layers(of_columns(1), doc, grid=(HEIGHT, WIDTH))[-1].grid == (HEIGHT, WIDTH)


def test_a_grid_must_be_that_of_the_model() -> None:
    doc = sample((HEIGHT, WIDTH, 1)).reshape(1, -1)
    with pytest.raises(ValueError, match=r"`grid` to be \(10, 14\).*'fold' folds.*grid=\(14, 10\)"):
        eli5.explain_prediction(of_columns(1), doc, grid=(14, 10))


# ---- waveforms -----------------------------------------------------------------------------------

RATE, LENGTH = 4000, 4000


def mel() -> layers.Layer:
    return layers.MelSpectrogram(
        fft_length=256, sequence_stride=128, num_mel_bins=16, sampling_rate=RATE, name="spectrogram"
    )


def stft() -> layers.Layer:
    return layers.STFTSpectrogram(
        mode="magnitude", frame_length=256, frame_step=128, fft_length=256, name="spectrogram"
    )


def listener(front: Callable[[], layers.Layer], shape: tuple[int, ...]) -> keras.Model:
    inputs = keras.Input(shape)
    x = front()(inputs)
    x = layers.Reshape((*x.shape[1:], 1), name="channel")(x)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="first")(x)
    x = layers.Conv2D(4, 3, padding="same", activation="relu", name="conv")(x)
    x = layers.Dense(2)(layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x)
    for weight in model.trainable_weights:
        values = np.random.default_rng(0).uniform(0.1, 1, weight.shape)
        values /= values.sum(axis=tuple(range(values.ndim - 1)))
        weight.assign(values if values.ndim > 1 else np.zeros_like(values))  # silence says nothing
    return model


def burst(at: int) -> Array:
    """Return a waveform that is nearly silent but for a tone around one moment."""
    time = np.arange(LENGTH)
    wave = 0.3 * np.exp(-(((time - at) / 100) ** 2)) * np.sin(2 * np.pi * 600 * time / RATE)
    noise = np.random.default_rng(0).normal(0, 0.003, LENGTH)
    return (wave + noise).astype("float32")[None]


FRONTS: dict[str, tuple[Callable[[], layers.Layer], tuple[int, ...]]] = {
    "mel": (mel, (LENGTH,)),
    "stft": (stft, (LENGTH, 1)),
}


@pytest.mark.parametrize("layer", [None, "first"])
@pytest.mark.parametrize("front", FRONTS)
def test_a_map_of_a_spectrogram_collapses_to_time(front: str, layer: str | None) -> None:
    make, shape = FRONTS[front]
    model = listener(make, shape)
    for at in (900, 3000):
        doc = burst(at).reshape(1, *shape)
        explanation = eli5.explain_prediction(model, doc, layer=layer, targets=[0])
        heatmap = explanation.targets[0].heatmap
        assert heatmap.shape == (LENGTH,)
        assert explanation.layer == (layer or "conv")
        assert abs(int(heatmap.argmax()) - at) < 256
        assert explanation.series.values.shape == (LENGTH, 1)
        assert explanation.image is None
    times = np.arange(LENGTH) / RATE
    timed = eli5.explain_prediction(model, doc, layer=layer, targets=[0], time=times)
    np.testing.assert_array_equal(timed.targets[0].heatmap, heatmap)


def test_a_waveform_may_be_scaled_first() -> None:
    inputs = keras.Input((LENGTH,))
    model = listener(mel, (LENGTH,))
    scaled = keras.Model(inputs, model(layers.Rescaling(1 / 2)(inputs)))
    explanation = eli5.explain_prediction(scaled, burst(900) * 2, targets=[0])
    assert abs(int(explanation.targets[0].heatmap.argmax()) - 900) < 256


@pytest.mark.parametrize("method", ["Saliency", "Occlusion", "Score-CAM", "HiResCAM"])
def test_every_method_explains_a_waveform(method: str) -> None:
    doc = burst(1200)
    explanation = eli5.explain_prediction(listener(mel, (LENGTH,)), doc, method=method, targets=[0])
    heatmap = np.convolve(explanation.targets[0].heatmap.reshape(LENGTH), np.ones(200), "same")
    assert abs(int(heatmap.argmax()) - 1200) < 400


@pytest.mark.parametrize("method", ["Grad-CAM", "Saliency", "Occlusion", "Integrated Gradients"])
@pytest.mark.parametrize("front", FRONTS)
def test_a_map_is_shown_over_the_spectrogram_itself(front: str, method: str) -> None:
    make, shape = FRONTS[front]
    model = listener(make, shape)
    doc = burst(900).reshape(1, *shape)
    spectrogram = keras.ops.convert_to_numpy(model.get_layer("spectrogram")(doc))
    inputs = keras.Input(spectrogram.shape[1:])
    x = inputs
    for one in model.layers[2:]:
        x = one(x)
    behind = keras.Model(inputs, x)
    options: dict[str, Any] = {"method": method, "targets": [0]}
    found = eli5.explain_prediction(model, doc, image="spectrogram", **options)
    expected = eli5.explain_prediction(behind, spectrogram, **options)
    one, other = found.targets[0].attribution, expected.targets[0].attribution
    assert one.shape == other.shape == spectrogram.shape[1:]
    np.testing.assert_allclose(one, other, atol=1e-3 * np.abs(other).max())
    assert found.image.size == (spectrogram.shape[2], spectrogram.shape[1])
    assert found.layer == expected.layer


def test_a_layer_that_gives_no_picture_is_refused_as_one() -> None:
    model = listener(mel, (LENGTH,))
    expected = r"image='dense', which is not the name of a layer whose output.*'spectrogram'"
    with pytest.raises(TypeError, match=expected):
        eli5.explain_prediction(model, burst(900), image="dense")


def test_a_layers_output_may_be_the_picture_of_a_picture() -> None:
    """A picture that the model crops itself, shown as the model sees it."""
    inputs = keras.Input((20, 24, 3))
    x = layers.CenterCrop(10, 14, name="crop")(inputs)
    model = with_weights(keras.Model(inputs, head(x)))
    doc = sample((20, 24, 3))
    explanation = eli5.explain_prediction(model, doc, image="crop", method="Saliency")
    assert explanation.targets[0].heatmap.shape == (10, 14)
    assert explanation.image.size == (14, 10)
    before = explanation.image.convert("RGB")
    whole = eli5.explain_prediction(model, doc, method="Saliency").image
    np.testing.assert_allclose(
        np.asarray(before, float), np.asarray(whole.crop((5, 5, 19, 15)), float), atol=1
    )

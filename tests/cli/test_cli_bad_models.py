"""Models that cannot be loaded, or not be explained, are refused in one line."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import pytest
from keras import layers

from helpers.cli_helpers import colour_model, fails, run, saved

Capsys = pytest.CaptureFixture[str]

NO_MODEL = "Expected MODEL to be a .keras or .h5 file, or the name of a keras.applications model."


# ---- models that cannot be loaded ----------------------------------------------------------------


class Own(layers.Layer):  # type: ignore[misc]
    def call(self, inputs: Any) -> Any:
        return inputs * 1


def with_own_layer(path: Path) -> None:
    colour_model(Own()).save(path)


def with_lambda(path: Path) -> None:
    colour_model(layers.Lambda(lambda x: x / 255, output_shape=(32, 32, 3))).save(path)


def with_own_layer_in_functional(path: Path) -> None:
    inputs = keras.Input((32, 32, 3))
    keras.Model(inputs, colour_model()(Own()(inputs))).save(path)


def without_config(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme", "no model")


def only_weights(path: Path) -> None:
    weights = path.with_name("model.weights.h5")
    colour_model().save_weights(weights)
    weights.rename(path)


def text(path: Path) -> None:
    path.write_text("no model", encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "save", "reason"),
    [
        ("m.keras", with_own_layer, "Could not locate class 'Own'"),
        ("m.keras", with_own_layer_in_functional, "Could not locate class 'Own'"),
        ("m.h5", with_own_layer, "Unknown layer: 'Own'"),
        ("m.keras", with_lambda, "Requested the deserialization of a `Lambda` layer"),
        ("m.h5", with_lambda, "Requested the deserialization of a `Lambda` layer"),
        ("m.keras", without_config, "\"There is no item named 'config.json' in the archive\""),
        ("m.h5", text, "Unable to synchronously open file (file signature not found)"),
        ("m.h5", only_weights, "No model config found in the file"),
    ],
)
def test_a_model_that_cannot_be_loaded(
    capsys: Capsys,
    image_path: str,
    tmp_path: Path,
    name: str,
    save: Callable[[Path], None],
    reason: str,
) -> None:
    path = tmp_path / name
    save(path)
    message = fails(capsys, "explain", path, image_path)
    assert message.startswith(
        f"Expected MODEL to be a model that Keras can load. Received: MODEL={path}: {reason}"
    )
    advice = {
        "Own": "Name the module that registers it with Keras as --import.",
        "`Lambda`": ("If you trust the file, give --allow-code."),
    }
    for mark, text in advice.items():
        assert message.endswith(text) == (mark in reason)
    assert "config=" not in message


def test_a_name_that_is_no_application(capsys: Capsys, image_path: str) -> None:
    message = fails(capsys, "explain", "mobilnet_v2", image_path)
    assert message.startswith(f"{NO_MODEL} Received: MODEL=mobilnet_v2. Did you mean MobileNetV2, ")
    message = fails(capsys, "explain", "x", image_path)
    assert message.startswith(f"{NO_MODEL} Received: MODEL=x. Names: ConvNeXtBase, ")
    assert message.endswith("VGG19, Xception.")


# ---- models that cannot be explained -------------------------------------------------------------


def test_preprocessing_is_never_guessed(capsys: Capsys, image_path: str, tmp_path: Path) -> None:
    model = saved(colour_model(layers.Activation("relu")), tmp_path)
    ended = run(capsys, "explain", model, image_path)
    assert (ended.code, ended.out) == (2, "")
    first, *choices = ended.err.splitlines()
    assert first == (
        "eli5: error: Expected --preprocess, because the model does not start with a Rescaling or "
        "Normalization layer that would say which values it takes. Choose what it was trained with:"
    )
    assert choices == [
        "  --preprocess tf: scaled to [-1, 1]",
        "  --preprocess torch: scaled to [0, 1], then by ImageNet's mean and deviation of each "
        "channel",
        "  --preprocess caffe: in the order BGR, less ImageNet's mean of each channel",
        "  --preprocess unit: scaled to [0, 1]",
        "  --preprocess none: 0 to 255 as they are",
    ]


@pytest.mark.parametrize("mode", ["torch", "caffe"])
def test_preprocessing_by_colour_of_a_grey_model(
    capsys: Capsys, image_path: str, tmp_path: Path, mode: str
) -> None:
    model = saved(keras.Sequential([keras.Input((8, 8, 1)), layers.Flatten()]), tmp_path)
    assert fails(capsys, "explain", model, image_path, "--preprocess", mode) == (
        f"Expected a model of RGB pictures for --preprocess {mode}. Received: one that takes L"
    )


def two_inputs() -> keras.Model:
    inputs = [keras.Input((8, 8, 3)), keras.Input((8, 8, 3))]
    return keras.Model(inputs, layers.Flatten()(layers.Add()(inputs)))


@pytest.mark.parametrize(
    ("make", "shape"),
    [
        (lambda: keras.Sequential([keras.Input((5,)), layers.Dense(2)]), "(None, 5)"),
        (
            lambda: keras.Sequential([keras.Input((8, 3, 8)), layers.Flatten()]),
            "(None, 8, 3, 8)",
        ),
        (two_inputs, "[(None, 8, 8, 3), (None, 8, 8, 3)]"),
    ],
)
def test_a_model_that_takes_no_picture(
    capsys: Capsys, image_path: str, tmp_path: Path, make: Callable[[], keras.Model], shape: str
) -> None:
    model = make()
    message = fails(capsys, "explain", saved(model, tmp_path), image_path, "--preprocess", "none")
    assert message == (
        "Expected a model with one picture as input, of shape (height, width, channels) with 1, 3 "
        "or 4 channels, which may be first. "
        f"Received: model {model.name!r} with input shape {shape}"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--class", "3"], "Expected a class id in [0, 3)"),
        (["--class", "-1"], "Expected a class id in [0, 3)"),
        (["--class", "cat"], "Expected `class_names` beside a name in --class."),
        (["--top", "4"], "Expected `top_targets` of at most 3"),
        (["--layer", "nope"], "Expected the name of a layer of model 'colour_model'."),
        (["--layer", "9"], "Expected a layer index in"),
        (["--layer", "classes"], "Expected `layer` to give a feature map"),
    ],
)
def test_what_does_not_fit_the_model(
    capsys: Capsys, model_path: str, image_path: str, options: list[str], message: str
) -> None:
    assert fails(capsys, "explain", model_path, image_path, *options).startswith(message)


def test_score_logit_without_a_softmax(capsys: Capsys, image_path: str, tmp_path: Path) -> None:
    trunk = colour_model().layers[:-1]
    model = saved(keras.Sequential([keras.Input((32, 32, 3)), *trunk]), tmp_path)
    message = fails(capsys, "explain", model, image_path, "--score", "logit")
    assert message.startswith("Expected a model that ends in a softmax or a sigmoid")


def test_a_model_that_is_no_classifier(capsys: Capsys, image_path: str, tmp_path: Path) -> None:
    trunk = colour_model().layers[:-2]
    model = saved(keras.Sequential([keras.Input((32, 32, 3)), *trunk]), tmp_path)
    message = fails(capsys, "explain", model, image_path)
    assert message.startswith("Expected a classifier, a model with an output of shape")


def test_an_error_in_the_program_is_not_taken_for_a_users(
    capsys: Capsys, model_path: str, image_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr("eli5.loading.models.class_names", broken)
    with pytest.raises(ValueError, match="a defect"):
        run(capsys, "explain", model_path, image_path)

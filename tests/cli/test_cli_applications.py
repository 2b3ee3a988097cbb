"""Models of ``keras.applications`` by their names."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from helpers.cli_helpers import colour_model, fails, run, two_colours

Capsys = pytest.CaptureFixture[str]

FAMILY = keras.applications.mobilenet_v2
OFFLINE = Exception("URL fetch failure on https://example.org/x: None -- Name not known")


def application(**options: Any) -> keras.Model:
    """Stand in for `MobileNetV2`, which takes seconds to build: 1,000 classes, two of them live."""
    inputs = keras.Input((8, 8, 3))
    colours = layers.Conv2D(3, 1, use_bias=False, name="colours")
    classes = layers.Dense(1000, activation="softmax", name="predictions")
    x = layers.GlobalAveragePooling2D()(colours(inputs))
    model = keras.Model(inputs, classes(x), name="mobilenetv2")
    colours.set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    if options["weights"] == "imagenet":
        bias = 5 * (np.arange(1000) == 7)
        classes.set_weights([10 * np.eye(3, 1000, k=7), bias])
    return model


application.__name__ = "MobileNetV2"
application.__module__ = FAMILY.__name__


def decode_predictions(scores: Any, top: int) -> Any:
    """Stand in for Keras's, which downloads the names: likeliest first, as it gives them."""
    (row,) = scores
    ranked = row.argsort()[::-1][:top]
    return [[(f"n{k:08}", f"name_{k}", row[k]) for k in ranked]]


@pytest.fixture
def family(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.setattr(keras.applications, "MobileNetV2", application)
    monkeypatch.setattr(FAMILY, "decode_predictions", decode_predictions)
    return FAMILY


@pytest.mark.parametrize("name", ["MobileNetV2", "mobilenetv2", "mobilenet_v2", "MOBILENET-V2"])
@pytest.mark.usefixtures("family")
def test_name_brings_weights_preprocessing_and_class_names(
    capsys: Capsys, image_path: str, name: str
) -> None:
    ended = run(capsys, "explain", name, image_path, "--top", "2")
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Model") == "mobilenetv2"
    assert [label for label, *_ in ended.rows()] == ["name_9 (9)", "name_7 (7)"]
    assert ended.fact("Input").endswith(" as 8x8 RGB, preprocessed as mobilenet_v2 does")


@pytest.mark.usefixtures("family")
def test_labels_win_over_the_applications_names(
    capsys: Capsys, image_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FAMILY, "decode_predictions", None)  # is not even asked
    labels = tmp_path / "labels.txt"
    labels.write_text("\n".join(f"label {k}" for k in range(1000)), encoding="utf-8")
    ended = run(capsys, "explain", "MobileNetV2", image_path, "--labels", labels)
    assert ended.rows()[0][0] == "label 9 (9)"
    assert "Warning" not in ended.out


@pytest.mark.usefixtures("family")
def test_names_that_cannot_be_had_are_done_without(
    capsys: Capsys, image_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(*_: object, **__: object) -> None:
        print("Downloading data from https://example.org")
        raise OFFLINE

    monkeypatch.setattr(FAMILY, "decode_predictions", offline)
    ended = run(capsys, "explain", "MobileNetV2", image_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.rows()[0][0] == "9"
    assert "Downloading" not in ended.out
    assert ended.fact("Warning") == (
        f"The names of the classes cannot be had: {OFFLINE}. Give names as --labels."
    )


def test_weights_that_cannot_be_had(
    capsys: Capsys, image_path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def offline(**_: object) -> None:
        print("Downloading data from https://example.org")
        raise OFFLINE

    offline.__name__ = "MobileNetV2"
    offline.__module__ = FAMILY.__name__
    monkeypatch.setattr(keras.applications, "MobileNetV2", offline)
    assert fails(capsys, "explain", "mobilenet_v2", image_path) == (
        "Expected the ImageNet weights of MobileNetV2 to be at hand or within reach. Received: "
        f"{OFFLINE}. Give a local file as --weights."
    )


def test_weights_of_another_model(
    capsys: Capsys, image_path: str, tmp_path: Path, family: ModuleType
) -> None:
    weights = tmp_path / "other.weights.h5"
    colour_model().save_weights(weights)
    message = fails(capsys, "explain", "mobilenet_v2", image_path, "--weights", weights)
    assert message.startswith(
        "Expected --weights to be a file with weights of the whole MobileNetV2. Received: "
        f"--weights={weights}: "
    )
    assert len(message) < 800


@pytest.mark.usefixtures("family")
def test_efficientnet_with_a_weights_file_is_warned_of(
    capsys: Capsys, image_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def constructor(**options: Any) -> keras.Model:
        return application(**options)

    constructor.__name__ = "EfficientNetB0"
    constructor.__module__ = keras.applications.mobilenet_v2.__name__
    monkeypatch.setattr(keras.applications, "EfficientNetB0", constructor)
    weights = tmp_path / "b0.weights.h5"
    application(weights="imagenet").save_weights(weights)
    ended = run(capsys, "explain", "EfficientNetB0", image_path, "--weights", weights)
    assert ended.code == 0
    assert ended.fact("Warning").startswith(
        "With its ImageNet weights, Keras builds one more scaling into EfficientNetB0 than with a "
        "weights file."
    )


def test_a_real_application_with_a_local_weights_file(
    capsys: Capsys, image_path: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    built = keras.applications.MobileNet(weights=None)
    weights = tmp_path / "mobilenet.weights.h5"
    built.save_weights(weights)
    pixels = np.asarray(two_colours().resize((224, 224), 2), "float32")[np.newaxis]
    scores = built.predict(pixels / 127.5 - 1, verbose=0)[0]
    monkeypatch.setattr(keras.applications.mobilenet, "decode_predictions", decode_predictions)
    ended = run(capsys, "explain", "mobilenet", image_path, "--weights", weights)
    assert (ended.code, ended.err) == (0, "")
    assert ended.fact("Layer") == "conv_pw_13_relu"
    ((label, score, _),) = ended.rows()
    assert label == f"name_{scores.argmax()} ({scores.argmax()})"
    assert float(score) == pytest.approx(scores.max(), rel=1e-3)


def test_every_application_is_found_by_its_name_and_has_a_family() -> None:
    from eli5.loading import models

    names = models._application_names()
    assert len(names) >= 38
    for name in names:
        constructor = getattr(keras.applications, name)
        family = getattr(keras.applications, constructor.__module__.rpartition(".")[2])
        assert callable(family.preprocess_input)
        assert callable(family.decode_predictions)
    assert len({models._plain(name) for name in names}) == len(names)

"""A doc that was not prepared for its model is warned of once, and no other is."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import applications, layers

import eli5
from helpers.backend_limits import ONCE
from helpers.models import with_weights

pytestmark = ONCE  # what layers and names tell, which backends do not change

Array = np.ndarray[Any, Any]

SIZE = (32, 32, 3)
RAW = np.random.default_rng(0).integers(0, 256, (1, *SIZE)).astype("float32")


def mobile(**options: Any) -> keras.Model:
    return applications.MobileNetV2(
        weights=None, input_shape=SIZE, alpha=0.35, classes=5, **options
    )


def warned(model: keras.Model, doc: Array, **options: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        # One window: nothing is differentiated, which takes longest to compile.
        eli5.explain_prediction(model, doc, targets=[1], method="Occlusion", patch=32, **options)
    return [str(one.message) for one in caught if "whole numbers" in str(one.message)]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return mobile()


@pytest.mark.parametrize("dtype", ["float32", "uint8", "int32"])
def test_raw_pixels_are_warned_of_with_the_call_that_mends_it(
    model: keras.Model, dtype: str
) -> None:
    (message,) = warned(model, RAW.astype(dtype))
    assert "from 0 to 255" in message
    call = "keras.applications.mobilenet_v2.preprocess_input(doc)"
    assert call in message
    mended = eval(call, {"keras": keras, "doc": RAW.copy()})
    assert not warned(model, mended)


@pytest.mark.parametrize(
    "doc",
    [
        RAW / 127.5 - 1,
        RAW / 255,
        RAW + 0.25,  # resized in floats: perhaps
        RAW - 128,
        (RAW > 100).astype("float32"),
        np.zeros_like(RAW),
        (RAW % 3).astype("float32"),
        RAW * 4,
    ],
    ids=["tf", "unit", "floats", "centred", "binary", "zeros", "to two", "beyond"],
)
def test_what_may_be_prepared_is_not_warned_of(model: keras.Model, doc: Array) -> None:
    assert not warned(model, doc.astype("float32"))


def nested(*before: Any, name: str = "mine") -> keras.Model:
    inputs = keras.Input(SIZE)
    x = inputs
    for step in before:
        x = step(x)
    base = mobile(include_top=False, pooling="avg")
    return keras.Model(inputs, layers.Dense(3, activation="softmax")(base(x)), name=name)


SCALED: dict[str, Callable[[], Any]] = {
    "Rescaling": lambda: layers.Rescaling(1 / 127.5, offset=-1),
    "Normalization": lambda: layers.Normalization(mean=[127.0] * 3, variance=[4000.0] * 3),
    "its own function": lambda: applications.mobilenet_v2.preprocess_input,
    "Lambda": lambda: layers.Lambda(lambda x: x / 127.5 - 1),
    "arithmetic": lambda: lambda x: x / 255.0,
    "BatchNormalization": lambda: layers.BatchNormalization(),
}


@pytest.mark.parametrize("kind", SCALED)
def test_a_model_that_scales_takes_raw_pixels(kind: str) -> None:
    assert not warned(nested(SCALED[kind]()), RAW)


def test_a_model_within_a_model_is_known() -> None:
    (message,) = warned(
        nested(layers.RandomFlip(), layers.ZeroPadding2D(2), layers.CenterCrop(32, 32)), RAW
    )
    assert "mobilenet_v2" in message


def test_a_model_with_another_name_is_known_by_its_layers() -> None:
    (message,) = warned(mobile(name="my_classifier"), RAW)
    assert "mobilenet_v2" in message


KNOWN: dict[str, Callable[..., keras.Model]] = {
    "mobilenet": applications.MobileNet,
    "resnet": applications.ResNet50,
    "resnet_v2": applications.ResNet50V2,
    "densenet": applications.DenseNet121,
    "vgg16": applications.VGG16,
}


@pytest.mark.parametrize("name", [None, "mine"])
@pytest.mark.parametrize("family", KNOWN)
def test_families_are_known_by_name_and_by_layers(family: str, name: str | None) -> None:
    from eli5.keras import engine
    from eli5.keras.inputs.pixel_range import unprepared

    options = {} if name is None else {"name": name}
    model = KNOWN[family](
        weights=None, input_shape=SIZE, include_top=False, pooling="avg", **options
    )
    said = unprepared(model, RAW, engine.trace(model, RAW))
    assert f"keras.applications.{family}.preprocess_input(doc)" in said


@pytest.mark.parametrize(
    "make",
    [
        applications.EfficientNetB0,
        applications.EfficientNetV2B0,
        applications.MobileNetV3Small,
    ],
)
def test_families_that_scale_by_themselves_take_raw_pixels(make: Any) -> None:
    from eli5.keras import engine
    from eli5.keras.inputs.pixel_range import unprepared

    model = make(weights=None, input_shape=SIZE, include_top=False, pooling="avg")
    assert not unprepared(model, RAW, engine.trace(model, RAW))


def test_a_model_of_ones_own_may_be_trained_on_raw_pixels() -> None:
    model = keras.Sequential(
        [
            keras.Input(SIZE),
            layers.Conv2D(4, 3, activation="relu"),
            layers.GlobalAveragePooling2D(),
            layers.Dense(3, activation="softmax"),
        ],
        name="classifier",
    )
    assert not warned(with_weights(model), RAW)


def test_of_many_docs_it_is_said_once(model: keras.Model) -> None:
    docs = np.concatenate([RAW / 127.5 - 1, RAW, RAW, RAW])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = list(
            eli5.explain_predictions(model, docs, targets=[1] * 4, method="Saliency", batch_size=2)
        )
    assert len(found) == 4
    assert sum("whole numbers" in str(one.message) for one in caught) == 1


def test_the_warning_points_at_the_callers_line(model: keras.Model) -> None:
    with pytest.warns(UserWarning, match="whole numbers") as caught:
        eli5.explain_prediction(model, RAW, targets=[1], method="Saliency")
    assert caught[0].filename == __file__

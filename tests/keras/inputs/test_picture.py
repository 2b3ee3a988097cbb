"""A doc is shown as the picture that it is, whatever range its values have."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras.inputs.image import to_picture
from helpers.backend_limits import ONCE
from helpers.models import with_weights

pytestmark = ONCE  # pictures drawn by NumPy and Pillow

Array = np.ndarray[Any, Any]
RAMP = np.linspace(0, 1, 24).reshape(1, 4, 6, 1)


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        (RAMP, RAMP * 255),
        (RAMP.astype("float16"), RAMP * 255),
        (RAMP * 2 - 1, RAMP * 255),
        (RAMP * 255, RAMP * 255),
        ((RAMP * 255).astype("int32"), np.floor(RAMP * 255)),
        (RAMP * 240 - 120, RAMP * 255),
        (RAMP * 1e30, RAMP * 255),
        (RAMP * 0, RAMP * 0),
        (RAMP * 0 + 300, RAMP * 0),
        (np.where(RAMP > 0.5, np.nan, RAMP), np.where(RAMP > 0.5, 0, RAMP) * 255),
        (RAMP > 0.5, (RAMP > 0.5) * 255),
    ],
    ids="0..1 half -1..1 0..255 int centred huge black constant nan bool".split(),  # noqa: SIM905
)
def test_values_are_brought_to_bytes(doc: Array, expected: Array) -> None:
    pixels = np.asarray(to_picture(doc), "float64")
    np.testing.assert_allclose(pixels, expected[0, ..., 0], atol=1.01)


def test_bytes_stay_as_they_are() -> None:
    doc = np.random.default_rng(0).integers(0, 256, (1, 4, 6, 3), dtype="uint8")
    np.testing.assert_array_equal(np.asarray(to_picture(doc)), doc[0])


@pytest.mark.parametrize(
    ("shape", "mode"),
    [
        ((1, 4, 6), "L"),
        ((1, 4, 6, 1), "L"),
        ((1, 4, 6, 2), "L"),
        ((1, 4, 6, 3), "RGB"),
        ((1, 4, 6, 4), "RGBA"),
        ((1, 4, 6, 13), "L"),
    ],
)
def test_mode_follows_the_channels(shape: tuple[int, ...], mode: str) -> None:
    picture = to_picture(np.random.default_rng(0).uniform(size=shape))
    assert (picture.mode, picture.size) == (mode, (6, 4))


# ---- without ImageNet's means --------------------------------------------------------------------

PHOTO = np.random.default_rng(1).integers(0, 256, (1, 5, 6, 3)).astype("float32")
BGR = np.array([103.939, 116.779, 123.68], "float32")


def test_a_caffe_doc_is_shown_with_its_colours_right() -> None:
    doc = keras.applications.imagenet_utils.preprocess_input(PHOTO.copy(), mode="caffe")
    assert doc.min() < -16
    np.testing.assert_array_equal(np.asarray(to_picture(np.asarray(doc))), PHOTO[0])
    first = np.moveaxis(np.asarray(doc), -1, 1)
    np.testing.assert_array_equal(np.asarray(to_picture(first, channels_first=True)), PHOTO[0])
    np.testing.assert_array_equal(
        np.asarray(to_picture(np.asarray(doc, "float64"))), np.asarray(to_picture(np.asarray(doc)))
    )


def test_means_taken_off_in_rgb_are_told_from_those_in_bgr() -> None:
    doc = PHOTO - BGR[::-1]
    np.testing.assert_array_equal(np.asarray(to_picture(doc)), PHOTO[0])


@pytest.mark.parametrize(
    "doc",
    [
        (PHOTO * 0.973)[..., ::-1] - BGR,  # resized in floats
        PHOTO[..., ::-1] * 0.9 - 110,
        (PHOTO - BGR).astype("float16"),
    ],
    ids=["floats", "another mean", "half"],
)
def test_an_unknown_order_of_colours_is_shown_in_grey(doc: Array) -> None:
    assert to_picture(doc).mode == "L"
    grey = np.asarray(to_picture(doc), "float64")
    means = np.asarray(doc, "float64")[0].mean(axis=-1) + BGR.mean()
    np.testing.assert_allclose(grey, means.clip(0, 255), atol=1.01)


@pytest.mark.parametrize(
    "doc",
    [
        PHOTO / 255 * 4 - 2,  # by mean and deviation
        PHOTO * 3 - 200,
        np.random.default_rng(0).normal(size=(1, 4, 5, 3)),
    ],
    ids=["torch", "wider", "noise"],
)
def test_other_ranges_keep_their_colours(doc: Array) -> None:
    assert to_picture(doc).mode == "RGB"
    pixels = np.asarray(to_picture(doc), "float64")
    stretched = (doc - doc.min()) / (doc.max() - doc.min()) * 255
    np.testing.assert_allclose(pixels, stretched[0], atol=1.01)


def test_the_description_says_that_colours_are_not_known() -> None:
    inputs = keras.Input((12, 20, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    model = with_weights(keras.Model(inputs, layers.Dense(2)(x)))
    doc = np.random.default_rng(0).uniform(0, 255, (1, 12, 20, 3)).astype("float32")
    caffe = doc[..., ::-1] - BGR
    explanation = eli5.explain_prediction(model, caffe, method="Saliency")
    assert explanation.image.mode == "L"
    assert "drawn in grey: ImageNet's means" in explanation.description
    whole = np.rint(doc)[..., ::-1] - BGR
    explanation = eli5.explain_prediction(model, whole, method="Saliency")
    assert "grey" not in explanation.description
    np.testing.assert_array_equal(np.asarray(explanation.image), np.rint(doc[0]))
    given = eli5.explain_prediction(model, caffe, method="Saliency", image=explanation.image)
    assert "grey" not in given.description

"""The command line feeds models the values that they were trained on."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args, get_type_hints

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

from eli5.cli.commands.explain import explain_pictures
from eli5.cli.console import UserError
from eli5.loading.files import read_picture
from eli5.loading.models import LoadedModel
from eli5.loading.preprocess import MODES, picture_to_doc
from helpers.cli_helpers import colour_model, two_colours

RAW = np.array([0.0, 255.0, 51.0])  # of the picture below, in the order RGB


@pytest.fixture
def picture() -> Image.Image:
    return Image.new("RGB", (6, 4), (0, 255, 51))


def feed(
    picture: Image.Image, *first: layers.Layer, mode: str | None = None, size: Any = (4, 6, 3)
) -> np.ndarray[Any, Any]:
    return picture_to_doc(LoadedModel(colour_model(*first, size=size)), picture, mode)[0]


# ---- values --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("tf", RAW / 127.5 - 1),
        ("torch", (RAW / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]),
        ("caffe", RAW[::-1] - [103.939, 116.779, 123.68]),
        ("unit", RAW / 255),
        ("none", RAW),
    ],
)
def test_values_of_each_mode(picture: Image.Image, mode: str, expected: Any) -> None:
    doc = feed(picture, layers.Activation("relu"), mode=mode)
    assert doc.shape == (1, 4, 6, 3)
    assert doc.dtype == np.float32
    np.testing.assert_allclose(doc, np.broadcast_to(expected, doc.shape), rtol=1e-5, atol=1e-5)


def test_every_mode_is_offered() -> None:
    choice, _ = get_args(get_type_hints(explain_pictures)["preprocess"])
    assert list(get_args(choice)) == list(MODES)


def test_a_mode_that_is_given_wins(picture: Image.Image) -> None:
    loaded = LoadedModel(colour_model(size=(4, 6, 3)))
    with pytest.warns(UserWarning, match="scaled twice"):
        doc, said = picture_to_doc(loaded, picture, "unit")
    np.testing.assert_allclose(doc[0, 0, 0], RAW / 255, rtol=1e-6)
    assert said == "6x4 RGB, scaled to [0, 1] (preprocess='unit')"
    family = keras.applications.mobilenet_v2
    doc, said = picture_to_doc(LoadedModel(loaded.model, family), picture, "none")
    np.testing.assert_array_equal(doc[0, 0, 0], RAW)


def test_an_application_preprocesses_by_itself(picture: Image.Image) -> None:
    family = keras.applications.mobilenet_v2
    doc, said = picture_to_doc(LoadedModel(colour_model(size=(4, 6, 3)), family), picture, None)
    np.testing.assert_allclose(doc[0, 0, 0], RAW / 127.5 - 1, rtol=1e-6)
    assert said == "6x4 RGB, preprocessed as mobilenet_v2 does"


# ---- what the model does itself ------------------------------------------------------------------


def functional(*steps: Any) -> keras.Model:
    inputs = x = keras.Input((4, 6, 3))
    for step in steps:
        x = step(x)
    return keras.Model(inputs, layers.Flatten()(x))


def normalization() -> layers.Layer:
    return layers.Normalization(mean=[120, 110, 100], variance=[3600, 3600, 3600])


def scaling() -> layers.Layer:
    return layers.Rescaling(1 / 127.5, offset=-1)


def augmentation() -> keras.Model:
    return keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.1)])


SCALES_ITSELF = [
    lambda: functional(scaling()),
    lambda: functional(normalization()),
    lambda: functional(layers.Resizing(4, 6), layers.CenterCrop(4, 4), scaling()),
    lambda: functional(layers.RandomFlip(), layers.RandomContrast(0.1), normalization()),
    lambda: functional(augmentation(), scaling(), layers.Conv2D(1, 1)),
    lambda: functional(keras.Sequential([augmentation(), scaling()]), layers.Conv2D(1, 1)),
    lambda: functional(functional(scaling()), layers.Reshape((4, 6, 3))),
    lambda: keras.Sequential([keras.Input((4, 6, 3)), augmentation(), scaling()]),
    lambda: keras.Sequential([keras.Input((4, 6, 3)), functional(normalization())]),
]

DOES_NOT_SCALE = [
    lambda: functional(layers.Conv2D(3, 1)),
    lambda: functional(layers.Conv2D(3, 1), scaling()),
    lambda: functional(layers.BatchNormalization()),
    # These compute before the layer, and so take other values than the layer does.
    lambda: functional(lambda x: x * 255, scaling()),
    lambda: functional(lambda x: x / 127.5 - 1),
    lambda: functional(layers.RandomFlip(), layers.Activation("relu"), scaling()),
    lambda: keras.Sequential([keras.Input((4, 6, 3)), augmentation(), layers.Flatten()]),
]


@pytest.mark.parametrize("make", SCALES_ITSELF)
def test_a_model_that_scales_gets_the_pixels_as_they_are(picture: Image.Image, make: Any) -> None:
    doc, said = picture_to_doc(LoadedModel(make()), picture, None)  # without a warning
    np.testing.assert_array_equal(doc[0, 0, 0], RAW)
    assert said.startswith("6x4 RGB, 0 to 255, which the model's layer '")


@pytest.mark.parametrize("make", DOES_NOT_SCALE)
def test_any_other_model_needs_to_be_told(picture: Image.Image, make: Any) -> None:
    with pytest.raises(UserError, match="Expected `preprocess`, because the model does not start"):
        picture_to_doc(LoadedModel(make()), picture, None)


def test_the_order_of_layers_in_a_subclassed_model_is_not_guessed(picture: Image.Image) -> None:
    class Subclassed(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.scaling = scaling()
            self.input_shape = (None, 4, 6, 3)

        def call(self, inputs: Any) -> Any:
            return self.scaling(inputs * 255)

    with pytest.raises(UserError, match="Expected `preprocess`"):
        picture_to_doc(LoadedModel(Subclassed()), picture, None)


@pytest.mark.parametrize(
    ("layer", "largest"),
    [
        (layers.Rescaling(255.0), 65025),
        (layers.Rescaling([1.0, 2.0, 1.0], offset=[0.0, 0.0, 4.0]), 510),
        (layers.Normalization(mean=[0.5] * 3, variance=[0.0625] * 3), 1018),
    ],
)
def test_a_scaling_of_another_range_is_warned_of(
    picture: Image.Image, layer: layers.Layer, largest: int
) -> None:
    with pytest.warns(UserWarning, match=f"from 0 to 255 into values up to {largest}, so it may"):
        doc, _ = picture_to_doc(LoadedModel(functional(layer)), picture, None)
    np.testing.assert_array_equal(doc[0, 0, 0], RAW)


@pytest.mark.parametrize("mode", ["unit", "tf", "torch", "caffe"])
@pytest.mark.parametrize(
    "layer",
    [
        layers.Rescaling(1 / 255),
        layers.Rescaling(1 / 127.5, offset=-1),
        layers.Normalization(mean=[127.0] * 3, variance=[4000.0] * 3),
    ],
)
def test_scaling_twice_is_warned_of(picture: Image.Image, layer: layers.Layer, mode: str) -> None:
    with pytest.warns(UserWarning, match=rf"preprocess='{mode}' they are scaled twice. Leave"):
        picture_to_doc(LoadedModel(functional(layer)), picture, mode)


@pytest.mark.parametrize(
    ("layer", "mode"),
    [
        (layers.Rescaling(1 / 255), "none"),
        (layers.Rescaling(2.0, offset=-1), "unit"),
        (layers.Rescaling(255.0), "unit"),
        (layers.Normalization(mean=[0.5] * 3, variance=[0.0625] * 3), "unit"),
        (layers.Rescaling(1.0), "torch"),
    ],
)
def test_a_scaling_of_what_the_mode_gives_is_not_warned_of(
    picture: Image.Image, layer: layers.Layer, mode: str
) -> None:
    picture_to_doc(LoadedModel(functional(layer)), picture, mode)  # warnings are errors


# ---- size and colours ----------------------------------------------------------------------------


def test_picture_is_stretched_to_the_models_size() -> None:
    doc = feed(two_colours(60, 40), size=(20, 10, 3))
    assert doc.shape == (1, 20, 10, 3)
    np.testing.assert_array_equal(doc[0, :, :2], np.broadcast_to([255, 0, 0], (20, 2, 3)))
    np.testing.assert_array_equal(doc[0, :, 5:], np.broadcast_to([0, 0, 255], (20, 5, 3)))


@pytest.mark.parametrize(
    ("size", "shape"),
    [((None, None, 3), (4, 6, 3)), ((None, 9, 3), (4, 9, 3)), ((2, None, 3), (2, 6, 3))],
)
def test_picture_keeps_its_size_where_any_will_do(
    picture: Image.Image, size: Any, shape: Any
) -> None:
    assert feed(picture, size=size).shape == (1, *shape)


@pytest.mark.parametrize(
    ("size", "shape", "pixel"),
    [
        ((4, 6, 1), (4, 6, 1), [156]),  # the luma of the picture's colour
        ((4, 6, 4), (4, 6, 4), [0, 255, 51, 255]),
    ],
)
def test_picture_gets_the_models_channels(
    picture: Image.Image, size: Any, shape: Any, pixel: list[int]
) -> None:
    doc = feed(picture, layers.Rescaling(1 / 255), size=size)
    assert doc.shape == (1, *shape)
    assert doc[0, 0, 0].tolist() == pixel


def test_a_model_without_a_channel_axis_gets_none(picture: Image.Image) -> None:
    inputs = keras.Input((4, 6))
    model = keras.Model(inputs, layers.Flatten()(layers.Rescaling(1 / 255)(inputs)))
    doc, said = picture_to_doc(LoadedModel(model), picture, None)
    assert doc.shape == (1, 4, 6)
    assert doc[0, 0, 0] == 156
    assert said.startswith("6x4 L, ")


MODES_OF_FILES = ["1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB"]


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("mode", [*MODES_OF_FILES, "La", "RGBa"])
def test_pictures_of_any_mode_are_converted(mode: str, channels: int) -> None:
    picture = Image.new(mode, (6, 4))
    doc = feed(picture, layers.Rescaling(1 / 255), size=(4, 6, channels))
    assert doc.shape == (1, 4, 6, channels)


def test_a_palette_with_transparent_colours_is_converted(picture: Image.Image) -> None:
    palette = picture.quantize()
    palette.info["transparency"] = b"\x00"  # Pillow warns of it if it is converted at once
    np.testing.assert_array_equal(feed(palette)[0, 0, 0], RAW)


def test_grey_values_of_16_bits_are_brought_to_8(tmp_path: Path) -> None:
    values = np.array([[0, 257, 32767], [32768, 65000, 65535]], "uint16")
    Image.fromarray(values).save(tmp_path / "grey.png")
    picture = read_picture(tmp_path / "grey.png")
    assert np.asarray(picture).tolist() == [[0, 1, 127], [128, 253, 255]]


def test_a_picture_with_a_broken_exif_block_is_read(tmp_path: Path) -> None:
    two_colours().save(tmp_path / "picture.jpg", exif=b"Exif\x00\x00no exif")
    assert read_picture(tmp_path / "picture.jpg").size == (60, 40)

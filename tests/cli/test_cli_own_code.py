"""Models with code of their own, those with their channels first, and frames, as they are typed."""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import eli5
from helpers.cli_helpers import SIZE, colour_model, fails, records, run, saved, two_colours

Capsys = pytest.CaptureFixture[str]

MODULE = """
import keras

@keras.saving.register_keras_serializable("{name}")
class Scale(keras.layers.Layer):
    def call(self, x):
        return x / 255
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    return tmp_path


def with_lambda(folder: Path, name: str = "model.keras") -> str:
    return saved(
        colour_model(layers.Lambda(lambda x: x / 255, output_shape=(SIZE, SIZE, 3))), folder, name
    )


PREPROCESS = ("--preprocess", "none", "--json")


@pytest.mark.parametrize("name", ["model.keras", "model.h5"])
@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")
def test_allowed_code_runs_and_it_is_said(
    name: str, capsys: Capsys, here: Path, image_path: str
) -> None:
    if name.endswith(".h5"):
        pytest.importorskip("tensorflow", reason="Keras reads HDF5 files with it")
    model = with_lambda(here, name)
    refused = fails(capsys, "explain", model, image_path, *PREPROCESS)
    assert refused.endswith(" If you trust the file, give --allow-code.")
    ended = run(capsys, "explain", model, image_path, "--allow-code", *PREPROCESS)
    assert ended.code == 0
    assert ended.err == (
        "eli5: Warning: with --allow-code the model file may run any code on this machine. Do so "
        "only with files that you trust.\n"
    )
    assert records(ended.out)[0]["layer"] == "colours"


def test_layers_that_a_module_registers(capsys: Capsys, here: Path, image_path: str) -> None:
    (here / "own_layers_of_a_test.py").write_text(MODULE.format(name="own"), encoding="utf-8")
    scope: dict[str, type[layers.Layer]] = {}
    with keras.saving.custom_object_scope({}):
        exec(MODULE.format(name="own"), scope)
        model = saved(colour_model(scope["Scale"]()), here)
        keras.saving.get_custom_objects().pop("own>Scale")
    asked = ("explain", model, image_path, *PREPROCESS)
    refused = fails(capsys, *asked)
    assert refused.endswith("Name the module that registers it with Keras as --import.")
    # No code of the file runs.
    ended = run(capsys, *asked, "--import", "own_layers_of_a_test")
    assert (ended.code, ended.err) == (0, "")
    listed = run(capsys, "layers", model, "--import", "own_layers_of_a_test")
    assert "* colours" in listed.out.replace("  ", " ")
    keras.saving.get_custom_objects().pop("own>Scale")


def test_a_module_that_is_not_there(capsys: Capsys, here: Path, image_path: str) -> None:
    model = saved(colour_model(), here)
    message = fails(capsys, "explain", model, image_path, "--import", "not.there")
    assert message == (
        "Expected --import to name modules that can be imported. Received: --import=not.there: "
        "ModuleNotFoundError: No module named 'not'. A module of this name may lie in "
        f"{here / 'not' / 'there.py'}, or in a folder of PYTHONPATH"
    )


# ---- channels first ------------------------------------------------------------------------------


def channels_first(size: tuple[int | None, ...]) -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input(size),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 1, use_bias=False, data_format="channels_first", name="colours"),
            layers.GlobalAveragePooling2D(data_format="channels_first"),
            layers.Dense(3, use_bias=False, activation="softmax", name="classes"),
        ]
    )
    model.get_layer("colours").set_weights([np.eye(3).reshape(1, 1, 3, 3)])
    model.get_layer("classes").set_weights([10 * np.eye(3)])
    return model


@pytest.mark.skipif(keras.backend.backend() == "tensorflow", reason="its CPU kernels lack it")
@pytest.mark.parametrize("size", [(3, SIZE, 24), (3, None, None), (3, SIZE, 3)])
def test_a_model_with_its_channels_first(
    size: tuple[int | None, ...], capsys: Capsys, tmp_path: Path
) -> None:
    picture = two_colours(60, 40)
    picture.save(tmp_path / "photo.png")
    model = channels_first(size)
    path = saved(model, tmp_path)
    asked = ("explain", path, tmp_path / "photo.png", "--class", "0")
    ended = run(capsys, *asked, "--json")
    assert (ended.code, ended.err) == (0, "")
    width, height = size[2] or 60, size[1] or 40
    pixels = np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR), "float32")
    expected = eli5.explain_prediction(model, np.moveaxis(pixels, -1, 0)[None], targets=[0])
    found = np.array(records(ended.out)[0]["targets"][0]["heatmap"])
    assert found.shape == (height, width)
    np.testing.assert_allclose(found, expected.targets[0].heatmap, atol=1e-6)
    assert found[:, : max(width // 4, 1)].mean() > 0.9  # where it is red
    said = f"{width}x{height} RGB, channels first, 0 to 255"
    assert said in run(capsys, *asked).fact("Input")
    rows = run(capsys, "layers", path, "--image", tmp_path / "photo.png").out
    assert f"{height}x{width}" in rows


# ---- frames --------------------------------------------------------------------------------------


def test_frames(capsys: Capsys, tmp_path: Path) -> None:
    red, blue = (Image.new("RGB", (20, 20), colour) for colour in ((255, 0, 0), (0, 0, 255)))
    red.save(tmp_path / "two.gif", save_all=True, append_images=[blue])
    asked = ("explain", saved(colour_model(), tmp_path), tmp_path / "two.gif")
    ended = run(capsys, *asked)
    assert ended.rows()[0][0].startswith("0")
    assert ended.fact("Warning") == (
        "A picture has several frames: the first is explained. --frame names another."
    )
    named = run(capsys, *asked, "--frame", 1)
    assert named.rows()[0][0].startswith("2")
    assert "Warning" not in named.out
    assert "it has no frame 5, counted from 0" in fails(capsys, *asked, "--frame", 5)

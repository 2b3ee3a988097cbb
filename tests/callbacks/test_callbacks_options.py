"""Options of `ExplainCallback` that are wrong by themselves raise when it is made."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.callbacks import ExplainCallback, explain_callback
from helpers.trainings import pictures

IMAGES = pictures(2)


@pytest.mark.parametrize(
    ("images", "error", "message"),
    [
        (
            iter(IMAGES),
            TypeError,
            "Expected `images` to be an array.*of type iterator.*Take the docs",
        ),
        ("photo.png", TypeError, r"Received: images='photo.png' \(of type str"),
        (None, TypeError, r"Received: images=None \(of type NoneType"),
        (
            [Image.new("L", (9, 9))],
            TypeError,
            r"to be one array or several.*of type Image.*`np.asarray`",
        ),
        (np.float32(1), TypeError, "Expected `images` to be one array or several.*of type float32"),
        ([], ValueError, "Expected `images` to hold at least one image. Received: none"),
        (IMAGES[:0], ValueError, "Expected `images` to hold at least one image"),
        ({}, ValueError, "Expected `images` to hold at least one image"),
    ],
)
def test_wrong_images(images: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ExplainCallback(images)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"every": 0}, ValueError, "Expected `every` >= 1. Received: every=0"),
        (
            {"every": 1.5},
            TypeError,
            r"Expected `every` to be an integer.*every=1.5 \(of type float",
        ),
        ({"every": True}, TypeError, "Expected `every` to be an integer"),
        ({"methods": ["Grad-CAMM"]}, ValueError, "Expected one of the methods .*Did you mean"),
        ({"methods": "Grad-CAM"}, TypeError, "Expected `methods` to be a list"),
        ({"methods": []}, ValueError, "Expected `methods` to name at least one"),
        ({"layer": 1.5}, TypeError, "layer"),
        ({"score": "softmax"}, ValueError, "score"),
        ({"batch_size": 0}, ValueError, "Expected `batch_size` >= 1"),
        ({"class_names": 3}, TypeError, "Expected `class_names`"),
        ({"top_target": 2}, TypeError, "top_target=2.*Did you mean 'top_targets'"),
        ({"targets": [1, 2], "top_targets": 2}, ValueError, "top_targets"),
        ({"targets": 1}, TypeError, "Expected `targets` to be None or to hold one entry per image"),
        ({"pictures": "a.png"}, TypeError, "Expected `pictures` to be None or to hold one entry"),
        ({"targets": [1]}, ValueError, "one entry in `targets` per image, 2 of them. Received: 1"),
        ({"targets": ["a", "b"]}, TypeError, "to be a class id or a list of them. Received: 'a'"),
        ({"pictures": []}, ValueError, "one entry in `pictures` per image, 2 of them. Received: 0"),
        ({"log_dir": ""}, ValueError, "Expected `log_dir` to name a folder. Received: log_dir=''"),
        ({"pictures": [1, 2]}, TypeError, "Expected `image` to be a Pillow image"),
        ({"colormap": "no such"}, ValueError, "Expected `colormap` to be the name of a colormap"),
        ({"alpha_limit": 2}, ValueError, "Expected `alpha_limit`"),
        ({"percentile": "x"}, TypeError, "Expected `percentile`"),
        ({"log_dir": 3}, TypeError, r"Expected `log_dir` to be None or .*log_dir=3 \(of type int"),
        ({"tensorboard": 3}, TypeError, r"Expected `tensorboard` to be True, .*=3 \(of type int"),
        (
            {"log_dir": None, "tensorboard": True},
            ValueError,
            "Expected a folder for the event file. Received: tensorboard=True and log_dir=None",
        ),
        ({"active_runs": None}, TypeError, "Expected `active_runs` to be True or False"),
        (
            {"log_dir": None, "active_runs": False},
            ValueError,
            "Expected at least one logger",
        ),
    ],
    ids=str,
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        ExplainCallback(IMAGES, **options)


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.touch()
    with pytest.raises(ValueError, match=r"Expected `log_dir` to be a folder.*It is a file"):
        ExplainCallback(IMAGES, log_dir=path)


def test_missing_libraries_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    ExplainCallback(IMAGES)  # nobody asks for TensorBoard
    with pytest.raises(
        ImportError, match=r'tensorboardX .* pip install "eli5-keras\[tensorboard\]"'
    ):
        ExplainCallback(IMAGES, tensorboard="logs")
    monkeypatch.setattr(
        explain_callback, "missing_picture_libraries", lambda: ["Pillow", "matplotlib"]
    )
    with pytest.raises(ImportError, match=r"no Pillow and no matplotlib. Install with: pip"):
        ExplainCallback(IMAGES)


def test_grades_are_an_option() -> None:
    assert ExplainCallback(IMAGES, grade=True, log_dir=None)._explaining["grade"]
    with pytest.raises(TypeError, match="`grade` to be True or False"):
        ExplainCallback(IMAGES, grade="yes")


def test_options_are_named() -> None:
    with pytest.raises(TypeError, match="positional"):
        ExplainCallback(IMAGES, 5)  # type: ignore[call-arg]

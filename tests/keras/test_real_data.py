"""A real ImageNet classifier on real photos: the heatmap lies on the object.

Runs where the environment variable ``ELI5_REAL_DATA`` names a folder with
``mobilenet_v2_imagenet.keras``, ``photos/`` and ``boxes.json``: per photo a list of
``{"target_idx": class id, "box": [x1, y1, x2, y2] in the photo's pixels}``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.placement import lay_out

ROOT = Path(os.environ.get("ELI5_REAL_DATA", ""))
pytestmark = pytest.mark.skipif(
    "ELI5_REAL_DATA" not in os.environ, reason="ELI5_REAL_DATA names no folder of real data"
)
Array = np.ndarray[Any, Any]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return keras.saving.load_model(ROOT / "mobilenet_v2_imagenet.keras")


def photos() -> dict[str, list[dict[str, Any]]]:
    path = ROOT / "boxes.json"
    return json.loads(path.read_text()) if path.is_file() else {"missing": []}


def share_in_box(target: Any, box: list[int], size: tuple[int, int]) -> float:
    """Return the share of the heatmap, laid out on the photo, that falls into the box."""
    spread = lay_out(target.heatmap, target.placement, size[::-1])
    left, top, right, bottom = box
    return float(spread[top:bottom, left:right].sum() / spread.sum())


@pytest.mark.parametrize("photo", photos())
def test_the_heatmap_lies_on_the_object(model: keras.Model, photo: str) -> None:
    image = Image.open(ROOT / "photos" / photo).convert("RGB")
    pixels = np.asarray(image.resize((224, 224), Image.Resampling.BILINEAR), "float32")
    for entry in photos()[photo]:
        explanation = eli5.explain_prediction(
            model, pixels[None] / 127.5 - 1, image=image, targets=[entry["target_idx"]]
        )
        assert explanation.layer == "out_relu"
        assert explanation.targets[0].heatmap.shape == (7, 7)
        left, top, right, bottom = entry["box"]
        area = (right - left) * (bottom - top) / (image.width * image.height)
        assert share_in_box(explanation.targets[0], entry["box"], image.size) > area

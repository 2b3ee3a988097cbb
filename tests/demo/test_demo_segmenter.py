"""The bundled segmenter finds the objects, and the maps of its regions lie on them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5 import demo
from eli5.targets import Pixel, Region

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
pytest.importorskip("demo_scenes", reason="needs tools/, which this copy of the project lacks")

import train_demo_segmenter as train
from demo_scenes import KINDS, draw_scenes

SCENES = draw_scenes(40_000, 8, n_objects=2)  # not those of the training


@pytest.fixture(scope="module")
def model() -> Any:
    return demo.load_segmenter()


def test_it_is_small_and_built_by_its_script(model: keras.Model) -> None:
    assert demo.SEGMENTER.stat().st_size < 500_000
    built = train.build_segmenter()
    assert [w.shape for w in built.weights] == [w.shape for w in model.weights]
    assert demo.segment_names == ("background", *KINDS)
    assert not model.compiled


def test_it_finds_held_out_objects(model: keras.Model) -> None:
    assert train.evaluate(model, SCENES) > 0.85
    for scene in SCENES:
        labels = train.labels_of(scene)
        assert {0, *(1 + kind for kind in scene.kinds)} == set(np.unique(labels).tolist())


@pytest.mark.parametrize(("method", "least"), [("Grad-CAM", 0.45), ("HiResCAM", 0.7)])
def test_the_heat_lies_on_the_object_that_is_asked_for(
    model: keras.Model, method: str, least: float
) -> None:
    """As benchmarks/targets.py measures it on more scenes."""
    inside, chance, hits, moved = [], [], [], []
    for scene in SCENES:
        doc = scene.image[None].astype("float32")
        asked = [Region(1 + kind) for kind in scene.kinds]
        expl = eli5.explain_prediction(model, doc, target=asked, method=method)
        assert expl.layer == "bottleneck"
        for k, mask in enumerate(scene.masks):
            maps = [expl.heatmap_on_input(one) for one in (k, 1 - k)]
            own, other = (float(heat[mask].sum() / heat.sum()) for heat in maps)
            inside.append(own)
            chance.append(mask.mean())
            hits.append(mask.ravel()[maps[0].argmax()])
            moved.append(own - other)
    assert np.mean(inside) > max(least, 4 * np.mean(chance))
    assert np.mean(hits) >= 0.9
    assert np.mean(moved) > 0.4


def test_a_pixel_of_an_object_lights_that_object(model: keras.Model) -> None:
    scene = SCENES[0]
    doc = scene.image[None].astype("float32")
    middles = [np.argwhere(mask).mean(axis=0).round().astype(int) for mask in scene.masks]
    asked = [Pixel(int(row), int(column)) for row, column in middles]
    expl = eli5.explain_prediction(model, doc, target=asked, method="HiResCAM")
    for k, mask in enumerate(scene.masks):
        heat = expl.heatmap_on_input(k)
        assert heat[mask].sum() / heat.sum() > 0.6

"""The bundled detector finds the objects, and the maps of its boxes lie in them."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5 import demo
from eli5.targets import Box, Detection, Missing

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
pytest.importorskip("demo_scenes", reason="needs tools/, which this copy of the project lacks")

import train_demo_detector as train
from demo_scenes import draw_scenes

SCENES = draw_scenes(40_000, 6, n_objects=2)  # not those of the training


@pytest.fixture(scope="module")
def model() -> Any:
    return demo.load_detector()


def test_it_is_small_and_built_by_its_script(model: keras.Model) -> None:
    assert demo.DETECTOR.stat().st_size < 500_000
    built = train.build_detector(train.build_head())
    assert [w.shape for w in built.weights] == [w.shape for w in model.weights]
    assert not model.compiled


def test_it_finds_held_out_objects(model: keras.Model) -> None:
    assert train.evaluate(model, SCENES) > 0.9


def inside(expl: Any, k: int, box: Any) -> tuple[float, bool]:
    """Return the share of a map's heat in a box, and whether its maximum is there."""
    heat = expl.heatmap_on_input(k)
    mask = np.zeros(heat.shape, bool)
    left, top, right, bottom = (max(round(one), 0) for one in box)
    mask[top:bottom, left:right] = True
    return float(heat[mask].sum() / heat.sum()), bool(mask.ravel()[heat.argmax()])


def test_the_heat_lies_in_the_box_that_is_asked_for(model: keras.Model) -> None:
    """As benchmarks/detectors.py measures it on more scenes."""
    shares, hits = [], []
    for scene in SCENES:
        doc = scene.image[None].astype("float32")
        asked = [Detection(0), Detection(1)]
        boxes = [
            target.region.xyxy
            for target in eli5.explain_prediction(model, doc, target=asked).targets
        ]
        truth = [
            Box(box, kind) for box, kind in zip(train.boxes_of(scene), scene.kinds, strict=True)
        ]
        for targets, places in ((asked, boxes), (truth, train.boxes_of(scene))):
            expl = eli5.explain_prediction(model, doc, target=targets)
            assert expl.layer == "relu_5"
            for k, box in enumerate(places):
                share, hit = inside(expl, k, box)
                moved = share - inside(expl, 1 - k, box)[0]
                shares.append(min(share, moved))
                hits.append(hit)
    assert np.mean(shares) > 0.8
    assert np.mean(hits) >= 0.9


def test_what_is_missing_lights_the_object_that_was_overlooked(model: keras.Model) -> None:
    hits = []
    for scene in SCENES:
        mask, box, kind = scene.masks[0], train.boxes_of(scene)[0], scene.kinds[0]
        around = scene.image[~scene.masks.any(axis=0)].mean(axis=0)
        for share in np.arange(0.9, 0.0, -0.1):  # until it is as likely as not
            faint = scene.image.astype("float32")
            faint[mask] = share * faint[mask] + (1 - share) * around
            expl = eli5.explain_prediction(model, faint[None], target=Missing(box, kind))
            if expl.targets[0].explained < 0:
                break
        assert expl.targets[0].explained < 0
        hits.append(inside(expl, 0, box)[1])
    assert np.mean(hits) >= 0.8

"""The demo's scenes hold what their masks say, and the bundled model looks at the objects."""

import json
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from eli5 import demo
from eli5.demo import Scene

sys.path.append(str(Path(__file__).resolve().parents[2] / "tools"))
pytest.importorskip("demo_scenes", reason="needs tools/, which this copy of the project lacks")

import train_demo_model as train
from demo_scenes import AREA, KINDS, SIZE, draw_scene, draw_scenes
from demo_training import draw_by_number

PYPROJECT = Path(__file__).resolve().parents[2] / "pyproject.toml"


@pytest.fixture(scope="module")
def model() -> Any:
    return demo.load_model()


def predict(model: Any, scenes: list[Scene]) -> NDArray[np.float32]:
    images = np.stack([scene.image for scene in scenes])
    return np.asarray(model.predict(images, batch_size=50, verbose=0))


def grown(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Add the eight neighbours of each pixel of a mask that does not touch the edge."""
    shifts = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    return np.any([np.roll(mask, shift, axis=(0, 1)) for shift in shifts], axis=0)


# ---- scenes --------------------------------------------------------------------------------------


def test_the_seed_fixes_the_scenes() -> None:
    first, again, other = (draw_scenes(seed, 3, n_objects=2) for seed in (5, 5, 6))
    for a, b, c in zip(first, again, other, strict=True):
        assert a.kinds == b.kinds
        np.testing.assert_array_equal(a.image, b.image)
        np.testing.assert_array_equal(a.masks, b.masks)
        assert (a.image != c.image).any()


@pytest.mark.parametrize("kinds", [*([kind] for kind in range(len(KINDS))), [0, 1], [5, 3], [2, 4]])
def test_masks_are_the_pixels_that_differ_from_the_background(kinds: list[int]) -> None:
    for seed in range(5):
        background = draw_scene(np.random.default_rng(seed), []).image
        scene = draw_scene(np.random.default_rng(seed), kinds)
        drawn, masked = (scene.image != background).any(axis=-1), scene.masks.max(axis=0)
        assert scene.kinds == tuple(kinds)
        assert drawn[masked].mean() > 0.99  # an object's colour may equal the background's
        assert not drawn[~grown(masked)].any()  # but for the smoothed edge


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_every_kind_covers_the_same_range_of_areas(kind: int) -> None:
    rng = np.random.default_rng(1)
    areas = [draw_scene(rng, [kind]).masks.mean() for _ in range(100)]
    low, high = AREA
    assert low - 0.002 < min(areas) < low + 0.01
    assert high - 0.01 < max(areas) < high + 0.002


def test_two_objects_are_of_different_kinds_and_apart() -> None:
    scenes = draw_scenes(7, 100, n_objects=2)
    for scene in scenes:
        first, second = scene.masks
        assert len(set(scene.kinds)) == 2
        assert not (grown(first) & grown(second)).any()
    assert {kind for scene in scenes for kind in scene.kinds} == set(range(len(KINDS)))


def test_colour_does_not_give_the_kind_away() -> None:
    scenes = draw_scenes(8, 300)
    colours = np.array([scene.image[scene.masks[0]].mean(axis=0) for scene in scenes])
    kinds = np.array([scene.kinds[0] for scene in scenes])
    means = np.array([colours[kinds == kind].mean(axis=0) for kind in range(len(KINDS))])
    nearest = np.linalg.norm(colours[:, None] - means, axis=-1).argmin(axis=1)
    assert np.mean(nearest == kinds) < 0.35  # chance is 0.17


@pytest.mark.parametrize("kinds", [[6], [-1], [0, 9], [0, 1, 2]])
def test_kinds_that_cannot_be_drawn_are_refused(kinds: list[int]) -> None:
    with pytest.raises(
        ValueError, match=r"Expected at most two class ids from 0 to 5 \(disc, .*"
    ) as e:
        draw_scene(np.random.default_rng(0), kinds)
    assert f"Received: kinds={kinds}" in str(e.value)


# ---- the bundle ----------------------------------------------------------------------------------


def test_the_bundled_scene_is_the_one_that_the_script_draws() -> None:
    scene, drawn = demo.load_scene(), draw_scenes(train.SCENE_SEED, 1, n_objects=2)[0]
    order = np.argsort(drawn.kinds)
    assert scene.kinds == tuple(sorted(drawn.kinds))
    assert scene.image.shape == (SIZE, SIZE, 3)
    np.testing.assert_allclose(scene.image, drawn.image, atol=1)
    np.testing.assert_array_equal(scene.masks, drawn.masks[order])


def test_the_bundle_is_small() -> None:
    assert sum(path.stat().st_size for path in (demo.MODEL, demo.SCENE, demo.SCENE_MASKS)) < 500_000


@pytest.mark.parametrize("path", [demo.MODEL, demo.SEGMENTER, demo.DETECTOR], ids=lambda p: p.stem)
def test_what_is_bundled_opens_in_the_oldest_supported_keras(path: Path) -> None:
    """A newer one writes options of layers, such as ``renorm``, that it does not know."""
    project = tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]
    (oldest,) = (
        one[len("keras>=") :].split(",")[0]
        for one in project["dependencies"]
        if one.startswith("keras>=")
    )
    with zipfile.ZipFile(path) as bundle:
        saved_by = json.loads(bundle.read("metadata.json"))["keras_version"]
    assert saved_by.startswith(f"{oldest}.")


def test_importing_the_demo_loads_neither_keras_nor_pillow() -> None:
    code = "import sys, eli5.demo; sys.exit(not {'keras', 'PIL'}.isdisjoint(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_bundled_model_classifies_new_scenes(model: Any) -> None:
    assert train.evaluate(model, draw_scenes(2_000_000, 300)) >= 0.97


def test_the_bundled_model_sees_both_objects(model: Any) -> None:
    scene = demo.load_scene()
    (probabilities,) = predict(model, [scene])
    assert set(np.argsort(probabilities)[-2:]) == set(scene.kinds)
    assert all(0.3 < probabilities[kind] < 0.7 for kind in scene.kinds)
    assert demo.class_names == KINDS


def test_the_class_activation_map_lies_on_the_object_of_that_class(model: Any) -> None:
    """The map is the sum of the last maps with the class's weights (arXiv 1512.04150)."""
    scenes = draw_scenes(3_000_000, 50, n_objects=2)
    last_maps = keras.Model(model.inputs[0], model.get_layer("pool").input)
    cams = np.maximum(predict(last_maps, scenes) @ np.asarray(model.layers[-1].get_weights()[0]), 0)
    shares = []
    for scene, cam in zip(scenes, cams, strict=True):
        step = SIZE // len(cam)
        masks = scene.masks.reshape(2, len(cam), step, len(cam), step).mean(axis=(2, 4))
        energy = [(masks * cam[..., kind]).sum(axis=(1, 2)) for kind in scene.kinds]
        shares += [energy[0][0] / energy[0].sum(), energy[1][1] / energy[1].sum()]
        assert all(masks[i].flat[cam[..., k].argmax()] > 0 for i, k in enumerate(scene.kinds))
    assert np.mean(shares) > 0.95
    assert np.min(shares) > 0.6


# ---- the training script -------------------------------------------------------------------------


def test_the_script_writes_a_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(train, "_N_SCENES", {0: 2, 1: 4, 2: 2})
    monkeypatch.setattr(train, "_N_HELD_OUT", 4)
    train.main(["--out", str(tmp_path), "--epochs", "1"])
    assert "accuracy on 4 held-out scenes" in capsys.readouterr().out
    for bundled in (demo.SCENE, demo.SCENE_MASKS):
        written = np.asarray(Image.open(tmp_path / bundled.name))
        np.testing.assert_allclose(written, np.asarray(Image.open(bundled)), atol=1)
    assert not keras.saving.load_model(tmp_path / demo.MODEL.name).compiled  # no optimizer in it


def test_training_targets_are_shared_by_the_kinds_in_a_scene() -> None:
    scenes = draw_by_number(0, {0: 1, 1: 1, 2: 1})
    assert [len(scene.kinds) for scene in scenes] == [0, 1, 2]
    nothing, one, two = train.targets_of(scenes)
    np.testing.assert_allclose(nothing, 1 / len(KINDS))
    assert sorted(one) == [0, 0, 0, 0, 0, 1]
    assert sorted(two) == [0, 0, 0, 0, 0.5, 0.5]


def test_centring_the_head_changes_no_prediction() -> None:
    model, scenes = train.build_model(), draw_scenes(9, 2)
    before = predict(model, scenes)
    train.centre_head(model)
    np.testing.assert_allclose(predict(model, scenes), before, atol=1e-6)
    np.testing.assert_allclose(model.layers[-1].get_weights()[0].sum(axis=1), 0, atol=1e-6)

"""Measure the maps of a detector's boxes on held-out scenes.

    python benchmarks/detectors.py [--scenes N] [--methods NAME ...] [--write docs/detectors.md]

Scenes of two objects, whose masks are known, for the bundled detector; each box that its decoder
keeps is asked for, by its place among the detections. Chance is the object's share of the picture.
An object is overlooked that is faded into what is around it until the model finds no box of its
class there, and asked about with `Missing`. What boxes cost is measured by ``bench.py --only
targets``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import write_between
from pointing import SEED, Asked, explain, inside, origin, point, read_options, table

from eli5.demo import Scene, load_detector
from eli5.targets import Detection, Missing

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes
from train_demo_detector import boxes_of

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/detectors.py"
METHODS: dict[str, dict[str, Any]] = {
    "Grad-CAM": {},
    "HiResCAM": {},
    "LayerCAM": {},
    "Integrated Gradients": {"steps": 16},
    "Occlusion": {"patch": 16, "stride": 8},
    "D-RISE": {"n_masks": 200},
}
_SAME = 0.5  # IoU of a box with the object that it is the box of
_QUIET = 0.5  # an object is overlooked whose class is less likely in all boxes that overlap it


def main() -> None:
    """Print the table and what was overlooked, and write them where asked for."""
    options = read_options(__doc__, METHODS)
    model, scenes = load_detector(), draw_scenes(SEED, options.scenes, n_objects=2)
    rows = {name: measure(model, scenes, name) for name in options.methods or METHODS}
    maps = f"{origin(SCRIPT, options, 'detection asked for')}\n\n{table(rows, 'in the box')}"
    text = f"{maps}\n\n{missing(model, scenes)}"
    print(text)
    if options.write:
        write_between(options.write, "maps of boxes", text)


def measure(model: keras.Model, scenes: Sequence[Scene], method: str) -> list[Asked]:
    """Explain the first detections of each scene, and compare with the box of the object."""
    found: list[Asked] = []
    for scene in scenes:
        doc = scene.image[None].astype("float32")
        expl = _detections(model, doc, method)
        numbers = [_object_of(one.region, scene) for one in expl.targets]
        maps = [expl.heatmap_on_input(k) for k in range(len(numbers))]
        boxes = [_mask_of(boxes_of(scene)[n or 0], maps[0].shape) for n in numbers]
        differ = len(maps) == 2 and numbers[0] != numbers[1]
        pointed = point(maps, boxes, [differ] * len(maps))
        pairs = zip(numbers, pointed, strict=True)
        found += [one for number, one in pairs if number is not None]
    return found


def _detections(model: keras.Model, doc: Array, method: str) -> Any:
    """Explain the first two detections, or the one that there is."""
    asked = [Detection(0), Detection(1)]
    try:
        return explain(model, doc, asked, method=method, **METHODS[method])
    except ValueError:
        return explain(model, doc, asked[:1], method=method, **METHODS[method])


def _object_of(box: Any, scene: Scene) -> int | None:
    """Return which object a detection is of; None if it is of none."""
    for number, (kind, own) in enumerate(zip(scene.kinds, boxes_of(scene), strict=True)):
        if box.class_id == kind and _overlap(box.xyxy, own) > _SAME:
            return number
    return None


def _overlap(a: Any, b: Any) -> float:
    sides = [max(min(a[k + 2], b[k + 2]) - max(a[k], b[k]), 0) for k in (0, 1)]
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (a, b)]
    return float(sides[0] * sides[1] / (sum(areas) - sides[0] * sides[1]))


def _mask_of(box: Sequence[float], shape: tuple[int, int]) -> Array:
    mask = np.zeros(shape, bool)
    left, top, right, bottom = (round(one) for one in box)
    mask[top:bottom, left:right] = True
    return mask


# ---- what the model overlooks --------------------------------------------------------------------


def missing(model: keras.Model, scenes: Sequence[Scene]) -> str:
    """Ask why objects are missing that are made faint until the model overlooks them."""
    shares, chance, hits = [], [], []
    for scene, faint, number in _overlooked(model, scenes):
        box = boxes_of(scene)[number]
        expl = explain(model, faint, Missing(box, scene.kinds[number]))
        heatmap = expl.heatmap_on_input()
        mask = _mask_of(box, heatmap.shape)
        shares.append(inside(heatmap, mask))
        chance.append(mask.mean())
        hits.append(bool(mask.ravel()[heatmap.argmax()]))
    return (
        f"Of {len(hits)} objects made faint until they are overlooked, `Missing` has "
        f"{np.mean(shares):.0%} of its heat in the box (chance {np.mean(chance):.0%}) and its "
        f"maximum there in {np.mean(hits):.0%}."
    )


def _overlooked(model: keras.Model, scenes: Sequence[Scene]) -> Iterator[tuple[Scene, Array, int]]:
    """Yield scenes with an object that is faded into what is around it until it is overlooked."""
    for scene in scenes:
        number, mask = 0, scene.masks[0]
        around = scene.image[~scene.masks.any(axis=0)].mean(axis=0)
        for share in np.arange(0.9, 0.05, -0.1):
            faint = scene.image.astype("float32")
            faint[mask] = share * faint[mask] + (1 - share) * around
            if not _is_found(model, faint[None], scene, number):
                yield scene, faint[None], number
                break


def _is_found(model: keras.Model, doc: Array, scene: Scene, number: int) -> bool:
    outputs = model.predict_on_batch(doc)
    boxes, scores = (np.asarray(outputs[name])[0] for name in ("boxes", "scores"))
    own = boxes_of(scene)[number]
    near = [n for n, box in enumerate(boxes) if _overlap(box, own) > 0.3]
    return bool(near) and scores[near, scene.kinds[number]].max() > _QUIET


if __name__ == "__main__":
    main()

"""Measure the maps of a segmenter's regions on held-out scenes.

    python benchmarks/targets.py [--scenes N] [--methods NAME ...] [--write docs/targets.md]

Scenes of two objects, whose masks are known, for the bundled segmenter; each object is asked for in
turn, over the pixels where the model predicts it. Chance is the object's share of the picture. What
regions cost is measured by ``bench.py --only targets``.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import write_between
from pointing import SEED, Asked, explain, origin, point, read_options, table

from eli5.demo import Scene, load_segmenter
from eli5.targets import Region

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/targets.py"
METHODS: dict[str, dict[str, Any]] = {
    "Grad-CAM": {},
    "HiResCAM": {},
    "LayerCAM": {},
    "Grad-CAM++": {},
    "Integrated Gradients": {"steps": 16},
    "Occlusion": {"patch": 16, "stride": 8},
}
_SMALLEST = 0.5  # share of an object that must be predicted, or the model is asked for another


def main() -> None:
    """Print the table, and write it where asked for."""
    options = read_options(__doc__, METHODS)
    model, scenes = load_segmenter(), draw_scenes(SEED, options.scenes, n_objects=2)
    rows = {name: measure(model, scenes, name) for name in options.methods or METHODS}
    text = f"{origin(SCRIPT, options, 'asked for')}\n\n{table(rows, 'on the object')}"
    print(text)
    if options.write:
        write_between(options.write, "maps of regions", text)


def measure(model: keras.Model, scenes: Sequence[Scene], method: str) -> list[Asked]:
    """Explain each object of each scene that the model finds, and compare with its mask."""
    found: list[Asked] = []
    for scene in scenes:
        doc = scene.image[None].astype("float32")
        asked = _found(model, doc, scene)
        if not asked:
            continue
        regions = [Region(1 + scene.kinds[k]) for k in asked]
        expl = explain(model, doc, regions, method=method, **METHODS[method])
        maps = [expl.heatmap_on_input(k) for k in range(len(asked))]
        found += point(maps, [scene.masks[k] for k in asked], [len(asked) == 2] * len(asked))
    return found


def _found(model: keras.Model, doc: Array, scene: Scene) -> list[int]:
    """Return which of a scene's objects the model predicts where they are."""
    labels = model.predict(doc, verbose=0)[0].argmax(axis=-1)
    shares = [
        (labels[mask] == 1 + kind).mean()
        for kind, mask in zip(scene.kinds, scene.masks, strict=True)
    ]
    return [k for k, share in enumerate(shares) if share >= _SMALLEST]


if __name__ == "__main__":
    main()

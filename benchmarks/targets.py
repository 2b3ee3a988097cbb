"""Measure the maps of a segmenter's regions on held-out scenes, and what they cost.

    python benchmarks/targets.py [--scenes N] [--write docs/targets.md]

Scenes of two objects, whose masks are known, for the bundled segmenter; each object is asked for in
turn, over the pixels where the model predicts it. Chance is the object's share of the picture. The
cost is that of an explanation in units of a forward pass with the gradient at the same layer, as
the backend compiles it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between
from timing import Cost, compare

import eli5
from eli5.demo import Scene, load_segmenter
from eli5.keras import engine
from eli5.targets import Region

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/targets.py"
SEED = 40_000  # of scenes that the model was not trained on
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Grad-CAM", {}),
    ("HiResCAM", {}),
    ("LayerCAM", {}),
    ("Grad-CAM++", {}),
    ("Integrated Gradients", {"steps": 16}),
    ("Occlusion", {"patch": 16, "stride": 8}),
)
_SMALLEST = 0.5  # share of an object that must be predicted, or the model is asked for another


class Quality(NamedTuple):
    """How well maps point, over all objects that were asked for."""

    inside: float  # the share of the heat on the object
    chance: float  # the share of the picture that it is
    hits: float  # how often the maximum is on it
    moved: float  # how much less of the heat is on it where the other object is asked for
    n: int


def main() -> None:
    """Print the table and the costs, and write them where asked for."""
    options = _parse()
    model, scenes = load_segmenter(), draw_scenes(SEED, options.scenes, n_objects=2)
    rows = [[name, *_cells(measure(model, scenes, name, own))] for name, own in METHODS]
    heads = [
        "Method",
        "Heat on the object",
        "Chance",
        "Maximum on it",
        "Less if the other is asked",
    ]
    text = f"{_origin(options.scenes)}\n\n{as_table(heads, rows)}"
    print(text, end="\n\n", flush=True)
    for name, cost in costs(model, scenes[0]).items():
        print(f"{name}: {cost.ratio:.2f} ({cost.low:.2f} to {cost.high:.2f})")
    if options.write:
        write_between(options.write, "maps of regions", text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=100, help="pictures of two objects each")
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    return parser.parse_args()


def _origin(n_scenes: int) -> str:
    return (
        f"Made by `python {SCRIPT}` with Keras {keras.__version__} on {keras.backend.backend()}: "
        f"{n_scenes} held-out scenes of two objects, each asked for in turn."
    )


def _cells(quality: Quality) -> list[str]:
    shares = (quality.inside, quality.chance, quality.hits, quality.moved)
    return [f"{share:.0%}" for share in shares]


def measure(
    model: keras.Model, scenes: Sequence[Scene], method: str, options: dict[str, Any]
) -> Quality:
    """Explain each object of each scene that the model finds, and compare with its mask."""
    found: tuple[list[Any], ...] = ([], [], [], [])
    for scene in scenes:
        doc = scene.image[None].astype("float32")
        asked = _found(model, doc, scene)
        if not asked:
            continue
        regions = [Region(1 + scene.kinds[k]) for k in asked]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is empty
            expl = eli5.explain_prediction(model, doc, target=regions, method=method, **options)
        maps = [expl.heatmap_on_input(k) for k in range(len(asked))]
        shares = np.array([[_inside(one, scene.masks[k]) for k in asked] for one in maps])
        for k, number in enumerate(asked):
            mask = scene.masks[number]
            found[0].append(shares[k, k])
            found[1].append(mask.mean())
            found[2].append(bool(mask.ravel()[maps[k].argmax()]))
            if len(asked) == 2:
                found[3].append(shares[k, k] - shares[1 - k, k])
    inside, chance, hits, moved = (float(np.mean(values)) for values in found)
    return Quality(inside, chance, hits, moved, len(found[0]))


def _found(model: keras.Model, doc: Array, scene: Scene) -> list[int]:
    """Return which of a scene's objects the model predicts where they are."""
    labels = model.predict(doc, verbose=0)[0].argmax(axis=-1)
    shares = [
        (labels[mask] == 1 + kind).mean()
        for kind, mask in zip(scene.kinds, scene.masks, strict=True)
    ]
    return [k for k, share in enumerate(shares) if share >= _SMALLEST]


def _inside(heatmap: Array, mask: Array) -> float:
    total = float(heatmap.sum())
    return float(heatmap[mask].sum()) / total if total else 0.0


def costs(model: keras.Model, scene: Scene, pairs: int = 30) -> dict[str, Cost]:
    """Time explanations beside a forward pass with one gradient, compiled as the engine does."""
    doc = scene.image[None].astype("float32")
    region = Region(1 + scene.kinds[0])
    masks = [np.roll(scene.masks[0], 5 * k, axis=1) for k in range(10)]
    ten = [Region(1 + scene.kinds[0], mask) for mask in masks]

    def explain(target: Any, **options: Any) -> Callable[[], Any]:
        return lambda: eli5.explain_prediction(model, doc, target=target, **options)

    one = explain(ten[0], method="HiResCAM")
    return {
        "Region, × forward and backward": compare(
            explain(region), forward_and_backward(model, doc, region), pairs=pairs
        ),
        "ten regions, × one": compare(explain(ten, method="HiResCAM"), one, pairs=pairs),
    }


def forward_and_backward(model: keras.Model, doc: Array, region: Region) -> Callable[[], Any]:
    """Return what runs the model forward, and back from a mean over its output to its bottleneck.

    The program is the engine's own, without formulas, masks or reports.
    """
    layer = model.get_layer("bottleneck")
    shape = (1, *layer.output.shape[1:])
    site = engine.Site(layer, 0, "bottleneck", shape=shape, dtype="float32")
    query = engine.Query("plain", _PlainMean(int(region.class_id)), (site,), (_sums,))
    targets = np.zeros((1, 1), "int32")
    return lambda: engine.evaluate(model, doc, targets, query)


@dataclass(frozen=True)
class _PlainMean:
    class_id: int

    def __call__(self, outputs: Any, activation_of: Any, targets: Any, score: Any) -> Any:
        return keras.ops.mean(outputs[..., self.class_id], axis=(1, 2))[:, None], {}


def _sums(activations: Any, gradients: list[Any], _: Any) -> Any:
    return keras.ops.sum(gradients[0], axis=(1, 2, 3))


if __name__ == "__main__":
    main()

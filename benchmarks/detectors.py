"""Measure the maps of a detector's boxes on held-out scenes, and what they cost.

    python benchmarks/detectors.py [--scenes N] [--write docs/detectors.md]

Scenes of two objects, whose masks are known, for the bundled detector; each box that its decoder
keeps is asked for, by its place among the detections. Chance is the object's share of the picture.
An object is overlooked where the model's response to it is taken away by a patch of noise that is
laid over a part of it, and asked about with `Missing`. The cost is that of an explanation in units
of a forward pass with the gradient at the same layer, as the backend compiles it.
"""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers
from pages import as_table, write_between
from timing import Cost, compare

import eli5
from eli5.demo import Scene, load_detector
from eli5.keras import engine
from eli5.targets import Box, Detection, Missing

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes
from train_demo_detector import boxes_of

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/detectors.py"
SEED = 40_000  # of scenes that the model was not trained on
METHODS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("Grad-CAM", {}),
    ("HiResCAM", {}),
    ("LayerCAM", {}),
    ("Integrated Gradients", {"steps": 16}),
    ("Occlusion", {"patch": 16, "stride": 8}),
    ("D-RISE", {"n_masks": 200}),
)
_SIDE = 224  # of the pictures of the network that is timed
_SAME = 0.5  # IoU of a box with the object that it is the box of
_QUIET = 0.5  # an object is overlooked whose class is less likely in all boxes that overlap it


class Quality(NamedTuple):
    """How well maps point, over all boxes that were asked for."""

    inside: float  # the share of the heat in the box
    chance: float  # the share of the picture that it is
    hits: float  # how often the maximum is in it
    moved: float  # how much less of the heat is in it where the other box is asked for
    n: int


def main() -> None:
    """Print the table, what was overlooked and the costs, and write the table where asked for."""
    options = _parse()
    model, scenes = load_detector(), draw_scenes(SEED, options.scenes, n_objects=2)
    chosen = [(name, own) for name, own in METHODS if name in (options.methods or name)]
    rows = [[name, *_cells(measure(model, scenes, name, own))] for name, own in chosen]
    heads = ["Method", "Heat in the box", "Chance", "Maximum in it", "Less if the other is asked"]
    text = f"{_origin(options)}\n\n{as_table(heads, rows)}\n\n{missing(model, scenes)}"
    print(text, end="\n\n", flush=True)
    if options.costs:
        for name, cost in costs().items():
            print(f"{name}: {cost.ratio:.2f} ({cost.low:.2f} to {cost.high:.2f})")
    if options.write:
        write_between(options.write, "maps of boxes", text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=100, help="pictures of two objects each")
    parser.add_argument("--methods", nargs="*", help="those alone")
    parser.add_argument("--no-costs", dest="costs", action="store_false")
    parser.add_argument("--write", type=Path, help="the page to write the table into")
    return parser.parse_args()


def _origin(options: argparse.Namespace) -> str:
    n_scenes = options.scenes
    chosen = " --methods " + " ".join(options.methods) if options.methods else ""
    return (
        f"Made by `python {SCRIPT}{chosen}` with Keras {keras.__version__} on "
        f"{keras.backend.backend()}: "
        f"{n_scenes} held-out scenes of two objects, each detection asked for in turn."
    )


def _cells(quality: Quality) -> list[str]:
    shares = (quality.inside, quality.chance, quality.hits, quality.moved)
    return [f"{share:.0%}" for share in shares]


def explain(model: keras.Model, doc: Array, target: Any, **options: Any) -> Any:
    """Explain without a word of what is empty."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return eli5.explain_prediction(model, doc, target=target, **options)


def measure(
    model: keras.Model, scenes: Sequence[Scene], method: str, options: dict[str, Any]
) -> Quality:
    """Explain the first detections of each scene, and compare with the box of the object."""
    found: list[list[float]] = [[], [], [], []]
    for scene in scenes:
        doc = scene.image[None].astype("float32")
        asked: list[Any] = [Detection(0), Detection(1)]
        try:
            expl = explain(model, doc, asked, method=method, **options)
        except ValueError:  # it keeps one box alone
            expl = explain(model, doc, asked[:1], method=method, **options)
        numbers = [_object_of(one.region, scene) for one in expl.targets]
        maps = [expl.heatmap_on_input(k) for k in range(len(numbers))]
        for k, number in enumerate(numbers):
            if number is None:
                continue
            box = _mask_of(boxes_of(scene)[number], maps[k].shape)
            found[0].append(_inside(maps[k], box))
            found[1].append(float(box.mean()))
            found[2].append(float(box.ravel()[maps[k].argmax()]))
            if len(maps) == 2 and numbers[0] != numbers[1]:
                found[3].append(_inside(maps[k], box) - _inside(maps[1 - k], box))
    inside, chance, hits, moved = (float(np.mean(values)) for values in found)
    return Quality(inside, chance, hits, moved, len(found[0]))


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


def _inside(heatmap: Array, mask: Array) -> float:
    total = float(heatmap.sum())
    return float(heatmap[mask].sum()) / total if total else 0.0


# ---- what the model overlooks --------------------------------------------------------------------


def missing(model: keras.Model, scenes: Sequence[Scene]) -> str:
    """Ask why objects are missing that are made faint until the model overlooks them."""
    inside, chance, hits = [], [], []
    for scene, faint, number in _overlooked(model, scenes):
        box = boxes_of(scene)[number]
        expl = explain(model, faint, Missing(box, scene.kinds[number]))
        heatmap = expl.heatmap_on_input()
        mask = _mask_of(box, heatmap.shape)
        inside.append(_inside(heatmap, mask))
        chance.append(mask.mean())
        hits.append(bool(mask.ravel()[heatmap.argmax()]))
    return (
        f"Of {len(hits)} objects made faint until they are overlooked, `Missing` has "
        f"{np.mean(inside):.0%} of its heat in the box (chance {np.mean(chance):.0%}) and its "
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


# ---- what it costs -------------------------------------------------------------------------------


def costs(pairs: int = 30) -> dict[str, Cost]:
    """Time explanations beside a forward pass with one gradient, compiled as the engine does.

    Of a network of usual size, as the fixed costs of an explanation outweigh the bundled one.
    """
    model = mobile_detector()
    doc = np.random.default_rng(0).uniform(-1, 1, (1, _SIDE, _SIDE, 3)).astype("float32")
    ten = [Box((16.0 * k, 8.0 * k, 16.0 * k + 64, 8.0 * k + 64), 0) for k in range(10)]

    def run(target: Any) -> Callable[[], Any]:
        return lambda: explain(model, doc, target)

    plain = forward_and_backward(model, doc)
    return {
        "Box, × forward and backward": compare(run(ten[0]), plain, pairs=pairs),
        "Detection, × forward and backward": compare(run(Detection(0)), plain, pairs=pairs),
        "ten boxes, × one": compare(run(ten), run(ten[0]), pairs=pairs),
    }


def mobile_detector() -> keras.Model:
    """Return MobileNetV2 of random weights with a box of 64 pixels, and six classes, per cell."""
    keras.utils.set_random_seed(0)
    backbone = keras.applications.MobileNetV2((_SIDE, _SIDE, 3), include_top=False, weights=None)
    x = layers.Conv2D(128, 3, padding="same", activation="relu", name="neck")(backbone.output)
    scores = layers.Conv2D(6, 3, padding="same", bias_initializer="ones", name="classes")(x)
    sizes = layers.Conv2D(4, 3, padding="same", kernel_initializer="zeros", name="sizes")(x)
    places = (np.arange(_SIDE // 32) + 0.5) * 32
    y, x = (one.ravel()[:, None] for one in np.meshgrid(places, places, indexing="ij"))
    corners = np.concatenate([x - 32, y - 32, x + 32, y + 32], axis=1).astype("float32")
    boxes = layers.Reshape((-1, 4))(sizes) + corners[None]
    scores = layers.Activation("sigmoid")(layers.Reshape((-1, 6))(scores))
    return keras.Model(backbone.input, {"boxes": boxes, "scores": scores})


def forward_and_backward(model: keras.Model, doc: Array) -> Callable[[], Any]:
    """Return what runs the model forward, and back from one score to its last maps.

    The program is the engine's own, without formulas, boxes or reports.
    """
    layer = model.get_layer("neck")
    site = engine.Site(layer, 0, "neck", shape=(1, *layer.output.shape[1:]), dtype="float32")
    query = engine.Query("plain", _PlainScore(0), (site,), (_sums,))
    targets = np.zeros((1, 1), "int32")
    return lambda: engine.evaluate(model, doc, targets, query)


@dataclass(frozen=True)
class _PlainScore:
    kind: int

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, Any]:
        return outputs["scores"][:, 24:25, self.kind], {}


def _sums(activations: Any, gradients: list[Any], _: Any) -> Any:
    return keras.ops.sum(gradients[0], axis=(1, 2, 3))


if __name__ == "__main__":
    main()

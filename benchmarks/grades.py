"""Try the grade where the truth is known: right maps, poor ones, and wrong ones that are planted.

    python benchmarks/grades.py [--write docs/grade.md] [--scenes 200] [--calibrate]

The demo's model explains scenes of two objects, one of which is asked for, and, where the
environment variable ``ELI5_REAL_DATA`` names a folder as `tests/keras/test_real_data.py` has it, an
ImageNet classifier photos and crops of them, side by side. With ``--calibrate`` the scenes are
others: those that the formula's numbers were chosen on.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between
from PIL import Image, ImageFilter
from scores import real_composites

import eli5
from eli5.base import Grade
from eli5.demo import Scene, load_model
from eli5.metrics.cases import Case, read_cases
from eli5.metrics.grade import SUPPORTED, Again, combine, grade_case
from eli5.metrics.similarity import spearman

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes

Array = np.ndarray[Any, Any]
# ``(docs (n, H, W, C), class ids (n,), the other's (n,), the scene's number) -> maps (n, H, W)``
Explain = Callable[[Array, Array, Array, int], Array]

SCRIPT = "benchmarks/grades.py"
SEEDS = {"prove": 60_000, "calibrate": 50_000}  # of scenes that the model was not trained on
RIGHT = 0.6  # of the heat inside of the object, from which on a map is right
METHODS: dict[str, dict[str, Any]] = {
    "Grad-CAM": {},
    "Grad-CAM++": {},
    "LayerCAM": {},
    "Saliency": {},
    "Gradient × Input": {},
    "Occlusion": {"patch": 32},
}
# By how many passes which parts are known; see `eli5.metrics.grade`.
LADDER = {
    "single deletion, 16 + 2 passes": ("single deletion",),
    "SRG against moved maps, 14": ("SRG",),
    "both, 30": ("single deletion", "SRG"),
    "all parts, at most 37": ("single deletion", "SRG", "noise", "other class", "edges"),
}


class Graded(NamedTuple):
    """A map that was graded; `inside` is the share of its heat on the object that was asked for."""

    name: str
    is_planted: bool
    inside: float
    grade: Grade

    @property
    def value(self) -> float:
        """The grade's value; 0 of what is not gradable."""
        return self.grade.value or 0.0


def main() -> None:
    """Print what was found, and write it where asked for."""
    options = _parse()
    seed = SEEDS["calibrate" if options.calibrate else "prove"]
    maps = list(grade_scenes(load_model(), draw_scenes(seed, options.scenes, 2), _progress))
    _give(options, "scenes", maps, f"{options.scenes} scenes of two objects (seed {seed})")
    if folder := os.environ.get("ELI5_REAL_DATA"):
        model = keras.saving.load_model(Path(folder) / "mobilenet_v2_imagenet.keras")
        scenes = [*real_photos(Path(folder)), *real_composites(Path(folder), options.photos, seed)]
        about = f"3 photos and {options.photos} pairs of crops (seed {seed}), for MobileNetV2"
        _give(options, "photos", list(grade_scenes(model, scenes, _progress)), about)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=200, help="of two objects each")
    parser.add_argument("--photos", type=int, default=20, help="pairs of crops of real photos")
    parser.add_argument("--calibrate", action="store_true", help="other scenes; writes nothing")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the tables there")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the single maps, too")
    return parser.parse_args()


def _progress(number: int, n: int) -> None:
    if not number % 20:
        print(f"{number} of {n} ...", file=sys.stderr, flush=True)


def _give(options: argparse.Namespace, name: str, maps: list[Graded], about: str) -> None:
    text = "\n\n".join([_origin(about), tables(maps)])
    print(f"{name}\n\n{text}\n", flush=True)
    if options.write and not options.calibrate:
        write_between(options.write, f"grades of {name}", text)
    if options.json:
        rows = [{**one._asdict(), "grade": vars(one.grade)} for one in maps]
        options.json.with_stem(f"{options.json.stem}-{name}").write_text(json.dumps(rows))


# ---- grading -------------------------------------------------------------------------------------


def grade_scenes(
    model: keras.Model,
    scenes: Sequence[Scene],
    tell: Callable[[int, int], None] = lambda number, n: None,
    methods: dict[str, dict[str, Any]] = METHODS,
) -> Iterator[Graded]:
    """Yield the grade of each method's map, and of each planted one, of one object per scene."""
    planted = plant(model)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*The heatmap of target", UserWarning)
        for number, scene in enumerate(scenes):
            tell(number, len(scenes))
            k = number % len(scene.kinds)  # either object in turn
            yield from _grade_methods(model, scene, k, methods)
            yield from _grade_planted(model, scene, k, planted, number)


def _grade_methods(
    model: keras.Model, scene: Scene, k: int, methods: dict[str, dict[str, Any]]
) -> Iterator[Graded]:
    doc = scene.image[None].astype("float32")
    for name, options in methods.items():
        about = {"targets": [scene.kinds[k]], "method": name, **options}
        expl = eli5.explain_prediction(model, doc, **about, grade=True)
        inside = _inside(expl.heatmap_on_input(), scene.masks[k])
        yield Graded(name, False, inside, expl.targets[0].grade)


def _grade_planted(
    model: keras.Model, scene: Scene, k: int, planted: dict[str, Explain], number: int
) -> Iterator[Graded]:
    """Grade maps that are wrong, as if a method had made them.

    Each is made anew for what it is compared with, as a method would: a wrong map may well stay
    under noise, and be another one for another class.
    """
    doc = scene.image[None].astype("float32")
    kinds = np.array(
        scene.kinds if len(scene.kinds) > 1 else [*scene.kinds, _likeliest(model, doc)]
    )
    own, other = kinds[[k]], kinds[[1 - k]]
    asked: dict[bytes, float] = {}
    for name, explain in planted.items():
        values = explain(doc, own, other, number)[0]
        passes: list[int] = []
        cases = read_cases(model, doc, [values], [int(own[0])], {}, "score", passes.append)
        case = _remembered(next(iter(cases))(), asked)

        def again(copies: Array, of_other: Array, explain: Explain = explain) -> Any:
            classes = np.where(of_other, other, own)
            numbers = np.zeros(len(copies))  # which a little noise does not change
            return explain(copies, classes, np.where(of_other, own, other), number), numbers

        asking = Again(again, doc[0], 0.0, has_other=True)
        yield Graded(name, True, _inside(values, scene.masks[k]), grade_case(case, asking, passes))


def _likeliest(model: keras.Model, doc: Array) -> int:
    """Return the second class of a picture of one object."""
    return int(np.argsort(model.predict_on_batch(doc)[0])[-2])


def _remembered(case: Case, asked: dict[bytes, float]) -> Case:
    """Return a case that runs the model once for masks that several maps have in common."""

    def masked_scores(masks: Array, hidden: Array) -> Array:
        keys = [np.packbits(mask).tobytes() for mask in masks]
        new = {key: row for row, key in enumerate(keys) if key not in asked}
        if new:
            scores = case.probe.masked_scores(masks[list(new.values())], hidden)
            asked.update(zip(new, scores.tolist(), strict=True))
        return np.array([asked[key] for key in keys])

    return case._replace(probe=case.probe._replace(masked_scores=masked_scores))


def _inside(values: Array, mask: Array) -> float:
    heat = np.maximum(values, 0).astype("float64")
    return float(heat[mask].sum() / heat.sum()) if heat.any() else 0.0


# ---- wrong maps ----------------------------------------------------------------------------------


def plant(model: keras.Model) -> dict[str, Explain]:
    """Return by name what makes maps that are wrong."""
    keras.utils.set_random_seed(0)
    without = keras.models.clone_model(model)

    def right(docs: Array, own: Array, *_: Any, of: keras.Model = model) -> Array:
        explanations = eli5.explain_predictions(of, docs, targets=[[int(one)] for one in own])
        return np.stack([one.heatmap_on_input() for one in explanations])

    def inverted(*given: Any) -> Array:
        return 1 - right(*given)

    return {
        "of the other object": lambda docs, _, other, *rest: right(docs, other, *rest),
        "random, smooth": _random_maps,
        "edges": _edge_maps,
        "of a model without its weights": lambda *given: right(*given, of=without),
        "ones everywhere": lambda docs, *_: np.ones(docs.shape[:3]),
        "inverted": inverted,
    }


def _random_maps(docs: Array, own: Array, _: Array, number: int) -> Array:
    """Return soft patches at places that depend on the scene and the class alone."""
    maps = []
    for kind in own:
        size = docs.shape[1:3]
        grid = np.random.default_rng((number, kind)).normal(size=(6, 6)).astype("float32")
        soft = Image.fromarray(grid).resize(size[::-1], Image.Resampling.BICUBIC)
        maps.append(np.maximum(np.asarray(soft), 0))
    return np.stack(maps)


def _edge_maps(docs: Array, *_: Any) -> Array:
    """Return what an edge filter finds; another one than the grade compares with."""
    low, spread = docs.min(), np.ptp(docs)
    pixels = [Image.fromarray(((doc - low) / spread * 255).astype("uint8")) for doc in docs]
    blurred = [one.convert("L").filter(ImageFilter.GaussianBlur(1)) for one in pixels]
    return np.stack([np.asarray(one.filter(ImageFilter.FIND_EDGES), "float32") for one in blurred])


# ---- pictures ------------------------------------------------------------------------------------


def real_photos(folder: Path) -> list[Scene]:
    """Return the photos with the box of their main object, as the model takes them."""
    scenes = []
    for name, (first, *_) in json.loads((folder / "boxes.json").read_text()).items():
        photo = Image.open(folder / "photos" / name).convert("RGB")
        left, top, right, bottom = first["box"]
        mask = np.zeros((photo.height, photo.width), bool)
        mask[top:bottom, left:right] = True
        small = np.asarray(photo.resize((224, 224), Image.Resampling.BILINEAR), "float32")
        inside = np.asarray(Image.fromarray(mask).resize((224, 224)), bool)
        scenes.append(Scene(small / 127.5 - 1, (first["target_idx"],), inside[None]))
    return scenes


# ---- tables --------------------------------------------------------------------------------------


def figures(maps: Sequence[Graded]) -> dict[str, float]:
    """Return the shares that the grade is to be measured by, and its rank correlation."""
    planted = [one for one in maps if one.is_planted]
    right = [one for one in maps if not one.is_planted and one.inside >= RIGHT]
    return {
        "wrong maps not supported": _share(planted, lambda one: one.grade.verdict != "supported"),
        "right maps contradicted": _share(right, lambda one: one.grade.verdict == "contradicted"),
        "right maps supported": _share(right, lambda one: one.grade.verdict == "supported"),
        "rank correlation with the heat inside": _correlation(maps),
        "the same, of methods alone": _correlation([one for one in maps if not one.is_planted]),
    }


def _share(maps: Sequence[Graded], is_one: Callable[[Graded], bool]) -> float:
    return float(np.mean([is_one(one) for one in maps])) if maps else float("nan")


def _correlation(maps: Sequence[Graded]) -> float:
    values, inside = (np.array([getattr(one, of) for one in maps]) for of in ("value", "inside"))
    return spearman(values, inside)


def tables(maps: Sequence[Graded]) -> str:
    """Return what was found as Markdown: by what made the maps, in all, and by passes."""
    rows = [_row(name, [one for one in maps if one.name == name]) for name in _names(maps)]
    head = ["Map", "Heat inside", "Right", "Grade", "Supported", "Weak", "Contradicted", "None"]
    ladder = [
        [name, *(_cell(value) for value in figures(_with_parts(maps, parts)).values())]
        for name, parts in LADDER.items()
    ]
    most = max(one.grade.passes for one in maps)
    return "\n\n".join(
        [
            as_table(head, rows),
            as_table(["Made of", *(name.capitalize() for name in figures(maps))], ladder),
            f"At most {most} passes for a map.",
        ]
    )


def _names(maps: Sequence[Graded]) -> list[str]:
    return list(dict.fromkeys(one.name for one in maps))


def _row(name: str, maps: Sequence[Graded]) -> list[str]:
    verdicts = [one.grade.verdict for one in maps]
    shares = [
        f"{verdicts.count(verdict) / len(maps):.0%}"
        for verdict in ("supported", "weak", "contradicted", "not gradable")
    ]
    inside, value = (np.mean([getattr(one, of) for one in maps]) for of in ("inside", "value"))
    right = _share(maps, lambda one: one.inside >= RIGHT)
    shown = f"*{name}*" if maps[0].is_planted else name
    return [shown, f"{inside:.0%}", f"{right:.0%}", f"{value:.2f}", *shares]


def _cell(value: float) -> str:
    return f"{value:.3f}"


def _with_parts(maps: Sequence[Graded], names: Sequence[str]) -> list[Graded]:
    """Return the maps as they would be graded by some of the parts alone."""
    made = []
    for one in maps:
        if one.grade.value is not None:
            parts = {
                name: part if name in names else None for name, part in one.grade.parts.items()
            }
            value, verdict = combine(parts)
            one = one._replace(grade=Grade(value, verdict, parts))
        made.append(one)
    return made


def _origin(about: str) -> str:
    return textwrap.fill(
        f"Made by `python {SCRIPT}` with Keras {keras.__version__} on {keras.backend.backend()}: "
        f"{about}; one object of each is asked for. Maps in italics are planted, and wrong. Right "
        f"is a map with {RIGHT:.0%} of its heat on the object; supported is a grade from "
        f"{SUPPORTED:g} on.",
        width=120,
        break_on_hyphens=False,
        break_long_words=False,
    )


if __name__ == "__main__":
    main()

"""Compare the scores that can be explained: how well each method points with each of them.

    python benchmarks/scores.py [--write docs/scores.md]

Pictures of two objects, each object asked for in turn: scenes for the demo's model and, where the
environment variable ``ELI5_REAL_DATA`` names a folder as `tests/keras/test_real_data.py` has it,
crops of real photos side by side for an ImageNet classifier.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between
from PIL import Image, ImageOps

import eli5
from eli5.demo import Scene, load_model
from eli5.keras.methods import WITHOUT_ATTENTION

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import draw_scenes

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/scores.py"
SCORES = ("log-odds", "logit", "output")
PARTS = {
    "demo": "the demo's scenes",
    "real": "crops of three photos, side by side, for MobileNetV2 (an object counts as its half)",
}
SEED = 30_000  # of scenes that the model was not trained on
SIDE = 224  # of a real composite, in pixels
RESAMPLES = 2000
# Less than the defaults, so that each method is tried with each score on hundreds of pictures.
OPTIONS: dict[str, dict[str, Any]] = {
    "SmoothGrad": {"n_samples": 10},
    "VarGrad": {"n_samples": 10},
    "SquareGrad": {"n_samples": 10},
    "Integrated Gradients": {"steps": 16},
    "RISE": {"n_masks": 200},
    "KernelSHAP": {"n_samples": 200},
    "LIME": {"n_samples": 200},
}
_CELLS = 7  # along a side, of the segments of KernelSHAP and LIME


def main() -> None:
    """Print the tables, and write them where asked for."""
    options = _parse()
    folder = os.environ.get("ELI5_REAL_DATA")
    for part in options.parts:
        if part == "real" and not folder:
            print("No real crops: ELI5_REAL_DATA names no folder.", file=sys.stderr)
            continue
        model, scenes = _demo(options.scenes) if part == "demo" else _real(folder, options.scenes)
        table = score_table(model, scenes, options.methods)
        text = f"{_origin(part, len(scenes), options.methods)}\n\n{table}"
        print(text, end="\n\n", flush=True)
        if options.write:
            write_between(options.write, f"scores of {part}", text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=100, help="pictures of two objects each")
    parser.add_argument("--parts", nargs="+", default=list(PARTS), choices=PARTS)
    parser.add_argument(
        "--methods", nargs="+", default=list(WITHOUT_ATTENTION), help="all if not given"
    )
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the tables there")
    return parser.parse_args()


# ---- pictures ------------------------------------------------------------------------------------


def _demo(n: int) -> tuple[keras.Model, list[Scene]]:
    return load_model(), draw_scenes(SEED, n, n_objects=2)


def _real(folder: Any, n: int) -> tuple[keras.Model, list[Scene]]:
    model = keras.saving.load_model(Path(folder) / "mobilenet_v2_imagenet.keras")
    return model, real_composites(Path(folder), n)


def real_composites(folder: Path, n: int, seed: int = 0) -> list[Scene]:
    """Return pictures of two objects side by side, cropped from photos, as the model takes them."""
    random = np.random.default_rng(seed)
    boxes = json.loads((folder / "boxes.json").read_text())
    photos = {name: Image.open(folder / "photos" / name).convert("RGB") for name in boxes}
    halves = np.arange(SIDE) < SIDE // 2
    masks = np.stack([np.tile(halves, (SIDE, 1)), np.tile(~halves, (SIDE, 1))])
    scenes = []
    for _ in range(n):
        names = random.permutation(list(boxes))[:2]
        crops = [_crop(photos[name], boxes[name][0]["box"], random) for name in names]
        pixels = np.concatenate([np.asarray(crop, "float32") for crop in crops], axis=1)
        kinds = tuple(boxes[name][0]["target_idx"] for name in names)
        scenes.append(Scene(pixels / 127.5 - 1, kinds, masks))
    return scenes


def _crop(photo: Image.Image, box: Sequence[int], random: np.random.Generator) -> Image.Image:
    """Return most of a box, at a random place in it and perhaps mirrored, half a picture wide."""
    left, top, right, bottom = box
    share = random.uniform(0.8, 1.0)
    width, height = share * (right - left), share * (bottom - top)
    x = left + random.uniform(0, right - left - width)
    y = top + random.uniform(0, bottom - top - height)
    area = (round(x), round(y), round(x + width), round(y + height))
    crop = photo.resize((SIDE // 2, SIDE), Image.Resampling.BILINEAR, area)
    return ImageOps.mirror(crop) if random.random() < 0.5 else crop


# ---- measuring -----------------------------------------------------------------------------------


def score_table(model: keras.Model, scenes: list[Scene], methods: Sequence[str]) -> str:
    """Return how each method points with each score, as a Markdown table."""
    rows = []
    for name in methods:
        rows.append([name, *(_cell(model, scenes, name, score) for score in SCORES)])
        print(" | ".join(rows[-1]), file=sys.stderr, flush=True)  # as it takes long
    return as_table(["Method", *SCORES], rows)


def _cell(model: keras.Model, scenes: list[Scene], method: str, score: str) -> str:
    try:
        found = np.array(measure(model, scenes, method, score))
    except ValueError:  # not defined on this score
        return "not defined"
    shares, hits = found[..., 0], found[..., 1]
    low, high = bootstrap_interval(shares.mean(axis=1))
    return f"{shares.mean():.0%} ({low:.0%} to {high:.0%}), {hits.mean():.0%}"


def measure(
    model: keras.Model, scenes: list[Scene], method: str, score: str
) -> list[list[tuple[float, float]]]:
    """Return per scene and object the share of the heatmap on it, and whether its maximum hits."""
    options = dict(OPTIONS.get(method, {}))
    if method in ("KernelSHAP", "LIME"):
        height, width = scenes[0].image.shape[:2]
        rows, columns = (np.arange(side) * _CELLS // side for side in (height, width))
        options["segments"] = rows[:, None] * _CELLS + columns
    explanations = eli5.explain_predictions(
        model,
        np.stack([scene.image for scene in scenes]),
        targets=[list(scene.kinds) for scene in scenes],
        method=method,
        score=score,
        **options,
    )
    with warnings.catch_warnings():  # an empty heatmap counts as one that misses
        warnings.filterwarnings("ignore", ".*The heatmap of target", UserWarning)
        return [
            [
                judge(one.heatmap_on_input(k).astype("float64"), mask)
                for k, mask in enumerate(scene.masks)
            ]
            for one, scene in zip(explanations, scenes, strict=True)
        ]


def judge(heatmap: Array, mask: Array) -> tuple[float, float]:
    """Return the share of a heatmap on a mask, and how much of its maximum lies there."""
    if not heatmap.any():
        return 0.0, 0.0
    hits = mask[heatmap == heatmap.max()]
    return float(heatmap[mask].sum() / heatmap.sum()), float(hits.mean())


def bootstrap_interval(values: Array, seed: int = 0) -> tuple[float, float]:
    """Return the 95% interval of a mean, from means of values drawn with replacement."""
    random = np.random.default_rng(seed)
    means = values[random.integers(0, len(values), (RESAMPLES, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def _origin(part: str, n_scenes: int, methods: Sequence[str]) -> str:
    """Say where a table comes from, and what its cells mean."""
    less = [
        f"{method} with {', '.join(f'{name}={value}' for name, value in OPTIONS[method].items())}"
        for method in methods
        if method in OPTIONS
    ]
    settings = f" {'; '.join(less)}; KernelSHAP and LIME on {_CELLS} x {_CELLS} squares."
    return textwrap.fill(
        f"Made by `python {' '.join([SCRIPT, *sys.argv[1:]])}` with Keras {keras.__version__} on "
        f"{keras.backend.backend()}: {n_scenes} composites of {PARTS[part]}, two objects in each, "
        f"each asked for in turn ({2 * n_scenes} cases). Which part of the heatmap lies on the "
        "object asked for, with the 95% bootstrap interval over the composites; then how often its "
        f"maximum lies there.{settings if less else ''}",
        width=120,
        break_on_hyphens=False,
        break_long_words=False,
    )


if __name__ == "__main__":
    main()

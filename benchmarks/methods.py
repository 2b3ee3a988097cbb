"""Compare all methods on scenes whose objects are known: where they point, and what they cost.

    python benchmarks/methods.py [--write docs/methods.md]

The demo's model explains scenes of two objects, each object in turn, with default options but for
the score, which is the papers' own; `benchmarks/scores.py` compares the scores.
"""

from __future__ import annotations

import argparse
import os
import re
import statistics
import sys
import textwrap
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between
from PIL import Image, ImageFilter

import eli5
from eli5.demo import Scene, load_model
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from eli5.keras.methods.smoothing import Smoothing

sys.path.append(str(Path(__file__).resolve().parents[1] / "tools"))

from demo_scenes import SIZE, draw_scenes

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/methods.py"
SCORE = "logit"  # which the methods' papers explain
SEED = 20_000  # of scenes that the model was not trained on
TOLERANCE = 4  # pixels, one place of the target layer; as much lies between two objects
SECONDS = 4.0  # to spend on timing one method
PAIRS = 5, 40  # fewest and most of them


class Row(NamedTuple):
    """What was measured of one method.

    Attributes
    ----------
    name : str
    asked, other : float
        Mean share of the heatmap on the object asked for, and on the other one.
    hits : float
        How often the maximum lies on the object asked for.
    cost : float or None
        Time in units of one forward pass.
    problem : str
        Why the model cannot be explained so, if it cannot.
    """

    name: str
    asked: float = 0.0
    other: float = 0.0
    hits: float = 0.0
    cost: float | None = None
    problem: str = ""


def main() -> None:
    """Print the tables, and write them where asked for."""
    options = _parse()
    model = load_model()
    _give(options.write, "method-list", method_table())
    scenes = draw_scenes(SEED, options.scenes, n_objects=2)
    rows = list(_measure(model, scenes))
    _give(options.write, "methods", f"{_origin(options.scenes)}\n\n{measured_table(rows)}")


def _give(page: Path | None, name: str, text: str) -> None:
    print(text, end="\n\n", flush=True)
    if page:
        write_between(page, name, text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--scenes", type=int, default=50, help="how many to measure on")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="replace the tables there")
    return parser.parse_args()


# ---- measuring -----------------------------------------------------------------------------------


def _measure(model: keras.Model, scenes: list[Scene]) -> Iterator[Row]:
    uniform = [np.ones((SIZE, SIZE), "float32")] * 2
    yield judge("uniform", [uniform] * len(scenes), scenes)
    for name in WITHOUT_ATTENTION:
        print(f"{name} ...", file=sys.stderr, flush=True)
        try:
            row = judge(name, heatmaps(model, scenes, name), scenes)
        except (ValueError, ModuleNotFoundError) as error:
            yield Row(name, problem=str(error).partition(". ")[0])
            continue
        yield row._replace(cost=cost(model, scenes[0], name))


def heatmaps(model: keras.Model, scenes: list[Scene], method: str) -> list[list[Array]]:
    """Return the heatmaps of each scene's objects, of the picture's size."""
    explanations = eli5.explain_predictions(
        model,
        np.stack([scene.image for scene in scenes]),
        targets=[list(scene.kinds) for scene in scenes],
        method=method,
        score=SCORE,
    )
    with warnings.catch_warnings():  # an empty heatmap counts as one that misses
        warnings.filterwarnings("ignore", "The heatmap of target", UserWarning)
        return [[one.heatmap_on_input(k) for k in range(len(one.targets))] for one in explanations]


def judge(name: str, maps: list[list[Array]], scenes: list[Scene]) -> Row:
    """Return the means over all objects of all scenes."""
    found = [
        _judge_one(heatmap.astype("float64"), scene.masks[k], scene.masks[1 - k])
        for scene, pair in zip(scenes, maps, strict=True)
        for k, heatmap in enumerate(pair)
    ]
    asked, other, hits = map(float, np.mean(found, axis=0))
    return Row(name, asked, other, hits)


def _judge_one(heatmap: Array, mask: Array, other: Array) -> tuple[float, float, float]:
    """Return the shares on both objects, and whether the maximum hits; of equal ones the part."""
    if not heatmap.any():
        return 0.0, 0.0, 0.0
    near = Image.fromarray(mask.astype("uint8")).filter(ImageFilter.MaxFilter(2 * TOLERANCE + 1))
    hits = np.asarray(near)[heatmap == heatmap.max()]
    total = heatmap.sum()
    return heatmap[mask].sum() / total, heatmap[other].sum() / total, hits.mean()


def cost(model: keras.Model, scene: Scene, method: str) -> float:
    """Return the time of one explanation in units of one compiled forward pass.

    The median over pairs, in which one follows the other, so that a busy machine slows both.
    """
    doc = scene.image[None]

    def explain() -> None:
        eli5.explain_prediction(model, doc, targets=[scene.kinds[0]], method=method, score=SCORE)

    def predict() -> None:
        model.predict_on_batch(doc)

    for _ in range(2):  # compiled and warm
        predict()
        explain()
    ratios: list[float] = []
    end = time.perf_counter() + SECONDS
    while len(ratios) < PAIRS[0] or (len(ratios) < PAIRS[1] and time.perf_counter() < end):
        ratios.append(_seconds(explain) / _seconds(predict))
    return statistics.median(ratios)


def _seconds(run: Callable[[], None]) -> float:
    begun = time.perf_counter()
    run()
    return time.perf_counter() - begun


# ---- tables --------------------------------------------------------------------------------------


def measured_table(rows: list[Row]) -> str:
    """Return what was measured as a Markdown table."""
    head = ["Method", "On the object", "On the other", "Maximum hits", "Forward passes"]
    return as_table(head, [_cells(row) for row in rows])


def _cells(row: Row) -> list[str]:
    if row.problem:
        return [row.name, row.problem, "", "", ""]
    shares = [f"{share:.0%}" for share in (row.asked, row.other, row.hits)]
    # Two digits, and no exponent.
    return [row.name, *shares, "" if row.cost is None else f"{float(f'{row.cost:.2g}'):g}"]


def method_table() -> str:
    """Return what is known of each method as a Markdown table."""
    head = ["Method", "Shows", "Paper", "Cost", "For from against", "Options"]
    rows = [
        [
            method.name,
            method.shows.format(score="the score", raises="raises", region="region", place="pixel"),
            _link(method.paper),
            method.cost,
            "yes" if method.is_signed else "no",
            ", ".join(f"`{name}={value!r}`" for name, value in method.own_options.items()),
        ]
        for method in METHODS.values()
    ]
    shared = ", ".join(f"`{name}={value!r}`" for name, value in Smoothing()._asdict().items())
    takers = [method.name for method in METHODS.values() if method.smooths]
    smoothing = textwrap.fill(f"{', '.join(takers)} also take {shared}.", width=120)
    return f"{as_table(head, rows)}\n\n{smoothing}"


def _link(paper: str) -> str:
    """Return the paper's numbers as links, and what else is said of it as it is."""
    linked = re.sub(r"arXiv:([\d.]+\d)", r"[\g<0>](https://arxiv.org/abs/\1)", paper)
    return re.sub(r"doi:([^\s,;)]+)", r"[\g<0>](https://doi.org/\1)", linked)


def _origin(n_scenes: int) -> str:
    """Say where the measured table comes from, and what its columns mean."""
    command = " ".join([SCRIPT, *sys.argv[1:]])
    return textwrap.fill(
        f"Made by `python {command}` with Keras {keras.__version__} on {keras.backend.backend()}: "
        f"{n_scenes} scenes of two objects that the model was not trained on, each object asked "
        f"for in turn, with score={SCORE!r}. Which part of the heatmap, enlarged to the picture, "
        "lies on the object asked for and which on the other; how often its maximum lies on the "
        "object asked for or at most "
        f"{TOLERANCE} pixels beside it; and the time of one call of `explain_prediction` in units "
        "of one call of `predict_on_batch`, both with batch size 1 and warm (median of pairs that "
        'follow each other). "uniform" is what chance gives.',
        width=120,
        break_on_hyphens=False,
        break_long_words=False,
    )


if __name__ == "__main__":
    main()

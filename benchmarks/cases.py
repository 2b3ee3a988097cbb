"""What is measured, and the goal for each: one function per row of the table."""

from __future__ import annotations

import functools
import gc
import io
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from alternatives import alternatives
from networks import docs, lively, network, transformer
from profile_explanation import profile
from rows import Row
from target_costs import targets
from timing import Cost, compare, cost_of
from yardsticks import Run, forward, forward_and_gradient

import eli5
from eli5.keras.methods.probe import batches
from eli5.metrics import METRICS
from eli5.metrics.imputation import ROAD, fill_all, fill_picture

Array = np.ndarray[Any, Any]

SIX = ["Grad-CAM", "HiResCAM", "Grad-CAM++", "XGrad-CAM", "LayerCAM", "Element-wise Grad-CAM"]
N_PERTURBED = 96  # inputs of the perturbation methods; three batches of 32
BEST_BATCH = 32


def _row(what: str, cost: Cost, goal: float | None, unit: str = "× forward") -> Row:
    return Row(what, cost.ratio, cost.low, cost.high, goal, unit)


def _explain(model: keras.Model, batch: Array, **options: Any) -> list[Any]:
    return list(eli5.explain_predictions(model, batch, batch_size=len(batch), **options))


def grad_cam(pairs: int) -> Iterator[Row]:
    """Measure Grad-CAM of a batch: Explanations out of arrays, pictures included."""
    for name in ("MobileNetV2", "ResNet50"):
        model = network(name)
        for n in (1, 8, 32):
            batch = docs(n)
            explain = eli5.explain_prediction if n == 1 else _explain
            cost = compare(
                functools.partial(explain, model, batch),
                functools.partial(forward(model), batch),
                pairs=pairs if n == 1 else max(pairs // 3, 5),
            )
            yield _row(f"Grad-CAM, {name}, batch {n}", cost, 1.10 if n == 1 else 1.05)
            if n == 1:
                low, over, high = (1000 * seconds for seconds in cost.over)
                yield Row(f"explain_prediction, {name}", over, low, high, 3.0, "ms over forward")


def many_methods(pairs: int) -> Iterator[Row]:
    """Measure six class activation maps of five classes each, in one call."""
    model, batch = network("MobileNetV2"), docs(8)
    yardstick = forward(model)
    cost = compare(
        lambda: _explain(model, batch, methods=SIX, top_targets=5),
        lambda: yardstick(batch),
        pairs=max(pairs // 3, 5),
    )
    yield _row("six CAM methods × five classes, MobileNetV2, batch 8", cost, 1.15)


def ablation(pairs: int) -> Iterator[Row]:
    """Measure Ablation-CAM of 1,280 maps."""
    model, doc = network("MobileNetV2"), docs(1)
    yardstick = forward(model)
    cost = compare(
        lambda: eli5.explain_prediction(model, doc, method="Ablation-CAM"),
        lambda: yardstick(doc),
        pairs=max(pairs // 3, 5),
    )
    yield _row("Ablation-CAM, MobileNetV2, 1,280 maps", cost, 4.0)


def attention(pairs: int) -> Iterator[Row]:
    """Measure the methods on attention, of all twelve layers of a vision transformer."""
    model = transformer()
    yardsticks = {
        "Attention Rollout": (forward(model), "× forward"),
        "Transformer Attribution": (forward_and_gradient(model), "× forward and gradient"),
        "LeGrad": (forward_and_gradient(model), "× forward and gradient"),
    }
    for n in (1, 8):
        batch = docs(n)
        for method, (yardstick, unit) in yardsticks.items():
            cost = compare(
                functools.partial(_explain, model, batch, method=method),
                functools.partial(yardstick, batch),
                pairs=max(pairs // 3, 5),
            )
            yield _row(f"{method}, ViT-S/16, batch {n}", cost, 1.3, unit)


def perturbation(pairs: int) -> Iterator[Row]:
    """Measure the methods that see N changed inputs."""
    settings: dict[str, dict[str, Any]] = {
        "RISE": {"n_masks": N_PERTURBED},
        "Score-CAM": {"n_maps": N_PERTURBED},
        "Occlusion": {"patch": (28, 48), "stride": (28, 16)},  # 8 x 12 windows
    }
    model = network("MobileNetV2")
    for method, options in settings.items():
        cost = _many_runs(model, forward(model), method, options, pairs)
        yield _row(f"{method}, {N_PERTURBED} inputs", cost, 1.05, "× N × forward")


def gradients(pairs: int) -> Iterator[Row]:
    """Measure the methods that take N gradients for the input."""
    model = network("MobileNetV2")
    yardstick = forward_and_gradient(model)
    for method, option in {"Integrated Gradients": "steps", "SmoothGrad": "n_samples"}.items():
        cost = _many_runs(model, yardstick, method, {option: N_PERTURBED}, pairs)
        yield _row(f"{method}, {N_PERTURBED} steps", cost, 1.05, "× n × forward and gradient")


def _many_runs(
    model: keras.Model, yardstick: Run, method: str, options: dict[str, Any], pairs: int
) -> Cost:
    """Compare a method with as many runs of the yardstick, in the best batches."""
    doc, batch = docs(1), docs(BEST_BATCH)
    explain = functools.partial(
        eli5.explain_prediction, model, doc, method=method, batch_size=BEST_BATCH, **options
    )

    def run_all() -> None:
        for _ in range(N_PERTURBED // BEST_BATCH):
            yardstick(batch)

    return compare(explain, run_all, pairs=max(pairs // 6, 3), warm=1)


def metrics(pairs: int) -> Iterator[Row]:
    """Measure the metrics that run the model, against as many runs in the same batches."""
    model, batch = network("MobileNetV2"), docs(1)
    explanations, yardstick = _explain(model, batch), forward(model)
    inputs = docs(BEST_BATCH)
    for name, metric in METRICS.items():
        if metric.needs[0] != "model" or "explanations" not in metric.needs:
            continue
        function: Any = metric.function
        measure: Any = functools.partial(function, model, batch, explanations)
        n = measure().passes
        parts = [inputs[: one.stop - one.start] for one in batches(n, BEST_BATCH)]

        def run_all(parts: list[Array] = parts) -> None:
            for part in parts:
                yardstick(part)

        cost = compare(measure, run_all, pairs=max(pairs // 6, 3), warm=1)
        yield _row(f"{name}, {n} passes", cost, 1.10, "× passes × forward")
        if metric is ROAD:
            fill = functools.partial(_fill_in, batch[0], explanations[0].targets[0].heatmap)
            cost = compare(fill, run_all, pairs=max(pairs // 6, 3), warm=1)
            yield _row("of that, solving for what is filled in", cost, None, "× passes × forward")
    yield _graded(model, batch, pairs)


def _fill_in(picture: Array, heatmap: Array) -> None:
    """Fill in what ROAD does: nine shares of the highest places, and of the lowest."""
    size = picture.shape[:2]
    ranks = np.argsort(np.argsort(-heatmap.ravel())).reshape(heatmap.shape)
    rows, columns = (np.arange(n) * of // n for n, of in zip(size, heatmap.shape, strict=True))
    shares = (ranks[rows][:, columns] + 0.5) / heatmap.size
    cuts = np.arange(1, 10).reshape(-1, 1, 1) / 10
    hidden = np.concatenate([shares < cuts, shares > 1 - cuts])
    fill_all(fill_picture, picture.astype("float64"), hidden)


def _graded(model: keras.Model, doc: Array, pairs: int) -> Row:
    """Measure an explanation with its grade, against as many runs in the same batches."""
    explain = functools.partial(eli5.explain_prediction, model, doc, grade=True)
    inputs, yardstick = docs(BEST_BATCH), forward(model)
    # The explanation, what is left out, the other class, three maps, and their gradients.
    sizes = (1, 30, 1, 3, 3)
    if explain().targets[0].grade.passes + 1 != sum(sizes):
        raise ValueError(f"Expected a grade of {sum(sizes) - 1} passes")

    def run_all() -> None:
        for size in sizes:
            yardstick(inputs[:size])

    cost = compare(explain, run_all, pairs=max(pairs // 6, 3), warm=1)
    return _row(f"explanation with grade, {sum(sizes)} passes", cost, 1.10, "× passes × forward")


def first_call(pairs: int) -> Iterator[Row]:
    """Measure tracing and compiling, each time on a new model."""
    doc = docs(1)
    times = []
    for k in range(max(pairs // 10, 3)):
        taken = {}
        for what in ("run", "yardstick") if k % 2 else ("yardstick", "run"):
            model = network("MobileNetV2")
            start = time.perf_counter()
            if what == "run":
                eli5.explain_prediction(model, doc)
            else:
                forward(model)(doc)
            taken[what] = time.perf_counter() - start
        times.append((taken["run"], taken["yardstick"]))
    yield _row("first call, MobileNetV2", cost_of(times), 1.3, "× first forward")


def memory(pairs: int) -> Iterator[Row]:
    """Measure the resident memory over many explanations, and over many models.

    First of all cases: what others leave to be used again would hide what it grows by.
    """
    from keras import layers

    def small() -> keras.Model:
        return keras.Sequential(
            [
                keras.Input((32, 32, 3)),
                layers.Conv2D(8, 3, activation="relu"),
                layers.GlobalAveragePooling2D(),
                layers.Dense(4, activation="softmax"),
            ]
        )

    model, doc = small(), docs(1, 32)
    slope = _slope(lambda: eli5.explain_prediction(model, doc), 2000)
    yield Row("memory, 2,000 explanations", slope, slope, slope, 1.0, "KB per explanation")

    def once() -> None:
        eli5.explain_prediction(small(), doc)
        keras.backend.clear_session()

    def plain() -> None:
        forward(small())(doc)
        keras.backend.clear_session()

    base = _slope(plain, 200)
    slope = _slope(once, 200)
    yield Row("memory, 200 models", slope, base, slope, 100.0, "KB per model")


def _slope(run: Callable[[], Any], n: int) -> float:
    """Return by how many KB the resident memory grows per run, after a tenth for warm-up."""
    sizes = []
    for k in range(n + n // 4):
        run()
        if k >= n // 4 and k % max(n // 50, 1) == 0:
            gc.collect()
            sizes.append((k, _resident_kb()))
    runs, kilobytes = np.array(sizes).T
    return float(np.polyfit(runs, kilobytes, 1)[0])


def _resident_kb() -> float:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * 4.0


def throughput(pairs: int) -> Iterator[Row]:
    """Measure overlays of 2,000 small images as PNG, against predict and the same writing."""
    from PIL import Image

    small = keras.applications.MobileNetV2(input_shape=(96, 96, 3), weights=None, alpha=0.35)
    model = lively(small)
    images = docs(2000, 96)

    def write(picture: Image.Image) -> None:
        picture.save(io.BytesIO(), format="PNG")

    def explain() -> None:
        for expl in eli5.explain_predictions(model, images, batch_size=32):
            write(eli5.format_as_image(expl))

    # The very pictures: how long a PNG takes depends on what it shows.
    overlays = [eli5.format_as_image(e) for e in eli5.explain_predictions(model, images)]

    def predict() -> None:
        model.predict(images, batch_size=32, verbose=0)
        for overlay in overlays:
            write(overlay)

    cost = compare(predict, explain, pairs=max(pairs // 10, 3), warm=1)
    yield Row(
        "2,000 overlays as PNG", cost.ratio, cost.low, cost.high, 0.9, "× predict and PNG", True
    )


def import_time(pairs: int) -> Iterator[Row]:
    """Measure what importing the package takes over starting Python."""

    def start(code: str) -> float:
        begin = time.perf_counter()
        subprocess.run([sys.executable, "-c", code], check=True)
        return 1000 * (time.perf_counter() - begin)

    over = sorted(start("import eli5") - start("pass") for _ in range(max(pairs, 10)))
    middle = over[len(over) // 2]
    yield Row(
        "import eli5", middle, over[len(over) // 4], over[-len(over) // 4], 50.0, "ms over Python"
    )


CASES: dict[str, Callable[[int], Iterator[Row]]] = {
    "memory": memory,
    "grad-cam": grad_cam,
    "methods": many_methods,
    "ablation": ablation,
    "attention": attention,
    "perturbation": perturbation,
    "gradients": gradients,
    "targets": targets,
    "metrics": metrics,
    "first-call": first_call,
    "throughput": throughput,
    "import": import_time,
    "profile": profile,
    "peers": alternatives,
}

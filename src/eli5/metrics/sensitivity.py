"""Sensitivity: whether the map foretells what changes do to the score, and itself holds still."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from eli5.checks import expect_count, expect_integer, expect_number
from eli5.keras.explain_predictions import explain_predictions_keras
from eli5.keras.inputs.sample import Sample
from eli5.metrics.cases import (
    Case,
    explain_docs,
    measure,
    random_of,
    read_samples,
    split_about,
    without_rounding,
)
from eli5.metrics.maps import list_maps, own_map
from eli5.metrics.result import Array, Measured, Metric, MetricResult, collect

INFIDELITY = Metric(
    "Infidelity",
    "arXiv:1901.09392",
    "lower",
    "share of the changes' mean square",
    (0, 1),
    "n_samples + 1 forward passes",
)
MAX_SENSITIVITY = Metric(
    "Max-sensitivity",
    "arXiv:1901.09392",
    "lower",
    "relative change of the map",
    (0, float("inf")),
    "n_samples + 1 explanations",
    ("model", "docs"),
    "a map that never changes is the best: beside a metric of faithfulness or randomisation",
)


def infidelity(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    n_samples: int = 63,
    baseline: Any = None,
    seed: int = 0,
    **about: Any,
) -> MetricResult:
    """Return how badly the map foretells what the score loses without random boxes.

    Yeh et al., "On the (In)fidelity and Sensitivity of Explanations", arXiv:1901.09392: ``E[(s I'm
    - d)^2] / E[d^2]``, where ``I'm`` is the sum of the map over a box, ``d = f(x) - f(x without the
    box)`` and ``s`` the scale that makes it least. The paper does not divide; so 0 is a map that
    foretells each change, and 1 one that foretells no more than zeros would. A scale below 0, which
    would turn the map over, is taken for 0. The map is read as what each place contributes, not as
    a gradient.

    Parameters
    ----------
    model, docs, explanations, targets, baseline, **about
        See `eli5.metrics.deletion`. Without ``score`` it is the number that is explained unless
        told otherwise: of classes the log-odds.
    n_samples : int, default 63
        Boxes, each of a random size up to half of each axis, at a random place. The doc itself
        comes to it.
    seed : int, default 0

    Returns
    -------
    MetricResult
        ``curves`` have ``"map"`` and ``"drop"``: ``I'm`` and ``d`` of each box; and ``"scale"``.
        NaN where no box changes the score.

    Raises
    ------
    TypeError, ValueError
        See `eli5.metrics.deletion`.
    """
    n, seed = expect_count("n_samples", n_samples), expect_integer("seed", seed, least=0)
    function = functools.partial(_infidelity, n, baseline, seed)
    return measure(
        INFIDELITY,
        function,
        model,
        docs,
        explanations,
        targets,
        about,
        of="score",
        seed=seed,
        perturbation=f"{n} boxes left out",
    )


def _infidelity(n_samples: int, baseline: Any, seed: int, case: Case) -> Measured:
    hidden, name = case.make_hidden(baseline, "mean")
    boxes = draw_boxes(case.map.shape, n_samples, np.random.default_rng(seed))
    whole = np.zeros((1, *case.map.shape), bool)
    masks = ~np.concatenate([whole, boxes])
    score, *without = without_rounding(case.probe.masked_scores(masks, hidden))
    drops = score - np.array(without)
    sums = (boxes * case.map).reshape(n_samples, -1).sum(axis=1)
    value, scale = scaled_error(sums, drops)
    return Measured(value, {"map": sums, "drop": drops, "scale": np.array([scale])}, name)


def scaled_error(sums: Array, drops: Array) -> tuple[float, float]:
    """Return the mean square error of scaled sums, divided by that of zeros, and the scale."""
    scale = max(0.0, float(sums @ drops) / (float(sums @ sums) or 1.0))
    square = float(drops @ drops)
    if not square:
        return float("nan"), scale
    errors = scale * sums - drops
    return float(errors @ errors) / square, scale


def draw_boxes(size: tuple[int, ...], n: int, random: np.random.Generator) -> Array:
    """Return n boxes as masks (n, *size) of bool, each side up to half of its axis."""
    boxes = np.ones((n, *size), bool)
    for axis, length in enumerate(size):
        sides = random.integers(1, max(length // 2, 1), n, endpoint=True)
        starts = (random.random(n) * (length - sides + 1)).astype(int)
        steps = np.arange(length)
        along = (starts[:, None] <= steps) & (steps < (starts + sides)[:, None])
        boxes &= along.reshape(n, *[1] * axis, length, *[1] * (len(size) - 1 - axis))
    return boxes


def max_sensitivity(
    model: Any,
    docs: Any,
    *,
    targets: Any = None,
    n_samples: int = 10,
    radius: float = 0.02,
    seed: int = 0,
    **options: Any,
) -> MetricResult:
    """Return how far the map moves, at most, when the doc hardly does; the lower the better.

    Yeh et al., arXiv:1901.09392: ``max |m(y) - m(x)| / |m(x)|`` over random ``y`` with ``|y - x|
    <= radius`` in each value. As in their code it is divided by the norm of the map.

    Parameters
    ----------
    model, docs, targets
        See `eli5.metrics.deletion`. Docs of numbers, no token ids.
    n_samples : int, default 10
    radius : float, default 0.02
        As a share of the doc's range.
    seed : int, default 0
        Of the noise, which is the same for the same doc, whichever docs come with it.
    **options
        Of `eli5.explain_predictions`, such as ``method``: maps of `x` and `y` are made alike.

    Returns
    -------
    MetricResult
        ``curves`` have ``"change"``: of each ``y``. NaN where the doc's own map is empty.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_predictions`; also if `n_samples` or `radius` are not as described, or if
        a doc holds token ids.
    """
    n, seed = expect_count("n_samples", n_samples), expect_integer("seed", seed, least=0)
    radius = expect_number("radius", radius, least=0)
    docs = list(docs) if isinstance(docs, Iterator) else docs  # they are gone through twice
    before = explain_docs(model, docs, targets, options)
    samples = read_samples(model, docs, split_about(options))
    measured = []
    for one, (sample, _) in zip(before, samples, strict=True):
        near = _draw_near(sample, n, radius, random_of(sample, seed))
        own = {k: v for k, v in options.items() if k not in ("tokens", "images")}
        there = explain_predictions_keras(model, near, targets=[one.target] * n, **own)
        changes = _changes(own_map(one), [own_map(y) for y in list_maps(there)])
        measured.append(Measured(float(changes.max()), {"change": changes}))
    return collect(
        MAX_SENSITIVITY,
        measured,
        [one.target for one in before],
        seed=seed,
        explanations=len(before) * (n + 1),
        perturbation=f"uniform noise, up to {radius:g} of the range",
    )


def _draw_near(sample: Sample, n: int, radius: float, random: np.random.Generator) -> Iterator[Any]:
    leaves = keras.tree.flatten(sample.inputs)
    values = leaves[sample.input_index]
    if sample.values.ndim == 2 and sample.valid is not None:
        raise ValueError(
            "Expected docs of numbers, which can be changed by a little. Received: token ids"
        )
    reach = radius * float(np.ptp(values))
    for _ in range(n):
        noise = random.uniform(-reach, reach, values.shape)
        leaves[sample.input_index] = (values + noise).astype("float32")
        yield keras.tree.pack_sequence_as(sample.inputs, list(leaves))


def _changes(before: Array, after: list[Array]) -> Array:
    size = float(np.linalg.norm(before))
    distances = [float(np.linalg.norm(one.astype("float64") - before)) for one in after]
    return np.array(distances) / (size if size else float("nan"))

"""The docs of which a metric says the best and the worst: their maps, made small enough to keep."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eli5.base import Explanation, TargetExplanation
from eli5.metrics.result import Array, MetricResult
from eli5.placement import stretch

_PICTURE = (224, 224)  # pixels of an example, at most
_CELLS = 64 * 64  # of its map
_NUMBERS = 20_000  # of a series, or characters of a text: what is larger is not kept


class Example(NamedTuple):
    """A doc, the map of it, and what a metric says of that.

    Attributes
    ----------
    method, metric : str
    number : int
        Which of the docs it is, from 0.
    name : str
        What it is called.
    value : float
    is_best : bool
        Whether it is one of the best, else one of the worst.
    explanation : Explanation
        Of one target, with picture and map made small.
    """

    method: str
    metric: str
    number: int
    name: str
    value: float
    is_best: bool
    explanation: Explanation


def choose_examples(
    key: tuple[str, str],
    result: MetricResult,
    explanations: Sequence[Explanation | None],
    names: Sequence[str],
    first: int,
    n: int,
) -> list[Example]:
    """Return the `n` best and the `n` worst docs of some, of which the first has this number."""
    values = result.values if result.better == "higher" else -result.values
    order = [
        k
        for k in np.argsort(-values, kind="stable").tolist()
        if not np.isnan(values[k]) and is_small(explanations[k])
    ]
    chosen = [*((k, True) for k in order[:n]), *((k, False) for k in order[n:][::-1][:n])]
    return [
        Example(
            *key,
            first + k,
            names[k],
            float(result.values[k]),
            is_best,
            shrunk(explanations[k], result.targets[k]),
        )
        for k, is_best in chosen
    ]


def keep_extremes(examples: Iterable[Example], better: str, n: int) -> list[Example]:
    """Return the `n` best and the `n` worst of examples of one method and metric."""
    sign = -1 if better == "higher" else 1
    ranked = sorted(
        {one.number: one for one in examples}.values(),
        key=lambda one: (sign * one.value, one.number),
    )
    return [
        *(one._replace(is_best=True) for one in ranked[:n]),
        *(one._replace(is_best=False) for one in ranked[n:][::-1][:n]),
    ]


def is_small(expl: Explanation | None) -> bool:
    """Tell whether an explanation can be kept: a picture always, as it is made small."""
    if expl is None:
        return False
    if expl.series is not None:
        return bool(np.size(expl.series.values) <= _NUMBERS)
    spans = [t.weighted_spans for t in expl.targets or () if t.weighted_spans is not None]
    texts = [text for one in spans for text in one.docs_weighted_spans]
    return sum(len(str(text.document)) for text in texts) <= _NUMBERS


def shrunk(expl: Any, target: Any) -> Explanation:
    """Return an explanation of one target, with a small picture and a map of few cells."""
    targets = [one for one in expl.targets if one.target == target] or expl.targets[:1]
    alone = replace(expl, targets=targets[:1])
    image = expl.image
    if image is not None:
        image = image.copy()
        image.thumbnail(_PICTURE)
    return replace(alone, image=image, targets=[_with_few_cells(alone, targets[0])])


def _with_few_cells(expl: Explanation, target: TargetExplanation) -> TargetExplanation:
    heatmap = target.heatmap
    if heatmap is None or expl.image is None or heatmap.size <= _CELLS:
        return target
    laid = expl.heatmap_on_input()
    step = math.ceil((laid.size / _CELLS) ** (1 / laid.ndim))
    small = _mean_of_blocks(laid, step)
    small = (small / (small.max() or 1)).round(3).astype("float32")
    return replace(
        target, heatmap=small, attribution=None, placement=stretch(small.shape, laid.shape)
    )


def _mean_of_blocks(values: Array, step: int) -> Array:
    """Return the means over blocks of so many places along each axis, the last ones smaller."""
    for axis, length in enumerate(values.shape):
        starts = np.arange(0, length, step)
        sizes = np.diff([*starts, length]).reshape(-1, *[1] * (values.ndim - 1 - axis))
        values = np.add.reduceat(values, starts, axis=axis) / sizes
    return values

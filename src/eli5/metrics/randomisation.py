"""Randomisation: whether maps change when the model forgets, or is asked about another class.

A map that stays as it was shows the picture, and not the model. Weights are put back in the end.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.base import TargetExplanation
from eli5.checks import expect_count, expect_flag, expect_integer, expect_number
from eli5.keras import engine
from eli5.keras.methods.lookup import find_method
from eli5.keras.pipeline.make_plan import make_plan
from eli5.metrics.cases import explain_docs, random_of, read_samples, split_about
from eli5.metrics.maps import own_map
from eli5.metrics.reinitialise import (
    Stage,
    check_initializers,
    list_stages,
    one_at_a_time,
    redraw,
    restored,
)
from eli5.metrics.result import Measured, Metric, MetricResult, collect
from eli5.metrics.similarity import histogram_entropy, spearman, ssim

_NEEDS = ("model", "docs")
_NOISE = (
    "noise is as unlike what was before as a map that follows the model, and what is strong in a "
    "layer stays so behind random weights (arXiv:2211.12486): beside a metric of faithfulness"
)

CASCADING = Metric(
    "Cascading randomisation",
    "arXiv:1810.03292",
    "lower",
    "rank correlation",
    (-1, 1),
    "an explanation per layer, and 1",
    _NEEDS,
    _NOISE,
)
SMOOTH = CASCADING._replace(
    name="Smooth randomisation",
    paper="arXiv:2401.06465",
    cost="n_samples runs of the method per layer, and as many",
)
EFFICIENT = Metric(
    "Efficient randomisation",
    "arXiv:2401.06465",
    "higher",
    "relative rise of the entropy",
    (-1, float("inf")),
    "2 explanations",
    _NEEDS,
    _NOISE,
)
RANDOM_LOGIT = Metric(
    "Random logit",
    "arXiv:1912.09818",
    "lower",
    "rank correlation",
    (-1, 1),
    "2 explanations",
    _NEEDS,
    _NOISE,
)

_DRAWN = "weights drawn anew by their initializers, moving averages as at the start"


def cascading_randomisation(
    model: Any,
    docs: Any,
    *,
    targets: Any = None,
    stages: int | None = None,
    absolute: bool = False,
    initializers: Any = None,
    seed: int = 0,
    **options: Any,
) -> MetricResult:
    """Return how alike maps stay while the model forgets layer by layer, the lower the better.

    Adebayo et al., "Sanity Checks for Saliency Maps", arXiv:1810.03292, section 3: from the output
    back to the input, one layer after the other has its weights drawn anew, and the docs are
    explained again. The number is the mean of Spearman's rank correlations with the map of the
    model as it was, over all stages.

    Each weight is drawn by its own layer's initializer; what a `BatchNormalization` has counted is
    set back to the start, mean 0 and variance 1. A `Normalization` keeps what it was adapted to.
    Afterwards all weights are as before, to the bit, also after an error.

    Parameters
    ----------
    model, docs, targets
        See `eli5.metrics.deletion`.
    stages : int, optional
        How many models are explained, evenly spaced, the one without any of its weights the last;
        one per layer with weights if not given.
    absolute : bool
        Whether the maps are compared without their signs.
    initializers : mapping, optional
        From the path of a weight to the initializer that draws it, for layers that do not tell.
    seed : int, default 0
    **options
        Of `eli5.explain_predictions`, such as ``method``.

    Returns
    -------
    MetricResult
        ``labels`` are the layers, ``curves`` have ``"spearman"``, ``"ssim"`` (of maps scaled to [0,
        1]) and ``"entropy"`` (of the map's numbers in 100 bins, nats) with each of them, and those
        before, drawn anew. Stages whose map is constant are left out of the mean; NaN if all are.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_predictions`; also if an option is not as described, or if a layer does
        not tell how its weights are drawn.
    """
    return _cascade(
        CASCADING, model, docs, targets, options, _Drawing(seed, stages, absolute, initializers)
    )


def smooth_randomisation(
    model: Any,
    docs: Any,
    *,
    targets: Any = None,
    n_samples: int = 8,
    noise: float = 0.1,
    stages: int | None = None,
    absolute: bool = False,
    initializers: Any = None,
    seed: int = 0,
    **options: Any,
) -> MetricResult:
    """Return what `cascading_randomisation` does, of maps averaged over noisy copies of the docs.

    Hedström et al., "Sanity Checks Revisited", arXiv:2401.06465: Smooth MPRT. Noise in the maps
    alone makes them unlike; the mean has less of it.

    Parameters
    ----------
    model, docs, targets, stages, absolute, initializers, seed, **options
        See `cascading_randomisation`. The method must be one that can be smoothed.
    n_samples : int, default 8
        Copies.
    noise : float, default 0.1
        Standard deviation, as a share of the doc's range.

    Returns
    -------
    MetricResult

    Raises
    ------
    TypeError, ValueError
        See `cascading_randomisation`; also if the method cannot be smoothed.
    """
    method = find_method(options.get("method", "Grad-CAM"))
    if not method.smooths:
        raise ValueError(
            "Expected a method that can be averaged over noisy copies, as each formula can. "
            f"Received: method={method.name!r}. Take eli5.metrics.cascading_randomisation."
        )
    smoothed = {
        **options,
        "n_samples": expect_count("n_samples", n_samples),
        "noise": expect_number("noise", noise, least=0),
        "seed": seed,
    }
    drawing = _Drawing(seed, stages, absolute, initializers)
    return _cascade(SMOOTH, model, docs, targets, smoothed, drawing)


def efficient_randomisation(
    model: Any,
    docs: Any,
    *,
    targets: Any = None,
    initializers: Any = None,
    seed: int = 0,
    **options: Any,
) -> MetricResult:
    """Return by how much the map's entropy rises when the model has forgotten everything.

    Hedström et al., "Sanity Checks Revisited", arXiv:2401.06465: Efficient MPRT, ``(h - h0) / h0``
    of the entropies of the map's numbers in 100 bins, after and before all weights are drawn anew.
    No two maps are compared, so that noise makes no difference.

    Parameters
    ----------
    model, docs, targets, initializers, seed, **options
        See `cascading_randomisation`.

    Returns
    -------
    MetricResult
        ``curves`` have ``"entropy"``, before and after. NaN where the map was constant before.

    Raises
    ------
    TypeError, ValueError
        See `cascading_randomisation`.
    """
    drawing = _Drawing(seed, 1, False, initializers)
    result = _cascade(EFFICIENT, model, docs, targets, options, drawing)
    before, after = np.array([curves["entropy"] for curves in result.curves]).T
    result.values = np.where(before > 0, (after - before) / np.where(before > 0, before, 1), np.nan)
    return result


def random_logit(
    model: Any,
    docs: Any,
    *,
    targets: Any = None,
    absolute: bool = False,
    seed: int = 0,
    **options: Any,
) -> MetricResult:
    """Return how alike the maps of a class and of another one are; the lower the better.

    Sixt, Granz and Landgraf, "When Explanations Lie", arXiv:1912.09818, section 4: the other class
    is drawn at random, of each doc the same whichever docs come with it. A map that is the same for
    all classes explains none of them.

    Parameters
    ----------
    model, docs, targets, absolute, seed, **options
        See `cascading_randomisation`.

    Returns
    -------
    MetricResult
        Spearman's rank correlations; ``curves`` have ``"ssim"`` and ``"target"``, the other class.
        NaN where one of the maps is constant.

    Raises
    ------
    TypeError, ValueError
        See `eli5.explain_predictions`; also if the model has no other class.
    """
    seed = expect_integer("seed", seed, least=0)
    docs = _for_twice(docs)
    before = explain_docs(model, docs, targets, options)
    n_classes = _count_classes(model, docs, options)
    samples = read_samples(model, docs, split_about(options))
    others = [int(random_of(one, seed).integers(n_classes - 1)) for one, _ in samples]
    others = [k + (k >= int(one.target)) for k, one in zip(others, before, strict=True)]
    after = explain_docs(model, docs, others, options)
    measured = []
    for one, other, target in zip(before, after, others, strict=True):
        alike = _compare(one, other, absolute=expect_flag("absolute", absolute))
        curves = {"ssim": np.array([alike.ssim]), "target": np.array([target])}
        measured.append(Measured(alike.spearman, curves))
    return collect(
        RANDOM_LOGIT,
        measured,
        [one.target for one in before],
        seed=seed,
        explanations=2 * len(before),
        perturbation="another class",
    )


class _Drawing(NamedTuple):
    """How weights are drawn anew, and maps compared."""

    seed: Any
    stages: Any
    absolute: Any
    initializers: Any


class _Alike(NamedTuple):
    spearman: float
    ssim: float
    entropy: float


def _for_twice(docs: Any) -> Any:
    """Return docs that can be gone through more than once."""
    return list(docs) if isinstance(docs, Iterator) else docs


def _cascade(
    metric: Metric, model: Any, docs: Any, targets: Any, options: Any, drawing: _Drawing
) -> MetricResult:
    seed = expect_integer("seed", drawing.seed, least=0)
    absolute = expect_flag("absolute", drawing.absolute)
    initializers, docs = check_initializers(drawing.initializers), _for_twice(docs)
    groups = _groups(_stages_of(model, docs, options), drawing.stages)
    drawing = _Drawing(seed, groups, absolute, initializers)
    with one_at_a_time:
        before, rows = _compare_stages(model, docs, targets, options, drawing)
    measured = [
        _measured(histogram_entropy(own_map(one)), alike)
        for one, alike in zip(before, zip(*rows, strict=True), strict=True)
    ]
    return collect(
        metric,
        measured,
        [one.target for one in before],
        seed=seed,
        explanations=len(before) * (len(groups) + 1),
        perturbation=_DRAWN,
        labels=["", *(group[-1].name for group in groups)],
    )


def _compare_stages(
    model: Any, docs: Any, targets: Any, options: Any, drawing: _Drawing
) -> tuple[list[TargetExplanation], list[list[_Alike]]]:
    """Return the map of each doc, and per stage how alike those of the model without it are."""
    before = explain_docs(model, docs, targets, options)
    # The classes stay those that were explained before, whatever the model says now.
    classes = [one.target for one in before]
    random, rows = np.random.default_rng(drawing.seed), []
    with restored(model):
        for group in drawing.stages:
            for stage in group:
                redraw(stage, random, drawing.initializers)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of what a random model shows
                after = explain_docs(model, docs, classes, options)
            pairs = zip(before, after, strict=True)
            rows.append([_compare(one, other, absolute=drawing.absolute) for one, other in pairs])
    return before, rows


def _measured(entropy: float, alike: Sequence[_Alike]) -> Measured:
    """Return the mean rank correlation of the stages, and the curves from the map itself on."""
    correlations = np.array([one.spearman for one in alike])
    defined = correlations[~np.isnan(correlations)]
    curves = {
        "spearman": np.array([1.0, *correlations]),
        "ssim": np.array([1.0, *(one.ssim for one in alike)]),
        "entropy": np.array([entropy, *(one.entropy for one in alike)]),
    }
    return Measured(float(defined.mean()) if len(defined) else float("nan"), curves)


def _compare(one: TargetExplanation, other: TargetExplanation, *, absolute: bool) -> _Alike:
    maps = [np.asarray(own_map(which), "float64") for which in (one, other)]
    a, b = map(np.abs, maps) if absolute else maps
    return _Alike(spearman(a, b), ssim(a, b), histogram_entropy(maps[1]))


def _stages_of(model: keras.Model, docs: Any, options: Any) -> list[Stage]:
    for sample, _ in read_samples(model, docs, split_about(options)):
        stages = list_stages(sample.model, sample.trace)
        if stages:
            return stages
        raise ValueError(
            f"Expected a model with weights. Received: model {model.name!r} without any that were "
            "learned"
        )
    raise ValueError("Expected docs, at least one. Received: none")


def _groups(stages: list[Stage], n: Any) -> list[list[Stage]]:
    """Cut the stages, in their order, into n runs of about equal length."""
    n = len(stages) if n is None else min(expect_integer("stages", n, least=1), len(stages))
    ends = np.round(np.linspace(0, len(stages), n + 1)).astype(int)
    return [stages[start:end] for start, end in itertools.pairwise(ends)]


@engine.in_the_open
def _count_classes(model: keras.Model, docs: Any, options: Any) -> int:
    """Return how many classes there are; ValueError if there is no other one."""
    for sample, request in read_samples(model, docs, split_about(options)):
        with engine.steady():
            head = make_plan(request, [sample]).head
        if head.n_targets > 1:
            return head.n_targets
        raise ValueError(
            "Expected a model with several classes, of which another one can be explained. "
            f"Received: model {model.name!r} with {head.n_targets}"
        )
    raise ValueError("Expected docs, at least one. Received: none")

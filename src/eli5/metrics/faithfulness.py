"""Faithfulness: does the class lose, or gain, where the map says so? Parts are left out, or come.

The places are ranked from the highest number of the map down, signed; equal ones, of which a map
behind a ReLU is half made, in an order that the seed decides.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np

from eli5.checks import expect_count, expect_integer, is_integer, wrong_value
from eli5.metrics.cases import Case, measure, without_rounding
from eli5.metrics.result import Array, Measured, Metric, MetricResult
from eli5.metrics.similarity import spearman

_OFF_DATA = (
    "what is left out takes the model where it was never trained, so the number depends on the "
    "baseline as much as on the map, and ranks methods otherwise from doc to doc (arXiv:1912.01451)"
)

DELETION = Metric(
    "Deletion",
    "arXiv:1806.07421",
    "lower",
    "area under the curve",
    (0, 1),
    "steps + 1 forward passes",
    not_alone=f"{_OFF_DATA}: beside insertion, which errs in the other direction",
)
INSERTION = Metric(
    "Insertion",
    "arXiv:1806.07421",
    "higher",
    "area under the curve",
    (0, 1),
    "steps + 1 forward passes",
    not_alone=f"{_OFF_DATA}: beside deletion, which errs in the other direction",
)
SRG = Metric(
    "SRG", "arXiv:2401.06654", "higher", "difference of areas", (-1, 1), "2 steps forward passes"
)
SINGLE_DELETION = Metric(
    "Single deletion",
    "arXiv:2407.11910",
    "higher",
    "rank correlation",
    (-1, 1),
    "16 forward passes",
)


def deletion(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    steps: int = 31,
    baseline: Any = None,
    seed: int = 0,
    **about: Any,
) -> MetricResult:
    """Return the area under the class's probability as the highest places go, the lower the better.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    arXiv:1806.07421, section 4: the area by the trapezoid rule over the share of places that are
    left out, from none to all, both included.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        See `eli5.explain_predictions`.
    explanations : Explanation, an iterable of them, or maps
        One for each doc: an Explanation, whose `attribution` is taken where its layer looked, or an
        array of the doc's size, ``(H, W)``, ``(D, H, W)``, ``(T,)``, of series ``(T, F)`` as well.
    targets : iterable of int, optional
        Per doc the class. If not given, the first target of each Explanation, or the top prediction
        of a doc with a plain map.
    steps : int, default 31
        In how many steps of about equal size the places go; no more than there are. The doc itself
        comes to it: 32 are a batch.
    baseline : number, str or array, optional
        What takes their place. ``"mean"``, the doc's mean colour, if not given; tokens are left out
        (``"mask"``) where the id of padding is known. See `eli5.keras.methods.baseline`.
    seed : int, default 0
        Of the order of equal places.
    **about
        Of the docs, ``tokens``, ``images``, ``pad_value``, ``pad_token``, ``time`` and
        ``channel_names``, and of the model ``input``, ``output``, ``score``, ``task``, ``grid``,
        ``data_format`` and ``batch_size``, as `eli5.explain_predictions` takes them. Another
        ``score`` than ``"auto"`` takes the probability's place.

    Returns
    -------
    MetricResult
        ``curves`` have ``"share"`` and ``"score"``.

    Raises
    ------
    TypeError, ValueError
        If there are not as many docs as explanations, if a map does not fit its doc, or if an
        option is not as described.
    """
    curve = functools.partial(_curve, _options(steps, baseline, "mean", seed), is_insertion=False)
    return measure(DELETION, curve, model, docs, explanations, targets, about, seed=seed)


def insertion(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    steps: int = 31,
    baseline: Any = None,
    seed: int = 0,
    **about: Any,
) -> MetricResult:
    """Return the area under the class's probability as the highest places come, higher is better.

    Petsiuk et al., arXiv:1806.07421, section 4. It begins with the baseline and ends with the doc.

    Parameters
    ----------
    model, docs, explanations, targets, steps, seed, **about
        See `deletion`.
    baseline : number, str or array, optional
        What the places come into. As in the paper ``"blur"`` if not given; tokens come to none
        (``"mask"``) where the id of padding is known.

    Returns
    -------
    MetricResult
        ``curves`` have ``"share"`` and ``"score"``.

    Raises
    ------
    TypeError, ValueError
        See `deletion`.
    """
    curve = functools.partial(_curve, _options(steps, baseline, "blur", seed), is_insertion=True)
    return measure(INSERTION, curve, model, docs, explanations, targets, about, seed=seed)


def srg(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    steps: int = 31,
    baseline: Any = None,
    seed: int = 0,
    **about: Any,
) -> MetricResult:
    """Return the area when the lowest places go first less that when the highest do.

    Blücher, Vielhaben and Strodthoff, "Decoupling Pixel Flipping and Occlusion Strategy for
    Consistent XAI Benchmarks", arXiv:2401.06654: the symmetric relevance gain. What the baseline
    does to the model is in both areas, and cancels for the most part.

    Parameters
    ----------
    model, docs, explanations, targets, steps, baseline, seed, **about
        See `deletion`.

    Returns
    -------
    MetricResult
        ``curves`` have ``"share"``, ``"highest first"`` and ``"lowest first"``.

    Raises
    ------
    TypeError, ValueError
        See `deletion`.
    """
    gain = functools.partial(_gain, _options(steps, baseline, "mean", seed))
    return measure(SRG, gain, model, docs, explanations, targets, about, seed=seed)


def single_deletion(
    model: Any,
    docs: Any,
    explanations: Any,
    *,
    targets: Any = None,
    patches: int | Sequence[int] | None = None,
    baseline: Any = None,
    **about: Any,
) -> MetricResult:
    """Return the rank correlation of what the map says of each patch and the drop without it.

    Hesse, Schaub-Meyer and Roth, "Benchmarking the Attribution Quality of Vision Models",
    arXiv:2407.11910: the single-deletion score, Spearman's coefficient of the sums of the map over
    patches and the drops of the class's score. In the paper the model is first trained on pictures
    without patches, so that they are nothing new to it; that is left to you. The score of the whole
    doc has no part in the ranks and is not asked for.

    Parameters
    ----------
    model, docs, explanations, targets, baseline, **about
        See `deletion`. Without ``score`` it is the number that is explained: of classes the
        log-odds, which rank as the probabilities do, but are never saturated.
    patches : int or one int per axis, optional
        How many patches along each axis; no more than places. 4 x 4 if not given, 16 of texts and
        series, and 4 along each axis of volumes.

    Returns
    -------
    MetricResult
        ``curves`` have ``"map"`` and ``"score"``: per patch its sum, and the class's score without
        it. NaN where all patches have one sum, or all scores are equal.

    Raises
    ------
    TypeError, ValueError
        See `deletion`; also if `patches` are not as described.
    """
    drops = functools.partial(_rank_drops, patches, baseline)
    return measure(SINGLE_DELETION, drops, model, docs, explanations, targets, about, of="score")


def rank(values: Array, seed: int) -> Array:
    """Return the rank of each number, 0 for the highest; equal ones at random."""
    order = np.random.default_rng(seed).permutation(values.size)
    order = order[np.argsort(-values.ravel()[order], kind="stable")]
    ranks = np.empty(values.size, int)
    ranks[order] = np.arange(values.size)
    return ranks.reshape(values.shape)


def _options(steps: Any, baseline: Any, default: Any, seed: Any) -> tuple[int, Any, Any, int]:
    return expect_count("steps", steps), baseline, default, expect_integer("seed", seed, least=0)


def _counts(n: int, steps: int) -> Array:
    """Return after how many of n places each step ends, 0 the first."""
    return np.unique(np.round(np.linspace(0, n, steps + 1)).astype(int))


def _shown(ranks: Array, counts: Array) -> Array:
    """Return masks (n, *size) without as many of the first ranks."""
    return ranks >= counts.reshape(-1, *[1] * ranks.ndim)


def _area(scores: Array, shares: Array) -> float:
    return float(((scores[1:] + scores[:-1]) / 2 * np.diff(shares)).sum())


def _curve(options: tuple[int, Any, Any, int], case: Case, *, is_insertion: bool) -> Measured:
    steps, baseline, default, seed = options
    hidden, name = case.make_hidden(baseline, default)
    counts = _counts(case.map.size, steps)
    masks = _shown(rank(case.map, seed), counts)
    scores = case.probe.masked_scores(~masks if is_insertion else masks, hidden)
    shares = counts / case.map.size
    return Measured(_area(scores, shares), {"share": shares, "score": scores}, name)


def _gain(options: tuple[int, Any, Any, int], case: Case) -> Measured:
    steps, baseline, default, seed = options
    hidden, name = case.make_hidden(baseline, default)
    counts, size = _counts(case.map.size, steps), case.map.size
    ranks = rank(case.map, seed)
    masks = np.concatenate([_shown(ranks, counts[[0, -1]]), gain_masks(ranks, counts[1:-1])])
    scores = case.probe.masked_scores(masks, hidden)
    highest, lowest = gain_curves(scores[:2], scores[2:])
    shares = counts / size
    curves = {"share": shares, "highest first": highest, "lowest first": lowest}
    return Measured(gain_area(highest, lowest, shares), curves, name)


def gain_masks(ranks: Array, counts: Array) -> Array:
    """Return masks (2 n, *size): without the first ranks, by n counts, then without the last."""
    return np.concatenate([_shown(ranks, counts), _shown(ranks.size - 1 - ranks, counts)])


def gain_curves(ends: Array, scores: Array) -> tuple[Array, Array]:
    """Return the curves, highest first and lowest first, of the scores of `gain_masks`.

    Both have their ends, the scores of all and of nothing, in common.
    """
    highest, lowest = (np.concatenate([ends[:1], x, ends[1:]]) for x in np.split(scores, 2))
    return highest, lowest


def gain_area(highest: Array, lowest: Array, shares: Array) -> float:
    """Return the symmetric relevance gain of two curves."""
    return _area(lowest, shares) - _area(highest, shares)


def _rank_drops(patches: Any, baseline: Any, case: Case) -> Measured:
    hidden, name = case.make_hidden(baseline, "mean")
    numbers = number_patches(case.map.shape, patches)
    sums = patch_sums(case.map, numbers)
    scores = without_rounding(case.probe.masked_scores(patch_masks(numbers), hidden))
    return Measured(spearman(sums, -scores), {"map": sums, "score": scores}, name)


def patch_sums(values: Array, numbers: Array) -> Array:
    """Return the sum of a map over each patch, of `number_patches`."""
    return np.bincount(numbers.ravel(), values.ravel(), int(numbers.max()) + 1)


def patch_masks(numbers: Array) -> Array:
    """Return masks (n, *size) without one of n patches each."""
    return numbers != np.arange(int(numbers.max()) + 1).reshape(-1, *[1] * numbers.ndim)


def number_patches(size: tuple[int, ...], patches: Any) -> Array:
    """Return which patch each place is in."""
    if patches is None:
        patches = 16 if len(size) == 1 else 4
    per_axis = (patches,) * len(size) if is_integer(patches) else tuple(patches)
    if len(per_axis) != len(size):
        raise wrong_value("patches", patches, f"to be an int, or {len(size)}: one per axis")
    numbers = np.zeros(size, int)
    for axis, (length, n) in enumerate(zip(size, per_axis, strict=True)):
        n = min(expect_integer("patches", n, least=1), length)
        along = np.arange(length) * n // length
        numbers = numbers * n + along.reshape(-1, *[1] * (len(size) - 1 - axis))
    return numbers

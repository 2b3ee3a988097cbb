"""The grade of an explanation: what its map foretells of the model, asked in at most 40 passes.

Two questions make the evidence: does the class lose most where the map is lit, patch by patch, and
does it lose more when the lit places go than when as many, moved elsewhere, do? Three others can
take up to half of it: whether the map stays under a noise that the score does not see, whether it
is another one for another class, and whether it is more than an edge filter's. docs/grade.md has
the formula, how it was calibrated, and what the grade does not say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eli5.base import Grade, TargetExplanation
from eli5.keras import METHODS
from eli5.keras.methods.lookup import ChosenMethod, choose_methods
from eli5.keras.pipeline.formula_program import formula_query
from eli5.keras.pipeline.keras_probe import input_values
from eli5.keras.pipeline.padded_run import run_targets
from eli5.keras.pipeline.plan import Plan
from eli5.keras.pipeline.run_methods import explain_copies
from eli5.keras.targets import rows
from eli5.keras.targets.class_scores import TOP
from eli5.metrics.cases import Case, fitted, make_case, without_rounding
from eli5.metrics.faithfulness import (
    gain_area,
    gain_curves,
    gain_masks,
    number_patches,
    patch_masks,
    patch_sums,
    rank,
)
from eli5.metrics.maps import input_map, own_map
from eli5.metrics.result import Array

MOST_PASSES = 40
SUPPORTED = 0.6  # from which value on
CONTRADICTED = 0.1  # below which all of the evidence is no more than chance

_NONE = "not gradable"
_PATCHES: Mapping[int, Sequence[int]] = {1: (16,), 2: (4, 4), 3: (2, 2, 4)}  # by axes of the map
_SHARES = (0.1, 0.5)  # of all places that go at once
_N_MOVED = 2
_N_NOISY, _NOISE = 2, 0.02  # copies; standard deviation as a share of the doc's range
_UNCHANGED = 0.1  # how far the score may move under noise, as a share of its spread
_EVIDENCE = {"single deletion": 0.75, "SRG": 0.25}  # by weight
_FULL = 0.25  # from which on a comparison takes nothing away
_EDGE_CELLS = 16  # along an axis, of what is compared with an edge filter's map


class Again(NamedTuple):
    """How the method that made a map is asked for others of its kind.

    Attributes
    ----------
    maps : callable, optional
        ``maps(copies (n, *size, C), of_other (n,)) -> (maps (n, *size), explained (n,))``, where
        ``of_other`` tells which copies are explained for another class. None if there is no asking.
    picture : numpy.ndarray, shape (*size, C), optional
        What the copies are changed from.
    explained : float, optional
        The number that the map explains.
    has_other : bool
        Whether there is another class to be asked for.
    other : numpy.ndarray, shape (*size), optional
        The map of the other class, where it is known.
    why : str
        Why it cannot be asked.
    """

    maps: Callable[[Array, Array], tuple[Array, Array]] | None = None
    picture: Array | None = None
    explained: float | None = None
    has_other: bool = False
    other: Array | None = None
    why: str = ""


def grade_doc(plan: Plan, explanations: Sequence[Any]) -> None:
    """Put a grade into each target of the explanations, one per method, of a plan's one doc."""
    for chosen, expl in zip(plan.request.methods, explanations, strict=True):
        for k, target in enumerate(expl.targets):
            target.grade = _grade_target(plan, chosen, expl.targets, k)


def grade_case(case: Case, again: Again, passes: list[int], seed: int = 0) -> Grade:
    """Grade one map.

    Parameters
    ----------
    case : Case
        Of the number that is explained.
    again : Again
    passes : list of int
        To which the case, and `again`, add the passes of each run.
    seed : int, default 0
        Of the noise, of where the map is moved to, and of the order of equal places.

    Returns
    -------
    Grade
        With the parts ``"single deletion"`` and ``"SRG"``, in [-1, 1], 0 being what chance gives,
        and ``"noise"``, ``"other class"`` and ``"edges"``, in [0, 1].
    """
    if reason := _why_empty(case.map):
        return Grade(reason=reason, passes=sum(passes), seed=seed)
    random = np.random.default_rng(seed)
    hidden, baseline = case.make_hidden(None, "mean")
    removed, spread = _remove(case, hidden, random, seed)
    if not removed:
        return Grade(None, _NONE, {}, _why_still(spread), sum(passes), baseline, seed)
    parts = removed | _compare(case, again, spread, random)
    return Grade(*combine(parts), parts, again.why, sum(passes), baseline, seed)


def combine(parts: Mapping[str, float | None]) -> tuple[float, str]:
    """Return the value of parts, and the verdict: the evidence, less what comparisons take away."""
    asked = {name: part for name, part in parts.items() if part is not None}
    known = {name: asked[name] for name in _EVIDENCE if name in asked}
    weights = sum(_EVIDENCE[name] for name in known)
    evidence = sum(_EVIDENCE[name] * part for name, part in known.items()) / weights
    least = min((part for name, part in asked.items() if name not in known), default=1.0)
    value = float(max(0.0, evidence) * (0.5 + 0.5 * min(1.0, least / _FULL)))
    if value >= SUPPORTED:
        return value, "supported"
    is_chance = all(part < CONTRADICTED for part in known.values())
    return value, "contradicted" if is_chance else "weak"


def _why_empty(values: Array) -> str:
    if not np.isfinite(values).all():
        return "The map holds numbers that are not finite."
    if not np.ptp(values):
        return "The map is the same everywhere."
    return "" if values.max() > 0 else "Nothing is lit: the map has no positive part."


def _why_still(spread: float) -> str:
    if np.isnan(spread):
        return "The score is not finite where parts are left out."
    return "The score does not react to anything that is left out."


# ---- what removing does --------------------------------------------------------------------------


def _remove(
    case: Case, hidden: Array | None, random: np.random.Generator, seed: int
) -> tuple[dict[str, float | None], float]:
    """Return the two parts of the evidence, and how far apart the scores lie.

    Without any parts, if the scores tell nothing.
    """
    size = case.map.shape
    counts = np.unique(np.round(np.array(_SHARES) * case.map.size).astype(int).clip(1))
    counts = counts[counts < case.map.size]
    numbers = number_patches(size, _PATCHES.get(len(size)))
    moved = [case.map, *(_moved(case.map, random) for _ in range(_N_MOVED))]
    orders = [gain_masks(rank(one, seed), counts) for one in moved]
    ends = np.stack([np.ones(size, bool), np.zeros(size, bool)])
    masks = np.concatenate([ends, patch_masks(numbers), *orders])
    scores = without_rounding(case.probe.masked_scores(masks, hidden))
    spread = float(np.ptp(scores))
    if not spread > 0:
        return {}, spread
    n_patches = int(numbers.max()) + 1
    sums = patch_sums(np.maximum(case.map, 0), numbers)
    drops = scores[0] - scores[2 : 2 + n_patches]
    gains = _gains(scores[:2], scores[2 + n_patches :], counts / case.map.size, len(moved))
    over = 2 * (gains[0] - gains[1:].mean()) / spread
    return {"single deletion": agreement(sums, drops), "SRG": float(np.clip(over, -1, 1))}, spread


def _moved(values: Array, random: np.random.Generator) -> Array:
    """Return a map that is moved along each axis, and comes in again at the other end."""
    shifts = [round(length * random.uniform(0.25, 0.75)) for length in values.shape]
    return np.roll(values, shifts, tuple(range(values.ndim)))


def _gains(ends: Array, scores: Array, shares: Array, n: int) -> Array:
    """Return the symmetric relevance gain of n maps."""
    whole = np.concatenate([[0.0], shares, [1.0]])
    curves = (gain_curves(ends, part) for part in np.split(scores, n))
    return np.array([gain_area(*pair, whole) for pair in curves])


def agreement(sums: Array, drops: Array) -> float:
    """Return how far heat and drops of patches lie on the same ones, beyond what chance gives.

    The cosine between the two, less its mean over all orders of the patches, as a share of what is
    left to 1; of drops what is below 0 does not count. 0 where no patch is missed.
    """
    lost = np.maximum(drops, 0)
    scale = float(np.linalg.norm(sums) * np.linalg.norm(lost))
    if not scale:
        return 0.0
    cosine, by_chance = float(sums @ lost) / scale, float(sums.sum() * lost.mean()) / scale
    return 0.0 if by_chance > 1 - 1e-9 else (cosine - by_chance) / (1 - by_chance)


# ---- other maps beside it ------------------------------------------------------------------------


def _compare(
    case: Case, again: Again, spread: float, random: np.random.Generator
) -> dict[str, float | None]:
    """Return how the map fares beside others; None for what could not be asked."""
    noise, other = _ask_again(again, spread, random)
    return {
        "noise": None if noise is None else float(np.mean([_alike(case.map, m) for m in noise])),
        "other class": None if other is None else 1 - _alike(case.map, other),
        "edges": _unlike_edges(case),
    }


def _ask_again(
    again: Again, spread: float, random: np.random.Generator
) -> tuple[Array | None, Array | None]:
    """Return maps under noise that left the score as it was, and the map of another class."""
    if again.maps is None or again.picture is None or again.explained is None:
        return None, again.other
    asks_other = again.has_other and again.other is None
    of_other = np.array([False] * _N_NOISY + [True] * asks_other)
    scale = _NOISE * float(np.ptp(again.picture))
    copies = again.picture + scale * random.standard_normal((len(of_other), *again.picture.shape))
    copies[of_other] = again.picture
    maps, explained = again.maps(copies.astype("float32"), of_other)
    stays = ~of_other & (np.abs(explained - again.explained) <= _UNCHANGED * spread)
    return (maps[stays] if stays.any() else None), maps[-1] if asks_other else again.other


def _alike(one: Array, other: Array) -> float:
    """Return the correlation of two maps, 0 if it is below; 1 if both are constant."""
    a, b = (values.ravel() - values.mean() for values in (one, other))
    scale = float(np.linalg.norm(a) * np.linalg.norm(b))
    return max(0.0, float(a @ b) / scale) if scale else float(a.any() == b.any())


def _unlike_edges(case: Case) -> float | None:
    """Return how far the map is from what an edge filter gives; None of texts, without edges.

    Both are averaged over 16 cells along each axis, so that the grain of neither counts.
    """
    if case.is_text:
        return None
    picture = case.probe.picture.astype("float64")
    axes = [axis for axis in range(case.n_axes) if picture.shape[axis] > 1]
    squares = [np.square(np.gradient(picture, axis=axis)).sum(axis=-1) for axis in axes]
    if not squares:
        return None
    numbers = number_patches(case.map.shape, (_EDGE_CELLS,) * case.map.ndim)
    sizes = patch_sums(np.ones(case.map.shape), numbers)
    edges, heat = np.sqrt(np.sum(squares, axis=0)), np.maximum(case.map, 0)
    cells = [patch_sums(values, numbers) / sizes for values in (edges, heat)]
    return 1 - _alike(*cells)


# ---- of a Keras model ----------------------------------------------------------------------------


def _grade_target(
    plan: Plan, chosen: ChosenMethod, targets: Sequence[TargetExplanation], k: int
) -> Grade:
    values, passes = own_map(targets[k]), list[int]()
    if reason := "There is no map." if values is None else _why_empty(np.asarray(values)):
        return Grade(reason=reason)
    plan = plan._replace(targets=rows.take(plan.targets, slice(k, k + 1)))
    try:
        plan = _at_input(plan, chosen)
        occlusion = choose_methods([METHODS["Occlusion"]], {}, "positive")
        hiding = plan._replace(request=plan.request._replace(methods=occlusion))
        case = make_case(hiding, targets[k], "score", passes.append)
        return grade_case(case, _again(plan, chosen, targets, k, passes.append), passes)
    except ValueError as error:  # of a doc of which nothing can be left out
        return Grade(reason=str(error), passes=sum(passes))


def _at_input(plan: Plan, chosen: ChosenMethod) -> Plan:
    """Return the plan with one method, and the input as what is changed."""
    site = plan.sample.kind.input_site(plan.sample, plan.trace, is_needed=True)
    return plan._replace(request=plan.request._replace(methods=[chosen]), input_site=site)


def _again(
    plan: Plan,
    chosen: ChosenMethod,
    targets: Sequence[TargetExplanation],
    k: int,
    count: Callable[[int], None],
) -> Again:
    """Return how a method is asked for other maps of the plan's one doc."""
    rival, why = _find_rival(plan, count)
    target, method = targets[k], chosen.method
    of_rival = [one for one in targets if one.target == rival] if method.has_class else [target]
    known = (
        _as_input(plan, target, own_map(of_rival[0])) if of_rival and rival is not None else None
    )
    if method.is_black_box or chosen.smoothing.is_used:
        dear = f"{method.name} runs the model too often to be asked for other maps."
        return Again(other=known, why=f"{why} {dear}".strip())

    def maps(copies: Array, of_other: Array) -> tuple[Array, Array]:
        count((3 if method.needs == "hessian" else 2) * len(copies))
        asked = rows.repeat(plan.targets, len(copies))
        if rival is not None:
            asked = np.where(of_other[:, None], np.int32(rival), asked)
        found, explained = explain_copies(plan, chosen, copies, asked)
        return np.stack([_as_input(plan, target, values) for values in found]), explained

    picture = input_values(plan)
    return Again(maps, picture, target.explained, rival is not None, known, why)


def _as_input(plan: Plan, target: TargetExplanation, values: Array) -> Array:
    """Return another map of a target's kind as its case has it."""
    sample = plan.sample
    size = None if sample.valid else sample.size + values.shape[len(sample.size) :]
    return fitted(input_map(replace(target, attribution=values), size), sample)


def _find_rival(plan: Plan, count: Callable[[int], None]) -> tuple[int | None, str]:
    """Return the likeliest other class, or why there is none to be asked for."""
    head = plan.head
    if not plan.request.target.has_class:
        return None, "What is explained is not the score of one class: no other class is compared."
    if head.is_regression:
        return None, "There is no other class to compare with."
    if head.n_targets < 3:
        return None, "Of two classes each is the other's opposite: comparing them tells nothing."
    count(1)
    ranks = np.array([[TOP, TOP - 1]], "int32")
    _, report = run_targets(plan, ranks, formula_query(plan, []))
    own = int(plan.targets[0, 0])
    return next(int(one) for one in report["targets"][0] if one != own), ""

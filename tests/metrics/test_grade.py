"""The grade: its parts against slow twins, what cannot be graded, and what it costs."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from eli5.metrics.cases import Case
from eli5.metrics.grade import (
    CONTRADICTED,
    MOST_PASSES,
    SUPPORTED,
    Again,
    agreement,
    combine,
    grade_case,
)

Array = np.ndarray[Any, Any]
SIZE = (8, 8)


def contributions(*lit: tuple[int, int]) -> Array:
    """Return what each place adds to the score: 1 in some of the 4 x 4 patches, next to nothing."""
    values = np.full(SIZE, 0.001)
    for row, column in lit:
        values[2 * row : 2 * row + 2, 2 * column : 2 * column + 2] = 1
    return values


def case_of(
    values: Array, adds: Array, passes: list[int], score: Callable[[Array], Array] = lambda s: s
) -> Case:
    """Return the case of a model whose score is a function of the sum of what is shown."""

    def masked_scores(masks: Array, hidden: Array) -> Array:
        passes.append(len(masks))
        return score((masks * adds).sum(axis=(1, 2)))

    picture = np.random.default_rng(0).random((*SIZE, 3))
    probe = SimpleNamespace(masked_scores=masked_scores, picture=picture)
    return Case(probe, values, lambda baseline, default: (np.zeros((*SIZE, 3)), default), 2)


def grade(values: Array, adds: Array, again: Again | None = None, **options: Any) -> Any:
    passes: list[int] = []
    return grade_case(case_of(values, adds, passes, **options), again or Again(), passes)


ADDS = contributions((1, 1), (1, 2), (3, 0))


def test_the_true_map_is_supported_and_its_opposite_contradicted() -> None:
    right, wrong = grade(ADDS, ADDS), grade(1.001 - ADDS, ADDS)
    assert (right.verdict, wrong.verdict) == ("supported", "contradicted")
    assert right.parts["single deletion"] == pytest.approx(1)
    assert right.parts["SRG"] > 0 > wrong.parts["SRG"]
    assert right.value >= SUPPORTED > CONTRADICTED > wrong.value == 0


def test_a_map_of_other_places_is_not_supported() -> None:
    others = [contributions((r, c)) for r in range(4) for c in range(4)]
    values = [grade(one, ADDS).value for one in others]
    lit = {1 * 4 + 1, 1 * 4 + 2, 3 * 4 + 0}
    assert min(values[k] for k in lit) > max(v for k, v in enumerate(values) if k not in lit)
    assert all(v < SUPPORTED for k, v in enumerate(values) if k not in lit)


def test_agreement_is_what_is_left_of_the_cosine_beyond_its_mean_over_all_orders() -> None:
    random = np.random.default_rng(1)
    sums, drops = random.random(5), random.normal(size=5)
    lost = np.where(drops > 0, drops, 0.0)

    def cosine(heat: Array) -> float:
        return float(heat @ lost / np.sqrt((heat @ heat) * (lost @ lost)))

    by_chance = np.mean([cosine(np.array(order)) for order in itertools.permutations(sums)])
    expected = (cosine(sums) - by_chance) / (1 - by_chance)
    assert agreement(sums, drops) == pytest.approx(expected, abs=1e-12)


def test_where_chance_is_all_there_is_there_is_no_agreement() -> None:
    assert agreement(np.ones(4), np.array([1.0, 0, 0, 2])) == 0
    assert agreement(np.array([1.0, 0]), np.zeros(2)) == 0
    assert agreement(np.array([1.0, 0]), np.array([-1.0, -2])) == 0
    assert agreement(np.ones(3), np.ones(3)) == 0


def test_srg_is_that_of_the_map_less_those_of_the_map_moved() -> None:
    """All by hand: the same shares, the same moves, sums of what is shown."""
    random = np.random.default_rng(0)
    moves = [[round(8 * random.uniform(0.25, 0.75)) for _ in SIZE] for _ in range(2)]
    values = np.random.default_rng(3).permutation(64).reshape(SIZE) * 1.0

    def gain(one: Array) -> float:
        order = np.argsort(-one, axis=None)
        curves = []
        for first in (order, order[::-1]):
            left = [ADDS.ravel()[first[n:]].sum() for n in (0, 6, 32, 64)]
            curves.append(np.trapezoid(left, np.array([0, 6, 32, 64]) / 64))
        return curves[1] - curves[0]

    moved = [np.roll(values, move, (0, 1)) for move in moves]
    over = gain(values) - np.mean([gain(one) for one in moved])
    found = grade(values, ADDS).parts["SRG"]
    assert found == pytest.approx(2 * over / ADDS.sum(), abs=1e-9)


def test_the_value_is_the_evidence_and_comparisons_take_up_to_half_of_it() -> None:
    parts: dict[str, float | None] = {"single deletion": 0.8, "SRG": 0.4}
    parts |= {"noise": None, "other class": None, "edges": None}
    assert combine(parts)[0] == pytest.approx(0.7)
    assert combine(parts)[1] == "supported"
    assert combine({**parts, "noise": 0.25, "edges": 0.9})[0] == pytest.approx(0.7)
    assert combine({**parts, "edges": 0.125})[0] == pytest.approx(0.525)
    assert combine({**parts, "edges": 0.125})[1] == "weak"
    assert combine({**parts, "other class": 0.0, "noise": 1.0})[0] == pytest.approx(0.35)
    assert combine({**parts, "single deletion": -0.5}) == (0.0, "weak")
    assert combine({**parts, "single deletion": -0.5, "SRG": 0.09}) == (0.0, "contradicted")


NAN = np.where(ADDS == 1, np.nan, 0)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (np.ones(SIZE), "the same everywhere"),
        (np.zeros(SIZE), "the same everywhere"),
        (-ADDS, "no positive part"),
        (NAN, "not finite"),
    ],
)
def test_an_empty_map_is_not_gradable_and_costs_nothing(values: Array, reason: str) -> None:
    found = grade(values, ADDS)
    assert (found.verdict, found.value, found.parts, found.passes) == ("not gradable", None, {}, 0)
    assert reason in found.reason


@pytest.mark.parametrize(
    ("score", "reason"), [(lambda s: 0 * s, "not react"), (lambda s: s / 0, "not finite")]
)
@pytest.mark.filterwarnings("ignore:divide by zero", "ignore:invalid value")
def test_a_score_that_tells_nothing_grades_nothing(score: Any, reason: str) -> None:
    found = grade(ADDS, ADDS, score=score)
    assert found.verdict == "not gradable"
    assert reason in found.reason
    assert 0 < found.passes <= MOST_PASSES


# ---- other maps ----------------------------------------------------------------------------------


def again(
    maps: Callable[[Array, Array], Array], explained: Any = 0.0, **options: Any
) -> tuple[Again, list[Any]]:
    """Return a method that is asked again, and what it was asked."""
    asked: list[Any] = []

    def ask(copies: Array, of_other: Array) -> tuple[Array, Array]:
        asked.append((copies, of_other))
        return maps(copies, of_other), np.broadcast_to(explained, len(copies))

    picture = np.linspace(0, 1, 192).reshape(*SIZE, 3)
    return Again(ask, picture, 0.0, has_other=True, **options), asked


def test_a_map_that_is_the_same_for_another_class_loses_half() -> None:
    same, _ = again(lambda copies, of_other: np.stack([ADDS] * len(copies)))
    found, alone = grade(ADDS, ADDS, same), grade(ADDS, ADDS)
    assert found.parts["noise"] == pytest.approx(1)
    assert found.parts["other class"] == pytest.approx(0)
    assert found.value == pytest.approx(alone.value / 2)


def test_the_copies_are_the_doc_with_a_little_noise_and_the_doc_itself() -> None:
    method, asked = again(lambda copies, of_other: np.stack([ADDS] * len(copies)))
    grade(ADDS, ADDS, method)
    ((copies, of_other),) = asked
    assert of_other.tolist() == [False, False, True]
    assert method.picture is not None
    np.testing.assert_allclose(copies[2], method.picture, atol=1e-6)
    noise = copies[:2] - method.picture
    assert noise.std() == pytest.approx(0.02, rel=0.1)
    assert not np.allclose(noise[0], noise[1])


def test_noise_that_the_score_sees_does_not_count() -> None:
    def maps(copies: Array, of_other: Array) -> Array:
        return np.stack([ADDS, 1 - ADDS, 1 - ADDS])

    moved = np.array([0.0, 0.2 * ADDS.sum(), 0.0])  # by more than a tenth of the scores' spread
    method, _ = again(maps, moved)
    assert grade(ADDS, ADDS, method).parts["noise"] == pytest.approx(1)
    assert grade(ADDS, ADDS, again(maps)[0]).parts["noise"] == pytest.approx(0.5)
    assert grade(ADDS, ADDS, again(maps, ADDS.sum())[0]).parts["noise"] is None


def test_the_map_of_another_class_that_is_known_is_not_asked_for() -> None:
    method, asked = again(lambda copies, _: np.stack([ADDS] * len(copies)), other=1 - ADDS)
    assert grade(ADDS, ADDS, method).parts["other class"] == pytest.approx(1)
    ((copies, _),) = asked
    assert len(copies) == 2
    known = Again(other=ADDS, why="Too dear.")
    found = grade(ADDS, ADDS, known)
    assert (found.parts["noise"], found.parts["other class"]) == (None, pytest.approx(0))
    assert found.reason == "Too dear."


def test_an_edge_filters_map_is_told() -> None:
    passes: list[int] = []
    case = case_of(ADDS, ADDS, passes)
    picture = np.zeros((*SIZE, 3))
    picture[:4] = 1
    edges = np.zeros(SIZE)
    edges[3:5] = 2.0
    case = case._replace(
        map=edges, probe=SimpleNamespace(**vars(case.probe) | {"picture": picture})
    )
    assert grade_case(case, Again(), passes).parts["edges"] == pytest.approx(0)
    assert grade_case(case._replace(is_text=True), Again(), passes).parts["edges"] is None


def test_the_seed_decides_and_is_told() -> None:
    def seeded(seed: int) -> Any:
        passes: list[int] = []
        values = np.random.default_rng(5).random(SIZE)
        return grade_case(case_of(values, ADDS, passes), Again(), passes, seed)

    assert seeded(3) == seeded(3)
    assert seeded(3).parts["SRG"] != seeded(4).parts["SRG"]
    assert (seeded(3).seed, seeded(3).baseline) == (3, "mean")

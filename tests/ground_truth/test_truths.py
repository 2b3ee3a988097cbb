"""What is said to be true is true: Shapley values by all coalitions, and what cannot be seen."""

from __future__ import annotations

from math import comb
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.ground_truth.closed_form import GATES, make_hand_set
from eli5.ground_truth.grid import make_grid
from eli5.ground_truth.problem import Problem
from eli5.ground_truth.sequences import make_sequences
from eli5.ground_truth.sets import SETS
from eli5.ground_truth.tasks_8x8 import TASKS, make_tasks
from eli5.ground_truth.watermark import SHARES, make_watermark
from eli5.metrics.maps import input_map

Array = np.ndarray[Any, Any]
N_DOCS = 3

SETS_MADE = {name: {one.name: one for one in SETS[name].make(0, N_DOCS)} for name in SETS}
EXACT = [p for found in SETS_MADE.values() for p in found.values() if p.reading == "signed"]
FEW_PLAYERS = [p for p in EXACT if p.name != "places"]


def shapley_values(model: keras.Model, doc: Array, players: Array, target: int) -> Array:
    """Return the Shapley values of some places of a doc (1, ...), by all their coalitions."""
    n = len(players)
    coalitions = (np.arange(2**n)[:, None] >> np.arange(n)) & 1 == 1
    docs = np.zeros((2**n, *doc.shape[1:]), doc.dtype)
    for k, place in enumerate(players):
        index = (slice(None), *place)
        docs[index] = np.where(_along(coalitions[:, k], docs[index]), doc[(0, *place)], 0)
    scores = np.asarray(model.predict(docs, batch_size=4096, verbose=0), "float64")[:, target]
    values = np.zeros(n)
    sizes = coalitions.sum(axis=1)
    for k in range(n):
        without = np.flatnonzero(~coalitions[:, k])
        weights = 1 / (n * np.array([comb(n - 1, int(size)) for size in sizes[without]]))
        values[k] = weights @ (scores[without + 2**k] - scores[without])
    return values


def _along(flags: Array, like: Array) -> Array:
    return flags.reshape(-1, *[1] * (like.ndim - 1))


def lit_places(problem: Problem, n: int) -> Array:
    """Return the places of a doc that may add something: that are lit, and not out of sight."""
    doc, truth = problem.docs[n], problem.truths[n, 0]
    if doc.ndim == truth.ndim:  # ids
        return np.argwhere(doc < 6)
    is_lit = doc.any(axis=-1) if problem.name != "motif" else doc[:, 0] > 0
    if problem.blind is not None and problem.name != "watermark":
        is_lit &= ~problem.blind[n, 0]
    return np.argwhere(is_lit)


@pytest.mark.parametrize("problem", FEW_PLAYERS, ids=lambda one: one.name)
def test_the_truth_is_the_shapley_value_of_each_place(problem: Problem) -> None:
    players = lit_places(problem, 1)
    assert 3 <= len(players) <= 16
    target = problem.targets[1][0]
    found = shapley_values(problem.model, problem.docs[1:2], players, target)
    truth = problem.truths[1, 0]
    np.testing.assert_allclose(found, truth[tuple(players.T)], atol=1e-5)
    rest = truth.copy()
    rest[tuple(players.T)] = 0
    assert not rest.any()


def test_of_places_of_their_own_the_truth_is_what_each_takes_away() -> None:
    problem = SETS_MADE["hand-set"]["places"]
    doc, target = problem.docs[:1], problem.targets[0][0]
    without = np.repeat(doc, 64, axis=0)
    for k, place in enumerate(np.ndindex(8, 8)):
        without[(k, *place)] = 0
    scores = problem.model.predict(np.concatenate([doc, without]), verbose=0)[:, target]
    np.testing.assert_allclose(
        (scores[0] - scores[1:]).reshape(8, 8), problem.truths[0, 0], atol=1e-5
    )


@pytest.mark.parametrize(
    "problem", [one for one in EXACT if one.blind is not None], ids=lambda one: one.name
)
def test_what_cannot_be_seen_does_not_move_the_score(problem: Problem) -> None:
    docs, changed = problem.docs, problem.docs.copy()
    assert problem.blind is not None
    blind = problem.blind[:, 0]
    noise: Any = np.random.default_rng(0).random(docs.shape, "float32")
    if problem.name == "watermark":  # the patch is seen in its own colour alone
        noise[..., :2] = docs[..., :2]
    changed[blind] = noise[blind]
    before, after = (problem.model.predict(one, verbose=0) for one in (docs, changed))
    for row, targets in enumerate(problem.targets):
        np.testing.assert_array_equal(before[row, targets], after[row, targets])
    assert not problem.truths[:, 0][blind].any()


@pytest.mark.parametrize("name", SETS)
def test_a_seed_gives_the_same_docs_and_another_one_others(name: str) -> None:
    again, others = SETS[name].make(0, N_DOCS), SETS[name].make(1, N_DOCS)
    for problem, same, other in zip(SETS_MADE[name].values(), again, others, strict=True):
        np.testing.assert_array_equal(problem.docs, same.docs)
        np.testing.assert_array_equal(problem.truths, same.truths)
        assert (problem.docs != other.docs).any()


def test_an_or_is_hardly_moved_by_one_colour() -> None:
    problem = SETS_MADE["hand-set"]["or"]
    for doc, truth in zip(problem.docs, problem.truths[:, 0], strict=True):
        without_red = doc.copy()
        without_red[..., 0] = 0
        score, other = problem.model.predict(np.stack([doc, without_red]), verbose=0)[
            :, list(GATES).index("or")
        ]
        assert score - other < 0.5 * truth[doc[..., 0] > 0].sum()


# ---- tasks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TASKS)
def test_the_model_of_a_task_solves_it(name: str) -> None:
    model = SETS_MADE["tasks"][name].model
    drawn = TASKS[name].draw(np.random.default_rng(7), 400)
    answers = model.predict(drawn.pictures, verbose=0).argmax(axis=1)
    assert (answers == drawn.classes).mean() >= 0.93
    shown = SETS_MADE["tasks"][name]
    found = shown.model.predict(shown.docs, verbose=0).argmax(axis=1)
    assert found.tolist() == [k for (k,) in shown.targets]


def test_the_other_pixels_are_suppressors() -> None:
    # They do not depend on the class, but the model uses them, and is worse without them.
    drawn = TASKS["linear"].draw(np.random.default_rng(8), 2000)
    mask = drawn.masks[0]
    means = [drawn.pictures[drawn.classes == k, ..., 0].mean(axis=0) for k in (0, 1)]
    assert np.abs(means[0] - means[1])[~mask].max() < 0.3 < np.abs(means[0] - means[1])[mask].min()
    model = SETS_MADE["tasks"]["linear"].model
    only = drawn.pictures * mask[..., None]
    right = [
        (model.predict(one, verbose=0).argmax(axis=1) == drawn.classes).mean()
        for one in (drawn.pictures, only)
    ]
    assert right[1] < right[0] - 0.1


# ---- scenes, watermark ---------------------------------------------------------------------------


def test_the_scenes_show_both_objects_whole_and_apart() -> None:
    problem = SETS_MADE["grid"]["composites"]
    sizes = problem.truths.sum(axis=(2, 3))
    assert (sizes == sizes[0]).all()
    assert problem.truths.sum(axis=1).max() == 1
    answers = np.argsort(problem.model.predict(problem.docs, verbose=0), axis=1)[:, -2:]
    assert (np.sort(answers, axis=1) == np.sort(problem.targets, axis=1)).all()


def test_the_watermark_has_its_share_of_the_score() -> None:
    (problem,) = make_watermark(3, 2)
    assert problem.part is not None
    without = problem.docs.copy()
    without[problem.part[:, 0]] = 0
    scores, rest = (problem.model.predict(one, verbose=0) for one in (problem.docs, without))
    np.testing.assert_allclose((scores - rest) / scores, [SHARES] * 2, atol=1e-6)


def test_cells_are_asked_for_each() -> None:
    (problem, _) = make_grid(0, 12)
    assert {target // 2 for (target,) in problem.targets} == {0, 1, 2, 3}


def test_docs_of_tasks_are_as_many_as_asked_for() -> None:
    assert {len(one.docs) for one in [*make_tasks(2, 5), *make_hand_set(2, 5)]} == {5}


def test_a_text_is_read_token_by_token() -> None:
    token, *_ = make_sequences(0, 2)
    expl = eli5.explain_prediction(
        token.model, token.docs[:1], targets=[0], method="HiResCAM", layer="maps"
    )
    np.testing.assert_allclose(input_map(expl.targets[0]), token.truths[0, 0], atol=1e-6)

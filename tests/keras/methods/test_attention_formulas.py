"""The formulas on attention against literal twins, on random matrices."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import ops

from eli5.keras.methods.attention import (
    Step,
    add_relevance,
    add_rows,
    attention_rollout,
    find_sinks,
    legrad,
    relevance_of_tokens,
    roll_out,
    rows_that_count,
    transformer_attribution,
)
from helpers import attention_twins as twins

Array = np.ndarray[Any, Any]
B, LAYERS, HEADS, N, M = 2, 3, 2, 5, 3

pytestmark = pytest.mark.skipif(
    keras.backend.backend() != "torch", reason="whole explanations compare the backends"
)


def random_weights(rng: Any, queries: int, keys: int) -> Array:
    weights = rng.uniform(size=(B, HEADS, queries, keys)) ** 3
    return np.asarray(weights / weights.sum(-1, keepdims=True), "float32")


@pytest.fixture
def layers() -> list[Array]:
    rng = np.random.default_rng(1)
    return [random_weights(rng, N, N) for _ in range(LAYERS)]


@pytest.fixture
def gradients() -> list[Array]:
    rng = np.random.default_rng(2)
    return [rng.normal(size=(B, HEADS, N, N)).astype("float32") for _ in range(LAYERS)]


def numpy(tensor: Any) -> Array:
    return np.asarray(ops.convert_to_numpy(tensor))


@pytest.mark.parametrize("options", [{}, {"head": 1}, {"discard": 0.4}], ids=repr)
def test_rollout_is_its_twin_and_its_rows_sum_to_1(layers: Any, options: Any) -> None:
    steps = [Step(attention_rollout(ops.array(one), None, **options), 0, 0) for one in layers]
    found = numpy(roll_out(steps, (N,))[0, 0])
    for b in range(B):
        right = twins.rollout([one[b] for one in layers], **options)
        np.testing.assert_allclose(found[b], right, atol=1e-5)
    np.testing.assert_allclose(found.sum(-1), 1, atol=1e-5)


@pytest.mark.parametrize("head", [None, 0])
def test_transformer_attribution_is_its_twin(layers: Any, gradients: Any, head: Any) -> None:
    pairs = list(zip(layers, gradients, strict=True))
    steps = [
        Step(transformer_attribution(ops.array(a), ops.array(g), head=head), 0, 0) for a, g in pairs
    ]
    found = numpy(add_relevance(steps, (N,))[0, 0])
    for b in range(B):
        right = twins.transformer_attribution(
            [a[b] for a, _ in pairs], [g[b] for _, g in pairs], head
        )
        np.testing.assert_allclose(found[b], right, atol=1e-5)


def test_legrad_is_its_twin(layers: Any, gradients: Any) -> None:
    pairs = zip(layers, gradients, strict=True)
    steps = [Step(legrad(ops.array(a), ops.array(g)), 0, 0) for a, g in pairs]
    found = numpy(add_rows(steps, (N,))[0, 0])[:, 0]
    for b in range(B):
        np.testing.assert_allclose(found[b], twins.legrad([g[b] for g in gradients]), atol=1e-5)


def test_tokens_that_attend_to_the_docs_follow_the_bimodal_rules(gradients: Any) -> None:
    rng = np.random.default_rng(3)
    own = [random_weights(rng, N, N).mean(1) for _ in range(2)]
    asking = [random_weights(rng, M, M).mean(1) for _ in range(2)]
    cross = [random_weights(rng, M, N).mean(1) for _ in range(2)]
    steps = [Step(ops.array(one), 0, 0) for one in own]
    for of_own, of_doc in zip(asking, cross, strict=True):
        steps += [Step(ops.array(of_own), 1, 1), Step(ops.array(of_doc), 1, 0)]
    found = add_relevance(steps, (N, M))
    for b in range(B):
        doc, between = twins.bimodal(
            [x[b] for x in own], [x[b] for x in asking], [x[b] for x in cross]
        )
        np.testing.assert_allclose(numpy(found[0, 0])[b], doc, atol=1e-5)
        np.testing.assert_allclose(numpy(found[1, 0])[b], between, atol=1e-5)
    rolled = numpy(roll_out(steps, (N, M))[1, 0])
    np.testing.assert_allclose(rolled.sum(-1), 1, atol=1e-5)


def test_what_the_doc_attends_to_comes_back_to_those_who_ask_it() -> None:
    # Equation 11: tokens that ask the doc get what the doc has of them.
    rng = np.random.default_rng(5)
    there, back = random_weights(rng, N, M).mean(1), random_weights(rng, M, N).mean(1)
    steps = [
        Step(ops.array(there), 0, 1),
        Step(ops.array(back), 1, 0),
        Step(ops.eye(N)[None], 0, 0),
    ]
    found = add_relevance(steps, (N, M))
    np.testing.assert_allclose(numpy(found[1, 0]), back, atol=1e-5)
    # The doc's own relevance doubles with its own attention, the identity; less the identity.
    np.testing.assert_allclose(numpy(found[0, 0])[0], np.eye(N), atol=1e-5)


def test_what_a_mask_hides_has_no_part_in_legrad() -> None:
    weights = np.array([[[[0.5, 0.5, 0.0]]]], "float32")
    found = numpy(legrad(ops.array(weights), ops.ones((1, 1, 1, 3))))
    np.testing.assert_allclose(found[0, 0], [1, 1, 0])


def test_rows_that_the_score_does_not_react_to_do_not_count() -> None:
    gradient = np.zeros((1, HEADS, N, N), "float32")
    gradient[0, 1, 2, 3] = gradient[0, 0, 4, 0] = -1
    rows = rows_that_count(ops.array(gradient))
    np.testing.assert_array_equal(numpy(rows), [[0, 0, 1, 0, 1]])
    relevance = np.arange(N * N, dtype="float32").reshape(1, N, N)
    found = relevance_of_tokens(ops.array(relevance), rows)
    np.testing.assert_allclose(numpy(found)[0], relevance[0, [2, 4]].mean(0))
    none = relevance_of_tokens(ops.array(relevance), ops.zeros((1, N)))
    np.testing.assert_array_equal(numpy(none), np.zeros((1, N)))


def test_a_sink_has_a_large_norm_and_swamps_the_map() -> None:
    norms, maps = np.ones(6), np.full((2, 6), 0.1)
    norms[[1, 4]] = 30
    maps[0, 1] = maps[1, 2] = 1
    assert find_sinks(norms, maps) == [1]
    assert find_sinks(np.ones(6), maps) == []
    assert find_sinks(norms, np.zeros((2, 6))) == []

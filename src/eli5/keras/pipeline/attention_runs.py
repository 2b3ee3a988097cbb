"""Attention methods: all layers, heads and methods in one run, and in pieces where that is large.

Rollout differentiates the last attention alone, to know which tokens the head reads; the others
differentiate each. LeGrad takes a run of its own, as another score is differentiated there.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.engine.tower import SelectOfAll
from eli5.keras.layers.attention_blocks import block_candidates
from eli5.keras.layers.attention_layers import AttentionLayers
from eli5.keras.methods.attention import Step, relevance_of_tokens, rows_that_count
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.methods.normalize import diagnostics
from eli5.keras.pipeline.attention_dependence import (
    all_are_read,
    blocks_of,
    has_heads_in_batch,
    last_that_is_read,
)
from eli5.keras.pipeline.padded_run import run_targets
from eli5.keras.pipeline.plan import Array, Plan, attention_of
from eli5.keras.targets import rows
from eli5.keras.targets.target import Targets

# What matrices and gradients of one run may take; docs, and then layers, are shared out beyond it.
_MOST_BYTES = 1 << 30


class AttentionResult(NamedTuple):
    """What one method gives for a batch of docs."""

    relevance: Array  # shape (B, K, tokens), those in front of the doc's own included
    diagnostics: Array  # of bool, shape (B, K, 4); see `eli5.keras.methods.normalize.diagnostics`
    norms: list[Array]  # shape (B, tokens) of each token in front of the last attention, or none


def run_attention(
    plan: Plan, methods: Sequence[ChosenMethod], targets: Targets, *extra: Array, **changed: Any
) -> tuple[list[AttentionResult], Any]:
    """Return what each method gives, and the report on the scores.

    Parameters
    ----------
    plan, methods
    targets
        Of each sample, (B, K, ...).
    *extra, **changed
        What the query is given beside them, and its fields that are changed; see
        `eli5.keras.engine.Query`.
    """
    of_blocks = [one for one in methods if one.method.needs == "blocks"]
    others = [one for one in methods if one.method.needs != "blocks"]
    found: dict[int, AttentionResult] = {}
    report: Any = None
    for group in filter(None, (of_blocks, others)):
        results, report = _run_group(plan, group, targets, extra, changed)
        found |= {id(one): result for one, result in zip(group, results, strict=True)}
    return [found[id(one)] for one in methods], report


def _run_group(
    plan: Plan, methods: Sequence[ChosenMethod], targets: Targets, extra: Any, changed: Any
) -> tuple[list[AttentionResult], Any]:
    n_samples, n_targets = rows.shape_of(targets)
    layers = attention_of(plan)
    per_layer = [4 * (2 + n_targets) * math.prod(layer.site.shape) for layer in layers.layers]
    n_docs = max(_MOST_BYTES // sum(per_layer), 1)
    if has_heads_in_batch(plan) or not all_are_read(plan, layers):
        n_docs = 1  # another doc may be read further down
    if extra or plan.sample.fixed_batch or n_docs >= n_samples:
        parts = [(plan, targets)]
    else:
        parts = _docs_in_parts(plan, targets, n_docs)
    n_groups = -(-sum(per_layer) // _MOST_BYTES)
    answers = [
        _run_part(part, methods, of_part, min(n_groups, len(per_layer)), extra, changed)
        for part, of_part in parts
    ]
    joined = keras.tree.map_structure(lambda *of: np.concatenate(of)[:n_samples], *answers)
    results, report = joined
    return [AttentionResult(*result) for result in results], report


def _docs_in_parts(plan: Plan, targets: Targets, most: int) -> list[tuple[Plan, Targets]]:
    """Share the docs of a batch out: parts of one size, the last filled up."""
    n = rows.shape_of(targets)[0]
    size = -(-n // -(-n // most))
    parts = []
    for start in range(0, n, size):
        some = np.arange(start, start + size).clip(max=n - 1)
        inputs, own = keras.tree.map_structure(lambda x, some=some: x[some], (plan.inputs, targets))
        parts.append((plan._replace(inputs=inputs, targets=own), own))
    return parts


def _run_part(
    plan: Plan,
    methods: Sequence[ChosenMethod],
    targets: Targets,
    n_groups: int,
    extra: Any,
    changed: Any,
) -> tuple[list[Any], Any]:
    """Run all layers at once, or group by group, from the first to the last."""
    join = _join_of(plan, methods)
    query = _query(plan, methods, join.numbers)
    if n_groups == 1:
        query = query._replace(combine=join, **changed)
        return run_targets(plan, targets, query, *extra)
    fused: list[dict[int, Any]] = [{} for _ in methods]
    size = -(-len(join.numbers) // n_groups)
    for start in range(0, len(join.numbers), size):
        numbers = join.numbers[start : start + size]
        numbers = tuple(sorted({*numbers, join.numbers[-1]}))
        group = join.at(numbers)
        query = _query(plan, methods, numbers)._replace(combine=FuseHeads(group), **changed)
        found, report = run_targets(plan, targets, query, *extra)
        for known, of_group in zip(fused, found["fused"], strict=True):
            known |= of_group
    tensors = keras.tree.map_structure(ops.convert_to_tensor, {**found, "fused": fused})
    results = join.joined(tensors)
    return keras.tree.map_structure(keras.ops.convert_to_numpy, results), report


# ---- what is asked -------------------------------------------------------------------------------


def _join_of(plan: Plan, methods: Sequence[ChosenMethod]) -> JoinLayers:
    layers = attention_of(plan)
    read_at = last_that_is_read(plan, layers)
    of_blocks = methods[0].method.needs == "blocks"
    known = [
        number
        for number, one in enumerate(layers.layers[: read_at + 1])
        if not of_blocks or one.queries == one.keys == 0
    ]
    parts = tuple(_part(one, layers, known) for one in methods)
    numbers = tuple(sorted({*(n for part in parts for n in part.numbers), read_at} & {*known}))
    ends = tuple((one.queries, one.keys) for one in layers.layers)
    return JoinLayers(parts, numbers, read_at, ends, layers.sizes)


def _part(chosen: ChosenMethod, layers: AttentionLayers, known: Sequence[int]) -> Part:
    """Return a method with the layers that it counts; ValueError of a head or layer not there."""
    n, options = len(layers.layers), dict(chosen.options)
    asked = options.get("layers")
    if asked is not None and not all(-n <= number < n for number in asked):
        raise ValueError(
            f"Expected `layers` to be in [{-n}, {n}), as the model attends {n} times to the tokens "
            f"of the doc. Received: layers={list(asked)}"
        )
    numbers = [number % n for number in (range(n) if asked is None else asked)]
    if len({*numbers}) < len(numbers):
        raise ValueError(
            f"Expected `layers` to name each attention once, of {n}. Received: "
            f"layers={list(asked or ())}"
        )
    numbers = [number for number in sorted(numbers) if number in known]
    if not numbers:
        raise ValueError(
            "Expected `layers` to name an attention that the score is made of. Received: "
            f"layers={list(asked or ())}, of which the score for method={chosen.method.name!r} "
            f"comes from none. Those are {list(known)}"
        )
    head = options.get("head")
    for number in numbers:
        site = layers.layers[number].site
        n_heads = math.prod(site.shape[:-2])
        if head is not None and head >= n_heads:
            raise ValueError(
                f"Expected `head` below {n_heads}, as {site.path!r} has so many. Received: "
                f"head={head}"
            )
    method = chosen.method
    return Part(
        method.function, method.join, tuple(sorted(options.items())), tuple(numbers),
        method.has_class,
    )  # fmt: skip


def _query(plan: Plan, methods: Sequence[ChosenMethod], numbers: Sequence[int]) -> engine.Query:
    """Return the query about some layers: those with gradients, and those to be read alone."""
    layers = attention_of(plan)
    (kind,) = {plan.kind_of(one) for one in methods}
    select = plan.request.target.select(
        plan.output, plan.head, (kind,), plan.request.sign, plan.kinds
    )
    sites = {number: layers.layers[number].site for number in numbers}
    if methods[0].method.needs == "blocks":
        tower = blocks_of(plan)
        return plan.query(kind)._replace(
            select=SelectOfAll(select, len(tower)) if len(tower) > 1 else select,
            sites=tuple(sites.values()),
            formulas=(_weights_and_gradients,) * len(sites),
            tower=tower if len(tower) > 1 else (),
        )
    read_at = last_that_is_read(plan, layers)
    has_class = any(one.method.has_class for one in methods)
    differentiated = [n for n in numbers if has_class or n == read_at]
    beside = [site for number, site in sites.items() if number not in differentiated]
    return plan.query(kind)._replace(
        select=select,
        sites=tuple(sites[number] for number in differentiated),
        formulas=(_weights_and_gradients,) * len(differentiated),
        beside=(*beside, *_tokens_before_last(plan, layers)),
    )


def _tokens_before_last(plan: Plan, layers: AttentionLayers) -> tuple[engine.Site, ...]:
    """Return the layer in front of the last attention whose tokens' norms are looked at."""
    own = [one for one in layers.layers if one.queries == one.keys == 0]
    *before, _ = block_candidates(plan.trace, own)
    return tuple(site for site in (before[-1] if before else ()) if site.shape)[:1]


def _weights_and_gradients(weights: Any, gradients: list[Any], _: Any) -> tuple[Any, list[Any]]:
    return weights, gradients


# ---- traced into the engine's program ------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """One method: its formula, how layers join, and which of them count."""

    function: Any
    join: Any
    options: tuple[tuple[str, Any], ...]
    numbers: tuple[int, ...]
    has_class: bool

    def fuse(self, weights: Any, gradients: list[Any] | None) -> Any:
        """Return the fused matrices of one layer, shape (B, K, queries, keys)."""
        if not self.has_class:
            return self.function(weights, None, **dict(self.options))[:, None]
        each = [self.function(weights, one, **dict(self.options)) for one in gradients or ()]
        return ops.stack(each, axis=1)


@dataclass(frozen=True)
class JoinLayers:
    """All methods on all layers; what is left are K rows of relevance."""

    parts: tuple[Part, ...]
    numbers: tuple[int, ...]  # the layers that are asked about, in the order of the run
    read_at: int  # the last that the score reacts to
    ends: tuple[tuple[int, int], ...]  # which tokens each of all layers is between
    sizes: tuple[int, ...]
    targets_axis = 1  # see `eli5.keras.pipeline.padded_run`

    def __call__(self, results: list[Any], *_: Any) -> list[Any]:
        """Return per method its relevance, its diagnostics, and the norms of the tokens."""
        return self.joined(self.fused(results))

    def at(self, numbers: tuple[int, ...]) -> JoinLayers:
        """Return the same about some of the layers."""
        return JoinLayers(self.parts, numbers, self.read_at, self.ends, self.sizes)

    def fused(self, results: list[Any]) -> dict[str, Any]:
        """Return what the formulas give of each layer, and what is needed to join them."""
        with_gradients = [one for one in results if isinstance(one, tuple)]
        others = [one for one in results if not isinstance(one, tuple)]
        # Either each layer is differentiated, or the last alone.
        n_before = len(self.numbers) - len(with_gradients)
        each = [*((one, None) for one in others[:n_before]), *with_gradients]
        order = sorted(self.numbers, key=lambda n: (n_before > 0 and n == self.read_at, n))
        by_number = dict(zip(order, each, strict=True))
        flags = ops.stack([diagnostics(*one) for one in with_gradients], axis=-1)
        return {
            "fused": [
                {n: part.fuse(*by_number[n]) for n in part.numbers if n in by_number}
                for part in self.parts
            ],
            "rows": [rows_that_count(one) for one in with_gradients[-1][1]],
            "flags": ops.concatenate(
                [ops.all(flags[..., :2, :], axis=-1), ops.any(flags[..., 2:, :], axis=-1)], axis=-1
            ),
            "norms": [_norms(x) for x in others[n_before:]],
        }

    def joined(self, found: dict[str, Any]) -> list[Any]:
        """Return per method its relevance (B, K, tokens), the diagnostics and the norms."""
        joined = []
        asks, _ = self.ends[self.read_at]
        for part, fused in zip(self.parts, found["fused"], strict=True):
            each = []
            for k, count in enumerate(found["rows"]):
                column = k if part.has_class else 0
                if k == 0 or part.has_class:
                    steps = [Step(fused[n][:, column], *self.ends[n]) for n in part.numbers]
                    relevance = part.join(steps, self.sizes)
                each.append(self._of_tokens(relevance, asks, count))
            joined.append((ops.stack(each, axis=1), found["flags"], found["norms"]))
        return joined

    def _of_tokens(self, relevance: Any, asks: int, count: Any) -> Any:
        key = (asks, 0) if (asks, 0) in relevance else (0, 0)
        matrix = relevance[key]
        if key[0] != asks:  # `layers` leaves out what asks: each token of the doc counts
            count = ops.ones_like(matrix[:, :, 0])
        return relevance_of_tokens(matrix, count)


def _norms(tokens: Any) -> Any:
    """Return the norm of each token, shape (B, tokens)."""
    squares = ops.sum(ops.square(tokens), axis=-1)
    return ops.sqrt(ops.reshape(squares, (squares.shape[0], -1)))


@dataclass(frozen=True)
class FuseHeads:
    """All methods on some layers; what is left are their fused matrices."""

    join: JoinLayers
    targets_axis = 1

    def __call__(self, results: list[Any], *_: Any) -> dict[str, Any]:
        """See `JoinLayers.fused`."""
        return self.join.fused(results)

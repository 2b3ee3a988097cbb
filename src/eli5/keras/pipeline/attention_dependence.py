"""Which attentions the score depends on: the last that it reads, and what ends the blocks.

Tried on the first doc. Another class may be read elsewhere: the targets are part of the key.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.keras import engine
from eli5.keras.engine.interventions import repeat
from eli5.keras.engine.tower import on_first
from eli5.keras.layers.attention_blocks import block_candidates, choose_blocks
from eli5.keras.layers.attention_layers import AttentionLayers
from eli5.keras.pipeline.padded_run import run_padded
from eli5.keras.pipeline.plan import Plan, attention_of
from eli5.keras.targets import rows


def last_that_is_read(plan: Plan, layers: AttentionLayers) -> int:
    """Return the number of the last attention that the score reacts to."""
    sites = tuple(one.site for one in layers.layers)
    query = _likeliest(plan)._replace(sites=sites, formulas=(_reacts,) * len(sites))
    arguments = _first(plan).filled()

    def find() -> int:
        answers, _ = engine.evaluate(plan.model, *arguments, query)
        found = [k for k, answer in enumerate(answers) if answer.any()]
        return found[-1] if found else len(sites) - 1

    # Another target may react to less, and a gate that is zero today be open tomorrow.
    key = ("read attention", engine.key_of(query, arguments), _first_targets(plan))
    functions = engine.functions_of(query.score)
    kept = engine.recall(plan.model, key, find, functions)
    return kept if kept == len(sites) - 1 else find()


def _likeliest(plan: Plan) -> engine.Query:
    """Return a query with a report, for which classes that are left open are found."""
    select = plan.request.target.select(plan.output, plan.head, plan.kinds, reported=plan.kinds)
    return plan.query()._replace(select=select)


def all_are_read(plan: Plan, layers: AttentionLayers) -> bool:
    """Tell whether the score of the first doc reacts to the last attention of the model."""
    return last_that_is_read(plan, layers) == len(layers.layers) - 1


def has_heads_in_batch(plan: Plan) -> bool:
    """Tell whether an attention has its heads in the batch.

    Whether those of one doc follow each other there, nobody knows.
    """
    return any(layer.site.shape[0] > 1 for layer in attention_of(plan).layers)


def _first_targets(plan: Plan) -> tuple[str, ...]:
    return tuple(map(repr, keras.tree.flatten(rows.of_sample(plan.targets, 0))))


def _reacts(weights: Any, gradients: list[Any], _: Any) -> Any:
    """Tell whether a gradient is other than zero, per sample; traced."""
    axes = tuple(range(1, weights.ndim))
    flags = [ops.any(gradient != 0, axis=axes) for gradient in gradients]
    return ops.any(ops.stack(flags), axis=0)


def blocks_of(plan: Plan) -> tuple[engine.Site, ...]:
    """Return the layers that end the blocks, the first first; ValueError if one has none."""
    layers = attention_of(plan)
    own = [one for one in layers.layers if one.queries == one.keys == 0]
    candidates = block_candidates(plan.trace, own)
    if len(own) == 1:
        return ()

    def are_cuts(sites: list[engine.Site]) -> list[bool]:
        inputs = _input_of(plan)
        last = [len(inputs) + n for n, of_gap in enumerate(candidates) for _ in of_gap]
        return _are_cuts(plan, sites, [*inputs, *(one.site for one in own)], last)

    asked = engine.Reference(plan.request.target.score), _first_targets(plan)
    key = ("blocks", plan.sample.signature, *asked, last_that_is_read(plan, layers))

    def find() -> list[int]:
        every = [site for of_gap in candidates for site in of_gap]
        chosen = choose_blocks(candidates, are_cuts)
        return [every.index(site) for site in chosen]

    every = [site for of_gap in candidates for site in of_gap]
    functions = engine.functions_of(plan.request.target.score)
    return tuple(every[k] for k in engine.recall(plan.model, key, find, functions))


def _input_of(plan: Plan) -> list[engine.Site]:
    """Return the explained input, as what skips a block also comes from it; none if it cannot."""
    try:
        return [plan.sample.kind.input_site(plan.sample, plan.trace, is_needed=True)]
    except ValueError:  # ids that are embedded in a way of the model's own
        return []


def _are_cuts(
    plan: Plan, sites: list[engine.Site], earlier: list[engine.Site], before: Sequence[int]
) -> list[bool]:
    """Tell of each layer whether the score has no gradient before it but through it.

    Tried on the first doc, with one layer cut in each of as many samples. `earlier` are the input,
    where it can be differentiated, and the attentions; `before` tells which of these is the last in
    front of each layer.
    """
    one = _first(plan)
    query = _likeliest(one)._replace(
        sites=tuple(earlier),
        formulas=(_reacts,) * len(earlier),
        arrange=repeat,
        replace=tuple((site, CutOff(k)) for k, site in enumerate(sites)),
        combine=_stacked,
    )
    which = np.arange(len(sites) + 1, dtype="int32")[:, None]
    answers = []
    size = 1 if has_heads_in_batch(plan) else min(plan.batch_size, len(which))
    for start in range(0, len(which), size):
        answers.append(run_padded(one, size, query, which[start : start + size]))
    reacts = np.concatenate(answers)
    whole = reacts[-1]
    return [
        bool(not reacts[k, : last + 1].any() and whole[: last + 1].any())
        for k, last in enumerate(before)
    ]


def _first(plan: Plan) -> Plan:
    """Return the plan of the first doc, by which what is the same for all is found out."""
    return plan.of_doc(0, rows.of_sample(plan.targets, 0))


def _stacked(results: list[Any], *_: Any) -> Any:
    return ops.stack(results, axis=1)


@dataclass(frozen=True)
class CutOff:
    """Lets no gradient through a layer in the samples that say its number."""

    number: int

    def __call__(self, site: engine.Site, output: Any, which: Any) -> Any:
        """Return the layer's output."""

        def cut(tokens: Any) -> Any:
            is_own = ops.reshape(which[:, 0] == self.number, (-1, *[1] * (tokens.ndim - 1)))
            return ops.where(is_own, ops.stop_gradient(tokens), tokens)

        return on_first(cut, output)

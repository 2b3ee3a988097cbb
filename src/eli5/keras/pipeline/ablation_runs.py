"""Runs of the part of a model behind one layer: from many changed activations, of one sample."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from eli5.keras import engine
from eli5.keras.engine.interventions import (
    Repeat,
    leave_out,
    leave_out_of_stand_in,
    show_to_stand_in,
)
from eli5.keras.methods.probe import ROUNDING, Array
from eli5.keras.pipeline.padded_run import run_padded
from eli5.keras.pipeline.plan import Plan
from eli5.keras.pipeline.stand_in import find_stand_in, position_of

# A head that takes one sample in front and many behind gives the same score to this precision.
_TOLERANCE = 1e-3

# A head is small beside its model: it takes more samples at once, as long as no output in it has
# more bytes than this.
_HEAD_BYTES = 64 << 20
# What a model makes without a layer is not known: fewer samples a batch must mean fewer here, too.
_MOST_BATCHES = 40

# What TensorFlow and PyTorch raise, which must not be taken for an answer.
_OUT_OF_MEMORY = ("ResourceExhaustedError", "OutOfMemoryError", "XlaRuntimeError")


class _UndecidedError(Exception):
    """Nothing can be told from this doc, or at this moment, about the ways."""


class _Way(NamedTuple):
    """A way to get the scores with maps left out.

    Attributes
    ----------
    name : str
    query : Query
        About the maps and the layer's own output.
    most : int
        How many samples it takes at once.
    """

    name: str
    query: engine.Query
    most: int


def head_runs(
    plan: Plan,
    site: engine.Site | None,
    query: engine.Query,
    known: tuple[Array, Array] | None = None,
) -> dict[str, Callable[..., Array]]:
    """Return the `activations` and `ablated_scores` of a probe.

    Parameters
    ----------
    model, prepared, site, batch_size, known
        See `eli5.keras.pipeline.keras_probe.make_probe`.
    query : Query
        That asks for the scores.
    """
    batch_size = plan.request.batch_size

    @functools.cache
    def activations() -> tuple[Array, Array]:
        """Return the layer's own output for the sample, and the same as maps."""
        if known is not None:
            return known
        asked = query._replace(sites=(_required(site),), read=True)
        (_, (found,)), _ = engine.evaluate(plan.model, plan.inputs, plan.targets, asked)
        return found

    def ablated_scores(maps: Array) -> Array:
        given, folded = activations()
        *fast, certain = _ways(plan, _required(site), query, batch_size)
        key = "way", engine.key_of(certain.query, (plan.inputs, given)), certain.most
        ask = functools.partial(_ask, plan, given)

        def find() -> str:
            trial = _trial(folded)
            right = functools.cache(lambda: _in_blocks(ask, certain, trial))
            fitting = (way for way in fast if _agrees(ask, way, trial, right))
            return next(fitting, certain).name

        try:
            name = engine.recall(plan.model, key, find)
        except _UndecidedError:  # and not remembered: the next doc may tell
            name = certain.name
        way = next((way for way in fast if way.name == name), certain)
        return _in_blocks(ask, way, maps)

    return {
        "activations": lambda: activations()[1][0],
        "ablated_scores": ablated_scores,
    }


def _ways(plan: Plan, site: engine.Site, query: engine.Query, batch_size: int) -> list[_Way]:
    """Return the ways, the fastest first; the last is certain."""
    head = query._replace(replace=((site, leave_out),))
    whole = head._replace(arrange=Repeat())
    ways = [
        _Way("head", head, _most(plan, site, batch_size)),
        _Way("whole", whole, batch_size),
    ]
    stand_in = find_stand_in(plan.trace, site)
    if stand_in is not None:
        changes = (site, show_to_stand_in), (stand_in, leave_out_of_stand_in)
        short = query._replace(replace=changes)
        ways.insert(0, _Way("stand-in", short, _most(plan, stand_in, batch_size)))
    return ways


def _most(plan: Plan, site: engine.Site, batch_size: int) -> int:
    """Return how many samples a head takes at once."""
    behind = plan.trace.calls[position_of(plan.trace, site) :]
    largest = max(4 * math.prod(call.shape) for call in behind)
    return max(batch_size, min(_HEAD_BYTES // largest, _MOST_BATCHES * batch_size))


def _trial(folded: Array) -> Array:
    """Return maps to try a way with: none, and those whose loss shows the most.

    A map of zeros shows nothing; and where samples mix, often by their extremes, only the maps with
    the largest numbers do. Four of them, for a stand-in is shown three samples, which a trial of as
    many would fit by chance.
    """
    sizes = np.abs(folded).reshape(-1, folded.shape[-1])
    largest = np.argsort(-sizes.sum(axis=0))[:1], np.argsort(-sizes.max(axis=0))[:2]
    return np.concatenate([[-1], np.resize(np.concatenate(largest), 3)])


def _agrees(
    ask: Callable[[engine.Query, Array], Array],
    way: _Way,
    maps: Array,
    right: Callable[[], Array],
) -> bool:
    """Tell whether a way gives the scores of the whole model, `right`.

    The head may not be alone in taking part: a branch beside the layer may come from the input,
    and one beside a stand-in from the layer.
    """
    try:
        found = ask(way.query, maps)
    except MemoryError as error:
        raise _UndecidedError from error
    except Exception as error:  # whatever a model raises on batches that differ
        if type(error).__name__ in _OUT_OF_MEMORY:
            raise _UndecidedError from error
        return False
    if not np.isfinite(right()).all():
        raise _UndecidedError
    if found.shape != right().shape:
        return False
    # The map is made of the drop, which may be small beside the score.
    drops, right_drops = found[:1] - found[1:], right()[:1] - right()[1:]
    rounding = ROUNDING * np.abs(right()).max()
    return np.allclose(found, right(), rtol=_TOLERANCE, atol=rounding) and np.allclose(
        drops, right_drops, rtol=_TOLERANCE, atol=rounding
    )


def _in_blocks(ask: Callable[[engine.Query, Array], Array], way: _Way, maps: Array) -> Array:
    """Return the scores, asked for in blocks of one size: one program does for all."""
    n_blocks = math.ceil(len(maps) / way.most)
    size = min(way.most, _rounded(math.ceil(len(maps) / n_blocks)))
    blocks = np.resize(maps, (n_blocks, size))  # the first maps fill up the last block
    return np.concatenate([ask(way.query, block) for block in blocks])[: len(maps)]


def _rounded(size: int) -> int:
    """Round up to what processors, and several devices, divide evenly."""
    step = min(1 << (size - 1).bit_length(), 8)
    return step * math.ceil(size / step)


def _ask(plan: Plan, given: Array, asked: engine.Query, maps: Array) -> Array:
    return run_padded(plan, len(maps), asked, maps.astype("int32"), given)


def _required(site: engine.Site | None) -> engine.Site:
    if site is None:
        raise ValueError("Expected a target layer for this procedure. Received: none")
    return site

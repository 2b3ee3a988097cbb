"""Ablation-CAM's runs of a model: the scores with one map of a layer's output left out per sample.

All that leads to the layer runs on one sample. The maps are left out at a *cut* behind it, and only
what comes after the cut runs on many samples. The best cut is where each map has shrunk the most:
many heads begin with layers that act on each channel by itself, such as pooling, normalisation, an
activation. Behind a chain of them, from A to B, map k of A has its part in channel k of B and
nowhere else. So B with A_k set to zero is B with channel k as it is where all of A is zero:
exactly, and without running the chain again. Else the cut is the layer's output itself.

A trace sees layers and not what a model's own code does: that nothing reads A beside the cut, and
that samples do not mix, must be tried. The runs of the whole model tell what is right.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
from keras import layers

from eli5.keras import engine
from eli5.keras.engine.interventions import leave_out_maps, repeat, whole_and_empty
from eli5.keras.methods.probe import ROUNDING, Array
from eli5.keras.pipeline.padded_run import run_padded
from eli5.keras.pipeline.plan import Plan
from eli5.progress import untracked

# To this precision a head that takes one sample in front and many behind gives the same score.
_TOLERANCE = 1e-3

# A head is small beside its model: it takes more samples at once, as long as no output in it has
# more bytes than this.
_HEAD_BYTES = 64 << 20
# What a model makes without a layer is not known: fewer samples a batch must mean fewer here, too.
_MOST_BATCHES = 40

# Layers that keep channels apart whatever the layout; batch normalisation does in inference.
_CHANNELWISE = {
    layers.BatchNormalization, layers.ELU, layers.LeakyReLU, layers.PReLU, layers.ReLU,
}  # fmt: skip
# Those that do if they take for channels what the target layer has for its maps.
_SPATIAL = {
    getattr(layers, f"{kind}{n}D")
    for kind in (
        "AveragePooling", "Cropping", "GlobalAveragePooling", "GlobalMaxPooling", "MaxPooling",
        "UpSampling", "ZeroPadding",
    )
    for n in (1, 2, 3)
}  # fmt: skip
# No softmax, which compares channels, and no `glu`, which pairs them.
_ELEMENTWISE = [
    getattr(keras.activations, name, keras.activations.linear)  # not each Keras has them all
    for name in (
        "celu", "elu", "exponential", "gelu", "hard_sigmoid", "hard_silu", "leaky_relu", "linear",
        "log_sigmoid", "mish", "relu", "relu6", "selu", "sigmoid", "silu", "softplus", "softsign",
        "tanh",
    )
]  # fmt: skip


class _UndecidedError(Exception):
    """The scores of this doc are not finite: they cannot tell a right strategy from a wrong one."""


class _Strategy(NamedTuple):
    """A query for scores with maps left out, and for how many samples at once it is asked."""

    query: engine.Query
    batch_size: int


def ablation_runs(
    plan: Plan,
    site: engine.Site | None,
    query: engine.Query,
    known: tuple[Array, Array] | None = None,
) -> dict[str, Any]:
    """Return the `activations` and `ablated_scores` of a probe.

    `query` asks for the scores; `known` is what `activations` gives, where that has been read.
    """
    batch_size = plan.batch_size

    @functools.cache
    def activations() -> tuple[Array, Array]:
        """Return the layer's own output for the sample, and the same as maps."""
        if known is not None:
            return known
        reading = query._replace(sites=(_required(site),), read=True)
        (_, ((output, folded),)), _ = engine.evaluate(plan.model, *plan.filled(), reading)
        return output[: reading.sites[0].shape[0]], folded[:1]

    def ablated_scores(maps: Array) -> Array:
        output, folded = activations()
        *at_cuts, certain = _strategies(plan, _required(site), query, batch_size)
        run = functools.partial(_run, plan, output)
        if plan.sample.fixed_batch is not None:  # neither one sample in front nor many behind
            return run(certain, maps, plan.track)

        def choose() -> int:
            trial = _trial(folded)
            right = run(certain, trial)
            if not np.isfinite(right).all():
                raise _UndecidedError
            agrees = (k for k, cut in enumerate(at_cuts) if _agrees(run, cut, trial, right))
            return next(agrees, -1)

        key = engine.key_of(certain.query, (plan.inputs, output)), batch_size
        try:
            chosen = engine.recall(plan.model, ("ablation", *key), choose)
        except _UndecidedError:  # and not remembered: the next doc may tell
            chosen = -1
        return run([*at_cuts, certain][chosen], maps, plan.track)

    return {"activations": lambda: activations()[1][0], "ablated_scores": ablated_scores}


def _strategies(
    plan: Plan, site: engine.Site, query: engine.Query, batch_size: int
) -> list[_Strategy]:
    """Return the strategies, the fastest first; the last, the whole model, is always right."""
    calls = plan.trace.calls
    of_site = (call.operation() is site.operation and call.nth == site.nth for call in calls)
    start = next(k for k, is_it in enumerate(of_site) if is_it)
    smallest = _smallest_channelwise(calls, start, site)
    strategies = []
    for k in (smallest, start) if smallest != start else (start,):
        behind, cut = calls[k:], site
        if k != start:
            operation, nth, path = behind[0].operation(), behind[0].nth, behind[0].path
            cut = engine.Site(operation, nth, path, site.channels_first)
        at_cut = query._replace(replace=((site, whole_and_empty), (cut, leave_out_maps)))
        largest = max(4 * math.prod(call.shape) for call in behind)
        most = min(_HEAD_BYTES // largest, _MOST_BATCHES * batch_size)
        strategies.append(_Strategy(at_cut, max(batch_size, most)))
    # The last cut is the layer itself: there it works as well if all the model has many samples.
    return [*strategies, _Strategy(at_cut._replace(arrange=repeat), batch_size)]


def _smallest_channelwise(calls: list[engine.Call], start: int, site: engine.Site) -> int:
    """Return which call gives the smallest output with map k in channel k and nowhere else."""
    chain, smallest = {calls[start].source}, start
    if calls[start].shape[:1] != (1,):  # what an output of several rows holds is not known
        return start
    for k, call in enumerate(calls[start + 1 :], start + 1):
        if call.parent in chain and _keeps_channels(call.operation(), site):
            chain.add(call.source)
            if call.is_outside and math.prod(call.shape) < math.prod(calls[smallest].shape):
                smallest = k
    return smallest


def _keeps_channels(operation: Any, site: engine.Site) -> bool:
    # By the very class: what another `call` does, of a subclass or set from outside, is not known.
    if operation is None or "call" in vars(operation):
        return False
    if type(operation) is layers.Activation:
        return any(operation.activation is known for known in _ELEMENTWISE)
    if type(operation) in _SPATIAL:
        is_first = getattr(operation, "data_format", "channels_last") == "channels_first"
        return is_first == site.channels_first
    return type(operation) in _CHANNELWISE


def _trial(folded: Array) -> Array:
    """Return maps to try a cut with: none, and those whose loss shows the most.

    A map of zeros shows nothing; and where samples mix, often by their extremes, only the maps with
    the largest numbers do. Four of them, for a cut is shown three samples, which a trial of as many
    would fit by chance.
    """
    sizes = np.abs(folded).reshape(-1, folded.shape[-1])
    largest = np.argsort(-sizes.sum(axis=0))[:1], np.argsort(-sizes.max(axis=0))[:2]
    return np.concatenate([[-1], np.resize(np.concatenate(largest), 3)])


def _agrees(
    run: Callable[[_Strategy, Array], Array], strategy: _Strategy, maps: Array, right: Array
) -> bool:
    """Tell whether a strategy gives the scores of the whole model, `right`."""
    try:
        scores = run(strategy, maps)
    except Exception:  # whatever a model raises on batches that differ
        return False
    close = functools.partial(np.allclose, rtol=_TOLERANCE, atol=ROUNDING * np.abs(right).max())
    # The map is made of the drop, which may be small beside the score.
    drops, right_drops = scores[:1] - scores[1:], right[:1] - right[1:]
    return scores.shape == right.shape and close(scores, right) and close(drops, right_drops)


def _run(
    plan: Plan,
    output: Array,
    strategy: _Strategy,
    maps: Array,
    track: Callable[..., Iterator[Any]] = untracked,
) -> Array:
    """Return the scores, asked for in blocks of one size: one program does for all."""
    n_blocks = math.ceil(len(maps) / strategy.batch_size)
    size = math.ceil(len(maps) / n_blocks)
    step = min(1 << (size - 1).bit_length(), 8)  # what processors and devices divide evenly
    size = min(strategy.batch_size, step * math.ceil(size / step))
    blocks = np.resize(maps, (n_blocks, size)).astype("int32")  # the first maps fill up the last
    ask = functools.partial(run_padded, plan, size, strategy.query)
    tracked = track(len(maps), blocks, size)
    return np.concatenate([ask(block, output) for block in tracked])[: len(maps)]


def _required(site: engine.Site | None) -> engine.Site:
    if site is None:
        raise ValueError("Expected a method that has a target layer. Received: one of the input")
    return site

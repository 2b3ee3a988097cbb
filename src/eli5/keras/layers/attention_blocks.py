"""The blocks of a transformer: after each attention the layer that all goes through.

LeGrad runs the model's head on the tokens of each block. A block's tokens are the output of a layer
that everything behind it comes from, and nothing beside it: a *cut*. Which layers are cuts is
tried, once: with no gradient through the layer the score has none at any attention before it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from eli5.keras.engine import Attention, Call, Site, Trace
from eli5.keras.layers.attention_layers import AttentionLayer

_MOST_PER_GAP = 8  # layers that are tried between two attentions


def block_candidates(trace: Trace, layers: Sequence[AttentionLayer]) -> list[list[Site]]:
    """Return for each attention the layers behind it that may end its block, the last first.

    They give as many tokens with as many features as each other, and come before the next
    attention. Layers within a block that is a layer itself are left out.
    """
    matrices = [one for one in trace.attentions if one.nth in {x.site.nth for x in layers}]
    depth = _depth_of_blocks(matrices)
    # What gives its tokens and more, such as the weights of its attention, has no shape of its own.
    around = {id(op()) for one in matrices for op in one.within[depth:]}
    positions = [one.position for one in matrices]
    ends = [*positions[1:], len(trace.calls)]
    n_tokens = layers[0].site.shape[-1]
    found = []
    for start, end in zip(positions, ends, strict=True):
        calls = [
            call
            for call in trace.calls[start:end]
            if (_gives(call, n_tokens) or id(call.operation()) in around)
            and call.is_outside
            and len(call.within) <= depth
            and call.operation() is not None
        ]
        sites = [_site(call) for call in reversed(calls)]
        found.append(sites[:_MOST_PER_GAP])
    return found


def _gives(call: Call, n_tokens: int) -> bool:
    return call.shape[:1] == (1,) and math.prod(call.shape[1:-1]) == n_tokens


def _depth_of_blocks(matrices: Sequence[Attention]) -> int:
    """Return how many operations are around a block: as many as all attentions have in common."""
    rows = [[id(op()) for op in one.within] for one in matrices]
    common = 0
    for ids in zip(*rows, strict=False):
        if len({*ids}) > 1:
            break
        common += 1
    return common if len(rows) > 1 else max(len(rows[0]) - 1, 1)


def _site(call: Call) -> Site:
    return Site(call.operation(), call.nth, call.path, shape=call.shape, dtype=call.dtype)


def choose_blocks(
    candidates: Sequence[Sequence[Site]], are_cuts: Callable[[list[Site]], list[bool]]
) -> list[Site]:
    """Return the end of each block; the last one's is of the kind that the others' are.

    ValueError if a block has none.
    """
    *inner, last = candidates
    every = [site for sites in candidates for site in sites]
    cuts = {
        (id(site.operation), site.nth)
        for site, is_cut in zip(every, are_cuts(every), strict=True)
        if is_cut
    }
    chosen = [
        next((site for site in sites if (id(site.operation), site.nth) in cuts), None)
        for sites in inner
    ]
    kinds = {type(site.operation) for site in chosen if site is not None}
    ends = [site for site in last if (id(site.operation), site.nth) in cuts]
    of_kind = [site for site in ends if type(site.operation) in kinds]
    chosen.append(next(iter(of_kind or ends), None))
    if None in chosen:
        nth = chosen.index(None)
        raise ValueError(
            "Expected a model of blocks, each a layer that all that follows comes from, for "
            f"method='LeGrad'. Received: attention {nth} of {len(chosen)}, with no such layer "
            "behind it: its sums are made in a `call` that does more, or a later part reads what "
            "is before it. Choose method='Transformer Attribution' or 'Attention Rollout'."
        )
    return [site for site in chosen if site is not None]

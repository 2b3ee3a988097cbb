"""What is said of a map of attention: what it joins, and which tokens are no part of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from eli5.keras.inputs.sample import Sample
from eli5.keras.layers.attention_layers import name_prefix
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.plan import Plan, attention_of

_MOST_NAMED = 5


def describe_attention(
    plan: Plan,
    sample: Sample,
    chosen: ChosenMethod,
    sinks: Sequence[int],
    cells: tuple[int, ...],
) -> Iterator[str]:
    """Say of a map of attention what a reader must know of it.

    Parameters
    ----------
    plan, sample, chosen
    sinks : sequence of int
        See `eli5.keras.methods.attention.find_sinks`.
    cells : tuple of int
        Of the map.
    """
    layers = attention_of(plan)
    options = chosen.options
    n = len(layers.layers)
    which = "all" if options.get("layers") is None else f"layers {list(options['layers'])}"
    heads = "the mean of all heads" if options.get("head") is None else f"head {options['head']}"
    yield f"It joins {which} of {n} attention{'s' * (n > 1)}, {heads} of each."
    if layers.n_prefix:
        named, n_prefix = name_prefix(plan.model, layers.n_prefix), layers.n_prefix
        first = f"first {n_prefix}, {named}, are" if n_prefix > 1 else f"first, {named}, is"
        yield (
            f"Of {layers.sizes[0]} tokens the {first} no part of {sample.kind.words.explained} and "
            "left out."
        )
    if sinks:
        names = [_name(sample, one, cells) for one in sinks[:_MOST_NAMED]]
        more = f" and {len(sinks) - _MOST_NAMED} more" if len(sinks) > _MOST_NAMED else ""
        yield (
            f"The map is swamped by {', '.join(names)}{more}, whose token"
            f"{'s have norms' if len(sinks) > 1 else ' has a norm'} far above the others': a sink, "
            "which holds little of its own place."
        )


def _name(sample: Sample, token: int, cells: tuple[int, ...]) -> str:
    """Name a token: by its words, or by row and column."""
    if len(cells) == 1:
        tokens = getattr(sample.details, "tokens", None)
        start = sample.valid.start if sample.valid is not None else 0
        if tokens and 0 <= token - start < len(tokens):
            return f"{tokens[token - start]!r} (token {token})"
        return f"token {token}"
    place = np.unravel_index(token, cells)
    return f"cell ({', '.join(str(int(one)) for one in place)})"

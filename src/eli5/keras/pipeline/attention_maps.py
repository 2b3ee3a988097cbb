"""The matrices of attention themselves, in one run, and what is said of a map that joins them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.keras import engine
from eli5.keras.inputs.sample import Sample, read_sample
from eli5.keras.layers.attention_layers import name_prefix
from eli5.keras.methods.lookup import ChosenMethod
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.plan import Array, Plan, attention_of
from eli5.keras.pipeline.request import make_request, split_options


class AttentionMap(NamedTuple):
    """The matrix of one attention.

    Attributes
    ----------
    name : str
        The path of the layer that attends.
    weights : numpy.ndarray, shape (heads, queries, keys), float32
        How much each query takes of each key; the rows sum to 1.
    n_prefix : int
        How many keys come before those of the doc: class, distillation and register tokens.
    """

    name: str
    weights: Array
    n_prefix: int


@engine.in_the_open
def attention_maps(model: keras.Model, doc: Any, **options: Any) -> list[AttentionMap]:
    """Return the matrix of each attention between the tokens of the doc, in the order of the run.

    Parameters
    ----------
    model : keras.Model
    doc : numpy.ndarray, a list or dict of them, or str
    **options
        ``input``, ``grid``, ``tokens`` and what else is said of a doc; see
        `eli5.explain_prediction`.

    Returns
    -------
    list of AttentionMap
        Its positions are those that ``layers=`` of the methods takes.

    Raises
    ------
    TypeError, ValueError
        If the doc does not fit the model, or the model has no attention between its tokens.
    """
    about, rest = split_options(options)
    request = make_request(method="Attention Rollout", **rest)
    with engine.steady():
        sample = read_sample(model, doc, about, **request.about_input)
        return read_attention(make_plan(request, [sample]))


def read_attention(plan: Plan) -> list[AttentionMap]:
    """Return the matrices of a plan of one doc that has a method on attention."""
    layers = attention_of(plan)
    sites = tuple(one.site for one in layers.layers)
    (_, matrices), _ = engine.evaluate(
        plan.model, *plan.filled(), plan.query()._replace(sites=sites, read=True)
    )
    return [
        AttentionMap(one.site.path, folded[0], layers.n_prefix if one.keys == 0 else 0)
        for one, (_, folded) in zip(layers.layers, matrices, strict=True)
    ]


# ---- what is said of a map that joins them ------------------------------------------------------

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

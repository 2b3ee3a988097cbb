"""The matrices of attention themselves: every layer and head of a model, in one run."""

from __future__ import annotations

from typing import Any, NamedTuple

import keras

from eli5.keras import engine
from eli5.keras.inputs.sample import read_sample
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

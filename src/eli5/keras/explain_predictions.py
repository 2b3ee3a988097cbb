"""Many predictions of a Keras model, one Explanation after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import keras

from eli5.keras import engine
from eli5.keras.inputs.dataset import count_docs, read_docs
from eli5.keras.inputs.model_inputs import check_model
from eli5.keras.pipeline.explain import explain_many
from eli5.keras.pipeline.request import make_request, split_options
from eli5.keras.targets.make_target import split_target

# What may be said of all docs at once.
_OF_ALL_DOCS = ("pad_value", "pad_token", "time", "channel_names")


@engine.in_the_open
def explain_predictions_keras(
    model: keras.Model,
    docs: Any,
    *,
    targets: Iterable[Any] | None = None,
    target: Any = None,
    images: Iterable[Any] | None = None,
    tokens: Iterable[Any] | None = None,
    **options: Any,
) -> Iterator[Any]:
    """Explain many predictions; see `eli5.explain_predictions`."""
    check_model(model)
    about, rest = split_options(options, _OF_ALL_DOCS)
    of_all, of_each = split_target(target)
    request = make_request(targets=targets, target=of_all, **rest)
    per_doc = {"targets": targets, "target": of_each, "image": images, "tokens": tokens}
    many = read_docs(model, docs, about, per_doc)
    return explain_many(model, many, request, count_docs(model, docs))

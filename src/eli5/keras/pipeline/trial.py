"""What can be asked of a model before there is a doc: by one of noise."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from eli5.keras.inputs.model_inputs import blank_doc
from eli5.keras.inputs.sample import read_sample
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import make_request
from eli5.keras.text.text_vectorization import split_model


def behind_tokenizer(model: keras.Model) -> keras.Model:
    """Return what is explained of a model that takes strings: the part that takes their ids."""
    return split_model(model).ids_model if takes_strings(model) else model


def takes_strings(model: keras.Model) -> bool:
    """Tell whether a model's one input is of strings."""
    return [str(one.dtype) for one in getattr(model, "inputs", None) or []] == ["string"]


def noise_doc(model: keras.Model) -> Any:
    """Return a doc of noise, as zeros may have no gradient, or be padding.

    ValueError if the model does not tell the size of its input.
    """
    rng = np.random.default_rng(0)
    zeros = blank_doc(model)
    return keras.tree.map_structure(lambda x: (1 + rng.random(x.shape)).astype(x.dtype), zeros)


def default_layer(model: keras.Model, doc: Any) -> tuple[str, int]:
    """Return which call of which layer is taken by itself; ValueError if there is none."""
    site = make_plan(make_request(), [read_sample(model, doc)]).sites[0]
    return site.path, site.nth


def count_targets(model: keras.Model, doc: Any, **options: Any) -> int:
    """Return how many classes or values a model has; ValueError if it has none that can be asked.

    `options` are those of `eli5.explain_prediction`: with a ``target``, whether the model has such.
    """
    return int(make_plan(make_request(**options), [read_sample(model, doc)]).head.n_targets)

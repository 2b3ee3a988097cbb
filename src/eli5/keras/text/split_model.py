"""The part of a model behind its `TextVectorization`, which takes ids: what can be explained."""

from __future__ import annotations

from typing import NamedTuple

import keras
from eli5.keras.engine.cache import memory_of

ADVICE = (
    "Give the token ids as `doc` and their texts as `tokens`, with the part of the model that "
    "takes ids."
)


_IDS = "int32"  # JAX has no integers of 64 bits


class ModelSplit(NamedTuple):
    """A model's `TextVectorization`, and the model behind it, which takes ids."""

    vectorizer: keras.layers.TextVectorization
    ids_model: keras.Model


def split_model(model: keras.Model) -> ModelSplit:
    """Return the model's vectorizer and the model behind it: the same until the model changes.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    # Kept with the model, as programs are compiled for the part. It holds the model's layers but
    # not the model, which could then never be released.
    return memory_of(model).recall("split", lambda: _split(model))


def _split(model: keras.Model) -> ModelSplit:
    vectorizers = [
        layer for layer in model.layers if isinstance(layer, keras.layers.TextVectorization)
    ]
    if len(vectorizers) != 1:
        raise ValueError(
            "Expected a model with a TextVectorization as its first layer, or with a "
            "`preprocessor` that has a `tokenizer`, to take a text. Received: model "
            f"{model.name!r} with {len(vectorizers) or 'no'} such layers of its own. {ADVICE}"
        )
    cut = _cut_sequential if isinstance(model, keras.Sequential) else _cut_graph
    # One with a `call` of its own may do other things than its layers in their order.
    is_keras_own = type(model).call.__module__.startswith("keras.")
    ids_model = cut(model, vectorizers[0]) if is_keras_own else None
    if ids_model is None:
        raise ValueError(
            f"Expected a model that can be cut behind its TextVectorization: a Sequential or "
            f"functional one, with the text as its only input and used there only. Received: "
            f"model {model.name!r}. {ADVICE}"
        )
    return ModelSplit(vectorizers[0], ids_model)


def _cut_sequential(
    model: keras.Sequential, vectorizer: keras.layers.TextVectorization
) -> keras.Model | None:
    first, *rest = model.layers
    if first is not vectorizer or not rest:
        return None
    length = vectorizer.get_config()["output_sequence_length"]
    return keras.Sequential([keras.Input((length,), dtype=_IDS), *rest], name=model.name)


def _cut_graph(
    model: keras.Model, vectorizer: keras.layers.TextVectorization
) -> keras.Model | None:
    inputs = getattr(model, "inputs", None) or []
    # A layer that is called in several models has a node for each.
    nodes = [node for node in vectorizer._inbound_nodes if [*node.input_tensors] == inputs]
    if len(nodes) != 1:
        return None
    try:
        ids_model = keras.Model(nodes[0].output_tensors[0], model.output, name=model.name)
    except ValueError:  # as Keras says that something else takes the text, too
        return None
    ids = keras.Input(batch_shape=(None, *ids_model.input.shape[1:]), dtype=_IDS)
    return keras.models.clone_model(ids_model, ids, clone_function=lambda layer: layer)

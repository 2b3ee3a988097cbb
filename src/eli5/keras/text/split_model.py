"""The part of a model behind its `TextVectorization`, which takes ids: what can be explained."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

ADVICE = (
    "Give the token ids as `doc` and their texts as `tokens`, with the part of the model that "
    "takes ids."
)


class Split(NamedTuple):
    """A model cut behind its vectorizer, and the layers that it had."""

    layers: list[keras.layers.Layer]
    vectorizer: keras.layers.TextVectorization
    behind: keras.Model


# By id, because a model may be comparable and then not hashable. The parts hold layers and not the
# model, or it could never be released.
_splits: dict[int, tuple[weakref.ref[keras.Model], Split]] = {}
_lock = threading.RLock()


def split_model(model: keras.Model) -> Split:
    """Return the model's vectorizer and the model behind it: the same each time.

    Raises
    ------
    ValueError
        If there is no such part.
    """
    with _lock:
        reference, split = _splits.get(id(model), (None, None))
        same = split is not None and reference is not None and reference() is model
        if split is None or not same or not _same_things(split.layers, model.layers):
            split = _split(model)
            _splits[id(model)] = weakref.ref(model, _forget(id(model))), split
        return split


def _same_things(some: list[Any], others: list[Any]) -> bool:
    return [id(thing) for thing in some] == [id(thing) for thing in others]


def _forget(key: int) -> Callable[[Any], None]:
    def forget(reference: weakref.ref[keras.Model]) -> None:
        with _lock:
            if key in _splits and _splits[key][0] is reference:
                del _splits[key]

    return forget


def _split(model: keras.Model) -> Split:
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
    behind = cut(model, vectorizers[0]) if is_keras_own else None
    if behind is None:
        raise ValueError(
            f"Expected a model that can be cut behind its TextVectorization: a Sequential or "
            f"functional one, with the text as its only input and used there only. Received: "
            f"model {model.name!r}. {ADVICE}"
        )
    return Split(list(model.layers), vectorizers[0], behind)


def _cut_sequential(
    model: keras.Sequential, vectorizer: keras.layers.TextVectorization
) -> keras.Model | None:
    first, *rest = model.layers
    if first is not vectorizer or not rest:
        return None
    length = vectorizer.get_config()["output_sequence_length"]
    ids = keras.Input((length,), dtype=_ids_dtype())
    return keras.Sequential([ids, *rest], name=model.name)


def _cut_graph(
    model: keras.Model, vectorizer: keras.layers.TextVectorization
) -> keras.Model | None:
    inputs = getattr(model, "inputs", None) or []
    # A layer that is called in several models has a node for each.
    nodes = [
        node
        for node in vectorizer._inbound_nodes
        if len(inputs) == 1 and node.input_tensors[0] is inputs[0]
    ]
    if len(nodes) != 1:
        return None
    try:
        behind = keras.Model(nodes[0].output_tensors[0], model.output, name=model.name)
    except ValueError:  # as Keras says that something else takes the text, too
        return None
    ids = keras.Input(batch_shape=(None, *behind.input.shape[1:]), dtype=_ids_dtype())
    if ids.dtype == behind.input.dtype:
        return behind
    return keras.models.clone_model(behind, ids, clone_function=lambda layer: layer)


def _ids_dtype() -> str:
    """Return the type of the ids that the layer gives: JAX has none of 64 bits, and warns."""
    return "int32" if keras.backend.backend() == "jax" else "int64"

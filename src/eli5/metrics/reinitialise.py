"""A model's weights drawn anew, layer by layer, each as its own layer draws it; and put back."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.checks import expect_type
from eli5.keras import engine

# Of what these know nothing was learned by training, and a model without it takes other docs.
_PREPARING = ("Normalization", "TextVectorization", "StringLookup", "IntegerLookup", "Hashing")

# Whoever begins while another thread's weights are drawn anew would take those for the model's own,
# and put them back in the end. One lock for all models, as two of them may share layers.
one_at_a_time = threading.RLock()


class Stage(NamedTuple):
    """A layer with weights of its own, and what it runs unseen, such as a cell."""

    name: str
    layers: list[keras.layers.Layer]


def list_stages(model: keras.Model, trace: engine.Trace) -> list[Stage]:
    """Return the layers that have weights, from the model's output back to its input.

    In the order in which the model last calls them. What is never called itself belongs to what
    holds it, as a cell to its recurrent layer, or to the model, whose own weights come first.
    """
    called = ((call.operation(), call.path) for call in trace.calls)
    # An operation of `keras.ops` that was made for its call alone is gone.
    calls = [*((one, path) for one, path in called if one is not None), (model, model.name)]
    when = {id(operation): (k, path) for k, (operation, path) in enumerate(calls)}
    held = [(engine.parts_of(one), one) for one in dict.fromkeys(one for one, _ in calls)]
    held.sort(key=lambda row: len(row[0]))
    groups: dict[int, list[Any]] = {}
    for part in engine.parts_of(model):
        if own_weights(part):
            holding = (one for parts, one in held if any(part is other for other in parts))
            owner = part if id(part) in when else next(holding)
            groups.setdefault(id(owner), []).append(part)
    ordered = sorted(groups, key=lambda key: when[key][0], reverse=True)
    return [Stage(when[key][1], groups[key]) for key in ordered]


def own_weights(layer: Any) -> list[keras.Variable]:
    """Return the weights of a layer that it learns, or keeps while it does, without its parts'."""
    if not isinstance(layer, keras.layers.Layer) or type(layer).__name__ in _PREPARING:
        return []
    inner = {
        id(weight)
        for part in engine.parts_of(layer)
        if part is not layer and isinstance(part, keras.layers.Layer)
        for weight in part.weights
    }
    return [w for w in layer.weights if id(w) not in inner and "float" in str(w.dtype)]


@contextlib.contextmanager
def restored(model: keras.Model) -> Iterator[None]:
    """Put all variables of a model back, to the bit, also after an error."""
    kept = [(one, keras.ops.copy(one.value)) for one in model.variables]
    try:
        yield
    finally:
        for variable, values in kept:
            variable.assign(values)


def redraw(
    stage: Stage,
    random: np.random.Generator,
    initializers: Mapping[str, Callable[..., Any]] | None = None,
) -> None:
    """Draw the weights of a stage anew, moving averages as those of a layer that saw nothing.

    Parameters
    ----------
    stage : Stage
    random : numpy.random.Generator
        Each initializer gets a seed of it.
    initializers : mapping, optional
        From a weight's path to what draws it, for layers that do not tell.

    Raises
    ------
    ValueError
        If a layer does not tell how its weights are drawn.
    """
    given = initializers or {}
    for layer in stage.layers:
        weights = own_weights(layer)
        missing = [weight for weight in weights if weight.path not in given]
        drawn = _draw(layer, weights, random) if missing else [None] * len(weights)
        for weight, values in zip(weights, drawn, strict=True):
            if weight.path in given:
                values = given[weight.path](weight.shape, weight.dtype)
            weight.assign(values)


def check_initializers(initializers: Any) -> Any:
    """Return a mapping of weights' paths to initializers; TypeError for all else."""
    expect_type(
        "initializers", initializers, Mapping | None, "a mapping from paths of weights, or None"
    )
    return {
        path: keras.initializers.get(initializer)
        for path, initializer in (initializers or {}).items()
    }


def _draw(
    layer: keras.layers.Layer, weights: Sequence[keras.Variable], random: np.random.Generator
) -> list[Any]:
    """Return new values as the layer's own `build` draws them, or its initializers if it cannot.

    `build` knows what no attribute tells, such as the bias of an LSTM's forget gate.
    """
    fresh = _built_anew(layer, random)
    if fresh is not None:
        found = own_weights(fresh)
        if [tuple(w.shape) for w in found] == [tuple(w.shape) for w in weights]:
            return [weight.value for weight in found]
    return [
        _initializer_of(layer, weight, random)(weight.shape, weight.dtype) for weight in weights
    ]


def _built_anew(layer: keras.layers.Layer, random: np.random.Generator) -> Any:
    """Return a layer like this one with weights of its own; None if it cannot be made so."""
    try:
        config, shapes = layer.get_config(), layer.get_build_config()
        fresh = type(layer).from_config(_with_seeds(config, random))
        if not shapes:
            return None
        fresh.build_from_config(shapes)
    except Exception:  # of a user's own code, whatever it may be; the attributes are asked next
        return None
    return fresh if fresh.built else None


def _with_seeds(config: Any, random: np.random.Generator) -> Any:
    """Return a config with another seed for each initializer in it.

    One with a seed of its own would draw the same numbers again.
    """
    if isinstance(config, list | tuple):
        return type(config)(_with_seeds(value, random) for value in config)
    if not isinstance(config, dict):
        return config
    changed = {key: _with_seeds(value, random) for key, value in config.items()}
    inner = changed.get("config")
    if "class_name" in changed and isinstance(inner, dict) and "seed" in inner:
        inner["seed"] = int(random.integers(2**31))
    return changed


def _initializer_of(
    layer: keras.layers.Layer, weight: keras.Variable, random: np.random.Generator
) -> Any:
    """Return the initializer that a layer has for a weight of that name, with a new seed."""
    names = (weight.name, weight.name.removesuffix("_kernel"))
    for name in names:
        found = getattr(layer, f"{name}_initializer", None)
        found = keras.initializers.get(found) if isinstance(found, str) else found
        if isinstance(found, keras.initializers.Initializer):
            config = keras.initializers.serialize(found)
            return keras.initializers.deserialize(_with_seeds(config, random))
        if callable(found):
            return found
    raise ValueError(
        f"Expected a layer that tells how its weights are drawn. Received: {weight.path!r} of a "
        f"{type(layer).__name__} that has neither a `get_config` to make another one from nor a "
        f"`{weight.name}_initializer`. Say how: "
        f"initializers={{{weight.path!r}: 'glorot_uniform'}}"
    )

"""The target layer that is asked for: by name, path, index, instance, or as one call of these."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from eli5.checks import did_you_mean, is_integer, wrong_type
from eli5.keras.engine import Call, Site
from eli5.keras.layers.candidate_layers import TargetLayer, list_candidates, site_of, why_unfit
from eli5.keras.layers.conditions import View


def check_layer(layer: Any) -> None:
    """Raise TypeError if `layer` is neither None, a name, an index, a Keras layer nor a call.

    A call is a pair ``(layer, nth)``. A list holds several of all these but None; ValueError if it
    is empty.
    """
    if layer is None:
        return
    if isinstance(layer, list) and not layer:
        raise ValueError("Expected `layer` to name at least one layer. Received: layer=[]")
    for one in layer if isinstance(layer, list) else [layer]:
        _check_one(one)


def _check_one(layer: Any) -> None:
    is_call = isinstance(layer, tuple) and len(layer) == 2 and is_integer(layer[1])
    inner = layer[0] if is_call else layer
    is_known = isinstance(inner, str | layers.Layer) or is_integer(inner)
    if not (is_known or isinstance(layer, TargetLayer)):
        raise wrong_type(
            "layer",
            layer,
            "None, a layer's name, its index, or a Keras layer; or a pair of such a layer and the "
            "number of its call; or a list of these",
        )


def find_target_layer(model: keras.Model, layer: Any, view: View) -> Site:
    """Return the layer call that was asked for; ValueError if it has none, or no feature map.

    A name may be at any depth, with its path (``"resnet50/conv5_block3_out"``) where it is not
    alone. A layer that is called several times counts by its last call; ``(layer, nth)`` picks
    another.
    """
    nth = None
    if isinstance(layer, TargetLayer):
        layer, nth = layer.name, layer.nth
    elif isinstance(layer, tuple):
        layer, nth = layer
    operation = _operation(model, layer, view)
    found = [
        (call, axes)
        for call, axes in zip(view.trace.calls, view.axes(), strict=True)
        if call.operation() is operation
    ]
    calls = [call for call, _ in found]
    if nth is None:
        # The last that sees the picture: a layer that two inputs share is called for each.
        seeing = [k for k, call in enumerate(calls) if call.has_positions]
        nth = (seeing or [-1])[-1]
    if not calls:
        raise ValueError(
            f"Expected `layer` to be called when the model runs. Received: layer={layer!r}, which "
            f"is {_why_uncalled(operation)}.{list_candidates(view)}"
        )
    if not -len(calls) <= nth < len(calls):
        raise ValueError(
            f"Expected the number of a call of layer {layer!r} in [{-len(calls)}, {len(calls)}), "
            f"as the model calls it {len(calls)} time(s). Received: layer=({layer!r}, {nth})"
        )
    _check_call(layer, calls[nth])
    site = site_of(*found[nth], view)
    if site is None:
        raise ValueError(why_unfit(layer, *found[nth], view) + list_candidates(view))
    return site


def _check_call(layer: Any, call: Call) -> None:
    if not call.is_outside:
        raise ValueError(
            "Expected a layer whose output can be reached. Received: "
            f"layer={layer!r}, which runs inside of a loop, a branch or a rematerialised part. "
            "Choose the layer around it, or one before it."
        )
    if call.shape and "float" not in call.dtype:
        raise ValueError(
            "Expected a layer whose output is differentiable. Received: "
            f"layer={layer!r}, whose output is of type {call.dtype}"
        )


def _operation(model: keras.Model, layer: Any, view: View) -> Any:
    if isinstance(layer, keras.layers.Layer):
        return layer
    if isinstance(layer, str):
        return _named(model, layer, view)
    if not -len(model.layers) <= layer < len(model.layers):
        raise ValueError(
            f"Expected a layer index in [{-len(model.layers)}, {len(model.layers)}), as the model "
            f"has {len(model.layers)} layers. Received: layer={layer!r}"
        )
    return model.layers[layer]


def _named(model: keras.Model, name: str, view: View) -> Any:
    trace = view.trace
    paths: dict[int, str] = {}
    operations: dict[int, Any] = {}
    for call in trace.calls:
        operation = call.operation()
        if name in (call.path, getattr(operation, "name", None)) or call.path.endswith(f"/{name}"):
            operations[id(operation)] = operation
            paths.setdefault(id(operation), call.path)
    exact = [key for key, path in paths.items() if path == name]
    found = exact if len(exact) == 1 else list(operations)
    if not found:
        found = [id(one) for one in model.layers if one.name == name]
        operations = {id(one): one for one in model.layers}
    if len(found) == 1:
        return operations[found[0]]
    if found:
        raise ValueError(
            f"Expected the name of one layer. Received: layer={name!r}, which is the name of "
            f"{', '.join(map(repr, paths.values()))}. Give the path, or the layer itself."
        )
    known = {call.path for call in trace.calls} | {call.path.split("/")[-1] for call in trace.calls}
    meant = did_you_mean(name, known, n=3)
    raise ValueError(
        f"Expected the name of a layer of model {model.name!r}. Received: layer={name!r}."
        f"{meant and ' '}{meant}{list_candidates(view)}"
    )


def _why_uncalled(operation: keras.Operation) -> str:
    if isinstance(operation, layers.InputLayer):
        return "the model's input and no computation"
    return "no layer of this model, or not reached when it runs"

"""Grad-CAM by hand on JAX: the model in two, `jax.grad` of the second half, nothing compiled."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from peers import Array, Calls, find_layer, one_by_one


def prepare(model: keras.Model, layer: str, targets: Array, is_kept: bool = False) -> Calls:
    """Take the softmax off, and cut the model now or at each call."""
    model.layers[-1].activation = None
    kept = _halves(model, layer) if is_kept else None

    def explain(doc: Array) -> Array:
        body, head = _halves(model, layer) if kept is None else kept
        activations = _call(body, doc)
        target = jnp.argmax(_call(head, activations)[0])
        gradients = jax.grad(lambda inner: _call(head, inner)[0, target])(activations)
        weights = gradients.mean((1, 2))
        heatmap = jax.nn.relu(jnp.einsum("bhwc,bc->bhw", activations, weights))[0]
        return np.asarray(heatmap / heatmap.max())

    return one_by_one(explain)


def _halves(model: keras.Model, layer: str) -> tuple[keras.Model, keras.Model]:
    between = find_layer(model, layer).output
    return keras.Model(model.inputs, between), keras.Model(between, model.output)


def _call(model: keras.Model, inputs: Any) -> Any:
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    outputs, _ = model.stateless_call(trainable, others, inputs, training=False)
    return outputs

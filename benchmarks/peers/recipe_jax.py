"""Grad-CAM by hand on JAX: the model in two, `jax.grad` of the second half; compiled if kept."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from peers import Array, Calls, find_layer, one_by_one


def prepare(model: keras.Model, layer: str, targets: Array, is_kept: bool = False) -> Calls:
    """Take the softmax off, and cut the model now or at each call."""
    model.layers[-1].activation = None
    if not is_kept:
        return one_by_one(lambda doc: np.asarray(_grad_cam(*_halves(model, layer), doc)))
    compiled = jax.jit(functools.partial(_grad_cam, *_halves(model, layer)))
    return one_by_one(lambda doc: np.asarray(compiled(doc)))


def _grad_cam(body: keras.Model, head: keras.Model, doc: Any) -> Any:
    activations = _call(body, doc)
    target = jnp.argmax(_call(head, activations)[0])
    gradients = jax.grad(lambda inner: _call(head, inner)[0, target])(activations)
    weights = gradients.mean((1, 2))
    heatmap = jax.nn.relu(jnp.einsum("bhwc,bc->bhw", activations, weights))[0]
    return heatmap / heatmap.max()


def _halves(model: keras.Model, layer: str) -> tuple[keras.Model, keras.Model]:
    between = find_layer(model, layer).output
    return keras.Model(model.inputs, between), keras.Model(between, model.output)


def _call(model: keras.Model, inputs: Any) -> Any:
    trainable = [variable.value for variable in model.trainable_variables]
    others = [variable.value for variable in model.non_trainable_variables]
    outputs, _ = model.stateless_call(trainable, others, inputs, training=False)
    return outputs

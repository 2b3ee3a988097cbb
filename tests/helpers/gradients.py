"""Gradients by the backend's own means: `jax.grad`, autograd, `GradientTape`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, Any]


def input_gradient(score: Callable[[Any], Any], doc: Array) -> Array:
    """Return the gradient of a number with respect to the doc."""
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return np.asarray(jax.jit(jax.grad(score))(doc))
    if backend == "torch":
        import torch

        tensor = torch.tensor(doc, requires_grad=True)
        (gradient,) = torch.autograd.grad(score(tensor), tensor)
        return np.asarray(gradient.numpy())
    import tensorflow as tf

    tensor = tf.convert_to_tensor(doc)
    with tf.GradientTape() as tape:
        tape.watch(tensor)
        value = score(tensor)
    return np.asarray(tape.gradient(value, tensor).numpy())

"""What the backend itself takes: its compiled forward pass and input gradient, arrays in and out.

Public tools only, and none of the package: what a user would write by hand to be fast.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

Array = np.ndarray[Any, Any]
Run = Callable[[Array], Any]


def forward(model: keras.Model) -> Run:
    """Return the compiled forward pass."""
    return _FORWARD[keras.backend.backend()](model)


def forward_and_gradient(model: keras.Model) -> Run:
    """Return the compiled forward pass with the gradient of the highest output for the input."""
    return _GRADIENT[keras.backend.backend()](model)


def _jax_values(model: keras.Model) -> tuple[list[Any], list[Any]]:
    trainable = [variable.value for variable in model.trainable_variables]
    return trainable, [variable.value for variable in model.non_trainable_variables]


def _jax_forward(model: keras.Model) -> Run:
    import jax

    values = _jax_values(model)

    run = jax.jit(lambda values, x: model.stateless_call(*values, x, training=False)[0])
    return lambda x: np.asarray(run(values, x))


def _jax_gradient(model: keras.Model) -> Run:
    import jax

    values = _jax_values(model)

    def score(x: Any, values: Any) -> Any:
        outputs = model.stateless_call(*values, x, training=False)[0]
        return outputs.max(axis=1).sum(), outputs

    run = jax.jit(jax.value_and_grad(score, has_aux=True))
    return lambda x: jax.tree.map(np.asarray, run(x, values))


def _tensorflow_forward(model: keras.Model) -> Run:
    import tensorflow as tf

    run = tf.function(lambda x: model(x, training=False), autograph=False)
    return lambda x: run(tf.convert_to_tensor(x)).numpy()


def _tensorflow_gradient(model: keras.Model) -> Run:
    import tensorflow as tf

    def gradient(x: Any) -> Any:
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(x)
            outputs = model(x, training=False)
            score = tf.reduce_sum(tf.reduce_max(outputs, axis=1))
        return outputs, tape.gradient(score, x)

    run = tf.function(gradient, autograph=False)
    return lambda x: [tensor.numpy() for tensor in run(tf.convert_to_tensor(x))]


def _torch_forward(model: keras.Model) -> Run:
    import torch

    def run(x: Array) -> Any:
        with torch.inference_mode():
            return model(keras.ops.convert_to_tensor(x), training=False).cpu().numpy()

    return run


def _torch_gradient(model: keras.Model) -> Run:
    import torch

    def run(x: Array) -> Any:
        tensor = keras.ops.convert_to_tensor(x).requires_grad_()
        outputs = model(tensor, training=False)
        (gradient,) = torch.autograd.grad(outputs.max(dim=1).values.sum(), [tensor])
        return outputs.detach().cpu().numpy(), gradient.cpu().numpy()

    return run


_FORWARD: dict[str, Callable[[keras.Model], Run]] = {
    "jax": _jax_forward,
    "tensorflow": _tensorflow_forward,
    "torch": _torch_forward,
}
_GRADIENT: dict[str, Callable[[keras.Model], Run]] = {
    "jax": _jax_gradient,
    "tensorflow": _tensorflow_gradient,
    "torch": _torch_gradient,
}

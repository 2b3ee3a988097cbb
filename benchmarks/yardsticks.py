"""What the backend itself takes: its compiled forward pass and input gradient, arrays in and out.

Public tools only, and none of the package: what a user would write by hand to be fast.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def forward_and_layer_gradients(
    trunk: keras.Model, tail: keras.Model, class_id: int, masks: Sequence[Array]
) -> Run:
    """Return the compiled forward pass with gradients for a layer's activations.

    Parameters
    ----------
    trunk : keras.Model
        From the model's input to a list: the activations, and what else the tail takes.
    tail : keras.Model
        From there to a list: logits ``(1, *places, classes)``, and the model's outputs.
    class_id : int
    masks : sequence of numpy.ndarray, shape (*places,)
        There is a gradient for each: that of the mean logit of the class over it.
    """
    return _LAYER_GRADIENTS[keras.backend.backend()](trunk, tail, class_id, masks)


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


def _jax_layer_gradients(
    trunk: keras.Model, tail: keras.Model, class_id: int, masks: Sequence[Array]
) -> Run:
    import jax
    import jax.numpy as jnp

    of_both = _jax_values(trunk), _jax_values(tail)

    def gradients(x: Any, of_both: Any, masks: Any) -> Any:
        activations, *others = _listed(trunk.stateless_call(*of_both[0], x, training=False)[0])

        def scores(activations: Any) -> Any:
            given = [activations, *others]
            logits, *outputs = tail.stateless_call(*of_both[1], given, training=False)[0]
            own = logits[0, ..., class_id]
            return jnp.stack([(own * mask).sum() / mask.sum() for mask in masks]), outputs

        values, pull_back, outputs = jax.vjp(scores, activations, has_aux=True)
        return outputs, [pull_back(row)[0] for row in jnp.eye(len(values))]

    run = jax.jit(gradients)
    weights = [mask.astype("float32") for mask in masks]
    return lambda x: jax.tree.map(np.asarray, run(x, of_both, weights))


def _listed(outputs: Any) -> list[Any]:
    return list(outputs) if isinstance(outputs, list | tuple) else [outputs]


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


def _tensorflow_layer_gradients(
    trunk: keras.Model, tail: keras.Model, class_id: int, masks: Sequence[Array]
) -> Run:
    import tensorflow as tf

    weights = [tf.constant(mask.astype("float32")) for mask in masks]

    def gradients(x: Any) -> Any:
        activations, *others = _listed(trunk(x, training=False))
        with tf.GradientTape(persistent=True, watch_accessed_variables=False) as tape:
            tape.watch(activations)
            logits, *outputs = tail([activations, *others], training=False)
            own = logits[0, ..., class_id]
            scores = [tf.reduce_sum(own * mask) / tf.reduce_sum(mask) for mask in weights]
        return outputs, [tape.gradient(score, activations) for score in scores]

    run = tf.function(gradients, autograph=False)
    return lambda x: tf.nest.map_structure(lambda y: y.numpy(), run(tf.convert_to_tensor(x)))


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


def _torch_layer_gradients(
    trunk: keras.Model, tail: keras.Model, class_id: int, masks: Sequence[Array]
) -> Run:
    import torch

    weights = [keras.ops.convert_to_tensor(mask.astype("float32")) for mask in masks]

    def run(x: Array) -> Any:
        with torch.no_grad():
            activations, *others = _listed(trunk(keras.ops.convert_to_tensor(x), training=False))
        activations = activations.detach().requires_grad_()
        logits, *outputs = tail([activations, *others], training=False)
        own = logits[0, ..., class_id]
        scores = [(own * mask).sum() / mask.sum() for mask in weights]
        gradients = [torch.autograd.grad(s, [activations], retain_graph=True)[0] for s in scores]
        return [one.detach().cpu().numpy() for one in (*outputs, *gradients)]

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
_LAYER_GRADIENTS: dict[str, Callable[..., Run]] = {
    "jax": _jax_layer_gradients,
    "tensorflow": _tensorflow_layer_gradients,
    "torch": _torch_layer_gradients,
}

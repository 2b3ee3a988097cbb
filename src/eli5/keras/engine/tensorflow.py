"""The engine's functions on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

ACTIVATIONS = (
    (tf.nn, "softmax"),
    (tf.nn, "sigmoid"),
    (tf.nn, "log_softmax"),
    (tf.math, "sigmoid"),
    (tf, "sigmoid"),
)


def trace(run: Callable[..., Any], variables: Sequence[keras.Variable], inputs: Any) -> None:
    """Run ``run(values, inputs)`` on shapes alone."""
    tf.function(lambda x: run((), x), autograph=False).get_concrete_function(_specs(inputs))


def compile_program(
    program: Callable[..., Any], variables: Sequence[keras.Variable], arguments: Any
) -> Callable[..., Any]:
    """Compile ``program(values, *arguments)`` for arguments like these.

    The result takes and gives NumPy arrays. The compiled program reads the variables themselves, so
    `values` is empty.
    """
    compiled = tf.function(
        lambda *tensors: program((), *tensors), autograph=False
    ).get_concrete_function(*_specs(arguments))

    def run(*arrays: Any) -> Any:
        outputs = compiled(*tf.nest.map_structure(tf.convert_to_tensor, arrays))
        return tf.nest.map_structure(lambda x: x.numpy(), outputs)

    return run


def _specs(arrays: Any) -> Any:
    return tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), arrays)


def differentiate(
    forward: Callable[[Callable[[Any], Any]], tuple[Any, Any]], spec: keras.KerasTensor
) -> tuple[Any, list[Any] | None, Any]:
    """Differentiate each column of the scores with respect to tapped activations.

    Parameters
    ----------
    forward : callable
        ``forward(tap) -> (scores, extras)``: runs the model with the target layer's output replaced
        by ``tap(output)``; scores have shape ``(B, K)``.
    spec : keras.KerasTensor
        Shape and dtype of the activations.

    Returns
    -------
    activations : tensor
        As the layer gave them.
    gradients : list of K tensors of the activations' shape, or None
        ``None`` if the scores do not depend on the activations in a differentiable way.
    extras : Any
        As `forward` gave them.
    """
    captured: list[Any] = []
    tape = tf.GradientTape(persistent=True, watch_accessed_variables=False)

    def tap(activations: Any) -> Any:
        tape.watch(activations)
        captured.append(activations)
        return activations

    with tape:
        scores, extras = forward(tap)
        columns = tf.unstack(scores, axis=1)
    gradients = [tape.gradient(column, captured[0]) for column in columns]
    if any(gradient is None for gradient in gradients):
        return captured[0], None, extras
    return captured[0], gradients, extras

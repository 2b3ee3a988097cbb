"""The engine's functions on TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

Tap = Callable[[Any], Any]

ACTIVATIONS = (
    (tf.nn, "softmax"),
    (tf.nn, "sigmoid"),
    (tf.nn, "log_softmax"),
    (tf.math, "softmax"),
    (tf.math, "sigmoid"),
    (tf, "sigmoid"),
)
CASTS = ((tf, "cast"),)


def level(tensor: Any) -> Any:
    """Return what tells a tensor inside of a loop or a branch from one outside."""
    return id(getattr(tensor, "graph", None))


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
    forward: Callable[[Sequence[Tap]], tuple[Any, Any]], specs: Sequence[keras.KerasTensor]
) -> tuple[list[Any], list[list[Any]] | None, Any]:
    """Differentiate each column of the scores with respect to the activations at each site.

    Parameters
    ----------
    forward : callable
        ``forward(taps) -> (scores, extras)``: runs the model with the output at each site replaced
        by ``tap(output)``; scores have shape ``(B, K)``.
    specs : sequence of keras.KerasTensor
        Shape and dtype of the activations, per site.

    Returns
    -------
    activations : list of tensors, one per site
        As the layers gave them.
    gradients : list of K lists of tensors of the activations' shapes, or None
        ``None`` if the scores depend on none of the activations in a differentiable way.
    extras : Any
        As `forward` gave them.
    """
    captured: list[Any] = [None] * len(specs)
    tape = tf.GradientTape(persistent=True, watch_accessed_variables=False)

    def tap(site: int) -> Tap:
        def watch(activations: Any) -> Any:
            tape.watch(activations)
            captured[site] = activations
            return activations

        return watch

    with tape:
        scores, extras = forward([tap(site) for site in range(len(specs))])
        columns = tf.unstack(scores, axis=1)
    gradients = [tape.gradient(column, captured) for column in columns]
    if all(gradient is None for per_site in gradients for gradient in per_site):
        return captured, None, extras
    return captured, [list(map(_or_zeros, per_site, captured)) for per_site in gradients], extras


def _or_zeros(gradient: Any, activations: Any) -> Any:
    return tf.zeros_like(activations) if gradient is None else tf.convert_to_tensor(gradient)

"""The engine's functions on TensorFlow."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Sequence
from typing import Any

import keras
import tensorflow as tf

from eli5.keras.engine.hooks import Derivatives, Forward, Hook, Library

# Keras has no fused attention here: it ends in a softmax.
LIBRARY = Library(
    activations=(
        (tf.nn, "softmax"),
        (tf.nn, "sigmoid"),
        (tf.nn, "log_softmax"),
        (tf.math, "softmax"),
        (tf.math, "sigmoid"),
        (tf, "sigmoid"),
    ),
    casts=((tf, "cast"),),
    contractions=((tf, "einsum"), (tf, "matmul"), (tf.linalg, "matmul"), (tf.Tensor, "__matmul__")),
)


def in_the_open(
    function: Callable[..., Any], expect_idle: Callable[[], None]
) -> Callable[..., Any]:
    """Return the function as one that raises RuntimeError inside of a `tf.function`.

    `expect_idle` raises where it is known why that is so.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if not tf.executing_eagerly():
            expect_idle()
            raise RuntimeError(
                "Expected a call outside of what `tf.function` compiles. Received: a call within, "
                "where no number is known yet. Explain before or after it."
            )
        return function(*arguments, **options)

    return run


def widest_integer() -> str:
    """Name the widest integers there are."""
    return "int64"


def level(tensor: Any) -> Any:
    """Return what tells a tensor inside of a loop or a branch from one outside."""
    return id(getattr(tensor, "graph", None))


def version(tensor: Any) -> float:
    """Return the same always: nothing writes into a tensor."""
    return 0


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
    forward: Forward, specs: Sequence[keras.KerasTensor], second_order: Sequence[int] = ()
) -> Derivatives:
    """Differentiate each column of the scores with respect to the activations at each site.

    Parameters
    ----------
    forward : callable
        ``forward(hooks) -> (scores, extras)``: runs the model with the output at each site replaced
        by ``hook(output)``; scores have shape ``(B, K)``, or are a list of K columns.
    specs, second_order
        Shape and dtype of the activations, per site; the sites of second derivatives.

    Returns
    -------
    activations : list of tensors, one per site
        As the layers gave them.
    gradients : list of K lists of tensors of the activations' shapes, or None
        ``None`` if the scores depend on none of the activations in a differentiable way.
    hessian_products : dict of lists of K tensors
        By site: the Hessian of the score with respect to the activations there, times these.
    extras
    """
    captured: list[Any] = [None] * len(specs)
    tape = tf.GradientTape(persistent=True, watch_accessed_variables=False)
    outer = tf.GradientTape(persistent=True, watch_accessed_variables=False)

    def hook(site: int) -> Hook:
        def watch(activations: Any) -> Any:
            tape.watch(activations)
            if site in second_order:
                outer.watch(activations)
            captured[site] = activations
            return activations

        return watch

    with outer if second_order else contextlib.nullcontext():
        with tape:
            scores, extras = forward([hook(site) for site in range(len(specs))])
            columns = scores if isinstance(scores, list) else tf.unstack(scores, axis=1)
        found = [tape.gradient(column, captured) for column in columns]
        gradients = [list(map(_or_zeros, per_site, captured)) for per_site in found]
        inner = {s: [_inner(g[s], captured[s]) for g in gradients] for s in second_order}
    if all(gradient is None for per_site in found for gradient in per_site):
        return captured, None, {}, extras
    hessian_products = {
        s: [_or_zeros(outer.gradient(one, captured[s]), captured[s]) for one in inner[s]]
        for s in second_order
    }
    return captured, gradients, hessian_products, extras


def _inner(gradient: Any, activations: Any) -> Any:
    return tf.reduce_sum(gradient * tf.stop_gradient(activations))


def _or_zeros(gradient: Any, activations: Any) -> Any:
    return tf.zeros_like(activations) if gradient is None else tf.convert_to_tensor(gradient)

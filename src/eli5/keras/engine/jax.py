"""The engine's functions on JAX."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

# Where Keras, and most who write their own `call`, turn logits into probabilities.
ACTIVATIONS = ((jax.nn, "softmax"), (jax.nn, "sigmoid"), (jax.nn, "log_softmax"))

_PATIENCE = 60.0  # seconds that another thread's `fit` or `predict` may keep the weights


def trace(run: Callable[..., Any], variables: Sequence[keras.Variable], inputs: Any) -> None:
    """Run ``run(values, inputs)`` on shapes alone."""
    specs = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]
    jax.eval_shape(run, specs, inputs)


def compile_program(
    program: Callable[..., Any], variables: Sequence[keras.Variable], arguments: Any
) -> Callable[..., Any]:
    """Compile ``program(values, *arguments)`` for arguments like these.

    The result takes and gives NumPy arrays. The weights are arguments of the compiled program, so
    that each run sees today's.
    """
    compiled = jax.jit(program)

    def run(*arrays: Any) -> Any:
        outputs = _with_weights(variables, lambda values: compiled(values, *arrays))
        return jax.tree.map(np.asarray, outputs)

    return run


def differentiate(
    forward: Callable[[Callable[[Any], Any]], tuple[Any, Any]], spec: keras.KerasTensor
) -> tuple[Any, list[Any] | None, Any]:
    """See `eli5.keras.engine.tensorflow.differentiate`.

    A zero is added to the activations, and the gradient is that with respect to the zero; XLA
    removes the addition.
    """
    depends: list[bool] = []

    def shifted(zero: Any) -> tuple[Any, Any]:
        captured: list[Any] = []

        def tap(activations: Any) -> Any:
            captured.append(activations)
            return activations + zero

        scores, extras = forward(tap)
        return _note_dependence(scores, depends), (captured[0], extras)

    zero = jnp.zeros(spec.shape, spec.dtype)
    scores, pull_back, (activations, extras) = jax.vjp(shifted, zero, has_aux=True)
    if not any(depends):
        return activations, None, extras
    columns = (jnp.zeros_like(scores).at[:, k].set(1) for k in range(scores.shape[1]))
    return activations, [pull_back(column)[0] for column in columns], extras


def _note_dependence(scores: Any, depends: list[bool]) -> Any:
    """Write down whether `scores` vary with what is differentiated; JAX itself would give zeros."""
    identity = jax.custom_jvp(lambda x: x)

    def rule(primals: Any, tangents: Any) -> Any:
        is_zero = isinstance(tangents[0], jax.custom_derivatives.SymbolicZero)
        depends.append(not is_zero)
        return primals[0], jnp.zeros_like(primals[0]) if is_zero else tangents[0]

    identity.defjvp(rule, symbolic_zeros=True)
    return identity(scores)


def _with_weights(variables: Sequence[keras.Variable], run: Callable[[list[Any]], Any]) -> Any:
    """Run with the present weights; wait while `fit` or `predict` on another thread has them.

    Keras on JAX takes the weights out of the variables for the time of such a call and lets the
    compiled step overwrite their memory. A variable that is read meanwhile answers with new initial
    values, hence the look behind `Variable.value`.
    """
    deadline = time.monotonic() + _PATIENCE
    while True:
        values = [variable._value for variable in variables]
        if all(value is not None for value in values):
            try:
                return run(values)
            except (RuntimeError, ValueError):
                if not any(value.is_deleted() for value in values):
                    raise
        if time.monotonic() > deadline:
            raise RuntimeError(
                "Expected the model's weights to be readable. Received: a model whose weights are "
                f"held by a running `fit`, `evaluate` or `predict` since {_PATIENCE:.0f} s. "
                "Explain when that has returned; in a callback, take the model from `self.model`."
            )
        time.sleep(0.0005)

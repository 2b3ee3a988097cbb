"""The engine's functions on JAX."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np

from eli5.keras.engine.attention import attend
from eli5.keras.engine.hooks import Derivatives, Forward, Hook, Library


def _open_attention(
    hook: Hook,
    query: Any,
    key: Any,
    value: Any,
    bias: Any = None,
    mask: Any = None,
    *,
    scale: Any = None,
    is_causal: bool = False,
    implementation: Any = None,
) -> Any:
    """Do what `jax.nn.dot_product_attention` does, with its matrix passed through `hook`."""
    by_head = [jnp.swapaxes(x, -3, -2) for x in (query, key, value)]
    attended = attend(hook, *by_head, scale=scale, bias=bias, mask=mask, is_causal=is_causal)
    return jnp.swapaxes(attended, -3, -2)


def _attention_shape(query: Any, key: Any, *_: Any, **options: Any) -> Any:
    """Return the shape of its matrix; None where it is asked for what is not done in the open."""
    if {*options} - {"value", "bias", "mask", "scale", "is_causal", "implementation"}:
        return None
    *batch, n_queries, n_heads, _ = query.shape
    return (*batch, n_heads, n_queries, key.shape[-3])


# Where Keras, and most who write their own `call`, turn logits into probabilities, and attend.
LIBRARY = Library(
    activations=((jax.nn, "softmax"), (jax.nn, "sigmoid"), (jax.nn, "log_softmax")),
    casts=((jnp, "asarray"),),
    contractions=((jnp, "einsum"), (jnp, "matmul"), (jax.core.Tracer, "__matmul__")),
    fused=(((jax.nn, "dot_product_attention"), _open_attention, _attention_shape),),
)

_zero: list[Any] = []  # once one was made

_PATIENCE = 60.0  # seconds that another thread's `fit` or `predict` may keep the weights


def in_the_open(
    function: Callable[..., Any], expect_idle: Callable[[], None]
) -> Callable[..., Any]:
    """Return the function as one that raises RuntimeError while JAX traces what it is called in.

    `expect_idle` raises where it is known why that is so.
    """

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        if _is_traced():
            expect_idle()
            raise RuntimeError(
                "Expected a call outside of what `jax.jit` compiles. Received: a call within, "
                "where no number is known yet. Explain before or after it."
            )
        return function(*arguments, **options)

    return run


def _is_traced() -> bool:
    """Tell whether JAX traces at the moment: what it computes then is no number."""
    # To add takes a fifth of the time that it takes to make a new one.
    zero = _zero[0] + _zero[0] if _zero else jnp.zeros(())
    if isinstance(zero, jax.core.Tracer):
        return True
    _zero[:] = [zero]
    return False


def widest_integer() -> str:
    """Name the widest integers there are."""
    return "int64" if jax.config.jax_enable_x64 else "int32"


def level(tensor: Any) -> Any:
    """Return what tells a tensor inside of a loop, a branch or `keras.remat` from one outside."""
    return id(getattr(tensor, "_trace", None))  # JAX has no public name for it


def version(tensor: Any) -> float:
    """Return the same always: nothing writes into a tensor."""
    return 0


def trace(run: Callable[..., Any], variables: Sequence[keras.Variable], inputs: Any) -> None:
    """Run ``run(values, inputs)`` on shapes alone."""
    specs = [jax.ShapeDtypeStruct(v.shape, v.dtype) for v in variables]
    jax.eval_shape(run, specs, inputs)


def compile_program(
    program: Callable[..., Any], variables: Sequence[keras.Variable], arguments: Any
) -> Callable[..., Any]:
    """Compile ``program(values, *arguments)`` for arguments like these.

    The result takes and gives NumPy arrays. The weights are arguments of the compiled program, so
    that each run sees today's. Where `keras.distribution` is set, the batch is spread as it says.
    """
    compiled = jax.jit(program)

    def run(*arrays: Any) -> Any:
        if keras.distribution.distribution() is not None:
            arrays = jax.tree.map(_distributed, arrays)
        outputs = _with_weights(variables, lambda values: compiled(values, *arrays))
        return jax.tree.map(np.asarray, outputs)

    return run


def _distributed(array: np.ndarray[Any, Any]) -> Any:
    """Spread the batch over the devices; where they do not divide it, JAX gives each all of it."""
    distribution = keras.distribution.distribution()
    mesh = distribution.device_mesh
    n_devices = dict(zip(mesh.axis_names, mesh.shape, strict=True))[distribution.batch_dim_name]
    if len(array) % n_devices:
        return array
    layout = distribution.get_data_layout(array.shape)
    return keras.distribution.distribute_tensor(array, layout)


def differentiate(
    forward: Forward, specs: Sequence[keras.KerasTensor], second_order: Sequence[int] = ()
) -> Derivatives:
    """See `eli5.keras.engine.tensorflow.differentiate`.

    A zero is added to the activations, and the gradient is that with respect to the zero; XLA
    removes the addition.
    """
    depends: list[bool] = []

    def shifted(zeros: list[Any]) -> tuple[Any, Any]:
        captured: list[Any] = [None] * len(zeros)

        def hook(site: int) -> Hook:
            def add(activations: Any) -> Any:
                captured[site] = activations
                return activations + zeros[site]

            return add

        scores, extras = forward([hook(site) for site in range(len(zeros))])
        return jax.tree.map(functools.partial(_note_dependence, depends), scores), (
            captured,
            extras,
        )

    def differentiated(zeros: list[Any]) -> tuple[list[list[Any]], Any]:
        scores, push, others = jax.linearize(shifted, zeros, has_aux=True)
        return [per_column[0] for per_column in _pulled_back(push, zeros, scores)], others

    zeros = [jnp.zeros(spec.shape, spec.dtype) for spec in specs]
    hessian_products = {}
    if second_order:  # forward over reverse: the model is traced once for all products
        gradients, push, (activations, extras) = jax.linearize(differentiated, zeros, has_aux=True)
        for s in second_order:
            pushed = push([*zeros[:s], activations[s], *zeros[s + 1 :]])
            hessian_products[s] = [per_site[s] for per_site in pushed]
    else:
        gradients, (activations, extras) = differentiated(zeros)
    return activations, gradients if any(depends) else None, hessian_products, extras


def _pulled_back(push: Callable[..., Any], zeros: Any, scores: Any) -> list[Any]:
    """Return what each column of scores has for a gradient, of the derivative `push`, transposed.

    A column that stands apart is transposed by itself: nothing of the others is in it then.
    """
    if isinstance(scores, list):
        pulls = [
            jax.linear_transpose(lambda moved, k=k: push(moved)[k], zeros)
            for k in range(len(scores))
        ]
        return [pull(jnp.ones_like(one)) for pull, one in zip(pulls, scores, strict=True)]
    pull_back = jax.linear_transpose(push, zeros)
    return [pull_back(jnp.zeros_like(scores).at[:, k].set(1)) for k in range(scores.shape[1])]


def _note_dependence(depends: list[bool], scores: Any) -> Any:
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
    deadline: float | None = None
    while True:
        values = [variable._value for variable in variables]
        if all(value is not None for value in values):
            try:
                return run(values)
            except (RuntimeError, ValueError):
                if not any(value.is_deleted() for value in values):
                    raise
        if deadline is None:
            deadline = 0.0 if _is_inside_training() else time.monotonic() + _PATIENCE
        if time.monotonic() > deadline:
            raise RuntimeError(
                "Expected the model's weights to be readable. Received: a model whose weights are "
                "held by a running `fit`, `evaluate` or `predict`. Explain when that has returned; "
                "in a callback, take the model from `self.model`."
            )
        time.sleep(0.0005)


def _is_inside_training() -> bool:
    """Tell whether this very thread is in a `fit` or `predict`: there is no use in waiting then."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_code.co_name in ("fit", "evaluate", "predict") and isinstance(
            frame.f_locals.get("self"), keras.Model
        ):
            return True
        frame = frame.f_back
    return False

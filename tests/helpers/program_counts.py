"""What a compiled program does, counted: no clock, and so the same on a busy machine."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import keras

from eli5.keras import engine

BACKEND = keras.backend.backend()

# By backend: the operations that are convolutions or their gradients, and products of matrices.
_CONVOLUTIONS = {
    "jax": ("convolution",),
    "tensorflow": ("Conv2D", "DepthwiseConv2d"),
    "torch": ("aten::convolution",),
}[BACKEND]
_PRODUCTS = {"jax": ("dot_general",), "tensorflow": ("MatMul",), "torch": ("aten::mm",)}[BACKEND]


class Program(NamedTuple):
    """What the engine's `compile_program` was given."""

    program: Callable[..., Any]
    variables: list[keras.Variable]
    arguments: Any


class Counts(NamedTuple):
    """Operations that run: convolutions, products of matrices, gradients of convolution kernels.

    On JAX the gradient of a kernel is a convolution as any other: `of_kernels` is 0.
    """

    convolutions: int
    products: int
    of_kernels: int


def counts_of(program: Program) -> Counts:
    """Compile the program as the engine does, and count."""
    names = {"jax": _on_jax, "tensorflow": _on_tensorflow, "torch": _on_torch}[BACKEND](program)
    return Counts(
        sum(n for name, n in names.items() if name.startswith(_CONVOLUTIONS)),
        sum(n for name, n in names.items() if name.startswith(_PRODUCTS)),
        sum(n for name, n in names.items() if name.endswith(("BackpropFilter", "with kernel"))),
    )


def forward_pass(model: keras.Model, inputs: Any) -> Program:
    """Return the program of the model alone."""
    variables = list(model.variables)

    def program(values: Any, inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=zip(variables, values, strict=False)):
            return model(inputs, training=False)

    return Program(program, variables, (inputs,))


def _on_jax(program: Program) -> Counter[str]:
    import re

    import jax

    values = [variable.value for variable in program.variables]
    text = jax.jit(program.program).lower(values, *program.arguments).as_text()
    return Counter(re.findall(r"stablehlo\.(\w+)", text))


def _on_tensorflow(program: Program) -> Counter[str]:
    import tensorflow as tf

    specs = tf.nest.map_structure(lambda x: tf.TensorSpec(x.shape, x.dtype), program.arguments)
    function = tf.function(lambda *tensors: program.program((), *tensors), autograph=False)
    # What leads to no output is written down too, as a kernel's gradient is, but never runs.
    waiting = [output.op for output in function.get_concrete_function(*specs).graph.outputs]
    found = {}
    while waiting:
        operation = waiting.pop()
        if operation.name not in found:
            found[operation.name] = operation.type
            waiting += [tensor.op for tensor in operation.inputs] + operation.control_inputs
    return Counter(found.values())


def _on_torch(program: Program) -> Counter[str]:
    from torch.profiler import ProfilerActivity, profile

    run = engine._backend.compile_program(*program)
    with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as profiler:
        run(*program.arguments)
    return Counter(map(_name, profiler.events()))


def _name(event: Any) -> str:
    """Name an event, and whether it is a convolution's gradient with respect to its kernel."""
    if event.name != "aten::convolution_backward":
        return event.name
    _, of_kernel, _ = event.concrete_inputs[-1]
    return event.name + " with kernel" * of_kernel

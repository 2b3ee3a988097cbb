"""The engine's functions on PyTorch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

ACTIVATIONS = (
    (torch.nn.functional, "softmax"),
    (torch.nn.functional, "sigmoid"),
    (torch.nn.functional, "log_softmax"),
    (torch, "softmax"),
    (torch, "sigmoid"),
    (torch, "log_softmax"),
)


def trace(run: Callable[..., Any], variables: Sequence[keras.Variable], inputs: Any) -> None:
    """Run ``run(values, inputs)`` once without gradients: PyTorch has no shapes without numbers."""
    with torch.no_grad():
        run((), keras.tree.map_structure(keras.ops.convert_to_tensor, inputs))


def compile_program(
    program: Callable[..., Any], variables: Sequence[keras.Variable], arguments: Any
) -> Callable[..., Any]:
    """Return a function that runs ``program(values, *arguments)`` on NumPy arrays.

    PyTorch runs eagerly and reads the variables themselves, so `values` is empty.
    """

    def run(*arrays: Any) -> Any:
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, arrays)
        with torch.no_grad():
            outputs = program((), *tensors)
        return keras.tree.map_structure(lambda x: x.cpu().numpy(), outputs)

    return run


def differentiate(
    forward: Callable[[Callable[[Any], Any]], tuple[Any, Any]], spec: keras.KerasTensor
) -> tuple[Any, list[Any] | None, Any]:
    """See `eli5.keras.engine.tensorflow.differentiate`.

    Nothing is recorded up to the target layer, and no parameter's gradient is computed behind it.
    """
    captured: list[Any] = []

    def tap(activations: Any) -> Any:
        leaf = activations.detach().requires_grad_()
        captured.append(leaf)
        torch.set_grad_enabled(True)
        return leaf

    with torch.no_grad():  # restores the mode that `tap` changes
        scores, extras = forward(tap)
        extras = keras.tree.map_structure(torch.Tensor.detach, extras)
        leaf = captured[0]
        if not scores.requires_grad:
            return leaf.detach(), None, extras
        last = scores.shape[1] - 1
        gradients = [
            torch.autograd.grad(scores[:, k].sum(), leaf, retain_graph=k < last, allow_unused=True)[
                0
            ]
            for k in range(last + 1)
        ]
    if any(gradient is None for gradient in gradients):
        return leaf.detach(), None, extras
    return leaf.detach(), gradients, extras

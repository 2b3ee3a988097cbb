"""The engine's functions on PyTorch."""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import keras
import torch

from eli5.keras.engine.attention import attend
from eli5.keras.engine.hooks import Derivatives, Forward, Hook, Library


def _open_attention(
    hook: Hook,
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: Any = None,
    enable_gqa: bool = False,
) -> Any:
    """Do what `scaled_dot_product_attention` does, with its matrix passed through `hook`."""
    is_boolean = attn_mask is not None and attn_mask.dtype == torch.bool
    mask, bias = (attn_mask, None) if is_boolean else (None, attn_mask)
    return attend(hook, query, key, value, scale=scale, bias=bias, mask=mask, is_causal=is_causal)


def _attention_shape(query: Any, key: Any, *others: Any, **options: Any) -> Any:
    """Return the shape of its matrix; None where it is asked for what is not done in the open."""
    dropout = others[2] if len(others) > 2 else options.get("dropout_p", 0.0)
    return (*query.shape[:-1], key.shape[-2]) if not dropout and query.ndim > 2 else None


LIBRARY = Library(
    activations=tuple(
        (owner, name)
        for owner in (torch.nn.functional, torch, torch.Tensor)
        for name in ("softmax", "sigmoid", "log_softmax")
    ),
    casts=((torch.Tensor, "to"),),
    contractions=(
        *((torch, name) for name in ("einsum", "matmul", "bmm")),
        *((torch.Tensor, name) for name in ("__matmul__", "matmul", "bmm")),
    ),
    fused=(
        (
            (torch.nn.functional, "scaled_dot_product_attention"),
            _open_attention,
            _attention_shape,
        ),
    ),
    # One kernel for a whole encoder block of `torch.nn`, without gradients alone.
    shortcuts=((torch.backends.mha, "get_fastpath_enabled"),),
)

_ATTEMPTS = 20


def in_the_open(function: Callable[..., Any], _: Callable[[], None]) -> Callable[..., Any]:
    """Return the function as one that `torch.compile` and inference mode leave alone."""
    left_alone: list[Callable[..., Any]] = []

    @functools.wraps(function)
    def run(*arguments: Any, **options: Any) -> Any:
        call = function
        if "torch._dynamo" in sys.modules:  # nobody has compiled anything yet, or it would be there
            if not left_alone:
                left_alone.append(torch.compiler.disable(function))
            (call,) = left_alone
        if not torch.is_inference_mode_enabled():
            return call(*arguments, **options)
        with torch.inference_mode(False), torch.no_grad():
            return call(*arguments, **options)

    return run


def widest_integer() -> str:
    """Name the integers that any other is turned into."""
    return "int64"


def level(tensor: Any) -> Any:
    """Return the same always: PyTorch runs loops and branches in the open."""
    return 0


def version(tensor: Any) -> float:
    """Return how often the tensor was written into; NaN, equal to nothing, if nobody counts."""
    return math.nan if tensor.is_inference() else tensor._version  # what autograd itself goes by


def trace(run: Callable[..., Any], variables: Sequence[keras.Variable], inputs: Any) -> None:
    """Run ``run(values, inputs)`` once without gradients: PyTorch has no shapes without numbers."""
    with torch.no_grad():
        run((), keras.tree.map_structure(keras.ops.convert_to_tensor, inputs))


def compile_program(
    program: Callable[..., Any], variables: Sequence[keras.Variable], arguments: Any
) -> Callable[..., Any]:
    """Return a function that runs ``program(values, *arguments)`` on NumPy arrays.

    PyTorch runs eagerly and reads the variables themselves, so `values` is empty; but for a model
    that was made in inference mode, of whose weights there are no gradients.
    """
    is_copied = any(one.value.is_inference() for one in variables)

    def run(*arrays: Any) -> Any:
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, arrays)
        with torch.no_grad():
            values = [one.value.clone() for one in variables] if is_copied else ()
            outputs = _with_weights_at_rest(lambda: program(values, *tensors))
        return keras.tree.map_structure(lambda x: x.cpu().numpy(), outputs)

    return run


def _with_weights_at_rest(run: Callable[[], Any]) -> Any:
    """Run again if another thread's `fit` wrote into a weight between forward and backward pass."""
    for _ in range(_ATTEMPTS - 1):
        try:
            return run()
        except RuntimeError as error:
            if "modified by an inplace operation" not in str(error):
                raise
    return run()


def differentiate(
    forward: Forward, specs: Sequence[keras.KerasTensor], second_order: Sequence[int] = ()
) -> Derivatives:
    """See `eli5.keras.engine.tensorflow.differentiate`.

    Nothing is recorded up to the first site, and no parameter's gradient is computed behind it.
    """
    captured: list[Any] = [None] * len(specs)

    def hook(site: int) -> Hook:
        def record(activations: Any) -> Any:
            if not activations.requires_grad:
                activations = activations.detach().requires_grad_()
            captured[site] = activations
            torch.set_grad_enabled(True)
            return activations.clone()  # for a model that goes on to write into it

        return record

    with torch.no_grad():  # restores the mode that `record` changes
        scores, extras = forward([hook(site) for site in range(len(specs))])
        extras = keras.tree.map_structure(torch.Tensor.detach, extras)
        graph, columns = bool(second_order), list(scores if isinstance(scores, list) else scores.T)
        gradients = [_gradients(columns, k, captured, graph) for k in range(len(columns))]
        hvps = {s: [_hvp(g[s], captured[s]) for g in gradients] for s in second_order}
    activations = [tensor.detach() for tensor in captured]
    if all(gradient is None for per_site in gradients for gradient in per_site):
        return activations, None, {}, extras
    return activations, [list(map(_or_zeros, g, activations)) for g in gradients], hvps, extras


def _gradients(
    columns: list[Any], k: int, captured: list[Any], create_graph: bool
) -> Sequence[Any]:
    if not columns[k].requires_grad:
        return [None] * len(captured)
    is_last = k == len(columns) - 1
    return torch.autograd.grad(
        columns[k].sum(),
        captured,
        retain_graph=create_graph or not is_last,
        create_graph=create_graph,
        allow_unused=True,
    )


def _hvp(gradient: Any, activations: Any) -> Any:
    """Return the Hessian-vector product at one site, the vector being the activations there."""
    if gradient is None or not gradient.requires_grad:
        return torch.zeros_like(activations)  # the score is linear
    inner = (gradient * activations.detach()).sum()
    (product,) = torch.autograd.grad(inner, [activations], retain_graph=True, allow_unused=True)
    return _or_zeros(product, activations)


def _or_zeros(gradient: Any, activations: Any) -> Any:
    return torch.zeros_like(activations) if gradient is None else gradient.detach()

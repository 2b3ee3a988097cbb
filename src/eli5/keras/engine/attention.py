"""The matrix of an attention: told from other softmaxes, and made where it stays hidden.

``A = softmax(Q K^T * scale + bias)`` says how much each query takes of each key's value. A softmax
over the last axis that is multiplied with values is one; a router's, a sampler's or a classifier's
is not. A fused attention never makes it: while somebody asks for it, it is computed in the open.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from eli5.keras.engine.alignment import Alignment
from eli5.keras.engine.hooks import Hook, Watch

Shape = tuple[int, ...]


class Attention(NamedTuple):
    """The matrix of one attention, in the order of the run."""

    nth: int  # among all that were asked about; see `eli5.keras.engine.hooks.Watch`
    shape: Shape  # ``(B, ..., queries, keys)``; heads may be in the batch, or in groups
    dtype: str
    path: str  # of the innermost operation that was being called
    within: tuple[weakref.ref[keras.Operation], ...]  # the operations around it, outermost first
    position: int  # how many calls had returned before
    is_outside: bool  # see `eli5.keras.engine.tracing.Call`
    is_used: bool  # whether it was seen to be multiplied with values
    is_cross: bool  # whether the keys are of other tokens than the queries, as its layer is called


def attend(
    hook: Hook,
    query: Any,
    key: Any,
    value: Any,
    *,
    scale: Any = None,
    bias: Any = None,
    mask: Any = None,
    is_causal: bool = False,
) -> Any:
    """Return ``hook(softmax(Q K^T * scale + bias, masked)) V``; the softmax is in float32.

    Parameters
    ----------
    hook : callable
        It is given the matrix, shape ``(B, heads, queries, keys)``.
    query, key, value : tensor, shape (B, heads, tokens, depth)
        Keys and values may have fewer heads, each of which several heads of queries share.
    scale : float, optional
        One over the root of the depth if not given.
    bias, mask : tensor that fits the matrix, optional
        What is added to the logits; what is False is not attended to.
    is_causal : bool
        Whether a query attends to none of the keys behind it.
    """
    n_shared = query.shape[-3] // key.shape[-3]
    if n_shared > 1:
        key, value = (ops.repeat(x, n_shared, axis=-3) for x in (key, value))
    scale = query.shape[-1] ** -0.5 if scale is None else scale
    # In float32 where it is half, and scaled where it is smaller than the matrix.
    query = ops.cast(query, "float32") * scale
    logits = ops.matmul(query, ops.swapaxes(ops.cast(key, "float32"), -2, -1))
    if bias is not None:
        logits = logits + ops.cast(bias, "float32")
    n_queries, n_keys = logits.shape[-2:]
    if is_causal:
        rows, columns = ops.arange(n_queries)[:, None], ops.arange(n_keys)[None]
        causal = columns <= rows
        mask = causal if mask is None else ops.logical_and(ops.cast(mask, "bool"), causal)
    if mask is not None:
        logits = ops.where(ops.cast(mask, "bool"), logits, _LARGE_NEGATIVE)
    weights = hook(ops.softmax(logits, axis=-1))
    return ops.matmul(ops.cast(weights, value.dtype), value)


_LARGE_NEGATIVE = -0.7 * 3.38953e38  # in whose place infinity would make a masked row NaN


def is_value(weights: Any, operands: Sequence[Any]) -> bool:
    """Tell whether a product takes the sum of values, of each sample its own, by the weights.

    Parameters
    ----------
    weights : tensor, shape (B, ..., queries, keys)
    operands : sequence
        As ``matmul(a, b)`` or ``einsum(subscripts, a, b)`` takes them.
    """
    if operands and isinstance(operands[0], str):
        return _sums_over_keys(weights, *operands)
    first, *others = operands
    return first is weights and len(others) == 1 and len(others[0].shape) > 2


def _sums_over_keys(weights: Any, subscripts: str, *operands: Any) -> bool:
    """Tell it of an einsum: it sums over the keys, and the values do not know the queries."""
    inputs, _, output = subscripts.replace(" ", "").replace("...", "").partition("->")
    pairs = list(zip(inputs.split(","), operands, strict=False))
    own = [letters for letters, operand in pairs if operand is weights]
    others = [(letters, operand) for letters, operand in pairs if operand is not weights]
    if len(own) != 1 or len(others) != 1 or len(own[0]) < 2:
        return False
    queries, keys = own[0][-2], own[0][-1]
    letters, values = others[0]
    is_summed = keys not in output and keys in letters
    return is_summed and queries in output and queries not in letters and len(values.shape) > 2


def _is_cross(
    arguments: Sequence[Any], shape: Shape, alignment_of: Callable[[Any], Alignment | None]
) -> bool:
    """Tell whether the innermost layer that was given tokens was given two kinds of them."""
    for args, kwargs in reversed(arguments):
        if args and isinstance(args[0], tuple | list):  # [query, value, key], as `Attention` has it
            args = (*args[0], *args[1:])
        if args and _is_tokens(args[0]) and tuple(args[0].shape) == tuple(shape):
            continue  # logits, which a layer makes the matrix of
        named = {name: one for name, one in kwargs.items() if _is_tokens(one)}
        given = [*filter(_is_tokens, args), *named.values()]
        if not given:
            continue
        # As Keras's layers take them: query, value and key, which is the value if it is not given.
        query = named.get("query", given[0])
        key = named.get("key", args[2] if len(args) > 2 and _is_tokens(args[2]) else None)
        key = named.get("value", given[min(1, len(given) - 1)]) if key is None else key
        if key is query or key.shape[-1] != query.shape[-1]:
            return False
        # The doc's tokens at the same places, normalised twice or with positions added to one.
        known = alignment_of(query)
        return known is None or known.root is not None or known != alignment_of(key)
    return False


def _is_tokens(value: Any) -> bool:
    return bool(ops.is_tensor(value)) and len(value.shape) == 3 and "float" in str(value.dtype)


class AttentionRecorder:
    """Writes down what may be the matrix of an attention, and what it is used for."""

    def __init__(self, alignment_of: Callable[[Any], Alignment | None]) -> None:
        self._alignment_of = alignment_of  # where a tensor lies, if that is known
        self._found: list[Attention] = []
        self._used: set[int] = set()
        # By the id of a tensor that holds a matrix: the tensor, and which matrix it is.
        self._held: dict[int, tuple[weakref.ref[Any], int]] = {}

    def note(self, watching: Watch, shape: Any, tensor: Any, is_fused: bool, **at: Any) -> None:
        """Note a softmax or a fused attention; see `eli5.keras.engine.hooks.Watch`."""
        nth, running = len(self._found), watching.running
        if is_fused:
            self._used.add(nth)
        else:
            self._held[id(tensor)] = weakref.ref(tensor), nth
        self._found.append(
            Attention(
                nth,
                tuple(int(size) for size in shape),
                "float32" if is_fused else keras.backend.standardize_dtype(tensor.dtype),
                "/".join(op.name for op in running[1:]),
                tuple(map(weakref.ref, running)),
                is_used=False,
                is_cross=_is_cross(watching.arguments, shape, self._alignment_of),
                **at,
            )
        )

    def note_same(self, tensor: Any, output: Any) -> None:
        """Note that `output` holds what `tensor` does, in another type or masked."""
        nth = self._which(tensor)
        if nth is not None:
            self._held[id(output)] = weakref.ref(output), nth

    def note_returned(self, running: Sequence[keras.Operation], output: Any) -> None:
        """Note what an operation has made of a matrix that it made itself, such as a masked one."""
        last = self._found[-1] if self._found else None
        if last is None or last.within[-1]() is not running[-1]:
            return
        if tuple(output.shape) == last.shape:
            self._held[id(output)] = weakref.ref(output), last.nth

    def note_contraction(self, operands: Any) -> None:
        """Note what is multiplied."""
        for operand in operands:
            nth = None if isinstance(operand, str) else self._which(operand)
            if nth is not None and is_value(operand, operands):
                self._used.add(nth)

    def finish(self) -> Iterator[Attention]:
        """Yield what was found, in the order of the run."""
        for one in self._found:
            yield one._replace(is_used=one.nth in self._used)

    def _which(self, tensor: Any) -> int | None:
        reference, nth = self._held.get(id(tensor), (None, None))
        return nth if reference is not None and reference() is tensor else None

"""What can be asked of a run of a model, and keys for what takes part in it."""

from __future__ import annotations

import contextlib
import math
import types
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
from keras import ops


class Site(NamedTuple):
    """What is read or replaced, and how it is seen as a map.

    The output of a layer's call, an input, or the matrix of an attention.
    """

    # The operation, None for an input; which of its calls, from 0; its name, for people.
    operation: keras.Operation | None
    nth: int
    path: str
    channels_first: bool = False  # whether the channels are the first axis behind the batch axis
    # For tokens ``(B, L, C)``: the grid that the last ``prod(grid)`` of them lie on, row by row.
    grid: tuple[int, ...] | None = None
    input_index: int | None = None  # for an input: which one, in the order of `keras.tree.flatten`
    # False for an input whose numbers are a cell each: a grey picture ``(B, H, W)``.
    has_channels: bool = True
    # Whether it is an input, or stands for one that cannot be differentiated: the output of an
    # embedding stands for the token ids.
    is_input: bool = False
    shape: tuple[int, ...] = ()  # of its output for one sample, batch axis included
    # Of what one sample becomes several of in the batch, the slowest first: how many there are, and
    # which axis of the map they are pieces of; None for an axis of their own, in front of it.
    samples: tuple[tuple[int, int | None], ...] = ()
    dtype: str = ""
    # For a map that is over other axes than the doc's cells are: which of those each of its axes
    # is, None for one that is none of them.
    axes: tuple[int | None, ...] = ()
    # Whether it is the matrix of an attention; `nth` then counts those of the whole run.
    is_attention: bool = False

    def fold(self, tensor: Any) -> Any:
        """Return activations, or their gradients, as ``(B, *grid, C)``.

        The matrix of an attention has ``(B, heads, queries, keys)``.
        """
        if self.is_attention:  # whose heads may be in the batch, or in groups
            n_samples = tensor.shape[0] // self.shape[0]
            return ops.reshape(tensor, (n_samples, -1, *tensor.shape[-2:]))
        if self.grid is not None:
            batch, _, channels = tensor.shape
            patches = tensor[:, -math.prod(self.grid) :]
            return ops.reshape(patches, (batch, *self.grid, channels))
        last = ops.moveaxis(tensor, 1, -1) if self.channels_first else tensor
        last = last if self.has_channels else last[..., None]
        return self._join_samples(last) if self.samples else last

    def _join_samples(self, maps: Any) -> Any:
        """Return maps (B * n, *grid, C) of frames or patches as those of whole samples."""
        sizes = [size for size, _ in self.samples]
        grid, n = maps.shape[1:-1], len(sizes)
        split = ops.reshape(maps, (-1, *sizes, *maps.shape[1:]))
        order, shape = [0], [-1]
        for k, (size, into) in enumerate(self.samples):
            if into is None:
                order.append(1 + k)
                shape.append(size)
        for axis, cells in enumerate(grid):
            pieces = [k for k, (_, into) in enumerate(self.samples) if into == axis]
            order += [*(1 + k for k in pieces), 1 + n + axis]
            shape.append(math.prod(sizes[k] for k in pieces) * cells)
        order.append(1 + n + len(grid))
        return ops.reshape(ops.transpose(split, order), (*shape, maps.shape[-1]))

    def unfold(self, pictures: Any) -> Any:
        """Return pictures ``(n, *grid, C)`` as the model takes them: `fold`'s inverse."""
        last = pictures if self.has_channels else pictures[..., 0]
        return ops.moveaxis(last, -1, 1) if self.channels_first else last

    def scale(self, tensor: Any, factors: Any) -> Any:
        """Multiply each map by a factor, shape (n, C); tokens outside of the grid stay as they are.

        The tensor may have one sample, which is then repeated.
        """
        factors = ops.cast(factors, tensor.dtype)
        batch, channels = factors.shape
        if self.grid is not None:
            patches = math.prod(self.grid)
            before = ops.repeat(tensor[:, :-patches], batch // tensor.shape[0], axis=0)
            return ops.concatenate([before, tensor[:, -patches:] * factors[:, None, :]], axis=1)
        ones = [1] * (tensor.ndim - 2)
        shape = (batch, channels, *ones) if self.channels_first else (batch, *ones, channels)
        return tensor * ops.reshape(factors, shape)


class Query(NamedTuple):
    """What is asked of a run of the model; one program is compiled for each."""

    score: Any  # handed on to `select`; another callable is another query
    # ``select(outputs, activation_of, targets, score) -> (scores (B, K), report)``, where
    # ``activation_of(tensor)`` gives the softmax or sigmoid that made a tensor, or None. Scores
    # that are made one by one are given as a list of K columns (B,): through one tensor of all,
    # each gradient would go back through the making of all.
    select: Callable[..., tuple[Any, Any]]
    sites: tuple[Site, ...] = ()  # whose outputs the scores are differentiated with respect to
    # One per site: ``formula(activations, gradients, hessian_products) -> result`` on float32
    # tensors of shape (B, *grid, C); there are K gradients. Only the results leave the device.
    # Without formulas nothing is differentiated.
    formulas: tuple[Callable[..., Any], ...] = ()
    # To a user's own functions that the formulas call: the program is made anew where they change.
    functions: tuple[Reference, ...] = ()
    # The indices of the sites whose formulas get K products of the score's Hessian there with the
    # activations. Formulas at the others get None.
    second_order: tuple[int, ...] = ()
    # ``arrange(inputs, *extra) -> inputs``: changes the inputs before the model sees them.
    arrange: Callable[..., Any] | None = None
    # ``change(site, output, *extra) -> output``: changes the output there, before anything is read
    # or differentiated.
    replace: tuple[tuple[Site, Callable[..., Any]], ...] = ()
    # ``combine(results, *extra) -> results``: what of the formulas' results leaves the device.
    combine: Callable[..., Any] | None = None
    # Without formulas: whether the activations at the sites leave the device too.
    read: bool = False
    # With formulas: whose outputs `combine` gets behind the formulas' results, as ``(B, *grid, C)``
    # in float32; nothing is differentiated with respect to them.
    beside: tuple[Site, ...] = ()
    # Layers that follow each other, each the only way to the next, from the first to the last: what
    # is behind the last runs on the outputs of all of them, one after the other in the batch, and
    # no gradient flows from one to the one before. See `eli5.keras.engine.tower`.
    tower: tuple[Site, ...] = ()
    # The site whose output `select` gets in the place of the model's outputs.
    score_site: Site | None = None
    # Of which sample in the batch all take the state, in recurrent layers that keep one for each;
    # None leaves each its own. Samples that are variants of one doc must all start from the same.
    slot: int | None = None


class Reference:
    """A key that stands for a thing, by its identity, and keeps it alive only if it must.

    One whose thing is gone is equal to itself alone: its id may be given away again, and keys that
    were not equal must never become so.
    """

    def __init__(self, thing: Any) -> None:
        self._key: Any = id(thing)
        self._get: Callable[[], Any] = lambda: thing
        if isinstance(thing, types.MethodType):  # made anew at each look-up
            self._key = id(thing.__self__), id(thing.__func__)
            self._get = _refer_to_method(thing)
        elif isinstance(thing, str | None):
            self._key = thing
        else:
            with contextlib.suppress(TypeError):  # a thing may have no room for weak references
                self._get = weakref.ref(thing)

    def __call__(self) -> Any:
        """Return the thing, or None if it is gone."""
        return self._get()

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Reference) or self._key != other._key:
            return False
        return self() is not None and other() is not None


def _refer_to_method(method: types.MethodType) -> Callable[[], Any]:
    """Return what gives a bound method as long as its object and its function live.

    `weakref.WeakMethod` has callbacks, and they fail where an object and its function are collected
    together with a dictionary's entry that held the `WeakMethod`: what the cache does.
    """
    get_owner, get_function = weakref.ref(method.__self__), weakref.ref(method.__func__)

    def get() -> Any:
        owner, function = get_owner(), get_function()
        return None if owner is None or function is None else types.MethodType(function, owner)

    return get

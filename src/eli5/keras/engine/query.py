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
    """The layer call, or the input, that is read or replaced, and how it is seen as a map.

    Attributes
    ----------
    operation, nth, path
        The operation, None for an input; which of its calls, from 0; its name, for people.
    channels_first : bool
        Whether the channels are the first axis behind the batch axis.
    grid : tuple of int, optional
        For tokens ``(B, L, C)``: the grid that the last ``prod(grid)`` of them lie on, row by row.
    input_index : int, optional
        For an input: which one, in the order of `keras.tree.flatten`.
    has_channels : bool
        False for an input whose numbers are a cell each: a grey picture ``(B, H, W)``.
    is_input : bool
        Whether it is an input, or stands for one that cannot be differentiated: the output of an
        embedding stands for the token ids.
    shape, dtype
        Of its output for one sample, batch axis included.
    """

    operation: keras.Operation | None
    nth: int
    path: str
    channels_first: bool = False
    grid: tuple[int, ...] | None = None
    input_index: int | None = None
    has_channels: bool = True
    is_input: bool = False
    shape: tuple[int, ...] = ()
    dtype: str = ""

    def fold(self, tensor: Any) -> Any:
        """Return activations, or their gradients, as ``(B, *grid, C)``."""
        if self.grid is not None:
            batch, _, channels = tensor.shape
            patches = tensor[:, -math.prod(self.grid) :]
            return ops.reshape(patches, (batch, *self.grid, channels))
        last = ops.moveaxis(tensor, 1, -1) if self.channels_first else tensor
        return last if self.has_channels else last[..., None]

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
    """What is asked of a run of the model; one program is compiled for each.

    Attributes
    ----------
    score : hashable
        Handed on to `select`; another callable is another query.
    select : callable
        ``select(outputs, activation_of, targets, score) -> (scores (B, K), report)``, where
        ``activation_of(tensor)`` gives the softmax or sigmoid that made a tensor, or None.
    sites : tuple of Site
        Whose outputs the scores are differentiated with respect to.
    formulas : tuple of callable
        One per site: ``formula(activations, gradients, hessian_products) -> result`` on float32
        tensors of shape (B, *grid, C); there are K gradients. Only the results leave the device.
        Without formulas nothing is differentiated.
    second_order : tuple of int
        The indices of the sites whose formulas get K products of the score's Hessian there with
        the activations. Formulas at the others get None.
    arrange : callable, optional
        ``arrange(inputs, *extra) -> inputs``: changes the inputs before the model sees them.
    replace : tuple of (Site, callable)
        ``change(site, output, *extra) -> output``: changes the output there, before anything is
        read or differentiated.
    combine : callable, optional
        ``combine(results, *extra) -> results``: what of the formulas' results leaves the device.
    read : bool
        Without formulas: whether the activations at the sites leave the device too.
    """

    score: Any
    select: Callable[..., tuple[Any, Any]]
    sites: tuple[Site, ...] = ()
    formulas: tuple[Callable[..., Any], ...] = ()
    second_order: tuple[int, ...] = ()
    arrange: Callable[..., Any] | None = None
    replace: tuple[tuple[Site, Callable[..., Any]], ...] = ()
    combine: Callable[..., Any] | None = None
    read: bool = False


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
            self._get = weakref.WeakMethod(thing)
        elif isinstance(thing, str | None):
            self._key = thing
        else:
            with contextlib.suppress(TypeError):  # a thing may have no room for weak references
                self._get = weakref.ref(thing)

    def __call__(self) -> Any:
        """Return the thing, or None if it is gone."""
        return self._get()

    def is_to(self, thing: Any) -> bool:
        """Tell whether it gives this very thing; faster than a reference to that."""
        if isinstance(thing, types.MethodType):
            return self == Reference(thing)
        return thing is not None and self._get() is thing

    def __hash__(self) -> int:
        return hash(self._key)

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Reference) or self._key != other._key:
            return False
        return self() is not None and other() is not None

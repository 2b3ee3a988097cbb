"""A key that stands for a thing and does not keep it alive."""

from __future__ import annotations

import types
import weakref
from collections.abc import Callable
from typing import Any


class Reference:
    """A thing by its identity, held weakly where it can be; fit to be a key.

    Equal to another reference only as long as both give the same thing. One whose thing is gone is
    equal to itself alone: its id may be given away again, and keys that were not equal must never
    become so.
    """

    def __init__(self, thing: Any) -> None:
        self._key: Any = id(thing)
        if isinstance(thing, types.MethodType):  # made anew at each look-up
            self._key = id(thing.__self__), id(thing.__func__)
            self._get: Callable[[], Any] = _weak_method(thing)
        elif isinstance(thing, str | None):
            self._key, self._get = thing, lambda: thing
        else:
            try:
                self._get = weakref.ref(thing)
            except TypeError:  # has slots and no place for weak references
                self._get = lambda: thing

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


def _weak_method(method: types.MethodType) -> Callable[[], Any]:
    owner, function = weakref.ref(method.__self__), weakref.ref(method.__func__)

    def get() -> Any:
        alive, its_owner = function(), owner()
        return None if alive is None or its_owner is None else types.MethodType(alive, its_owner)

    return get

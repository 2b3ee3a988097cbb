"""What a compiled program has built in of a model: its parts, weights and plain attributes."""

from __future__ import annotations

import operator
import types
import weakref
from collections.abc import Iterable, Iterator
from typing import Any

import keras

from eli5.keras.engine.query import Reference

# An attribute of an operation: whose it is, by id, and its name.
Attribute = tuple[int, str]

_PARTS = (keras.Operation, keras.Variable)

_PLAIN = (int, float, str, types.BuiltinFunctionType, keras.DTypePolicy, types.NoneType)

# What Keras itself sets on a model that is trained or used.
_BOOKKEEPING = (
    *("_", "build", "built", "quantize", "stop_"),
    *("train_function", "test_function", "predict_function"),
)

# Callable, but not called any more when a model is; there are hundreds of them.
_WHILE_BUILT = (
    type,
    keras.initializers.Initializer,
    keras.regularizers.Regularizer,
    keras.constraints.Constraint,
)


class _OperationState:
    """What is watched of one operation: values, the parts that it lists, functions and arrays."""

    __slots__ = (
        *("_get", "_lists", "_n_attributes", "_names", "_part_ids", "_plain", "_references"),
        *("_type", "_values", "operation"),
    )

    def __init__(self, operation: keras.Operation, ignored: frozenset[Attribute]) -> None:
        attributes, watched = vars(operation), _watched(operation, ignored)
        self.operation: Any = weakref.ref(operation)
        self._type = type(operation)
        self._n_attributes = len(attributes)
        self._names = set(watched)
        self._plain = [name for name, value in watched.items() if _holds_nothing(value)]
        # One name alone would come without a tuple.
        names = *self._plain, *self._plain[:1]
        self._get: Any = operator.itemgetter(*names) if names else lambda _: ()
        self._values = self._get(attributes)
        self._lists = _lists(operation)
        self._part_ids = _ids(attributes, self._lists)
        # Weak, as a function may hold the model.
        others = [name for name in watched if name not in self._plain]
        self._references = [(name, Reference(watched[name])) for name in others]

    def is_unchanged(self, ignored: frozenset[Attribute]) -> bool:
        """Tell whether the operation is as it was: the cheap and likely checks come first."""
        operation = self.operation()
        now = vars(operation)
        if type(operation) is not self._type or self._get(now) != self._values:
            return False
        if self._lists and _ids(now, self._lists) != self._part_ids:
            return False
        for name, reference in self._references:  # a loop: a generator would cost more here
            if not reference.is_to(now[name]):
                return False
        if len(now) != self._n_attributes:
            if _watched(operation, ignored).keys() != self._names:
                return False
            self._n_attributes = len(now)
        return True

    def changed(self, ignored: frozenset[Attribute]) -> Iterator[str]:
        """Yield the names of the attributes that are not what they were, or were not there."""
        now = vars(self.operation())
        for name, value in zip(self._plain, self._values, strict=False):
            if now.get(name) is not value:
                yield name
        for name, reference in self._references:
            if not reference.is_to(now.get(name)):
                yield name
        yield from _watched(self.operation(), ignored).keys() - self._names


class Fingerprint:
    """The state of some operations, to be compared with what it is later.

    People change a model in place: an activation, a scale, a flag, a layer that is added, a `call`.
    A list, dict or array of numbers that is changed within is not noticed, nor is what is ignored.
    """

    def __init__(
        self, operations: Iterable[keras.Operation], ignored: frozenset[Attribute] = frozenset()
    ) -> None:
        self._ignored = ignored
        operations = list(operations)
        self.ids = frozenset(map(id, operations))
        self._states = [_OperationState(operation, ignored) for operation in operations]

    def is_unchanged(self) -> bool:
        """Tell whether nothing has changed; this runs before each explanation."""
        try:
            for state in self._states:
                if not state.is_unchanged(self._ignored):
                    return False
        except (KeyError, TypeError, ValueError):  # gone, or an array where a number was
            return False
        return True

    def changed(self) -> Iterator[Attribute]:
        """Yield the attributes that are not what they were, or were not there."""
        for state in self._states:
            if (operation := state.operation()) is not None:
                yield from ((id(operation), name) for name in state.changed(self._ignored))


def parts_of(model: keras.Model) -> list[keras.Operation]:
    """Return the model and all operations that it holds, at any depth."""
    parts: dict[int, keras.Operation] = {}
    waiting = [model]
    while waiting:
        operation = waiting.pop()
        if id(operation) not in parts:
            parts[id(operation)] = operation
            held = (item for name in _lists(operation) for item in vars(operation)[name])
            waiting.extend(part for part in held if isinstance(part, keras.Operation))
    return list(parts.values())


def _watched(operation: Any, ignored: frozenset[Attribute]) -> dict[str, Any]:
    """Return the attributes of an operation's own that may decide what it computes."""
    return {
        name: value
        for name, value in vars(operation).items()
        if _may_decide(name, value) and (id(operation), name) not in ignored
    }


def _may_decide(name: str, value: Any) -> bool:
    if isinstance(value, keras.DTypePolicy):
        return True
    if name.startswith(_BOOKKEEPING) or isinstance(value, _PARTS + _WHILE_BUILT):
        return False
    return _holds_nothing(value) or callable(value) or hasattr(value, "__array__")


def _holds_nothing(value: Any) -> bool:
    """Tell a value that cannot keep the model alive, as a function from a module's top cannot."""
    if isinstance(value, types.FunctionType):
        return value.__closure__ is None and "<locals>" not in value.__qualname__
    if isinstance(value, tuple):
        return all(isinstance(item, _PLAIN) for item in value)
    return isinstance(value, _PLAIN)


def _lists(operation: keras.Operation) -> list[str]:
    """Name the attributes that list parts; in what has layers an empty one may come to."""
    lists = {
        name: value
        for name, value in vars(operation).items()
        if isinstance(value, list) and all(isinstance(item, _PARTS) for item in value)
    }
    has_layers = any(isinstance(item, keras.Operation) for v in lists.values() for item in v)
    return [name for name, value in lists.items() if value or has_layers]


def _ids(attributes: dict[str, Any], lists: list[str]) -> list[int]:
    return [id(item) for name in lists for item in attributes[name] if isinstance(item, _PARTS)]

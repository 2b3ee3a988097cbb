"""What a compiled program has built in of a model: its parts, weights and plain attributes."""

from __future__ import annotations

import operator
import types
import weakref
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import keras

from eli5.keras.engine.reference import Reference

# An attribute of an operation: whose it is, by id, and its name.
Attribute = tuple[int, str]

_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)
_PARTS = (keras.Operation, keras.Variable)

# What Keras itself sets on a model that is trained or used.
_BOOKKEEPING = ("_", "stop_", "built", "train_function", "test_function", "predict_function")


class _Row(NamedTuple):
    """What is watched of one operation.

    Attributes
    ----------
    operation : weakref.ref
    get : callable
        Gives the plain attributes out of the operation's `vars`.
    values : Any
        What it gave.
    lists : list of str
        The attributes that hold parts: layers, weights.
    parts : list of int
        Their ids.
    functions : dict of Reference
        By name; weak, as a function may hold the model.
    names : list of str
        Of the plain attributes.
    """

    operation: weakref.ref[keras.Operation]
    get: Callable[[dict[str, Any]], Any]
    values: Any
    lists: list[str]
    parts: list[int]
    functions: dict[str, Reference]
    names: list[str]


class Traits:
    """The state of some operations, to be compared with what it is later.

    People change a model in place: an activation, a scale, a flag, a layer that is added. A list or
    dict of numbers that is changed within is not noticed.

    Parameters
    ----------
    operations : iterable of keras.Operation
    ignored : frozenset of (id, name)
        Attributes that are not watched.
    """

    def __init__(
        self, operations: Iterable[keras.Operation], ignored: frozenset[Attribute] = frozenset()
    ) -> None:
        self._rows = [_row(operation, ignored) for operation in operations]

    def are_the_same(self) -> bool:
        """Tell whether nothing has changed; this runs before each explanation."""
        try:
            for operation, get, values, lists, parts, functions, _ in self._rows:
                now = vars(operation())
                if get(now) != values or (lists and _ids(now, lists) != parts):
                    return False
                for name, function in functions.items():
                    if Reference(now[name]) != function:
                        return False
        except (KeyError, TypeError, ValueError):  # gone, or an array where a number was
            return False
        return True

    def changed(self) -> Iterator[Attribute]:
        """Yield the plain attributes that are not what they were."""
        for row in self._rows:
            operation = row.operation()
            for name, value in zip(row.names, row.values, strict=False):
                if operation is not None and vars(operation).get(name) is not value:
                    yield id(operation), name


def parts_of(model: keras.Model) -> list[keras.Operation]:
    """Return the model and all operations that it holds, at any depth."""
    found = {id(model): model}
    waiting = [model]
    while waiting:
        operation = waiting.pop()
        for part in _parts(vars(operation), _lists(operation)):
            if isinstance(part, keras.Operation) and id(part) not in found:
                found[id(part)] = part
                waiting.append(part)
    return list(found.values())


def _row(operation: keras.Operation, ignored: frozenset[Attribute]) -> _Row:
    own = {
        name: value
        for name, value in vars(operation).items()
        if (id(operation), name) not in ignored and _is_watched(operation, name, value)
    }
    plain = [name for name, value in own.items() if _holds_nothing(value)]
    # One name alone would come without a tuple.
    get = operator.itemgetter(*plain, *plain[:1]) if plain else _nothing
    lists = _lists(operation)
    functions = {
        name: Reference(value)
        for name, value in own.items()
        if isinstance(value, _FUNCTIONS) and name not in plain
    }
    now = vars(operation)
    reference = weakref.ref(operation)
    return _Row(reference, get, get(now), lists, _ids(now, lists), functions, plain)


def _nothing(_: dict[str, Any]) -> tuple[()]:
    return ()


def _is_watched(operation: keras.Operation, name: str, value: Any) -> bool:
    if isinstance(value, keras.DTypePolicy):
        return True
    return not name.startswith(_BOOKKEEPING) and not hasattr(type(operation), name)


def _holds_nothing(value: Any) -> bool:
    """Tell a value that cannot keep the model alive, as a function from a module's top cannot."""
    if isinstance(value, types.FunctionType):
        return value.__closure__ is None and "<locals>" not in value.__qualname__
    return isinstance(
        value, int | float | str | types.BuiltinFunctionType | keras.DTypePolicy | None
    )


def _lists(operation: keras.Operation) -> list[str]:
    """Name the attributes that list parts; in what has layers an empty one may come to."""
    found = {
        name: value
        for name, value in vars(operation).items()
        if isinstance(value, list) and all(isinstance(item, _PARTS) for item in value)
    }
    has_layers = any(isinstance(item, keras.Operation) for v in found.values() for item in v)
    return [name for name, value in found.items() if value or has_layers]


def _parts(now: dict[str, Any], lists: list[str]) -> Iterator[Any]:
    return (item for name in lists for item in now[name] if isinstance(item, _PARTS))


def _ids(now: dict[str, Any], lists: list[str]) -> list[int]:
    return [id(item) for name in lists for item in now[name] if isinstance(item, _PARTS)]

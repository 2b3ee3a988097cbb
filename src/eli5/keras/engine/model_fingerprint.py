"""What a compiled program has built in of a model: its parts, weights and plain attributes."""

from __future__ import annotations

import dataclasses
import operator
import types
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator
from typing import Any

import keras
from eli5.keras.engine.reference import Reference

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


@dataclasses.dataclass(slots=True)
class _Row:
    """What is watched of one operation.

    Attributes
    ----------
    operation : weakref.ref
    kind : type
        Its class.
    n_names : int
        How many attributes it has, watched or not.
    names : set of str
        Of all that are watched.
    plain : list of str
        Of those, the ones that are compared by value.
    get : callable
        Gives their values out of the operation's `vars`.
    values : tuple
        What it gave.
    lists : list of str
        The attributes that hold parts: layers, weights.
    parts : list of int
        Their ids.
    others : list of (str, Reference)
        Functions and arrays; weak, as a function may hold the model.
    """

    operation: weakref.ref[keras.Operation]
    kind: type
    n_names: int
    names: set[str]
    plain: list[str]
    get: Callable[[dict[str, Any]], Any]
    values: Any
    lists: list[str]
    parts: list[int]
    others: list[tuple[str, Reference]]


class Traits:
    """The state of some operations, to be compared with what it is later.

    People change a model in place: an activation, a scale, a flag, a layer that is added, a `call`.
    A list, dict or array of numbers that is changed within is not noticed.

    Parameters
    ----------
    operations : iterable of keras.Operation
    ignored : frozenset of (id, name)
        Attributes that are not watched.
    """

    def __init__(
        self, operations: Iterable[keras.Operation], ignored: frozenset[Attribute] = frozenset()
    ) -> None:
        self._ignored = ignored
        operations = list(operations)
        self._ids = frozenset(map(id, operations))
        self._rows = [_row(operation, ignored) for operation in operations]

    def cover(self, ids: Collection[int]) -> bool:
        """Tell whether operations of these ids, all of them alive, are among those watched."""
        return self._ids.issuperset(ids)

    def are_the_same(self) -> bool:
        """Tell whether nothing has changed; this runs before each explanation."""
        try:
            for row in self._rows:
                operation = row.operation()
                now = vars(operation)
                if type(operation) is not row.kind or row.get(now) != row.values:
                    return False
                if row.lists and _ids(now, row.lists) != row.parts:
                    return False
                for name, other in row.others:
                    if not other.is_to(now[name]):
                        return False
                if len(now) != row.n_names:
                    if _watched(operation, self._ignored).keys() != row.names:
                        return False
                    row.n_names = len(now)
        except (KeyError, TypeError, ValueError):  # gone, or an array where a number was
            return False
        return True

    def changed(self) -> Iterator[Attribute]:
        """Yield the attributes that are not what they were, or were not there."""
        for row in self._rows:
            operation = row.operation()
            if operation is None:
                continue
            now = vars(operation)
            for name, value in zip(row.plain, row.values, strict=False):
                if now.get(name) is not value:
                    yield id(operation), name
            for name, other in row.others:
                if not other.is_to(now.get(name)):
                    yield id(operation), name
            for name in _watched(operation, self._ignored).keys() - row.names:
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
    now = vars(operation)
    watched = _watched(operation, ignored)
    plain = [name for name, value in watched.items() if _holds_nothing(value)]
    lists = _lists(operation)
    # One name alone would come without a tuple.
    get = operator.itemgetter(*plain, *plain[:1]) if plain else _nothing
    return _Row(
        weakref.ref(operation),
        type(operation),
        len(now),
        set(watched),
        plain,
        get,
        get(now),
        lists,
        _ids(now, lists),
        [(name, Reference(value)) for name, value in watched.items() if name not in plain],
    )


def _nothing(_: dict[str, Any]) -> tuple[()]:
    return ()


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

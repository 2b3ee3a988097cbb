"""What a compiled program has built in of a model, and of the functions that it was made with."""

from __future__ import annotations

import enum
import functools
import operator
import types
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.keras.engine.query import Reference

# What may change of a thing: whose it is, by id, and the attribute's name.
Attribute = tuple[int, str]

_LIBRARIES = ("builtins", "keras", "keras_hub", "torch", "tensorflow", "jax")

# The ends of names of what makes weights, and is asked no more when a model is called.
_WHILE_BUILT = ("_initializer", "_regularizer", "_constraint")

# Attributes that hold an operation's parts in Keras's own containers, or PyTorch's.
_OF_PARTS = ("_layers", "_operations", "_modules")

# What Keras keeps on any layer and model, also while it is trained and used, and which does not
# decide what a prediction is.
_BOOKKEEPING = frozenset(
    [
        *vars(keras.layers.Layer()),
        *vars(keras.Model()),
        *("_functional", "_inputs", "_inputs_struct", "_outputs", "_outputs_struct"),
        *("_nodes", "_nodes_by_depth", "_operations", "_operations_by_depth", "_input_spec"),
        *("optimizer", "history", "stop_training", "stop_evaluating", "stop_predicting"),
        *("_compile_config", "_compiled_trainable_state", "_eval_epoch_iterator"),
        *("_jax_state", "_jax_state_synced", "_allow_non_tensor_positional_args"),
        *("output_names", "input_names", "_call_has_context_arg", "_input_tensor"),
    ]
) - {"name", "autocast", "_dtype_policy", "_supports_masking"}

# How names begin that TensorFlow keeps on what it may save.
_OF_TF = "_self_"

# What Keras keeps among a PyTorch module's parts, next to its layers.
_OF_MODULES = ("_functional", "_torch_params")

# What Python itself writes into a class.
_OF_CLASSES = ("__slotnames__", "__abstractmethods__", "_abc_impl", "__dict__", "__weakref__")

_OF_FUNCTIONS = ("__code__", "__defaults__", "__kwdefaults__")

# Values that are compared, and that cannot keep a model alive.
_PLAIN = (
    *(int, float, complex, str, bytes, range, enum.Enum, np.generic, types.NoneType),
    *(types.CodeType, types.BuiltinFunctionType, keras.DTypePolicy),
)

# Containers whose items are looked at, as they have no room for weak references, and so could be
# followed by others at their address.
_CONTAINERS = (tuple, list, dict, types.SimpleNamespace)
_MOST_ITEMS, _DEEPEST = 1000, 5

# Callable, but watched for themselves, or not called any more when a model is.
_NOT_FOLLOWED = (
    *(type, keras.Operation, keras.initializers.Initializer, keras.regularizers.Regularizer),
    keras.constraints.Constraint,
)


class _State:
    """What a thing was made of: the ids of its attributes, and what keeps these ids from others."""

    __slots__ = ("_get", "_ids", "_names", "_parts", "_pinned", "_read", "_size", "type")

    def __init__(self, fingerprint: Fingerprint, thing: Any, seen: tuple[int, ...]) -> None:
        is_object = isinstance(thing, keras.Operation)
        self._read: Any = operator.attrgetter("__dict__") if is_object else _contents
        contents = self._read(thing)
        self._names = _watched(thing, contents, fingerprint.ignored)
        self._size = len(contents)
        self.type = type(thing)
        self._get = _getter(self._names)
        self._parts: list[tuple[int, Any, _State]] = []  # with their positions among the names
        self._pinned: dict[Any, Any] = {}
        values = self._get(contents)
        self._ids = list(map(id, values))
        for k, (name, value) in enumerate(zip(self._names, values, strict=True)):
            is_followed = _is_followed(value) and id(value) not in seen and len(seen) < _DEEPEST
            if is_followed:
                part = _State(fingerprint, value, (*seen, id(value)))
                self._parts.append((k, name, part))
            if not (is_followed and isinstance(value, _CONTAINERS)):
                self._pinned[name] = fingerprint.pin(value)

    def is_unchanged(self, thing: Any, ignored: frozenset[Attribute]) -> bool:
        """Tell whether a thing is as it was: the cheap and likely checks come first."""
        if type(thing) is not self.type:
            return False
        contents = self._read(thing)
        values = self._get(contents)
        if len(contents) != self._size:
            if _watched(thing, contents, ignored) != self._names:
                return False
            self._size = len(contents)
        if list(map(id, values)) != self._ids:
            if any(True for _ in self.changed(thing, ignored)):
                return False
            self._take_over(values)
        return not self._parts or all(
            part.is_unchanged(values[k], ignored) for k, _, part in self._parts
        )

    def changed(self, thing: Any, ignored: frozenset[Attribute]) -> Iterator[Any]:
        """Yield the names of the attributes that are not what they were, or were not there."""
        contents, missing = self._read(thing), object()
        for name in self._names:
            if not self._is_as_before(name, contents.get(name, missing), ignored):
                yield name
        yield from set(_watched(thing, contents, ignored)).difference(self._names)

    def _is_as_before(self, name: Any, value: Any, ignored: frozenset[Attribute]) -> bool:
        if name in self._pinned and not _is_same(self._pinned[name], value):
            return False
        parts = (part for _, of, part in self._parts if of == name)
        return all(part.is_unchanged(value, ignored) for part in parts)

    def _take_over(self, values: Iterable[Any]) -> None:
        """Keep equal values in place of those that were there."""
        self._ids = list(map(id, values))
        for name, value in zip(self._names, values, strict=True):
            if _is_plain(value):
                self._pinned[name] = value


class _Pin(weakref.ref[Any]):
    """A weak reference of ours: there may be others among an operation's attributes."""

    __slots__ = ()


class _Address(NamedTuple):
    """Stands for a container that is too large, or too deep, to look into."""

    of: int


class Fingerprint:
    """The state of some operations, or functions, to be compared with what it is later.

    People change a model in place: an activation, a scale, a layer, a dict of them, a `call`, a
    class's default. Whatever is assigned is noticed, on each operation, its class, and the
    functions and objects that are called; and what these functions hold in their closures,
    defaults and attributes. What is changed deep within is not: the numbers of an array, an
    attribute of an object, a module's global; nor is what is ignored.
    """

    def __init__(self, things: Iterable[Any], ignored: frozenset[Attribute] = frozenset()) -> None:
        things = list(things)
        self.ignored = ignored
        self.ids = frozenset(map(id, things))
        self._is_broken = False
        self._on_end = _breaker(weakref.ref(self))
        classes = {base for thing in things for base in type(thing).__mro__}
        watched = [*things, *filter(_may_be_changed, classes)]
        self._states = [(_refer(thing), _State(self, thing, (id(thing),))) for thing in watched]

    def pin(self, value: Any) -> Any:
        """Keep a value from being followed by another at its address without notice.

        It is kept alive if it cannot keep the model so; else its end is noticed.
        """
        if not _is_plain(value):
            try:
                return _Pin(value, self._on_end)
            except TypeError:  # it has no room for weak references, and a container may hold all
                return _Address(id(value)) if isinstance(value, _CONTAINERS) else value
        return value

    def break_(self) -> None:
        """Notice that something is gone, and so was replaced."""
        self._is_broken = True

    def is_unchanged(self) -> bool:
        """Tell whether nothing has changed; this runs before each explanation."""
        if self._is_broken:
            return False
        try:
            for reference, state in self._states:
                if not state.is_unchanged(reference(), self.ignored):
                    return False
        except (KeyError, TypeError, ValueError):  # gone, or an array where a number was
            return False
        return True

    def changed(self) -> Iterator[Attribute]:
        """Yield the attributes that are not what they were, or were not there."""
        for reference, state in self._states:
            if (thing := reference()) is not None:
                yield from ((id(thing), name) for name in state.changed(thing, self.ignored))


def parts_of(model: keras.Model) -> list[keras.Operation]:
    """Return the model and all operations that it holds, at any depth."""
    parts: dict[int, keras.Operation] = {}
    waiting = [model]
    while waiting:
        operation = waiting.pop()
        if id(operation) not in parts:
            parts[id(operation)] = operation
            lists = (value for value in vars(operation).values() if isinstance(value, list))
            held = (item for one in lists for item in one)
            waiting.extend(part for part in held if isinstance(part, keras.Operation))
    return list(parts.values())


def _breaker(get_fingerprint: Callable[[], Fingerprint | None]) -> Callable[[Any], None]:
    def break_(_: Any) -> None:
        if (fingerprint := get_fingerprint()) is not None:
            fingerprint.break_()

    return break_


def _refer(thing: Any) -> Callable[[], Any]:
    """Return what gives a thing as long as it lives."""
    return weakref.ref(thing) if isinstance(thing, keras.Operation) else Reference(thing)


def _contents(thing: Any) -> Mapping[Any, Any]:
    """Return what a thing is made of, by name."""
    if isinstance(thing, dict):
        return thing
    if isinstance(thing, tuple | list):
        return dict(enumerate(thing))
    if isinstance(thing, types.FunctionType):
        parts = {name: getattr(thing, name) for name in _OF_FUNCTIONS}
        return {**parts, **dict(enumerate(map(_in_cell, thing.__closure__ or ()))), **vars(thing)}
    if isinstance(thing, types.MethodType):
        owner = thing.__self__
        is_watched = isinstance(owner, keras.Operation | type) or not hasattr(owner, "__dict__")
        own = {} if is_watched else vars(owner)
        return {"__self__": owner, "__func__": thing.__func__, **own}
    if isinstance(thing, functools.partial):
        parts = {"func": thing.func, "args": thing.args, "keywords": thing.keywords}
        return {**parts, **vars(thing)}
    return getattr(thing, "__dict__", {})


def _in_cell(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # empty
        return None


def _watched(thing: Any, contents: Mapping[Any, Any], ignored: frozenset[Attribute]) -> list[Any]:
    """Name what may decide what a thing computes."""
    if isinstance(thing, keras.Operation):
        names = [
            name
            for name in contents
            if not (name in _BOOKKEEPING or name.endswith(_WHILE_BUILT) or name.startswith(_OF_TF))
        ]
        names += [name for name in _OF_PARTS if contents.get(name)]
    elif isinstance(thing, type):
        is_own = not _is_of_library(thing)
        names = [k for k in contents if (k not in _OF_CLASSES if is_own else k == "call")]
    else:
        names = [name for name in contents if name not in _OF_MODULES]
    if not ignored:
        return names
    return [name for name in names if (id(thing), name) not in ignored]


def _getter(names: list[Any]) -> Callable[[Mapping[Any, Any]], tuple[Any, ...]]:
    if not names:
        return lambda contents: ()
    if len(names) == 1:  # `itemgetter` would give no tuple
        return lambda contents: (contents[names[0]],)
    return operator.itemgetter(*names)


def _may_be_changed(cls: type) -> bool:
    """Tell whether a class is a user's own, or has a `call` that a user may exchange."""
    return not _is_of_library(cls) or (issubclass(cls, keras.Operation) and "call" in vars(cls))


def _is_of_library(thing: Any) -> bool:
    return str(getattr(thing, "__module__", "")).partition(".")[0] in _LIBRARIES


def _is_plain(value: Any) -> bool:
    """Tell a value that is as good as any that equals it."""
    if isinstance(value, tuple):
        return type(value) is tuple and all(map(_is_plain, value))
    return isinstance(value, _PLAIN)


def _is_followed(value: Any) -> bool:
    """Tell what is looked into: containers, and what is called."""
    if isinstance(value, types.SimpleNamespace | types.MethodType | functools.partial):
        return True
    if isinstance(value, _CONTAINERS):
        # Those of Keras can be pinned, which costs less where there is nothing to look into.
        is_pinned = type(value) not in (tuple, list, dict) and _is_of_library(type(value))
        items = value.values() if isinstance(value, dict) else value
        is_flat = _is_plain(value) or (is_pinned and all(map(_is_plain, items)))
        return not is_flat and len(value) <= _MOST_ITEMS
    if isinstance(value, _NOT_FOLLOWED) or not callable(value) or not hasattr(value, "__dict__"):
        return False
    return not _is_of_library(value if isinstance(value, types.FunctionType) else type(value))


def _is_same(pinned: Any, value: Any) -> bool:
    """Tell whether a value is what `Fingerprint.pin` kept, or equal where that is as good."""
    if isinstance(pinned, _Pin):
        return pinned() is value
    if isinstance(pinned, _Address):
        return id(value) == pinned.of
    return pinned is value or (
        _is_plain(value) and type(value) is type(pinned) and bool(value == pinned)
    )

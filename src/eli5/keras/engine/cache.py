"""What is known of each model: traces and compiled programs, forgotten with the model."""

from __future__ import annotations

import contextlib
import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from typing import Any, TypeVar

import keras

from eli5.keras.engine.tracing import Trace

T = TypeVar("T")

# Traces, and programs, kept per model; the least recently used goes first.
_CAPACITY = 64


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


class Memory:
    """Traces and programs of one model in one state.

    `variables` are kept here and not the model, which could then never be released.
    """

    def __init__(self, model: keras.Model) -> None:
        self.variables: list[keras.Variable] = list(model.variables)
        self._layers = [id(layer) for layer in model.layers]
        self._watched = [_Traits(model)]
        self._traces: OrderedDict[Hashable, Trace] = OrderedDict()
        self._programs: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.RLock()

    def fits(self, model: keras.Model) -> bool:
        """Tell whether `model` still has what was compiled: layers, weights, plain attributes."""
        variables = model.variables
        return (
            len(variables) == len(self.variables)
            and all(map(lambda one, two: one is two, variables, self.variables))
            and [id(layer) for layer in model.layers] == self._layers
            and all(traits.are_the_same() for traits in self._watched)
        )

    def recall_trace(self, key: Hashable, make: Callable[[], Trace]) -> Trace:
        """Return the trace under `key`, made if it is not there."""
        with self._lock:
            if key not in self._traces:
                made = make()
                operations = {id(op): op for call in made.calls if (op := call.operation())}
                self._watched[1:] = map(_Traits, operations.values())
                _keep(self._traces, key, made)
            return self._traces[key]

    def recall(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return the program, or what else is kept under `key`, made if it is not there."""
        with self._lock:
            if key not in self._programs:
                _keep(self._programs, key, make())
            self._programs.move_to_end(key)
            return self._programs[key]


def _keep(table: OrderedDict[Hashable, T], key: Hashable, value: T) -> None:
    table[key] = value
    if len(table) > _CAPACITY:
        table.popitem(last=False)


_FUNCTIONS = (types.FunctionType, types.BuiltinFunctionType, types.MethodType)

# What Keras itself sets on a model that is trained or used.
_BOOKKEEPING = ("_", "stop_", "built", "train_function", "test_function", "predict_function")


class _Traits:
    """The plain attributes of an operation, which a compiled program has built in.

    People change them in place: an activation, a scale, a flag. A list or dict that is changed
    within is not noticed. Functions are held weakly, as they may hold the model.
    """

    def __init__(self, operation: keras.Operation) -> None:
        own = {
            name: value
            for name, value in vars(operation).items()
            if not name.startswith(_BOOKKEEPING) and not hasattr(type(operation), name)
        }
        plain = {name: value for name, value in own.items() if _holds_nothing(value)}
        self._names, self._values = list(plain), list(plain.values())
        self._functions = {
            name: Reference(value)
            for name, value in own.items()
            if isinstance(value, _FUNCTIONS) and name not in plain
        }
        self._policy = getattr(operation, "dtype_policy", None)
        self._operation = weakref.ref(operation)

    def are_the_same(self) -> bool:
        operation = self._operation()
        policy = getattr(operation, "dtype_policy", None)
        if operation is None or not (policy is self._policy or policy == self._policy):
            return False
        now = vars(operation)
        # In one go: this runs for each layer before each explanation.
        return list(map(now.get, self._names)) == self._values and all(
            Reference(now.get(name)) == function for name, function in self._functions.items()
        )


def _holds_nothing(value: Any) -> bool:
    """Tell a value that cannot keep the model alive, as a function from a module's top cannot."""
    if isinstance(value, types.FunctionType):
        return value.__closure__ is None and "<locals>" not in value.__qualname__
    return isinstance(value, int | float | str | types.BuiltinFunctionType | None)


_memories: dict[int, tuple[weakref.ref[keras.Model], Memory]] = {}
_lock = threading.RLock()
_thread = threading.local()


def memory_of(model: keras.Model) -> Memory:
    """Return what is known of `model`: nothing yet, if it is new or has been changed."""
    known = _thread.memories.get(id(model)) if hasattr(_thread, "memories") else None
    return _look_up(model) if known is None else known


@contextlib.contextmanager
def steady(model: keras.Model) -> Iterator[None]:
    """Look at `model`, which must be built, once: take it that nobody changes it meanwhile."""
    memories = _thread.__dict__.setdefault("memories", {})
    previous = memories.get(id(model))
    memories[id(model)] = _look_up(model)
    try:
        yield
    finally:
        if previous is None:
            del memories[id(model)]
        else:
            memories[id(model)] = previous


def _look_up(model: keras.Model) -> Memory:
    with _lock:
        known = _memories.get(id(model))
        if known is not None and known[0]() is model and known[1].fits(model):
            return known[1]
        # By id, because a model may be comparable and then not hashable.
        memory = Memory(model)
        _memories[id(model)] = weakref.ref(model, _forget(id(model))), memory
        return memory


def _forget(key: int) -> Callable[[Any], None]:
    def forget(reference: weakref.ref[keras.Model]) -> None:
        with _lock:
            if key in _memories and _memories[key][0] is reference:
                del _memories[key]

    return forget

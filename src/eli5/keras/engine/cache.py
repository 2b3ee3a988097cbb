"""What is known of each model: traces and compiled programs, forgotten with the model."""

from __future__ import annotations

import threading
import types
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

import keras

from eli5.keras.engine.tracing import Trace

T = TypeVar("T")

# Programs kept per model and kind; the least recently used goes first.
_CAPACITY = 64


def reference(thing: Any) -> Callable[[], Any]:
    """Return a function that gives `thing`, weakly where it can be; equal for the same thing."""
    if isinstance(thing, types.MethodType):
        return weakref.WeakMethod(thing)
    try:
        return weakref.ref(thing)
    except TypeError:  # a string or None: not weakly referable, and harmless to keep
        return _Constant(thing)


@dataclass(frozen=True)
class _Constant:
    """A reference to a thing that takes none; hashes and compares as the thing does."""

    thing: Hashable

    def __call__(self) -> Any:
        return self.thing


class Memory:
    """Traces and programs of one model in one state.

    `variables` are kept here and not the model, which could then never be released.
    """

    def __init__(self, model: keras.Model) -> None:
        self.variables: list[keras.Variable] = list(model.variables)
        self._layers = [id(layer) for layer in model.layers]
        self._watched: list[tuple[weakref.ref[keras.Operation], Any]] = []
        self._traces: OrderedDict[Hashable, Trace] = OrderedDict()
        self._programs: OrderedDict[Hashable, Callable[..., Any]] = OrderedDict()
        self._lock = threading.RLock()

    def fits(self, model: keras.Model) -> bool:
        """Tell whether `model` still has the layers, weights and activations that were compiled."""
        variables = model.variables
        return (
            len(variables) == len(self.variables)
            and all(map(lambda one, two: one is two, variables, self.variables))
            and [id(layer) for layer in model.layers] == self._layers
            and all(_traits(operation()) == traits for operation, traits in self._watched)
        )

    def recall_trace(self, key: Hashable, make: Callable[[], Trace]) -> Trace:
        """Return the trace under `key`, made if it is not there."""
        with self._lock:
            if key not in self._traces:
                made = make()
                self._watched = [(call.operation, _traits(call.operation())) for call in made.calls]
                _keep(self._traces, key, made)
            return self._traces[key]

    def recall_program(
        self, key: Hashable, make: Callable[[], Callable[..., Any]]
    ) -> Callable[..., Any]:
        """Return the program under `key`, made if it is not there."""
        with self._lock:
            if key not in self._programs:
                _keep(self._programs, key, make())
            self._programs.move_to_end(key)
            return self._programs[key]


def _keep(table: OrderedDict[Hashable, T], key: Hashable, value: T) -> None:
    table[key] = value
    if len(table) > _CAPACITY:
        table.popitem(last=False)


def _traits(operation: Any) -> tuple[Any, ...]:
    """Return what people change on a layer in place, and what a compiled program has built in."""
    return tuple(getattr(operation, name, None) for name in ("activation", "dtype_policy", "name"))


_memories: weakref.WeakKeyDictionary[keras.Model, Memory] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def memory_of(model: keras.Model) -> Memory:
    """Return what is known of `model`: nothing yet, if it is new or has been changed."""
    with _lock:
        memory = _memories.get(model)
        if memory is None or not memory.fits(model):
            memory = _memories[model] = Memory(model)
        return memory

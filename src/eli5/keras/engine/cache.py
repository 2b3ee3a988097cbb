"""What is known of each model: traces and compiled programs, forgotten with the model."""

from __future__ import annotations

import contextlib
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import Any, TypeVar, cast

import keras

from eli5.keras.engine.model_fingerprint import Attribute, Fingerprint, parts_of
from eli5.keras.engine.query import Reference
from eli5.keras.engine.tracing import Trace

T = TypeVar("T")

# Traces and programs kept per model; the least recently used goes first.
_CAPACITY = 128


class _Entry:
    """What is kept, and the state of the functions that it was made with."""

    def __init__(self, value: Any, functions: list[Any], before: Fingerprint) -> None:
        self.value = value
        self.fingerprint = before
        self._functions: list[Any] | None = [Reference(function) for function in functions]

    def settle(self, is_last: bool = False) -> None:
        """Ignore what the functions wrote themselves while they were traced, as a counter is."""
        if self._functions is None:
            return
        written = frozenset(self.fingerprint.changed())
        if written:
            functions = [reference() for reference in self._functions]
            self.fingerprint = Fingerprint(functions, self.fingerprint.ignored | written)
        if is_last:
            self._functions = None


class Memory:
    """Traces and programs of one model in one state."""

    def __init__(self, model: keras.Model) -> None:
        # Not the model itself, which could then never be released.
        self.variables: list[keras.Variable] = list(model.variables)
        self._parts = [weakref.ref(part) for part in parts_of(model)]
        self._ignored: frozenset[Attribute] = frozenset()
        self._fingerprint = Fingerprint(parts_of(model))
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = threading.RLock()

    def is_up_to_date(self) -> bool:
        """Tell whether the model still has what was compiled: parts, weights, attributes."""
        return self._fingerprint.is_unchanged()

    def recall_trace(self, key: Hashable, make: Callable[[], Trace]) -> Trace:
        """Return the trace under `key`, made if it is not there."""

        def make_watched() -> Trace:
            made = make()
            self._watch(made)
            return made

        return self.recall(("trace", key), make_watched)

    def _watch(self, trace: Trace) -> None:
        """Watch what was called; what the model's own `call` writes tells nothing of its user."""
        written = frozenset(self._fingerprint.changed())
        references = [*self._parts, *(call.operation for call in trace.calls)]
        operations = {id(op): op for reference in references if (op := reference())}
        if written or not self._fingerprint.ids.issuperset(operations):
            self._ignored |= written
            self._fingerprint = Fingerprint(operations.values(), self._ignored)

    def recall(
        self, key: Hashable, make: Callable[[], T], functions: Iterable[Callable[..., Any]] = ()
    ) -> T:
        """Return the program, or what else is kept under `key`, made if it is not there.

        It is made anew where `functions`, a user's own that it was made with, have changed.
        """
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or not entry.fingerprint.is_unchanged():
                ignored = entry.fingerprint.ignored if entry is not None else frozenset()
                functions = list(functions)
                before = Fingerprint(functions, ignored)
                entry = self._entries[key] = _Entry(make(), functions, before)
                entry.settle()
            self._entries.move_to_end(key)
            if len(self._entries) > _CAPACITY:
                self._entries.popitem(last=False)
            return cast(T, entry.value)

    def run(
        self,
        key: Hashable,
        make: Callable[[], Callable[..., T]],
        functions: Iterable[Callable[..., Any]],
        arguments: Iterable[Any],
    ) -> T:
        """Run the program under `key`, which may be traced in its first run only; see `recall`."""
        program = self.recall(key, make, functions)
        results = program(*arguments)
        with self._lock:
            if (entry := self._entries.get(key)) is not None:
                entry.settle(is_last=True)
        return results


_memories: dict[int, tuple[weakref.ref[keras.Model], Memory]] = {}
_lock = threading.RLock()
_thread = threading.local()


def memory_of(model: keras.Model) -> Memory:
    """Return what is known of `model`: nothing yet, if it is new or has been changed."""
    pinned: dict[int, Memory] | None = getattr(_thread, "pinned", None)
    if pinned is None:
        return _look_up(model)
    if id(model) not in pinned:
        pinned[id(model)] = _look_up(model)
    return pinned[id(model)]


def is_known(model: keras.Model) -> bool:
    """Tell whether a model has been looked up before, and not changed since."""
    memory = _known(model)
    pinned = getattr(_thread, "pinned", None)
    if memory is not None and pinned is not None:
        pinned[id(model)] = memory
    return memory is not None


@contextlib.contextmanager
def steady() -> Iterator[None]:
    """Check each model for changes once, on this thread: the check takes as long as a small run."""
    if getattr(_thread, "pinned", None) is not None:
        yield  # within another one
        return
    _thread.pinned = {}
    try:
        yield
    finally:
        _thread.pinned = None


def forget(model: keras.Model) -> None:
    """Drop all that is kept of a model: the next explanation compiles it anew.

    What is assigned to a model, its layers, their classes, and to the functions that they call is
    noticed without this. What is changed within is not: an array's numbers, an attribute of an
    object that a layer holds, a module's global.

    Parameters
    ----------
    model : keras.Model
        The model that was changed.

    Raises
    ------
    TypeError
        If `model` is no Keras model.
    """
    if not isinstance(model, keras.Model):
        raise TypeError(f"Expected a keras.Model. Received: {type(model).__name__}")
    with _lock:
        _memories.pop(id(model), None)


def _known(model: keras.Model) -> Memory | None:
    reference, memory = _memories.get(id(model), (None, None))
    if memory is None or reference is None or reference() is not model:
        return None
    return memory if memory.is_up_to_date() else None


def _look_up(model: keras.Model) -> Memory:
    with _lock:
        memory = _known(model)
        if memory is None:
            memory = Memory(model)
            # By id, because a model may be comparable and then not hashable.
            _memories[id(model)] = weakref.ref(model, _forget(id(model))), memory
        return memory


def _forget(key: int) -> Callable[[Any], None]:
    def forget(reference: weakref.ref[keras.Model]) -> None:
        with _lock:
            if key in _memories and _memories[key][0] is reference:
                del _memories[key]

    return forget

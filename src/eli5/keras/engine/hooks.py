"""Watch, and replace, what operations return while a model runs, on the calling thread only.

Keras has no hook of its own, and ``Layer.output`` knows one call of a layer at most: that of the
functional graph the layer was built into. What every model does have in common is that each call of
a layer goes through ``keras.Operation.__call__``, at any depth and on every backend, and that each
softmax, sigmoid or fused attention ends in one function of the backend's own library. Those few
functions are wrapped while somebody watches, and put back when nobody does. A wrapper passes
through whatever happens on threads that do not watch.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import keras

# (operations being called, outermost first; the innermost one's (args, kwargs); its output) -> what
# takes the output's place.
OnOutput = Callable[[Sequence[keras.Operation], Any, Any], Any]

# What is done with the output at one site: it returns what takes the output's place.
Hook = Callable[[Any], Any]

# Runs the model with a hook at each site: what a query's `select` makes of the outputs.
Forward = Callable[[Sequence[Hook]], tuple[Any, Any]]
Derivatives = tuple[list[Any], list[list[Any]] | None, dict[int, list[Any]], Any]

# A function as its owner, a module or a class, and its name there.
Function = tuple[Any, str]

# ``open(hook, *args, **kwargs)`` computes what a fused attention does, with its matrix passed
# through `hook`; ``shape(*args, **kwargs)`` tells that matrix's shape, None if it cannot be opened.
Fused = tuple[Function, Callable[..., Any], Callable[..., Any]]


class Library(NamedTuple):
    """The functions of a backend's library that are watched."""

    activations: Sequence[Function] = ()  # they turn logits into probabilities
    casts: Sequence[Function] = ()  # they change a tensor's type; a probability stays one
    contractions: Sequence[Function] = ()  # they multiply matrices
    fused: Sequence[Fused] = ()  # they attend without a matrix that anybody sees
    shortcuts: Sequence[Function] = ()  # they tell whether to attend in a way that nobody sees


_NONE = Library()


class Activation(NamedTuple):
    """A softmax or sigmoid that was applied: its name, and the tensor that went in."""

    name: str
    logits: Any


class Watch:
    """What one thread has seen since it began to watch."""

    def __init__(self, on_output: OnOutput) -> None:
        self.on_output = on_output
        self._on_cast: Callable[[Any, Any], None] | None = getattr(on_output, "note_cast", None)
        # ``note_contraction(args)``: what is multiplied.
        self._on_contraction: Callable[[Any], None] | None = getattr(
            on_output, "note_contraction", None
        )
        # ``on_attention(watch, shape, tensor, is_fused) -> Hook or None``: what is done with a
        # matrix that a softmax over its last axis gave, `tensor`, or that a fused attention, whose
        # queries that is, would make.
        self._on_attention: Callable[..., Hook | None] | None = getattr(
            on_output, "on_attention", None
        )
        self.running: list[keras.Operation] = []
        self.arguments: list[Any] = []  # (args, kwargs) of each of them
        self._activations: list[tuple[weakref.ref[Any], Activation]] = []
        self._is_inside = False  # of a function that is watched, which may call another one

    def outermost(self) -> contextlib.AbstractContextManager[bool]:
        """Tell within it whether a watched function was not called by another one."""
        return _entered(self)

    def softmax_hook(self, output: Any, axis: Any) -> Hook | None:
        """Return what is done with the result of a softmax, if it may be an attention's matrix."""
        rank = len(output.shape)
        if self._on_attention is None or rank < 3 or axis not in (-1, rank - 1):
            return None
        return self._on_attention(self, tuple(output.shape), output, False)

    def fused_hook(self, shape: Any, query: Any) -> Hook | None:
        """Return what is done with the matrix of a fused attention."""
        if self._on_attention is None:
            return None
        return self._on_attention(self, shape, query, True)

    def note_contraction(self, arguments: Any) -> None:
        """Note what is multiplied."""
        if self._on_contraction is not None:
            self._on_contraction(arguments)

    def note_activation(self, name: str, logits: Any, output: Any) -> None:
        """Note that `output` is the softmax or sigmoid of `logits`."""
        # Held only as long as the output itself lives, or a transformer's attention maps pile up.
        self._activations = [seen for seen in self._activations if seen[0]() is not None]
        self._activations.append((weakref.ref(output), Activation(name, logits)))

    def note_cast(self, tensor: Any, output: Any) -> None:
        """Note that `output` is `tensor` in another type."""
        if output is tensor:
            return
        if self._on_cast is not None:
            self._on_cast(tensor, output)
        activation = self.activation_of(tensor)
        if activation is not None:
            self.note_activation(*activation, output)

    def activation_of(self, output: Any) -> Activation | None:
        """Return the softmax or sigmoid whose result `output` is, if it is one's."""
        for reference, activation in self._activations:
            if output is not None and reference() is output:
                return activation
        return None


@contextlib.contextmanager
def _entered(watching: Watch) -> Iterator[bool]:
    was_inside, watching._is_inside = watching._is_inside, True
    try:
        yield not was_inside
    finally:
        watching._is_inside = was_inside


_thread = threading.local()
_lock = threading.Lock()
_watching = 0
# Owner, attribute, original, wrapper, whether the owner inherited the original.
_originals: list[tuple[Any, str, Any, Any, bool]] = []


@contextlib.contextmanager
def watch(on_output: OnOutput, library: Library = _NONE) -> Iterator[Watch]:
    """Pass what each operation returns on this thread, the innermost first, through `on_output`.

    The activations of the backend's `library` can be looked up in what is yielded. `on_output` may
    have more to be told; see `Watch`.
    """
    previous = getattr(_thread, "watch", None)
    _install(library)
    _thread.watch = Watch(on_output)
    try:
        yield _thread.watch
    finally:
        _thread.watch = previous
        _uninstall()


def is_watching() -> bool:
    """Tell whether somebody watches on this thread."""
    return getattr(_thread, "watch", None) is not None


def _install(library: Library) -> None:
    global _watching
    with _lock:
        _watching += 1
        if _watching == 1:
            _wrap(keras.Operation, "__call__", _watched_call)
            _wrap(keras.layers.TimeDistributed, "call", _all_frames_at_once)
            for functions, make_wrapper in (
                (library.activations, _watched_activation),
                (library.casts, _watched_cast),
                (library.contractions, _watched_contraction),
                (library.shortcuts, _never_while_watched),
            ):
                for owner, name in functions:
                    _wrap(owner, name, make_wrapper)
            for (owner, name), opened, shape_of in library.fused:
                _wrap(owner, name, functools.partial(_watched_fused, opened, shape_of))


def _uninstall() -> None:
    global _watching
    with _lock:
        _watching -= 1
        while _watching == 0 and _originals:
            owner, name, original, wrapper, inherited = _originals.pop()
            # Somebody else may have wrapped ours in the meantime: theirs calls ours, which passes.
            if getattr(owner, name) is not wrapper:
                continue
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)


def _wrap(owner: Any, name: str, make_wrapper: Callable[[Any, str], Any]) -> None:
    original = getattr(owner, name)
    wrapper = functools.wraps(original)(make_wrapper(original, name))
    _originals.append((owner, name, original, wrapper, name not in vars(owner)))
    setattr(owner, name, wrapper)


def _watched_call(original: Callable[..., Any], _: str) -> Callable[..., Any]:
    def call(operation: keras.Operation, *args: Any, **kwargs: Any) -> Any:
        watching: Watch | None = getattr(_thread, "watch", None)
        if watching is None:
            return original(operation, *args, **kwargs)
        watching.running.append(operation)
        watching.arguments.append((args, kwargs))
        try:
            output = original(operation, *args, **kwargs)
            return watching.on_output(watching.running, (args, kwargs), output)
        finally:
            watching.running.pop()
            watching.arguments.pop()

    return call


class FoldFrames(keras.Operation):  # type: ignore[misc]  # Keras is untyped
    """Puts the frames of all samples into the batch."""

    def call(self, x: Any) -> Any:
        """Return ``(B, T, ...)`` as ``(B * T, ...)``."""
        return keras.ops.reshape(x, (x.shape[0] * x.shape[1], *x.shape[2:]))


class UnfoldFrames(keras.Operation):  # type: ignore[misc]
    """Takes the frames of each sample out of the batch again."""

    def __init__(self, n_frames: int) -> None:
        super().__init__()
        self.n_frames = n_frames

    def call(self, x: Any) -> Any:
        """Return ``(B * T, ...)`` as ``(B, T, ...)``."""
        return keras.ops.reshape(x, (-1, self.n_frames, *x.shape[1:]))


def _all_frames_at_once(original: Callable[..., Any], _: str) -> Callable[..., Any]:
    """Let a layer that is applied to each frame see all of them in one call, as one batch.

    Keras calls it once per frame, so that each layer within would have a map of one frame only.
    """

    def call(wrapper: Any, inputs: Any, training: Any = None, mask: Any = None) -> Any:
        is_watched = getattr(_thread, "watch", None) is not None
        if not is_watched or mask is not None or None in tuple(inputs.shape[:2]):
            return original(wrapper, inputs, training=training, mask=mask)
        frames = FoldFrames()(inputs)
        return UnfoldFrames(int(inputs.shape[1]))(wrapper.layer(frames))

    return call


def _watched_cast(original: Callable[..., Any], _: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        output = original(*args, **kwargs)
        watching: Watch | None = getattr(_thread, "watch", None)
        if watching is not None:
            watching.note_cast(_first(args, kwargs), output)
        return output

    return function


def _watched_activation(original: Callable[..., Any], name: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        watching: Watch | None = getattr(_thread, "watch", None)
        if watching is None:
            return original(*args, **kwargs)
        with watching.outermost() as is_outermost:
            output = original(*args, **kwargs)
            if is_outermost and name == "softmax":
                hook = watching.softmax_hook(output, _axis(args, kwargs))
                output = output if hook is None else hook(output)
        watching.note_activation(name, _first(args, kwargs), output)
        return output

    return function


def _watched_contraction(original: Callable[..., Any], _: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        watching: Watch | None = getattr(_thread, "watch", None)
        if watching is not None:
            watching.note_contraction(args)
        return original(*args, **kwargs)

    return function


def _never_while_watched(original: Callable[..., Any], _: str) -> Callable[..., Any]:
    def function(*args: Any, **kwargs: Any) -> Any:
        return not is_watching() and original(*args, **kwargs)

    return function


def _watched_fused(
    opened: Callable[..., Any],
    shape_of: Callable[..., Any],
    original: Callable[..., Any],
    _: str,
) -> Callable[..., Any]:
    """Let a fused attention show its matrix where somebody has a use for it."""

    def function(*args: Any, **kwargs: Any) -> Any:
        watching: Watch | None = getattr(_thread, "watch", None)
        shape = None if watching is None else shape_of(*args, **kwargs)
        if watching is None or shape is None:
            return original(*args, **kwargs)
        with watching.outermost():
            hook = watching.fused_hook(shape, _first(args, kwargs))
            if hook is None:
                return original(*args, **kwargs)
            return opened(hook, *args, **kwargs)

    return function


def _first(args: Any, kwargs: Any) -> Any:
    """Return the tensor of a call: libraries call that parameter `logits`, `x` or `input`."""
    return next(iter((*args, *kwargs.values())))


def _axis(args: Any, kwargs: Any) -> Any:
    """Return the axis of a softmax, the last unless it is said."""
    named = next((kwargs[name] for name in ("axis", "dim") if name in kwargs), None)
    axis = args[1] if len(args) > 1 else named
    return -1 if axis is None else axis

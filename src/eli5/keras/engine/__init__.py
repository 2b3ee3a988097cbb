"""Run a model with a hook on one layer: compiled, cached, with NumPy arrays in and out.

`trace` tells what the model does when it is called; `evaluate` runs it once and differentiates a
score with respect to one layer's activations. Exactly one backend's file is imported.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Callable, Hashable, Sequence
from typing import Any, NamedTuple, TypeVar

import keras
import numpy as np

from eli5.keras.engine import hooks
from eli5.keras.engine.cache import Reference, memory_of
from eli5.keras.engine.tracing import Call, Recorder, Trace, spec_of

__all__ = ["Call", "Question", "Site", "Trace", "evaluate", "recall", "trace"]

T = TypeVar("T")

_backend: Any = importlib.import_module(f"eli5.keras.engine.{keras.backend.backend()}")


class Site(NamedTuple):
    """The layer call whose output is read, and how it is seen as a map.

    Attributes
    ----------
    operation : keras.Operation
    nth : int
        Which of its calls, from 0.
    path : str
        Its name, for people.
    channels_first : bool
        Whether the channels are the first axis behind the batch axis.
    grid : tuple of int, optional
        For tokens ``(B, L, C)``: the grid that the last ``prod(grid)`` of them lie on, row by row.
    """

    operation: keras.Operation
    nth: int
    path: str
    channels_first: bool = False
    grid: tuple[int, ...] | None = None

    def fold(self, tensor: Any) -> Any:
        """Return activations, or their gradients, as ``(B, ..., C)``."""
        if self.grid is not None:
            batch, _, channels = tensor.shape
            patches = tensor[:, -math.prod(self.grid) :]
            return keras.ops.reshape(patches, (batch, *self.grid, channels))
        return keras.ops.moveaxis(tensor, 1, -1) if self.channels_first else tensor


class Question(NamedTuple):
    """What is asked of a run of the model; one program is compiled for each.

    Attributes
    ----------
    sites : tuple of Site
        Whose outputs the scores are differentiated with respect to.
    score : hashable
        Handed on to `select`; another callable is another question.
    output : int, optional
        Handed on to `select`.
    select : callable
        ``select(outputs, activation_of, targets, score, output) -> (scores (B, K), report)``, where
        ``activation_of(tensor)`` gives the softmax or sigmoid that made a tensor, or None.
    formula : callable
        ``formula(activations, gradients) -> result`` for each site, on float32 tensors of shape
        (B, ..., C); there are K gradients. Only its results leave the device.
    """

    sites: tuple[Site, ...]
    score: Any
    output: int | None
    select: Callable[..., tuple[Any, Any]]
    formula: Callable[[Any, list[Any]], Any]


def trace(model: keras.Model, inputs: Any, picture: int = 0) -> Trace:
    """Return what `model` does with inputs of these shapes; nothing but PyTorch computes for it.

    Parameters
    ----------
    model : keras.Model
        Built.
    inputs : numpy.ndarray, or a list or dict of them
        As `model` takes them, batch axis first.
    picture : int
        Which of the inputs, in the order of `keras.tree.flatten`, has the places that matter.
    """
    memory = memory_of(model)
    return memory.recall_trace(
        (_signature(inputs), picture), lambda: _trace(model, memory.variables, inputs, picture)
    )


def evaluate(
    model: keras.Model, inputs: Any, targets: np.ndarray[Any, Any], question: Question
) -> tuple[list[Any], Any]:
    """Run `model` once; differentiate up to K scores per sample with respect to some layers.

    Parameters
    ----------
    model, inputs
        See `trace`.
    targets : numpy.ndarray of int32, shape (B, K)
        Handed on to ``question.select``.
    question : Question

    Returns
    -------
    (results, report)
        As ``question.formula``, per site, and ``question.select`` gave them, as NumPy arrays.

    Raises
    ------
    ValueError
        If the scores depend on none of the sites' outputs in a differentiable way.
    """
    memory = memory_of(model)
    run = memory.recall(
        _key(question, (inputs, targets)),
        lambda: _compile(model, memory.variables, question, (inputs, targets)),
    )
    return run(inputs, targets)


def recall(model: keras.Model, question: Question, arguments: Any, make: Callable[[], T]) -> T:
    """Return what `make` found out about a question, kept as the programs are.

    It must not hold the model, nor a layer of it.
    """
    return memory_of(model).recall(("answer", _key(question, arguments)), make)


def _key(question: Question, arguments: Any) -> Hashable:
    sites = tuple((id(site.operation), *site[1:]) for site in question.sites)
    return sites, Reference(question.score), question[2:], _signature(arguments)


def _signature(arrays: Any) -> str:
    """Return the structure, shapes and dtypes of arrays in a form that hashes."""
    return repr(keras.tree.map_structure(lambda x: (x.shape, str(x.dtype)), arrays))


def _trace(model: keras.Model, variables: list[keras.Variable], inputs: Any, picture: int) -> Trace:
    found: list[Trace] = []

    def run(values: list[Any], inputs: Any) -> None:
        leaves = keras.tree.flatten(inputs)
        beside = leaves[:picture] + leaves[picture + 1 :]
        recorder = Recorder(_backend.level, leaves[picture], beside)
        outputs, watch = _call(model, inputs, zip(variables, values, strict=False), recorder)
        activations = map(watch.activation_of, keras.tree.flatten(outputs))
        names = [activation and activation.name for activation in activations]
        specs = keras.tree.map_structure(spec_of, outputs)
        found.append(Trace(recorder.calls, specs, names, recorder.channels_first))

    _backend.trace(run, variables, inputs)
    return found[-1]


def _compile(
    model: keras.Model, variables: list[keras.Variable], question: Question, arguments: Any
) -> Callable[[Any, Any], Any]:
    sites, score, output, select, formula = question
    specs = [_spec_at(trace(model, arguments[0]), site) for site in sites]
    # The compiled program outlives this call in a cache: it must keep neither model nor score.
    get_model, get_score = Reference(model), Reference(score)
    get_operations = [Reference(site.operation) for site in sites]
    sites = tuple(site._replace(operation=None) for site in sites)

    def program(values: list[Any], inputs: Any, targets: Any) -> tuple[Any, Any]:
        def forward(taps: Sequence[Callable[[Any], Any]]) -> tuple[Any, Any]:
            operations = [get() for get in get_operations]
            on_output = _at(operations, [site.nth for site in sites], taps)
            state = zip(variables, values, strict=False)
            outputs, watch = _call(get_model(), inputs, state, on_output)
            scores, report = select(outputs, watch.activation_of, targets, get_score(), output)
            return keras.ops.cast(scores, "float32"), report

        activations, gradients, report = _backend.differentiate(forward, specs)
        if gradients is None:
            raise ValueError(
                "Expected a layer that the score depends on in a differentiable way. Received: "
                f"layer={sites[0].path!r}, behind which no gradient flows back. "
                "Choose another layer."
            )
        results = []
        for s, site in enumerate(sites):
            tensors = (activations[s], *(per_site[s] for per_site in gradients))
            seen, *slopes = (site.fold(keras.ops.cast(tensor, "float32")) for tensor in tensors)
            results.append(formula(seen, slopes))
        return results, report

    return _backend.compile_program(program, variables, arguments)


def _spec_at(trace: Trace, site: Site) -> keras.KerasTensor:
    """Return shape and dtype of the site's output."""
    return next(
        keras.KerasTensor(call.shape, call.dtype)
        for call in trace.calls
        if call.operation() is site.operation and call.nth == site.nth
    )


def _call(
    model: keras.Model, inputs: Any, state: Any, on_output: hooks.OnOutput
) -> tuple[Any, hooks.Watch]:
    """Call the model in inference, watched; whatever it assigns to its variables is dropped."""
    with (
        hooks.watch(on_output, _backend.ACTIVATIONS, _backend.CASTS) as watch,
        keras.StatelessScope(state_mapping=state),
    ):
        return model(inputs, training=False), watch


def _at(
    operations: Sequence[keras.Operation],
    nths: Sequence[int],
    taps: Sequence[Callable[[Any], Any]],
) -> hooks.OnOutput:
    """Return a watcher that passes the output of one call of each operation through its tap."""
    waiting = {(id(op), nth): tap for op, nth, tap in zip(operations, nths, taps, strict=True)}
    counts: dict[int, int] = {}

    def on_output(running: Any, arguments: Any, output: Any) -> Any:
        key = id(running[-1])
        nth = counts[key] = counts.get(key, -1) + 1
        tap = waiting.get((key, nth))
        return output if tap is None else tap(output)

    return on_output

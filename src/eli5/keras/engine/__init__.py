"""Run a model with a hook on one layer: compiled, cached, with NumPy arrays in and out.

`trace` tells what the model does when it is called; `evaluate` runs it once and differentiates a
score with respect to one layer's activations. Exactly one backend's file is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.keras.engine import hooks
from eli5.keras.engine.cache import memory_of, reference
from eli5.keras.engine.tracing import Call, Recorder, Trace, spec_of

__all__ = ["Call", "Question", "Site", "Trace", "evaluate", "trace"]

_backend: Any = importlib.import_module(f"eli5.keras.engine.{keras.backend.backend()}")


class Site(NamedTuple):
    """The layer call whose output is read: an operation, and which of its calls (from 0)."""

    operation: keras.Operation
    nth: int
    path: str


class Question(NamedTuple):
    """What is asked of a run of the model; one program is compiled for each.

    Attributes
    ----------
    site : Site
        Whose output the scores are differentiated with respect to.
    score : hashable
        Handed on to `select`; another callable is another question.
    select : callable
        ``select(outputs, activation_of, targets, score) -> (scores (B, K), report)``, where
        ``activation_of(tensor)`` gives the softmax or sigmoid that made a tensor, or None.
    formula : callable
        ``formula(activations, gradients) -> result``, on float32 tensors of shape (B, ...); there
        are K gradients. Only its result leaves the device.
    """

    site: Site
    score: Any
    select: Callable[..., tuple[Any, Any]]
    formula: Callable[[Any, list[Any]], Any]


def trace(model: keras.Model, inputs: Any) -> Trace:
    """Return what `model` does with inputs of these shapes; nothing but PyTorch computes for it.

    Parameters
    ----------
    model : keras.Model
        Built.
    inputs : numpy.ndarray, or a list or dict of them
        As `model` takes them, batch axis first.
    """
    memory = memory_of(model)
    return memory.recall_trace(_signature(inputs), lambda: _trace(model, memory.variables, inputs))


def evaluate(
    model: keras.Model, inputs: Any, targets: np.ndarray[Any, Any], question: Question
) -> tuple[Any, Any]:
    """Run `model` once; differentiate up to K scores per sample with respect to one layer.

    Parameters
    ----------
    model, inputs
        See `trace`.
    targets : numpy.ndarray of int32, shape (B, K)
        Handed on to ``question.select``.
    question : Question

    Returns
    -------
    (result, report)
        As ``question.formula`` and ``question.select`` gave them, as NumPy arrays.

    Raises
    ------
    ValueError
        If the scores do not depend on the site's output, or not in a differentiable way.
    """
    memory = memory_of(model)
    site, score, select, formula = question
    signature = _signature((inputs, targets))
    key = (id(site.operation), site.nth, reference(score), select, formula, signature)
    run = memory.recall_program(
        key, lambda: _compile(model, memory.variables, question, (inputs, targets))
    )
    return run(inputs, targets)


def _signature(arrays: Any) -> str:
    """Return the structure, shapes and dtypes of arrays in a form that hashes."""
    return repr(keras.tree.map_structure(lambda x: (x.shape, str(x.dtype)), arrays))


def _trace(model: keras.Model, variables: list[keras.Variable], inputs: Any) -> Trace:
    found: list[Trace] = []

    def run(values: list[Any], inputs: Any) -> None:
        recorder = Recorder()
        outputs, watch = _call(model, inputs, zip(variables, values, strict=False), recorder)
        activation = watch.activation_of(keras.tree.flatten(outputs)[0])
        specs = keras.tree.map_structure(spec_of, outputs)
        found.append(Trace(recorder.calls, specs, activation.name if activation else None))

    _backend.trace(run, variables, inputs)
    return found[-1]


def _compile(
    model: keras.Model, variables: list[keras.Variable], question: Question, arguments: Any
) -> Callable[[Any, Any], Any]:
    # The compiled program outlives this call in a cache: it must keep neither model nor score.
    (operation, nth, path), score, select, formula = question
    get_model, get_operation, get_score = map(reference, (model, operation, score))
    spec = _spec_at(trace(model, arguments[0]), question.site)

    def program(values: list[Any], inputs: Any, targets: Any) -> tuple[Any, Any]:
        def forward(tap: Callable[[Any], Any]) -> tuple[Any, Any]:
            on_output = _at(get_operation(), nth, tap)
            state = zip(variables, values, strict=False)
            outputs, watch = _call(get_model(), inputs, state, on_output)
            scores, report = select(outputs, watch.activation_of, targets, get_score())
            return keras.ops.cast(scores, "float32"), report

        activations, gradients, report = _backend.differentiate(forward, spec)
        if gradients is None:
            raise ValueError(
                "Expected a layer that the score depends on in a differentiable way. Received: "
                f"layer={path!r}, behind which no gradient flows back. Choose another layer."
            )
        floats = [keras.ops.cast(x, "float32") for x in (activations, *gradients)]
        return formula(floats[0], floats[1:]), report

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
        hooks.watch(on_output, _backend.ACTIVATIONS) as watch,
        keras.StatelessScope(state_mapping=state),
    ):
        return model(inputs, training=False), watch


def _at(operation: keras.Operation, nth: int, tap: Callable[[Any], Any]) -> hooks.OnOutput:
    """Return a watcher that passes the output of one call through `tap`."""
    calls = 0

    def on_output(running: Any, arguments: Any, output: Any) -> Any:
        nonlocal calls
        if running[-1] is not operation:
            return output
        calls += 1
        return tap(output) if calls == nth + 1 else output

    return on_output

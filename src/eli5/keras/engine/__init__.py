"""Run a model with a hook on one layer: compiled, cached, with NumPy arrays in and out.

`trace` tells what the model does when it is called; `evaluate` runs it once and differentiates a
score with respect to one layer's activations. Exactly one backend's file is imported.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

import numpy as np

import keras
from eli5.keras.engine import hooks
from eli5.keras.engine.alignment import Alignment
from eli5.keras.engine.cache import is_known, memory_of, steady
from eli5.keras.engine.model_fingerprint import parts_of
from eli5.keras.engine.query import Query, Site
from eli5.keras.engine.reference import Reference
from eli5.keras.engine.tracing import Call, Recorder, Trace, spec_of

__all__ = [
    "Alignment",
    "Call",
    "Query",
    "Reference",
    "Site",
    "Trace",
    "evaluate",
    "is_known",
    "key_of",
    "parts_of",
    "recall",
    "signature",
    "steady",
    "trace",
]

T = TypeVar("T")
Tap = Callable[[Any], Any]
Forward = Callable[[Sequence[Tap]], tuple[Any, Any]]

_backend: Any = importlib.import_module(f"eli5.keras.engine.{keras.backend.backend()}")


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
        (signature(inputs), picture), lambda: _trace(model, memory.variables, inputs, picture)
    )


def evaluate(
    model: keras.Model,
    inputs: Any,
    targets: np.ndarray[Any, Any],
    query: Query,
    *extra: np.ndarray[Any, Any],
) -> tuple[Any, Any]:
    """Run `model` once; differentiate up to K scores per sample if the query has formulas.

    Parameters
    ----------
    model, inputs
        See `trace`.
    targets : numpy.ndarray of int32, shape (B, K)
        Handed on to ``query.select``.
    query : Query
    *extra : numpy.ndarray
        Handed on to ``query.arrange``, ``query.replace`` and ``query.combine``.

    Returns
    -------
    (results, report)
        As the formulas, one per site, and ``query.select`` gave them, as NumPy arrays. Without
        formulas the scores, shape (B, K), take the results' place, or ``(scores, activations)``
        if these are to be read: per site as the layer gave them, and as ``(B, *places, C)``.

    Raises
    ------
    ValueError
        If the scores depend on none of the sites' outputs in a differentiable way.
    """
    memory = memory_of(model)
    arguments = (inputs, targets, *extra)
    run = memory.recall(
        key_of(query, arguments),
        lambda: _compile(model, memory.variables, query, arguments),
    )
    return run(*arguments)


def recall(model: keras.Model, key: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` found out about a model, kept as the programs are.

    Neither the key nor what is kept may hold the model or a layer of it.
    """
    return memory_of(model).recall(("answer", key), make)


def key_of(query: Query, arguments: Any) -> Hashable:
    """Return what a query about arguments like these is kept under."""
    sites = tuple((id(site.operation), *site[1:]) for site in _touched(query))
    changes = tuple(change for _, change in query.replace)
    rest = query._replace(score=Reference(query.score), sites=(), replace=())
    return sites, changes, rest, signature(arguments)


def _touched(query: Query) -> list[Site]:
    """Return the sites that are changed, then those that are read or differentiated."""
    return [*(site for site, _ in query.replace), *query.sites]


def signature(arrays: Any) -> str:
    """Return the structure, shapes and dtypes of arrays in a form that hashes."""
    return repr(keras.tree.map_structure(lambda x: (x.shape, str(x.dtype)), arrays))


def _trace(model: keras.Model, variables: list[keras.Variable], inputs: Any, picture: int) -> Trace:
    found: list[Trace] = []

    def run(values: list[Any], inputs: Any) -> None:
        leaves = keras.tree.flatten(inputs)
        beside = leaves[:picture] + leaves[picture + 1 :]
        recorder = Recorder(_backend.level, _backend.version, leaves[picture], beside)
        outputs, watch = _call(model, inputs, zip(variables, values, strict=False), recorder)
        activations = map(watch.activation_of, keras.tree.flatten(outputs))
        names = [activation and activation.name for activation in activations]
        specs = keras.tree.map_structure(spec_of, outputs)
        found.append(Trace(recorder.calls, specs, names, recorder.channels_first))

    _backend.trace(run, variables, inputs)
    return found[-1]


def _compile(
    model: keras.Model, variables: list[keras.Variable], query: Query, arguments: Any
) -> Callable[..., Any]:
    # The compiled program outlives this call in a cache: it must keep neither model nor score.
    get_model, get_score = Reference(model), Reference(query.score)
    touched = _touched(query)
    get_operations = [Reference(site.operation) for site in touched]
    specs = [_spec(site, len(arguments[1])) for site in query.sites]
    nameless = [site._replace(operation=None) for site in touched]
    changes = list(zip(nameless, [change for _, change in query.replace], strict=False))
    query = query._replace(
        score=None, replace=tuple(changes), sites=tuple(nameless[len(changes) :])
    )

    def program(values: list[Any], inputs: Any, targets: Any, *extra: Any) -> tuple[Any, Any]:
        if query.arrange is not None:
            inputs = query.arrange(inputs, *extra)

        def forward(taps: Sequence[Tap]) -> tuple[Any, Any]:
            operations = [get() for get in get_operations]
            on_output = _at(operations, nameless, [*_replacing(query, extra), *taps])
            state = zip(variables, values, strict=False)
            tapped = _tap_inputs(inputs, query.sites, taps)
            outputs, watch = _call(get_model(), tapped, state, on_output)
            scores, report = query.select(outputs, watch.activation_of, targets, get_score())
            return keras.ops.cast(scores, "float32"), report

        run = _differentiated if query.formulas else _plain
        return run(forward, query, specs, extra)

    return _backend.compile_program(program, variables, arguments)


def _plain(
    forward: Forward, query: Query, specs: Sequence[keras.KerasTensor], extra: Any
) -> tuple[Any, Any]:
    """Return the scores, with the activations where they are asked for, and the report."""
    activations: list[Any] = [None] * len(specs)

    def tap(s: int, site: Site) -> Tap:
        def pass_on(output: Any) -> Any:
            activations[s] = keras.ops.cast(output, "float32"), _folded(site, output)
            return output

        return pass_on

    scores, report = forward([tap(s, site) for s, site in enumerate(query.sites)])
    return ((scores, activations) if query.read else scores), report


def _replacing(query: Query, extra: Any) -> list[Tap]:
    """Return the taps of what is replaced."""
    return [
        lambda output, site=site, change=change: change(site, output, *extra)  # type: ignore[misc]
        for site, change in query.replace
    ]


def _differentiated(
    forward: Forward, query: Query, specs: Sequence[keras.KerasTensor], extra: Any
) -> tuple[Any, Any]:
    """Return each formula's result, or what they are combined to, and the report."""
    found = _backend.differentiate(forward, specs, query.second_order)
    activations, gradients, products, report = found
    if gradients is None:
        if query.sites[0].is_input:
            raise ValueError(
                "Expected an input that the score depends on in a differentiable way. Received: a "
                "model that rounds its input, or takes it as integers. Choose a method that needs "
                "no gradient, such as Occlusion or RISE."
            )
        raise ValueError(
            "Expected a layer that the score depends on in a differentiable way. Received: "
            f"layer={query.sites[0].path!r}, behind which no gradient flows back. "
            "Choose another layer."
        )
    results = []
    for s, (site, formula) in enumerate(zip(query.sites, query.formulas, strict=True)):
        slopes = [_folded(site, per_site[s]) for per_site in gradients]
        hessian_products = (
            [_folded(site, product) for product in products[s]] if s in products else None
        )
        results.append(formula(_folded(site, activations[s]), slopes, hessian_products))
    combine = query.combine
    return (results if combine is None else combine(results, *extra)), report


def _folded(site: Site, tensor: Any) -> Any:
    return site.fold(keras.ops.cast(tensor, "float32"))


def _spec(site: Site, batch: int) -> keras.KerasTensor:
    """Return shape and dtype of the site's output in a batch."""
    first, *rest = site.shape
    return keras.KerasTensor((first * batch, *rest), site.dtype)


def _call(
    model: keras.Model, inputs: Any, state: Any, on_output: hooks.OnOutput
) -> tuple[Any, hooks.Watch]:
    """Call the model in inference, watched; whatever it assigns to its variables is dropped."""
    with (
        hooks.watch(on_output, _backend.ACTIVATIONS, _backend.CASTS) as watch,
        keras.StatelessScope(state_mapping=state),
    ):
        return model(inputs, training=False), watch


def _at(operations: Sequence[Any], sites: Sequence[Site], taps: Sequence[Tap]) -> hooks.OnOutput:
    """Return a watcher that passes the output of one call of each operation through its tap."""
    waiting: dict[tuple[int, int], list[Tap]] = {}
    for operation, site, tap in zip(operations, sites, taps, strict=True):
        if site.input_index is None:
            waiting.setdefault((id(operation), site.nth), []).append(tap)
    counts: dict[int, int] = {}

    def on_output(running: Any, arguments: Any, output: Any) -> Any:
        key = id(running[-1])
        nth = counts[key] = counts.get(key, -1) + 1
        for tap in waiting.get((key, nth), ()):
            output = tap(output)
        return output

    return on_output


def _tap_inputs(inputs: Any, sites: Sequence[Site], taps: Sequence[Tap]) -> Any:
    """Pass the inputs that are sites themselves through their taps."""
    leaves = keras.tree.flatten(inputs)
    for site, tap in zip(sites, taps, strict=True):
        if site.input_index is not None:
            leaves[site.input_index] = tap(keras.ops.cast(leaves[site.input_index], site.dtype))
    return keras.tree.pack_sequence_as(inputs, leaves)

"""Run a model with hooks on its layers: compiled, cached, with NumPy arrays in and out.

`trace` tells what the model does when it is called; `evaluate` runs it once and differentiates a
score with respect to some layers' activations. Exactly one backend's file is imported.
"""

from __future__ import annotations

import functools
import importlib
import logging
import os
from collections.abc import Callable, Hashable, Sequence
from typing import Any, ParamSpec, TypeVar

import keras
import numpy as np

from eli5.keras.engine import hooks
from eli5.keras.engine.alignment import Alignment as Alignment
from eli5.keras.engine.alignment import Part as Part
from eli5.keras.engine.alignment import align_input as align_input
from eli5.keras.engine.alignment import compose as compose
from eli5.keras.engine.attention import Attention as Attention
from eli5.keras.engine.cache import forget as forget
from eli5.keras.engine.cache import is_known as is_known
from eli5.keras.engine.cache import memory_of
from eli5.keras.engine.cache import steady as steady
from eli5.keras.engine.hooks import Forward, Hook
from eli5.keras.engine.model_fingerprint import parts_of as parts_of
from eli5.keras.engine.query import Query as Query
from eli5.keras.engine.query import Reference as Reference
from eli5.keras.engine.query import Site as Site
from eli5.keras.engine.tower import tower_hooks
from eli5.keras.engine.tracing import Call as Call
from eli5.keras.engine.tracing import Recorder, of_one_sample, spec_of_output
from eli5.keras.engine.tracing import Trace as Trace
from eli5.tracebacks import ShortErrors

P = ParamSpec("P")
T = TypeVar("T")

_logger = logging.getLogger(__name__)

_backend: Any = importlib.import_module(f"eli5.keras.engine.{keras.backend.backend()}")


def in_the_open(function: Callable[P, T]) -> Callable[P, T]:
    """Return the function as one that is never part of what a caller compiles.

    `torch.compile` and ``torch.inference_mode`` leave it alone; inside of what `jax.jit` or
    `tf.function` trace it raises RuntimeError, as it does within the `call` of a model that is
    explained, and in a process that was forked.
    """

    @functools.wraps(function)
    def checked(*arguments: P.args, **options: P.kwargs) -> T:
        with ShortErrors():
            _expect_idle()
            return function(*arguments, **options)

    wrapped: Callable[P, T] = _backend.in_the_open(checked, _expect_idle)
    return wrapped


def widest_integer() -> str:
    """Name the widest integers that the backend has: ``"int64"``, or ``"int32"`` on JAX."""
    name: str = _backend.widest_integer()
    return name


def trace(model: keras.Model, inputs: Any, picture: int = 0) -> Trace:
    """Return what `model`, built, does with inputs of these shapes; only PyTorch computes for it.

    Inputs are as the model takes them, batch axis first; `picture` is the one whose positions
    matter, in the order of `keras.tree.flatten`. If they are of several samples, for a model that
    takes no other number of them, shapes are still told for one.
    """
    _expect_idle()
    memory, key = memory_of(model), (signature(inputs), picture)
    return memory.recall_trace(key, lambda: _trace(model, memory.variables, inputs, picture))


def evaluate(
    model: keras.Model,
    inputs: Any,
    targets: Any,
    query: Query,
    *extra: np.ndarray[Any, Any],
) -> tuple[Any, Any]:
    """Run `model` once; differentiate up to K scores per sample if the query has formulas.

    Parameters
    ----------
    model, inputs
        See `trace`.
    targets, query, *extra
        See `Query`; targets are an array (B, K), or a tree of arrays (B, K, ...).

    Returns
    -------
    (results, report)
        As the formulas, one per site, and ``query.select`` gave them, as NumPy arrays. Without
        formulas the scores, shape (B, K), take the results' place, or ``(scores, activations)``
        if these are to be read: per site as the layer gave them, and as ``(B, *grid, C)``.

    Raises
    ------
    ValueError
        If the scores depend on none of the sites' outputs in a differentiable way.
    RuntimeError
        In a process that was forked after the model was used, or within a model's own `call`.
    """
    _expect_idle()
    memory, arguments = memory_of(model), (inputs, targets, *extra)
    key = key_of(query, arguments)
    functions = functions_of(query.score, *(reference() for reference in query.functions))

    def make() -> Callable[..., Any]:
        _logger.info("Compiling for model %r, inputs %s", model.name, signature(inputs))
        return _compile(model, memory.variables, query, arguments)

    return memory.run(key, make, functions, arguments)


# The process in which models are explained; None before the first.
_process_id: int | None = None


def _expect_idle() -> None:
    """Refuse what would never end: a run within a run, and a process that was forked.

    That one has the locks of the backend's threads, but not the threads.
    """
    global _process_id
    process_id = os.getpid()
    if _process_id is None:
        _process_id = process_id
    if _process_id != process_id:
        raise RuntimeError(
            "Expected a process of its own, or the one in which models were explained before. "
            "Received: a process that was forked from that one, in which "
            f"{keras.backend.backend()} may hang. Start processes with "
            'multiprocessing.get_context("spawn"), or explain in the forked ones alone.'
        )
    if hooks.is_watching():
        raise RuntimeError(
            "Expected an explanation that is asked for outside of what it runs. Received: one that "
            "is asked for within a model's own `call`. Explain before, or after, the model is "
            "called."
        )


def recall(
    model: keras.Model,
    key: Hashable,
    make: Callable[[], T],
    functions: Sequence[Callable[..., Any]] = (),
) -> T:
    """Return what `make` tells of a model, kept: neither it nor the key may hold the model.

    It is made anew where `functions`, a user's own that it depends on, have changed.
    """
    return memory_of(model).recall(("answer", key), make, functions)


def functions_of(*things: Any) -> list[Callable[..., Any]]:
    """Return those that are a user's own functions, or objects that are called."""
    return [thing for thing in things if callable(thing)]


def key_of(query: Query, arguments: Any) -> Hashable:
    """Return what a query about arguments like these is kept under."""
    sites = tuple((id(site.operation), *site[1:]) for site in _touched(query))
    changes = tuple(change for _, change in query.replace)
    score = Reference(query.score)
    rest = query._replace(score=score, sites=(), replace=(), score_site=None, functions=())
    return sites, changes, rest, signature(arguments)


def _touched(query: Query) -> list[Site]:
    """Return the sites that are changed, then those that are read or differentiated, or scored."""
    scored = [] if query.score_site is None else [query.score_site]
    changed = (site for site, _ in query.replace)
    return [*changed, *query.sites, *query.beside, *query.tower, *scored]


def signature(arrays: Any) -> str:
    """Return the structure, shapes and dtypes of arrays in a form that hashes."""
    if isinstance(arrays, np.ndarray):
        return repr(_spec(arrays))
    return repr(keras.tree.map_structure(_spec, arrays))


def _spec(array: np.ndarray[Any, Any]) -> tuple[tuple[int, ...], str]:
    return array.shape, _name(array.dtype)


_name = functools.cache(str)  # of a dtype; NumPy puts it together anew each time


def _trace(model: keras.Model, variables: list[keras.Variable], inputs: Any, picture: int) -> Trace:
    _logger.debug("Tracing the layers of model %r, inputs %s", model.name, signature(inputs))
    traces: list[Trace] = []

    def run(values: list[Any], inputs: Any) -> None:
        leaves = keras.tree.flatten(inputs)
        others = leaves[:picture] + leaves[picture + 1 :]
        recorder = Recorder(_backend.level, _backend.version, leaves[picture], others)
        outputs, watch = _call(model, inputs, zip(variables, values, strict=False), recorder)
        flat = keras.tree.flatten(outputs)
        names = [a and a.name for a in map(watch.activation_of, flat)]
        specs = keras.tree.map_structure(spec_of_output, outputs)
        layout = recorder.channels_first, recorder.is_layout_known
        alignments = tuple(map(recorder.alignment_of, flat))
        attentions = tuple(recorder.attentions.finish())
        whole = Trace(recorder.finish(), specs, names, *layout, alignments, attentions)
        traces.append(of_one_sample(whole, int(leaves[picture].shape[0])))

    _backend.trace(run, variables, inputs)
    return traces[-1]


def _compile(
    model: keras.Model, variables: list[keras.Variable], query: Query, arguments: Any
) -> Callable[..., Any]:
    # The compiled program outlives this call in a cache: it must keep neither model nor score.
    get_model, get_score = Reference(model), Reference(query.score)
    touched = _touched(query)
    get_operations = [Reference(site.operation) for site in touched]
    touched = [site._replace(operation=None) for site in touched]
    batch = len(keras.tree.flatten(arguments[1])[0])
    shapes = [(site.shape[0] * batch, *site.shape[1:]) for site in query.sites]
    specs = [keras.KerasTensor(s, site.dtype) for s, site in zip(shapes, query.sites, strict=True)]
    changes = [change for _, change in query.replace]
    n_stories, is_scored = len(query.tower), query.score_site is not None
    query = _without_operations(query)

    def program(values: list[Any], inputs: Any, targets: Any, *extra: Any) -> tuple[Any, Any]:
        if query.arrange is not None:
            inputs = query.arrange(inputs, *extra)
        replacing = [
            lambda output, site=site, change=change: change(site, output, *extra)
            for site, change in zip(touched, changes, strict=False)
        ]

        def forward(per_site: Sequence[Hook]) -> tuple[Any, Any]:
            operations = [get() for get in get_operations]
            scored: list[Any] = []
            per_story = tower_hooks(n_stories)
            hooks_of_all = [*replacing, *per_site, *per_story, _keeper(scored)][: len(touched)]
            on_output = _Watcher(operations, touched, hooks_of_all)
            state = list(zip(variables, values, strict=False))
            if query.slot is not None:
                state += _states_of(query.slot, get_model(), state)
            hooked = _hook_inputs(inputs, (*query.sites, *query.beside), per_site)
            outputs, watch = _call(get_model(), hooked, state, on_output)
            if is_scored:
                (outputs,) = scored
            scores, report = query.select(outputs, watch.activation_of, targets, get_score())
            return keras.tree.map_structure(_float32, scores), report

        if query.formulas:
            return _differentiated(forward, query, specs, extra)
        return _plain(forward, query)

    return _backend.compile_program(program, variables, arguments)


def _without_operations(query: Query) -> Query:
    """Return a query that holds neither model nor score, for a program that outlives them."""
    sites, beside = (
        tuple(site._replace(operation=None) for site in sites)
        for sites in (query.sites, query.beside)
    )
    return query._replace(
        score=None, replace=(), sites=sites, beside=beside, tower=(), score_site=None
    )


def _keeper(kept: list[Any]) -> Hook:
    def keep(output: Any) -> Any:
        kept.append(output)
        return output

    return keep


def kept_states(model: keras.Model) -> list[keras.Variable]:
    """Return what the model's recurrent layers keep between calls, a row per sample each."""
    layers = (part for part in parts_of(model) if getattr(part, "stateful", False) is True)
    states = (state for one in layers for state in keras.tree.flatten(getattr(one, "states", None)))
    return [state for state in states if isinstance(state, keras.Variable)]


def _states_of(slot: int, model: keras.Model, state: list[tuple[Any, Any]]) -> list[Any]:
    """Return the kept states as if all samples of a batch were in the place of one."""
    values = {id(variable): value for variable, value in state}
    kept = kept_states(model)
    rows = [values.get(id(one), one.value)[slot : slot + 1] for one in kept]
    return [
        (one, keras.ops.repeat(row, one.shape[0], axis=0))
        for one, row in zip(kept, rows, strict=True)
    ]


def _plain(forward: Forward, query: Query) -> tuple[Any, Any]:
    """Return the scores, with the activations where they are asked for, and the report."""
    activations: list[Any] = [None] * len(query.sites)

    def hook(s: int, site: Site) -> Hook:
        def read(output: Any) -> Any:
            activations[s] = keras.ops.cast(output, "float32"), _folded(site, output)
            return output

        return read

    scores, report = forward([hook(s, site) for s, site in enumerate(query.sites)])
    scores = keras.ops.stack(scores, axis=1) if isinstance(scores, list) else scores
    return ((scores, activations) if query.read else scores), report


def _float32(tensor: Any) -> Any:
    return keras.ops.cast(tensor, "float32")


def _differentiated(
    forward: Forward, query: Query, specs: Sequence[keras.KerasTensor], extra: Any
) -> tuple[Any, Any]:
    """Return each formula's result, or what they are combined to, and the report."""

    def forward_beside(per_site: Sequence[Hook]) -> tuple[Any, Any]:
        read: list[Any] = [None] * len(query.beside)
        reading = [_reader(read, s, site) for s, site in enumerate(query.beside)]
        scores, report = forward([*per_site, *reading])
        return scores, (report, read)

    activations, gradients, hessian_products, (report, read) = _backend.differentiate(
        forward_beside, specs, query.second_order
    )
    if gradients is None:
        raise ValueError(_why_no_gradient(query.sites[0]))
    results = []
    for s, (site, formula) in enumerate(zip(query.sites, query.formulas, strict=True)):
        at_site = [_folded(site, per_site[s]) for per_site in gradients]
        products = [_folded(site, product) for product in hessian_products.get(s, ())] or None
        results.append(formula(_folded(site, activations[s]), at_site, products))
    combine = query.combine
    return (results if combine is None else combine([*results, *read], *extra)), report


def _reader(read: list[Any], s: int, site: Site) -> Hook:
    def hook(output: Any) -> Any:
        read[s] = keras.ops.stop_gradient(_folded(site, output))
        return output

    return hook


_WITHOUT_GRADIENT = (
    "Choose a method that needs no gradient, such as Occlusion, RISE, KernelSHAP, LIME, "
    "Ablation-CAM or Score-CAM."
)


def _why_no_gradient(site: Site) -> str:
    if site.is_attention:
        return (
            "Expected an attention that the score depends on. Received: a score that does not "
            f"react to {site.path!r} nor to what attends after it. Choose another score or output."
        )
    if site.is_input:
        return (
            "Expected an input that the score depends on in a differentiable way. Received: a "
            "model that rounds its input or its output, as an argmax does, or takes integers. "
            f"{_WITHOUT_GRADIENT}"
        )
    return (
        "Expected a layer that the score depends on in a differentiable way. Received: "
        f"layer={site.path!r}, behind which no gradient flows back: what follows it, such as an "
        "argmax or a rounding, cannot be differentiated, or the score is not made of it. "
        f"{_WITHOUT_GRADIENT}"
    )


def _folded(site: Site, tensor: Any) -> Any:
    return site.fold(keras.ops.cast(tensor, "float32"))


def _call(
    model: keras.Model, inputs: Any, state: Any, on_output: hooks.OnOutput
) -> tuple[Any, hooks.Watch]:
    """Call the model in inference, watched; whatever it assigns to its variables is dropped."""
    with (
        hooks.watch(on_output, _backend.LIBRARY) as watch,
        keras.StatelessScope(state_mapping=state),
    ):
        return model(inputs, training=False), watch


class _Watcher:
    """Passes the output of one call of each operation, and matrices of attention, through hooks."""

    def __init__(
        self, operations: Sequence[Any], sites: Sequence[Site], per_site: Sequence[Hook]
    ) -> None:
        self._waiting: dict[tuple[int, int], list[Hook]] = {}
        self._counts: dict[int, int] = {}
        for operation, site, hook in zip(operations, sites, per_site, strict=True):
            if site.input_index is None:
                key = id(None if site.is_attention else operation), site.nth
                self._waiting.setdefault(key, []).append(hook)
        if any(site.is_attention for site in sites):
            self.on_attention = self._on_attention

    def __call__(self, running: Any, arguments: Any, output: Any) -> Any:
        for hook in self._next(running[-1]):
            output = hook(output)
        return output

    def _on_attention(self, *_: Any) -> Hook | None:
        per_site = self._next(None)
        return functools.partial(functools.reduce, _apply, per_site) if per_site else None

    def _next(self, operation: Any) -> Sequence[Hook]:
        key = id(operation)
        nth = self._counts[key] = self._counts.get(key, -1) + 1
        return self._waiting.get((key, nth), ())


def _apply(output: Any, hook: Hook) -> Any:
    return hook(output)


def _hook_inputs(inputs: Any, sites: Sequence[Site], per_site: Sequence[Hook]) -> Any:
    """Pass the inputs that are sites themselves through their hooks."""
    leaves = keras.tree.flatten(inputs)
    for site, hook in zip(sites, per_site, strict=True):
        if site.input_index is not None:
            leaves[site.input_index] = hook(keras.ops.cast(leaves[site.input_index], site.dtype))
    return keras.tree.pack_sequence_as(inputs, leaves)

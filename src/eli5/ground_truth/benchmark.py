"""Explain problems whose truth is known with each method, and compare the maps with it."""

from __future__ import annotations

import inspect
import time
import warnings
import zlib
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.checks import (
    did_you_mean,
    expect_choice,
    expect_count,
    expect_integer,
    expect_type,
    listed,
    wrong_type,
)
from eli5.explain import explain_predictions
from eli5.ground_truth.agreement import Claim, measure_map
from eli5.ground_truth.problem import Array, Problem
from eli5.ground_truth.report import BenchmarkReport, Example, Row, make_row
from eli5.ground_truth.sets import SETS
from eli5.keras.methods import WITHOUT_ATTENTION
from eli5.keras.methods.lookup import find_method
from eli5.keras.methods.method import Method
from eli5.metrics.maps import input_map
from eli5.progress import show_progress

_CLAIMS = ("signed", "for", "size")


class Contender(NamedTuple):
    """A method that is measured, with its options: of this package, or a function of a doc."""

    name: str
    method: Method | None
    map_of: Callable[[Any, Array, int], Any] | None
    options: dict[str, Any]
    claim: Claim


def benchmark(
    methods: Any = None,
    sets: Any = None,
    *,
    n_docs: int = 8,
    seed: int = 0,
    progress: bool | None = None,
) -> BenchmarkReport:
    """Compare methods with attributions that are known, on models and docs made for that.

    Parameters
    ----------
    methods : list of str and callables, or a mapping, optional
        Methods, or by a name of your own the options of one: ``{"mine": {"method": function}}``.
        All of `eli5.keras.METHODS` but those on attention if not given. A function is a formula
        ``(activations, gradients)
        -> map``, as `eli5.explain_prediction` takes it, or ``(model, doc, target) -> map``: the doc
        with a batch axis of 1, the map of its size. Of your own method ``"claim"`` says what the
        map shows: ``"signed"`` (the default), ``"for"`` if it shows only what speaks for the class,
        ``"size"`` if it has no sign.
    sets : list of str, optional
        Names from `eli5.ground_truth.sets.SETS`; all if not given.
    n_docs : int, default 8
        Of each problem; of those that cost much, fewer.
    seed : int, default 0
        Of all that is drawn for the sets.
    progress : bool, optional
        See `eli5.explain_prediction`.

    Returns
    -------
    BenchmarkReport
        With ``rows``, ``table``, ``save("report.html")`` and what it shows as text. A method that a
        problem's model is none for is there with the reason, and without numbers. Two maps that
        cannot be right stand beside the methods: noise, and the edges of the doc.

    Raises
    ------
    TypeError, ValueError
        If there is no such method, option or set; also what a function of the caller's raises.
    """
    contenders, names = _with_controls(read_contenders(methods)), _read_sets(sets)
    n, seed = expect_count("n_docs", n_docs, most=1000), expect_integer("seed", seed, least=0)
    problems = [(name, one) for name in names for one in SETS[name].make(seed, n)]
    rows: list[Row] = []
    examples: dict[tuple[str, str], Example] = {}
    total = len(problems) * len(contenders)
    with show_progress(total, label="Benchmark", noun="maps", shown=progress) as bar:
        for name, problem in problems:
            example = Example(problem.docs[0], problem.truths[0, 0], problem.about, {})
            for contender in contenders:
                row, first = _run(name, problem, contender)
                rows.append(row)
                if first is not None:
                    example.maps[contender.name] = first
                bar.advance()
            examples[name, problem.name] = example
    return BenchmarkReport(rows, examples, seed, n, keras.backend.backend())


# ---- what is asked for ---------------------------------------------------------------------------


def read_contenders(methods: Any) -> list[Contender]:
    """Return the methods that are asked for; see `benchmark`."""
    if methods is None:
        methods = list(WITHOUT_ATTENTION)
    if isinstance(methods, Mapping):
        one = "a mapping, such as {'method': 'RISE', 'n_masks': 200}"
        return [
            _contender(str(name), dict(expect_type(f"methods[{name!r}]", options, Mapping, one)))
            for name, options in methods.items()
        ]
    items = listed(methods)
    if not items:
        raise wrong_type("methods", methods, "a list of methods, or a mapping to their options")
    return [_contender(None, {"method": one}) for one in items]


def _contender(name: str | None, options: dict[str, Any]) -> Contender:
    function, own_claim = options.pop("method", "Grad-CAM"), options.pop("claim", None)
    if own_claim is not None:
        expect_choice("claim", own_claim, _CLAIMS)
    if _takes_a_doc(function):
        if options:
            meant = did_you_mean(next(iter(options)), ["method", "claim"])
            raise TypeError(
                "Expected no options of a function (model, doc, target). Received: "
                f"{', '.join(options)}. {meant or 'Give it a function that has them.'}"
            )
        own = getattr(function, "__name__", type(function).__name__)
        return Contender(name or own, None, function, {}, own_claim or "signed")
    method = find_method(function)
    return Contender(name or method.name, method, None, options, own_claim or _claim_of(method))


def _takes_a_doc(function: Any) -> bool:
    """Tell whether a function takes model, doc and target, and not activations and gradients."""
    if not callable(function) or isinstance(function, Method):
        return False
    try:
        inspect.signature(function).bind("model", "doc", "target")
    except (TypeError, ValueError):  # a builtin may have no signature to tell
        return False
    return True


def _claim_of(method: Method) -> Claim:
    if not method.is_signed:
        return "size"
    return "for" if method.is_rectified else "signed"


def _read_sets(sets: Any) -> list[str]:
    names = list(SETS) if sets is None else listed(sets)
    if not names:
        raise wrong_type("sets", sets, f"a list of names, of {', '.join(SETS)}")
    return [expect_choice("sets", name, list(SETS)) for name in names]


# ---- maps that cannot be right -------------------------------------------------------------------


def noise(model: Any, doc: Array, target: int) -> Array:
    """Return a map that has nothing to do with the model, of each doc another one."""
    return np.random.default_rng(zlib.crc32(doc.tobytes())).standard_normal(doc.shape[1:])


def edges(model: Any, doc: Array, target: int) -> Array:
    """Return how much the doc changes from place to place, as Sobel's filter sees it."""
    values = doc[0].astype("float64")
    places = values.shape[:-1] if values.ndim > 1 else values.shape
    slopes = [np.gradient(values, axis=axis) for axis, n in enumerate(places) if n > 1]
    sizes = np.sqrt(np.sum(np.square(slopes), axis=0))
    return sizes.sum(axis=-1) if values.ndim > 1 else sizes


_CONTROLS = (
    Contender("noise", None, noise, {}, "signed"),
    Contender("edges", None, edges, {}, "size"),
)


def _with_controls(contenders: list[Contender]) -> list[Contender]:
    """Return the methods behind the maps that cannot be right, but for names that are taken."""
    names = {one.name for one in contenders}
    return [*(one for one in _CONTROLS if one.name not in names), *contenders]


# ---- one method, one problem ---------------------------------------------------------------------


def _run(set_name: str, problem: Problem, contender: Contender) -> tuple[Row, Array | None]:
    """Return what there is to say of a method, and its first map."""
    begun = time.perf_counter()
    try:
        maps = list(maps_of(problem, contender))
    except (ValueError, ModuleNotFoundError) as error:
        if contender.map_of is not None:  # a mistake in a function of the caller's is told
            raise
        reason = str(error).partition(". ")[0]
        return Row(set_name, problem.name, contender.name, reason=reason), None
    seconds = time.perf_counter() - begun
    numbers = [
        measure_map(
            _fitted(values, problem.truths[n, k], contender.name),
            problem.truths[n, k],
            contender.claim,
            problem.reading,
            None if problem.blind is None else problem.blind[n, k],
            None if problem.part is None else problem.part[n, k],
        )
        for (n, k), values in maps
    ]
    n_blank = sum(not values.any() for _, values in maps)
    first = _fitted(maps[0][1], problem.truths[0, 0], contender.name)
    return make_row(set_name, problem.name, contender.name, numbers, n_blank, seconds), first


def maps_of(problem: Problem, contender: Contender) -> Iterator[tuple[tuple[int, int], Array]]:
    """Yield the map of each doc and class, with the numbers of both."""
    if contender.map_of is not None:
        for n, targets in enumerate(problem.targets):
            for k, target in enumerate(targets):
                values = contender.map_of(problem.model, problem.docs[n : n + 1], target)
                yield (n, k), _finite(np.asarray(values, "float64"), contender.name)
        return
    method: Any = contender.method
    options = {**problem.options.get(method.name, {}), **contender.options}
    if method.at == "layer":
        options = {"layer": problem.layer, **options}
    with warnings.catch_warnings():  # a map of zeros is told in the row
        warnings.filterwarnings("ignore", ".*The heatmap of target", UserWarning)
        explanations = explain_predictions(
            problem.model,
            problem.docs,
            targets=[list(row) for row in problem.targets],
            method=method,
            progress=False,
            **{"batch_size": problem.batch_size, **options},
        )
        for n, one in enumerate(explanations):
            for k, target in enumerate(one.targets):
                yield (n, k), input_map(target)


def _finite(values: Array, name: str) -> Array:
    if not np.isfinite(values).all():
        raise ValueError(f"Expected maps that are finite. Received: one of {name!r} that is not")
    return values


def _fitted(values: Array, truth: Array, name: str) -> Array:
    """Return a map of the truth's size: of a map that has channels, too, their sum."""
    if values.ndim == truth.ndim + 1:
        values = values.sum(axis=-1)
    if values.shape != truth.shape:
        raise ValueError(
            f"Expected maps of the doc's size, {truth.shape}. Received: one of {name!r} of shape "
            f"{values.shape}"
        )
    return values

"""Measure which metrics rank methods as the known truth does.

    python benchmarks/metric_truth.py [--write]

With it, the table in docs/metrics.md is replaced.
"""

from __future__ import annotations

import argparse
import os
import sys
import textwrap
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Before Keras is imported: TensorFlow is quiet about the machine it runs on.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from pages import as_table, write_between

from eli5.ground_truth.agreement import measure_map
from eli5.ground_truth.benchmark import Contender, maps_of, read_contenders
from eli5.ground_truth.problem import Problem
from eli5.ground_truth.sets import SETS
from eli5.keras.methods import WITHOUT_ATTENTION
from eli5.metrics import METRICS, Metric
from eli5.metrics.comparison import interval
from eli5.metrics.similarity import spearman

Array = np.ndarray[Any, Any]

SCRIPT = "benchmarks/metric_truth.py"
PAGE = Path(__file__).resolve().parents[1] / "docs" / "metrics.md"
_OWN = {"KernelSHAP": {"n_samples": 300}, "LIME": {"n_samples": 300}, "RISE": {"n_masks": 300}}
_FEWEST = 3  # maps of one doc, to be ranked
_DIGITS = 4  # of all numbers; what differs by less is equal, or rounding would rank it
# What explains anew, of which fewer samples tell enough.
_LESS: dict[str, dict[str, Any]] = {
    "Max-sensitivity": {"n_samples": 4},
    "Cascading randomisation": {"stages": 2},
    "Smooth randomisation": {"stages": 2},
}


def main() -> None:
    """Print the table, and write it where asked for."""
    options = _parse()
    metrics = [row for row in METRICS.values() if "masks" not in row.needs]
    found: dict[str, list[float]] = {row.name: [] for row in metrics}
    for problem in _problems(options.docs, options.seed):
        begun = time.perf_counter()
        for name, correlations in rank_correlations(problem, metrics).items():
            found[name] += correlations
        print(f"{problem.name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    text = f"{_origin(options.docs, options.seed)}\n\n{metric_table(metrics, found)}"
    print(text)
    if options.write:
        write_between(PAGE, "metric-truth", text)


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--docs", type=int, default=4, help="of each problem")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--write", action="store_true", help="replace the table in the docs")
    return parser.parse_args()


def _problems(n_docs: int, seed: int) -> Iterator[Problem]:
    """Yield the problems whose docs have one class each; the scenes would take hours."""
    for one in SETS.values():
        for problem in one.make(seed, n_docs):
            if {len(targets) for targets in problem.targets} == {1}:
                yield problem


def rank_correlations(problem: Problem, metrics: list[Metric]) -> dict[str, list[float]]:
    """Return, by metric, per doc the rank correlation over the methods with the agreement."""
    known: dict[str, Array] = {}
    numbers: dict[str, dict[str, Array]] = {row.name: {} for row in metrics}
    for contender in read_contenders({name: {"method": name} for name in WITHOUT_ATTENTION}):
        own = contender._replace(options=_OWN.get(contender.name, {}))
        try:
            maps = np.stack([_as_map(m, problem) for _, m in maps_of(problem, own)])
        except ValueError:  # not applicable
            continue
        known[own.name] = _agreement(problem, own, maps)
        for row in metrics:
            values = _measure(row, problem, own, maps)
            if values is not None:
                sign = 1 if row.better == "higher" else -1
                numbers[row.name][own.name] = sign * values
    return {
        name: list(over_methods(of_metric, known)) if of_metric else []
        for name, of_metric in numbers.items()
    }


def _as_map(values: Array, problem: Problem) -> Array:
    return values.sum(axis=-1) if values.ndim == problem.truths.ndim - 1 else values


def _agreement(problem: Problem, contender: Contender, maps: Array) -> Array:
    numbers = [
        measure_map(values, truth[0], contender.claim, problem.reading)["agreement"]
        for values, truth in zip(maps, problem.truths, strict=True)
    ]
    return np.round(numbers, _DIGITS)


def _measure(row: Metric, problem: Problem, contender: Contender, maps: Array) -> Array | None:
    """Return a number per doc, or None where the metric is not defined."""
    function: Any = row.function
    targets = [target for (target,) in problem.targets]
    options: dict[str, Any] = {"targets": targets, **_LESS.get(row.name, {})}
    if "baseline" in function.__kwdefaults__:
        options["baseline"] = 0.0
    if row.name.startswith("Average"):
        options["task"] = "classification"
    given = {"model": problem.model, "docs": problem.docs, "explanations": list(maps)}
    if "explanations" not in row.needs:
        # As a pair, since `n_samples` may be an option of the metric as well.
        own = {**problem.options.get(contender.name, {}), **contender.options}
        method = (contender.method, own) if own else contender.method
        options |= {"method": method, "batch_size": problem.batch_size}
        if contender.method is not None and contender.method.at == "layer":
            options["layer"] = problem.layer
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of maps of zeros
            values = function(*(given[name] for name in row.needs), **options).values
    except (TypeError, ValueError):
        return None
    return np.round(values, _DIGITS)


def over_methods(of_metric: dict[str, Array], known: dict[str, Array]) -> Iterator[float]:
    """Yield, per doc, the rank correlation of two numbers that methods have, by their names."""
    methods = list(of_metric)
    values = np.stack([of_metric[name] for name in methods], axis=1)
    truths = np.stack([known[name] for name in methods], axis=1)
    for one, truth in zip(values, truths, strict=True):
        defined = ~np.isnan(one)
        if defined.sum() >= _FEWEST:
            yield spearman(one[defined], truth[defined])


def metric_table(metrics: list[Metric], found: dict[str, list[float]]) -> str:
    """Return the mean correlation of each metric, the highest first, as a Markdown table."""
    rows = []
    for row in metrics:
        values = np.array(found[row.name])
        defined = values[~np.isnan(values)]
        low, high = interval(defined)
        mean = float(defined.mean()) if len(defined) else float("nan")
        rows.append(
            (mean, [row.name, f"{mean:+.2f}", f"{low:+.2f} to {high:+.2f}", str(len(defined))])
        )
    ranked = sorted(rows, key=lambda one: -np.nan_to_num(one[0], nan=-2))
    return as_table(["Metric", "Rank correlation", "95 %", "Docs"], [cells for _, cells in ranked])


def _origin(n_docs: int, seed: int) -> str:
    less = "; ".join(
        f"{name} with {', '.join(f'{key}={value}' for key, value in own.items())}"
        for name, own in {**_OWN, **_LESS}.items()
    )
    return textwrap.fill(
        f"Made by `python {' '.join([SCRIPT, *sys.argv[1:]])}` with Keras {keras.__version__} on "
        f"{keras.backend.backend()}: {n_docs} docs of each problem of [known truth]"
        f"(ground-truth.md) with one class each, seed {seed}. Per doc the maps of all methods are "
        "ranked by the metric and by their agreement with the truth: the mean of Spearman's "
        "correlation, its sign turned where lower is better, with the 95 % interval over the docs. "
        f"What is left out is black, as it is for the truth. {less}.",
        width=120,
        break_on_hyphens=False,
        break_long_words=False,
    )


if __name__ == "__main__":
    main()

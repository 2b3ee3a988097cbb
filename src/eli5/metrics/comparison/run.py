"""Docs go through in chunks: each method explains them, each metric measures, the maps are dropped.

What fails for a doc costs its number, not the run. What fails for all of them is what was asked.
"""

from __future__ import annotations

import functools
import itertools
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.keras.explain_predictions import explain_predictions_keras
from eli5.metrics.comparison.curves import sum_curves
from eli5.metrics.comparison.examples import choose_examples
from eli5.metrics.comparison.part import Failure, Part
from eli5.metrics.comparison.request import PER_DOC, Request
from eli5.metrics.comparison.totals import Totals, spread
from eli5.metrics.maps import list_maps
from eli5.metrics.result import Metric, MetricResult, join_results
from eli5.progress import Progress

_NO_MASK = "no mask was given"


class Entry(NamedTuple):
    """A doc, and what is said of it.

    Attributes
    ----------
    doc : Any
        With a batch axis of 1.
    name : str
    target : int, optional
        The class; the top prediction if not given.
    mask : optional
        Where the object is.
    about : dict
        Its ``tokens`` and its ``images``, as far as they are given.
    """

    doc: Any
    name: str
    target: int | None = None
    mask: Any = None
    about: Mapping[str, Any] = {}


def chunks(entries: Iterable[Entry], size: int) -> Iterator[list[Entry]]:
    """Yield the docs, so many at once."""
    stream = iter(entries)
    while chunk := list(itertools.islice(stream, size)):
        yield chunk


def checksum(chunk: Sequence[Entry]) -> int:
    """Return a number by which docs, their classes and masks are known again."""
    found = 0
    for entry in chunk:
        for leaf in keras.tree.flatten((entry.doc, entry.target, entry.mask)):
            is_array = isinstance(leaf, np.ndarray) and leaf.dtype.kind != "O"
            content = np.ascontiguousarray(leaf).tobytes() if is_array else repr(leaf).encode()
            found = zlib.crc32(content, found)
    return found


def measure_chunk(
    model: keras.Model, chunk: Sequence[Entry], totals: Totals, progress: Progress
) -> Part:
    """Measure some docs by all methods and metrics."""
    return _Chunk(model, chunk, totals, progress).measure()


class _Chunk:
    """Some docs, and what has been found out about them."""

    def __init__(
        self, model: keras.Model, entries: Sequence[Entry], totals: Totals, progress: Progress
    ) -> None:
        self.model, self.entries, self.totals, self.progress = model, entries, totals, progress
        self.request: Request = totals.request
        self.targets: list[Any] = [entry.target for entry in entries]
        self.part = Part(len(entries), checksum(entries), {}, {}, {}, [], [], {})

    def measure(self) -> Part:
        for name, options in self.request.methods.items():
            explanations, seconds = _timed(functools.partial(self._explain, name, options))
            self.part.seconds[name, ""] = seconds
            for row in self.request.metrics:
                measure = functools.partial(self._measure, name, row, options, explanations)
                result, self.part.seconds[name, row.name] = _timed(measure)
                self._keep((name, row.name), result, explanations)
        return self.part

    def _keep(self, key: tuple[str, str], result: MetricResult, explanations: list[Any]) -> None:
        self.part.results[key] = result
        sums = sum_curves(result)
        if sums is not None:
            self.part.mean_curves[key] = sums
        names = [entry.name for entry in self.entries]
        n = self.request.examples
        self.part.examples.extend(
            choose_examples(key, result, explanations, names, self.totals.n, n)
        )

    def _explain(self, name: str, options: Mapping[str, Any]) -> list[Any]:
        """Return the explanations by a method, None of what it cannot explain."""
        explanations: list[Any] = [None] * len(self.entries)

        def explain(numbers: list[int]) -> list[Any]:
            targets = [self.targets[k] for k in numbers]
            own = {**options, **self._about(numbers), "progress": self.request.progress}
            known = None if None in targets else targets
            found = list(
                explain_predictions_keras(self.model, self._docs(numbers), targets=known, **own)
            )
            list_maps(found)  # ValueError for one that cannot be measured, as of a doc with NaN
            return found

        # Where the first method has failed, the class of a doc is not known yet.
        for is_known in (True, False):
            numbers = [k for k, one in enumerate(self.targets) if (one is not None) == is_known]
            for some, found in self._each_or_alone(explain, numbers, name):
                for k, expl in zip(some, found, strict=True):
                    explanations[k] = expl
        for k, expl in enumerate(explanations):
            if expl is not None and self.targets[k] is None:  # of all methods that of the first
                self.targets[k] = list_maps([expl])[0].target
        self._step()
        return explanations

    def _measure(
        self, name: str, row: Metric, options: Mapping[str, Any], explanations: list[Any]
    ) -> MetricResult:
        """Return the numbers of a metric, NaN where there is none."""
        needs_mask = "masks" in row.needs
        numbers = []
        for k, entry in enumerate(self.entries):
            if needs_mask and entry.mask is None:
                self._note(k, name, row.name, _NO_MASK)
            elif explanations[k] is None:
                self.part.n_failed[name, row.name] = self._count(name, row.name) + 1
            else:
                numbers.append(k)

        def measure(some: list[int]) -> MetricResult:
            given = {
                "model": self.model,
                "docs": self._docs(some),
                "explanations": [explanations[k] for k in some],
                "masks": [self.entries[k].mask for k in some],
            }
            function: Any = row.function
            own = self._options(row, options, some)
            return function(*(given[what] for what in row.needs), **own)

        found = list(self._each_or_alone(measure, numbers, name, row.name))
        self._step()
        if not found:
            values = np.full(len(self.entries), np.nan)
            nothing: list[Any] = [{} for _ in values]
            return MetricResult(row.name, values, row.better, row.unit, nothing, self.targets[:])
        known = [k for some, _ in found for k in some]
        return spread(join_results([one for _, one in found]), known, len(self.entries))

    def _options(
        self, row: Metric, options: Mapping[str, Any], numbers: list[int]
    ) -> dict[str, Any]:
        """Return those of the options that a metric takes, of some docs."""
        defaults: Any = row.function
        own: dict[str, Any] = {"targets": [self.targets[k] for k in numbers]}
        if "seed" in defaults.__kwdefaults__:
            own["seed"] = self.request.seed
        if "model" in row.needs:
            own |= self._about(numbers)
        if "explanations" not in row.needs:
            own = {**options, "progress": self.request.progress, **own}
        return own

    def _docs(self, numbers: list[int]) -> list[Any]:
        return [self.entries[k].doc for k in numbers]

    def _about(self, numbers: list[int]) -> dict[str, Any]:
        about = dict(self.request.about)
        for name in PER_DOC:
            if any(name in self.entries[k].about for k in numbers):
                about[name] = [self.entries[k].about.get(name) for k in numbers]
        return about

    def _each_or_alone(
        self, run: Callable[[list[int]], Any], numbers: list[int], method: str, metric: str = ""
    ) -> Iterator[tuple[list[int], Any]]:
        """Run on all docs of these numbers, or, if that fails, on each alone; note what fails.

        Raise the error if nothing has ever come of it: then it is not a doc that is wrong.
        """
        if not numbers:
            return
        try:
            found = [(numbers, run(numbers))]
        except ImportError:
            raise
        except Exception as error:  # of the model, the backend or a method of the user's
            found = list(self._alone(run, numbers, method, metric)) if len(numbers) > 1 else []
            if not found and not self.totals.worked(method, metric):
                raise
            if not found and len(numbers) == 1:
                self._note(numbers[0], method, metric, error)
        yield from found

    def _alone(
        self, run: Callable[[list[int]], Any], numbers: list[int], method: str, metric: str
    ) -> Iterator[tuple[list[int], Any]]:
        for k in numbers:
            try:
                yield [k], run([k])
            except Exception as error:
                self._note(k, method, metric, error)

    def _note(self, k: int, method: str, metric: str, reason: Any) -> None:
        text = " ".join(str(reason).split()) or type(reason).__name__
        number, name = self.totals.n + k, self.entries[k].name
        if reason is not _NO_MASK or not any(one.number == number for one in self.part.failures):
            self.part.failures.append(Failure(number, name, method, metric, text[:500]))
        if metric:
            self.part.n_failed[method, metric] = self._count(method, metric) + 1

    def _count(self, method: str, metric: str) -> int:
        return self.part.n_failed.get((method, metric), 0)

    def _step(self) -> None:
        self.progress.update(self.progress.done + len(self.entries))


def _timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return run(), time.perf_counter() - start

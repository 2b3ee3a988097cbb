"""Show where the time of one warm explanation goes.

Forward and head gradient: the model's forward pass, and what the explanation's own program takes
above it, both with arrays that are on the device. Transfer: arrays onto the device, and results
back. Python: the whole call with a program that answers at once with known results.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
from networks import docs, flat
from on_device import steps
from rows import Row

import eli5
from eli5.keras import engine

Array = np.ndarray[Any, Any]
WARM = 3  # rounds that do not count


def profile(pairs: int) -> Iterator[Row]:
    """Yield the parts of the time, and the whole, for one doc and for a batch."""
    model = flat()
    for n in (1, 8):
        times = _measure(model, docs(n), pairs if n == 1 else max(pairs // 3, 5))
        whole = statistics.median(times["whole"])
        for part, seconds in times.items():
            yield _row(part, f"batch {n}", seconds, whole)


def _row(part: str, on: str, seconds: list[float], whole: float) -> Row:
    low, middle, high = (1000 * cut for cut in statistics.quantiles(seconds, n=4))
    note = f"{middle / whole / 10:.0f} %"
    return Row(f"{part}, {on}", middle, low, high, None, "ms", note=note, subject=part, on=on)


def _measure(model: keras.Model, batch: Array, n_rounds: int) -> dict[str, list[float]]:
    """Return the seconds of each part in each round."""

    def explain() -> Any:
        return list(eli5.explain_predictions(model, batch, batch_size=len(batch)))

    device = steps()
    with _compiled() as programs:
        explain()
        (program,) = programs
        run = device.compiled(program.function, program.variables)
        forward = device.compiled(_forward(model, program.variables), program.variables)
        rounds = []
        for k in range(WARM + n_rounds):
            tensors, put = _timed(device.put, program.arguments)
            (found, gradient), (_, plain) = _in_turn(k, run, forward, tensors)
            results, got = _timed(device.get, found)
            with program.answering(results):
                _, python = _timed(explain)
            _, whole = _timed(explain)
            rounds.append((plain, gradient - plain, put + got, python, whole))
    names = ("forward", "head gradient", "transfer", "Python", "whole")
    return dict(zip(names, map(list, zip(*rounds[WARM:], strict=True)), strict=True))


def _forward(model: keras.Model, variables: Sequence[keras.Variable]) -> Callable[..., Any]:
    """Return the forward pass as a program that takes what the explanation's takes."""

    def forward(values: list[Any], inputs: Any, *_: Any) -> Any:
        state = zip(variables, values, strict=False)
        with keras.StatelessScope(state_mapping=state):
            return model(inputs, training=False)

    return forward


def _in_turn(k: int, one: Any, other: Any, tensors: Any) -> Any:
    """Time two functions, in an order that alternates."""
    if k % 2:
        return _timed(one, *tensors), _timed(other, *tensors)
    return tuple(reversed([_timed(other, *tensors), _timed(one, *tensors)]))


def _timed(function: Callable[..., Any], *arguments: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    found = function(*arguments)
    return found, time.perf_counter() - start


class _Program:
    """What the engine compiled, with what it got; it can be told to answer at once."""

    def __init__(self, run: Callable[..., Any], function: Any, variables: Any) -> None:
        self._run, self.function, self.variables = run, function, variables
        self.arguments: Any = None
        self._answer: Any = None

    def __call__(self, *arrays: Any) -> Any:
        self.arguments = arrays
        return self._run(*arrays) if self._answer is None else self._answer

    @contextlib.contextmanager
    def answering(self, results: Any) -> Iterator[None]:
        self._answer = results
        try:
            yield
        finally:
            self._answer = None


@contextlib.contextmanager
def _compiled() -> Iterator[list[_Program]]:
    """Note the programs that the engine compiles meanwhile."""
    programs: list[_Program] = []
    compile_program = engine._backend.compile_program

    def compile_and_note(function: Any, variables: Any, arguments: Any) -> Any:
        programs.append(
            _Program(compile_program(function, variables, arguments), function, variables)
        )
        return programs[-1]

    engine._backend.compile_program = compile_and_note
    try:
        yield programs
    finally:
        engine._backend.compile_program = compile_program

"""Time what a thing costs in units of another, on a machine that is shared."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple


class Cost(NamedTuple):
    """What something costs in units of a yardstick.

    Attributes
    ----------
    ratio : float
        The median over pairs of runs that followed each other.
    low, high : float
        Its quartiles.
    over : tuple of three floats
        Lower quartile, median and upper quartile of the seconds that it takes more.
    """

    ratio: float
    low: float
    high: float
    over: tuple[float, float, float]


def compare(
    run: Callable[[], Any], yardstick: Callable[[], Any], *, pairs: int = 30, warm: int = 3
) -> Cost:
    """Time two functions in turn; which of a pair comes first alternates."""
    for _ in range(warm):
        run(), yardstick()
    times: list[tuple[float, float]] = []
    for k in range(pairs):
        order = (run, yardstick) if k % 2 else (yardstick, run)
        taken = {function: _time(function) for function in order}
        times.append((taken[run], taken[yardstick]))
    return cost_of(times)


def cost_of(times: Sequence[tuple[float, float]]) -> Cost:
    """Return the cost from pairs of seconds."""
    low, ratio, high = _quartiles([one / other for one, other in times])
    return Cost(ratio, low, high, _quartiles([one - other for one, other in times]))


def _quartiles(values: list[float]) -> tuple[float, float, float]:
    low, middle, high = statistics.quantiles(values, n=4) if len(values) > 1 else values * 3
    return low, middle, high


def _time(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start

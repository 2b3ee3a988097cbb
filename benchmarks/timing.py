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
    seconds : float
        The median of the thing itself.
    yardstick : float
        The median of the yardstick, in seconds.
    """

    ratio: float
    low: float
    high: float
    seconds: float
    yardstick: float


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
    ratios = [one / other for one, other in times]
    low, ratio, high = statistics.quantiles(ratios, n=4) if len(ratios) > 1 else ratios * 3
    ones, others = zip(*times, strict=True)
    return Cost(ratio, low, high, statistics.median(ones), statistics.median(others))


def _time(function: Callable[[], Any]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start

"""Measure the chart of a series: its panels, or its strip, and what stands beside them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import dates
from matplotlib.ticker import MaxNLocator

from eli5.formatters.fonts import drawable, text_width
from eli5.formatters.labels import one_line
from eli5.formatters.series.columns import Columns, cell_edges, extremes
from eli5.formatters.series.peaks import channel_name
from eli5.formatters.series.values import checked_series

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.formatters.series.values import Timeline

__all__ = ["DPI", "FONT", "MOST_PANELS", "Chart", "Lane", "make_chart"]

DPI = 128  # a power of two, so that lengths in inches are whole pixels again
FONT = 17  # pixels
MOST_PANELS = 8  # more channels than that are a strip

_STEPS = [1, 2, 2.5, 5, 10]
_HEIGHTS, _STRIP_HEIGHT = (300, 210, 140, 105), 480  # pixels, of each of 1, 2, 3, 4 panels
_LOWEST = 100
_LONGEST_NAME = 14  # letters
_PAD = 0.1  # of a panel's height, above and below its line
_MINUS = "\N{MINUS SIGN}"  # as matplotlib writes it
_GAP = 8  # pixels beside letters
_YEARS = np.array(["0001-01-01", "9999-12-31"], "M8[D]")


class Lane(NamedTuple):
    """Where the line of one channel lies on the axes: at ``offset + scale * value``.

    Attributes
    ----------
    offset, scale : float
    ticks : list of tuple
        The places on the axes that are named, and how.
    """

    offset: float
    scale: float
    ticks: list[tuple[float, str]]


class Chart(NamedTuple):
    """A series that is laid out.

    Attributes
    ----------
    timeline : Timeline
    places, edges : numpy.ndarray, shape (T,) and (T + 1,)
        When each step is, and where its cell begins and ends, in matplotlib's units.
    lanes : list of Lane
        One per channel from the top, or none for a strip.
    low, high : float
        The ends of the axes from bottom to top.
    names : list of tuple
        The places on the axes where channels are named, and how.
    height : int
        Of the axes in pixels.
    label_width, name_width : int
        How wide the letters are that stand beside the axes, in pixels.
    """

    timeline: Timeline
    places: NDArray[np.float64]
    edges: NDArray[np.float64]
    lanes: list[Lane]
    low: float
    high: float
    names: list[tuple[float, str]]
    height: int
    label_width: int
    name_width: int

    @property
    def rows(self) -> int:
        """How many rows of pixels, or of channels if they are fewer, a strip has."""
        return min(self.timeline.values.shape[1], self.height)


def make_chart(series: Any) -> Chart:
    """Lay a series out: in panels for up to `MOST_PANELS` channels, else as a strip.

    Raises
    ------
    TypeError, ValueError
        See `eli5.formatters.series.values.checked_series`.
    """
    timeline = checked_series(series)
    places = _places(timeline)
    edges = cell_edges(places)
    if timeline.is_dated:
        edges = np.clip(edges, *dates.date2num(_YEARS))
    n_channels = timeline.values.shape[1]
    lanes = _lanes(timeline) if n_channels <= MOST_PANELS else []
    low, high = (0.0, float(n_channels))
    if len(lanes) == 1:
        low, high = _padded(*_range(timeline.values)[0])
    height = _height(n_channels)
    names = _names(timeline, low, high, height)
    widths = [
        max((math.ceil(text_width(text, FONT)) + _GAP for text in texts), default=0)
        for texts in ([text for lane in lanes for _, text in lane.ticks], [n for _, n in names])
    ]
    return Chart(timeline, places, edges, lanes, low, high, names, height, widths[0], widths[1])


def _places(timeline: Timeline) -> NDArray[np.float64]:
    # matplotlib counts days from a date that its user may have set.
    return timeline.places + (dates.date2num(np.datetime64(0, "D")) if timeline.is_dated else 0.0)


def _height(n_channels: int) -> int:
    if n_channels <= MOST_PANELS:
        each = _HEIGHTS[n_channels - 1] if n_channels <= len(_HEIGHTS) else _LOWEST
        return n_channels * each
    return (
        n_channels * max(_STRIP_HEIGHT // n_channels, 1)
        if n_channels < _STRIP_HEIGHT
        else (_STRIP_HEIGHT)
    )


def _range(values: NDArray[Any]) -> list[tuple[float, float]]:
    """Give the least and the largest value of each channel; 0 and 0 where there is none."""
    low, high = extremes(values, Columns(np.array([0]), np.array([len(values)])))
    return list(zip(np.nan_to_num(low[0]), np.nan_to_num(high[0]), strict=True))


def _padded(low: float, high: float) -> tuple[float, float]:
    """Widen a range, so that lines do not touch the frame and a constant one has room."""
    pad = (high - low) * _PAD / (1 - 2 * _PAD)
    least = max(1e-9 * max(abs(low), abs(high)), np.finfo(float).tiny)
    if pad < least:
        pad = max(0.1 * max(abs(low), abs(high)), least) if low or high else 1.0
    return low - pad, high + pad


def _lanes(timeline: Timeline) -> list[Lane]:
    ranges = _range(timeline.values)
    n_lanes = len(ranges)
    if n_lanes == 1:
        return [Lane(0.0, 1.0, _ticks(*_padded(*ranges[0]), 5, 0.0, 1.0))]
    lanes = []
    for k, (low, high) in enumerate(ranges):
        bottom, top = _padded(low, high)
        scale = 1 / (top - bottom)
        offset = n_lanes - 1 - k - bottom * scale
        inner = (top - bottom) * _PAD * 0.9
        ticks = _ticks(bottom + inner, top - inner, 2, offset, scale)
        lanes.append(Lane(offset, scale, ticks))
    return lanes


def _ticks(
    low: float, high: float, most: int, offset: float, scale: float
) -> list[tuple[float, str]]:
    ticks = np.asarray(MaxNLocator(most, steps=_STEPS).tick_values(low, high))
    ticks = ticks[(ticks >= low) & (ticks <= high)] + 0.0  # not -0
    return [
        (offset + scale * float(tick), text)
        for tick, text in zip(ticks, _tick_labels(ticks), strict=True)
    ]


def _tick_labels(ticks: NDArray[np.float64]) -> list[str]:
    largest = float(np.abs(ticks).max(initial=0))
    step = float(np.diff(ticks).min(initial=largest))
    ratio = math.log10(largest / step) if step > 0 and largest > 0 else 0
    digits = min(max(math.ceil(ratio) + 2, 6), 15)
    return [f"{tick:.{digits}g}".replace("-", _MINUS) for tick in ticks]


def _names(timeline: Timeline, low: float, high: float, height: int) -> list[tuple[float, str]]:
    """Name as many channels as have room for it."""
    n_channels = timeline.values.shape[1]
    if n_channels == 1 and not timeline.names:
        return []
    each = (high - low) / n_channels
    every = _round(1.2 * FONT * n_channels / height)
    return [
        (high - (k + 0.5) * each, _short(channel_name(timeline, k)))
        for k in range(0, n_channels, every)
    ]


def _round(least: float) -> int:
    """Give the next of 1, 2, 5, 10, 20, 50, ..."""
    steps = (step * 10**power for power in range(20) for step in (1, 2, 5))
    return next(step for step in steps if step >= least)


def _short(name: str) -> str:
    text = drawable(one_line(name))
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1].rstrip()}…"

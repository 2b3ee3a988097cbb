"""Check a series, bring heatmaps to its length, name their peaks; NumPy alone, for all formats."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.base import Series
from eli5.checks import expect_array, expect_list, expect_type, wrong_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation

_DAY = 86_400_000_000  # microseconds
_FIRST_YEAR, _LAST_YEAR = 1, 9999  # that Python's dates have
_MOST_DIGITS = 12
_MOST_NAMES = 8


class Timeline(NamedTuple):
    """A series whose fields were checked."""

    values: NDArray[Any]  # shape (T, F), numbers of any dtype
    time: NDArray[Any]  # shape (T,), as it was given; 0, 1, 2, ... if it was not
    x: NDArray[np.float64]  # the same; dates in days since 1970
    names: list[str] | None
    has_time: bool

    @property
    def is_dated(self) -> bool:
        """Whether the time is made of dates."""
        return bool(self.time.dtype.kind == "M")

    def channel_name(self, channel: int) -> str:
        """Name a channel, by its number where it has no name."""
        name = self.names[channel] if self.names else ""
        return name if name.strip() else f"channel {channel}"


def checked_series(series: Any) -> Timeline:
    """Check that a series is as `eli5.base.Series` says; TypeError or ValueError if it is not."""
    expect_type("expl.series", series, Series, "an eli5.base.Series")
    values = expect_array("series.values", series.values)
    if values.ndim != 2 or not values.size:
        raise ValueError(
            "Expected `series.values` of shape (T, F), T steps of F channels, not to be empty. "
            f"Received: series.values.shape={values.shape}. One channel is of shape (T, 1)"
        )
    time = np.arange(len(values)) if series.time is None else _checked_time(series.time, values)
    x = time.astype("M8[us]").astype(np.int64) / _DAY if time.dtype.kind == "M" else time
    names = _checked_names(series.channel_names, values)
    return Timeline(values, time, x.astype(np.float64), names, series.time is not None)


def _checked_time(time: Any, values: NDArray[Any]) -> NDArray[Any]:
    advice = "Divide durations by their unit first, as in time / np.timedelta64(1, 's')"
    expect_array("series.time", time, "fiuM", "numbers or datetime64", advice)
    if time.shape != values.shape[:1]:
        raise ValueError(
            f"Expected `series.time` of shape {values.shape[:1]}, one for each step of "
            f"series.values. Received: series.time.shape={time.shape}"
        )
    if not (known := np.isfinite(time)).all():  # neither is NaT
        k = int(np.argmin(known))
        raise ValueError(
            "Expected `series.time` without missing or infinite values. "
            f"Received: series.time[{k}]={time[k]}"
        )
    if (is_back := time[1:] < time[:-1]).any():
        k = int(np.argmax(is_back))
        raise ValueError(
            "Expected `series.time` in the order of the steps; several may have the same. Received:"
            f" series.time[{k}]={time[k]}, series.time[{k + 1}]={time[k + 1]}. Sort the steps "
            "before they are explained"
        )
    if time.dtype.kind == "M":
        first, last = time[[0, -1]].astype("M8[Y]").astype(int) + 1970
        if first < _FIRST_YEAR or last > _LAST_YEAR:
            raise ValueError(
                f"Expected `series.time` in the years {_FIRST_YEAR} to {_LAST_YEAR}. "
                f"Received: series.time from {time[0]} to {time[-1]}"
            )
    return np.asarray(time)


def _checked_names(names: Any, values: NDArray[Any]) -> list[str] | None:
    if names is None:
        return None
    listed = expect_list(
        "series.channel_names", names, lambda one: isinstance(one, str), "a list of str"
    )
    if len(listed) != values.shape[1]:
        expected = f"to have {values.shape[1]} names, one for each channel of series.values"
        raise wrong_value("series.channel_names", names, expected)
    return listed


def series_heatmap(
    values: Any, timeline: Timeline, name: str = "heatmap", is_linear: bool = True
) -> NDArray[np.floating[Any]]:
    """Check a heatmap or an attribution of a series, and bring it to the length of the series.

    It has a number for each step of the target layer, shape (t,), or for each number of the series.
    What is returned is of shape (T, 1), for all channels alike, or (T, F).
    """
    expect_array(name, values)
    shape = timeline.values.shape
    if not values.size or (values.ndim != 1 and values.shape != shape):
        raise ValueError(
            f"Expected `{name}` of shape (t,), one value for each step of the target layer, or "
            f"{shape} like the series. Received: {name}.shape={values.shape}. Give one {name} per "
            "target, without batch axis"
        )
    low, high = (0.0, 1.0) if name == "heatmap" else (-np.finfo(float).max, np.finfo(float).max)
    if not (values.min() >= low and values.max() <= high):  # NaN fails this, too
        allowed = "in [0, 1]" if name == "heatmap" else "finite"
        raise ValueError(
            f"Expected the values of `{name}` to be {allowed}. "
            f"Received: values from {values.min()} to {values.max()}"
        )
    numbers = values if values.dtype.kind == "f" else values.astype(np.float64)
    return stretched(numbers, shape[0], is_linear)[:, None] if values.ndim == 1 else numbers


def stretched(
    values: NDArray[np.floating[Any]], n_steps: int, is_linear: bool = True
) -> NDArray[np.floating[Any]]:
    """Bring the steps of a layer to those of its series.

    Both share out the same time in cells of one length. A step of the series gets what is at its
    middle: interpolated between the middles of the layer's two nearest steps, or if not `is_linear`
    that of the one it lies in. Where the layer has more steps, the one furthest from zero.
    """
    n_cells = len(values)
    if n_cells == n_steps:
        return values
    if n_cells > n_steps:
        return furthest(values, np.arange(n_steps) * n_cells // n_steps)
    middles = (np.arange(n_steps) + 0.5) * n_cells / n_steps
    if not is_linear:
        return values[middles.astype(int)]
    return np.interp(middles - 0.5, np.arange(n_cells), values)


def furthest(values: NDArray[Any], starts: NDArray[np.intp]) -> NDArray[Any]:
    """Give the value furthest from zero of each run of rows, from its start to that of the next."""
    low, high = np.fmin.reduceat(values, starts), np.fmax.reduceat(values, starts)
    return np.where(high >= -low, high, low)


def peaks_in_words(expl: Explanation, target: TargetExplanation, most: int = 3) -> str:
    """Name the intervals of time in which the heatmap of a series is high, the highest first.

    Such as ``"3.2 to 3.9, 7 to 7.5"``, with the channel where each has its own heatmap: ``"3.2 to
    3.9 in pulse"``. Empty if there is none, or nothing that can be read. Names of channels are in
    it as they were given, with all their line breaks and control characters.
    """
    if expl.series is None or target.heatmap is None:
        return ""
    try:
        timeline = checked_series(expl.series)
        heatmap = series_heatmap(target.heatmap, timeline)
    except (TypeError, ValueError):
        return ""  # pictures say what is wrong; words are for what is left
    is_shared = heatmap.shape[1] == 1
    intervals = []
    for first, last, channel in find_peaks(heatmap, most):
        ends = dict.fromkeys(time_in_words(timeline, step) for step in (first, last))
        where = "" if is_shared else f" in {timeline.channel_name(channel)}"
        intervals.append(" to ".join(ends) + where)
    return ", ".join(intervals)


def find_peaks(heatmap: NDArray[np.floating[Any]], most: int) -> list[tuple[int, int, int]]:
    """Find where a heatmap of shape (T, F) is at least half as high as at its highest.

    Each is its first and its last step, and its channel. The highest comes first; of equal ones the
    earlier, then that of the first channel.
    """
    limit = heatmap.max() / 2
    if not limit > 0:
        return []
    # All channels one behind the other, with a zero between them that no peak can bridge.
    values = np.pad(heatmap.T, ((0, 0), (0, 1))).ravel()
    is_high = np.concatenate([[False], values >= limit])
    starts, stops = np.flatnonzero(np.diff(is_high)).reshape(-1, 2).T
    heights = np.maximum.reduceat(values, starts)  # what lies between two peaks is lower
    channels, firsts = np.divmod(starts, len(heatmap) + 1)
    order = np.lexsort((channels, firsts, -heights))[:most]
    lasts = firsts + stops - starts - 1
    return [(int(firsts[k]), int(lasts[k]), int(channels[k])) for k in order]


def time_in_words(timeline: Timeline, step: int) -> str:
    """Write when a step is, as finely as steps lie apart."""
    time = timeline.time
    if timeline.is_dated:
        return str(time[step].astype(f"M8[{_date_unit(time)}]")).replace("T", " ")
    if time.dtype.kind in "iu":
        return str(time[step])
    return f"{time[step] + 0.0:.{_digits(timeline.x)}g}"  # not -0


def _date_unit(time: NDArray[Any]) -> str:
    """Give the coarsest unit that tells all dates as they are."""
    exact = time.astype("M8[us]")
    units = (unit for unit in ("D", "m", "s", "ms") if (exact == exact.astype(f"M8[{unit}]")).all())
    return next(units, "us")


def _digits(x: NDArray[np.float64]) -> int:
    """Count the digits that tell a step from the next; a float32 has no more than it was given."""
    gaps = np.diff(x)
    gap = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    if not (gap > 0 and math.isfinite(gap)):
        return 4
    ratio = math.log10(max(abs(x[0]), abs(x[-1]), gap)) - math.log10(gap)
    return min(max(math.ceil(ratio) + 1, 2), _MOST_DIGITS)


def series_in_words(expl: Explanation) -> str:
    """Say in words what the picture of a series shows."""
    timeline = checked_series(expl.series)
    n_steps, n_channels = timeline.values.shape
    shown = range(min(n_channels, _MOST_NAMES))
    more = f" and {n_channels - _MOST_NAMES} more" if n_channels > _MOST_NAMES else ""
    names = ", ".join(map(timeline.channel_name, shown)) if timeline.names else ""
    known = f" ({names}{more})" if names else ""
    first, last = time_in_words(timeline, 0), time_in_words(timeline, n_steps - 1)
    return (
        f"The explained series: {n_channels:,} channel{'s' * (n_channels != 1)}{known}, "
        f"{n_steps:,} step{'s' * (n_steps != 1)} from {first} to {last}"
    )

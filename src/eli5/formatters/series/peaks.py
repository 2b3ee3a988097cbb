"""Say in words where the heatmap of a series is highest; needs neither Pillow nor matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.formatters.series.timeline import checked_series, series_heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.series.timeline import Timeline

_MOST_DIGITS = 12


class Peak(NamedTuple):
    """Steps in a row where a heatmap is at least half as high as at its highest."""

    first: int
    last: int
    channel: int


def peaks_in_words(expl: Explanation, target: TargetExplanation, most: int = 3) -> str:
    """Name the intervals of time in which the heatmap of a series is high, the highest first.

    Returns
    -------
    str
        Such as ``"3.2 to 3.9, 7 to 7.5"``, with the channel where each has its own heatmap:
        ``"3.2 to 3.9 in pulse"``. Empty if there is none, or nothing that can be read. Names of
        channels are in it as they were given, with all their line breaks and control characters.
    """
    if expl.series is None or target.heatmap is None:
        return ""
    try:
        timeline = checked_series(expl.series)
        heatmap = series_heatmap(target.heatmap, timeline)
    except (TypeError, ValueError):
        return ""  # pictures say what is wrong; words are for what is left
    is_shared = heatmap.shape[1] == 1
    return ", ".join(
        _interval(timeline, peak)
        + ("" if is_shared else f" in {timeline.channel_name(peak.channel)}")
        for peak in find_peaks(heatmap, most)
    )


def peak_note(expl: Explanation, target: TargetExplanation) -> str:
    """Say where a heatmap is highest, or nothing if it is no heatmap of a series."""
    peak = peaks_in_words(expl, target, most=1)
    return f"peak at {peak}" if peak else ""


def find_peaks(heatmap: NDArray[np.floating[Any]], most: int) -> list[Peak]:
    """Find where a heatmap of shape (T, F) is at least half as high as at its highest.

    The highest comes first; of equal ones the earlier, then that of the first channel.
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
    return [Peak(int(firsts[k]), int(lasts[k]), int(channels[k])) for k in order]


def _interval(timeline: Timeline, peak: Peak) -> str:
    first, last = time_in_words(timeline, peak.first), time_in_words(timeline, peak.last)
    return first if first == last else f"{first} to {last}"


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

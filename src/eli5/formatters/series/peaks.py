"""Say in words where the heatmap of a series is highest; needs neither Pillow nor matplotlib."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from eli5.formatters.series.values import checked_series, series_heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.series.values import Timeline

__all__ = ["Peak", "channel_name", "find_peaks", "peak_note", "peaks_in_words", "time_in_words"]

_MOST_CHANNELS = 32  # that are searched, those with the highest values
_DIGITS = 12  # at most


class Peak(NamedTuple):
    """Steps in a row where a heatmap is at least half as high as at its highest.

    Attributes
    ----------
    start, stop : int
        The first and the last step.
    channel : int
    """

    start: int
    stop: int
    channel: int


def peaks_in_words(expl: Explanation, target: TargetExplanation, most: int = 3) -> str:
    """Name the intervals of time in which the heatmap of a target is high.

    Parameters
    ----------
    expl : Explanation
        Of a series; of any other there is nothing to say.
    target : TargetExplanation
    most : int
        How many are named, those with the highest values first.

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
    name_channel = heatmap.shape[1] > 1
    return ", ".join(
        _interval(timeline, peak) + (f" in {channel_name(timeline, peak.channel)}" * name_channel)
        for peak in find_peaks(heatmap, most)
    )


def peak_note(expl: Explanation, target: TargetExplanation) -> str:
    """Say where a heatmap is highest, or nothing if it is no heatmap of a series."""
    peak = peaks_in_words(expl, target, most=1)
    return f"peak at {peak}" if peak else ""


def find_peaks(heatmap: NDArray[np.floating[Any]], most: int) -> list[Peak]:
    """Find where a heatmap is at least half as high as at its highest.

    Parameters
    ----------
    heatmap : numpy.ndarray, shape (T, F)
        Not below zero.
    most : int
        How many are wanted.

    Returns
    -------
    list of Peak
        The highest first; of equal ones the earlier, then that of the first channel.
    """
    highest = heatmap.max(axis=0)
    limit = highest.max() / 2
    if not limit > 0:
        return []
    channels = np.argsort(-highest, kind="stable")[:_MOST_CHANNELS]
    found = [
        (-height, Peak(start, stop, int(channel)))
        for channel in channels[highest[channels] >= limit]
        for height, start, stop in _runs(heatmap[:, channel], limit, most)
    ]
    return [peak for _, peak in sorted(found)[:most]]


def _runs(
    values: NDArray[np.floating[Any]], limit: float, most: int
) -> list[tuple[float, int, int]]:
    """Give height, first and last step of the highest runs of steps that reach a limit."""
    is_high = np.concatenate([[False], values >= limit, [False]])
    starts, stops = np.flatnonzero(np.diff(is_high)).reshape(-1, 2).T
    heights = np.maximum.reduceat(values, starts)  # what lies between two runs is lower
    best = np.argsort(-heights, kind="stable")[:most]
    return [(float(heights[k]), int(starts[k]), int(stops[k]) - 1) for k in best]


def channel_name(timeline: Timeline, channel: int) -> str:
    """Name a channel, by its number where it has no name."""
    name = timeline.names[channel] if timeline.names else ""
    return name if name.strip() else f"channel {channel}"


def _interval(timeline: Timeline, peak: Peak) -> str:
    first, last = time_in_words(timeline, peak.start), time_in_words(timeline, peak.stop)
    return first if first == last else f"{first} to {last}"


def time_in_words(timeline: Timeline, step: int) -> str:
    """Write when a step is, as finely as steps lie apart."""
    time = timeline.time
    if timeline.is_dated:
        return str(time[step].astype(f"M8[{_date_unit(time)}]")).replace("T", " ")
    if time.dtype.kind in "iu":
        return str(time[step])
    return f"{time[step] + 0.0:.{_digits(timeline.places)}g}"


def _date_unit(time: NDArray[Any]) -> str:
    """Give the coarsest unit that tells all dates as they are."""
    exact = time.astype("M8[us]")
    units = (unit for unit in ("D", "m", "s", "ms") if (exact == exact.astype(f"M8[{unit}]")).all())
    return next(units, "us")


def _digits(places: NDArray[np.float64]) -> int:
    """Count the digits that tell a step from the next; a float32 has no more than it was given."""
    largest = float(np.abs(places[[0, -1]]).max())
    gaps = np.diff(places)
    gap = float(np.median(gaps[gaps > 0])) if (gaps > 0).any() else 0.0
    if not (gap > 0 and math.isfinite(gap)):
        return 4
    return min(max(math.ceil(math.log10(max(largest, gap)) - math.log10(gap)) + 1, 2), _DIGITS)

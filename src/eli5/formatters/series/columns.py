"""Lay a series out in columns of pixels: what of many steps is to be seen, and as which lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = [
    "Columns",
    "Trace",
    "cell_edges",
    "extremes",
    "furthest",
    "polylines",
    "share_out",
    "trace",
]

_LARGEST = 1e300  # beyond it differences overflow
_MANY = 1_000_000


class Trace(NamedTuple):
    """The points of one channel's line, in the order of time, all of shape ``(n,)``.

    Attributes
    ----------
    x, y : numpy.ndarray
        Time and value; not finite where the line has a gap.
    column : numpy.ndarray
        The column of pixels that a point is in.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    column: NDArray[np.intp]


def cell_edges(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """Give where the time of each step begins and ends: in the middle between it and the next.

    Parameters
    ----------
    places : numpy.ndarray, shape (T,)
        Ascending; equal ones share a cell, which the others of them leave empty.

    Returns
    -------
    numpy.ndarray, shape (T + 1,)
        The first and the last cell are as long as they are on their other side, or about 1 if all
        steps are at one time.
    """
    middles = places[:-1] / 2 + places[1:] / 2
    first, last = places[0], places[-1]
    if first == last:
        before = after = max(0.5, 1e-6 * abs(first))
    else:
        gaps = np.diff(places)
        before, after = gaps[gaps > 0][[0, -1]] / 2
    return np.concatenate([[first - before], middles, [last + after]])


class Columns(NamedTuple):
    """The steps that share each column, all of shape ``(count,)``.

    Attributes
    ----------
    starts, stops : numpy.ndarray
        The first step, and the one after the last.
    """

    starts: NDArray[np.intp]
    stops: NDArray[np.intp]


def share_out(places: NDArray[np.float64], edges: NDArray[np.float64], count: int) -> Columns:
    """Share the steps out over columns of one width.

    Parameters
    ----------
    places : numpy.ndarray, shape (T,)
    edges : numpy.ndarray, shape (T + 1,)
        See `cell_edges`.
    count : int
        How many columns.

    Returns
    -------
    Columns
        A column has the steps that are in it; and where steps lie so far apart that none is, the
        one whose cell its middle is in. So each step is in a column, and no column is empty.
    """
    borders = edges[0] + np.arange(1, count) / count * (edges[-1] - edges[0])
    cuts = np.searchsorted(places, borders)
    starts, stops = np.array([0, *cuts]), np.array([*cuts, len(places)])
    middles = edges[0] + (np.arange(count) + 0.5) / count * (edges[-1] - edges[0])
    owners = np.searchsorted(edges, middles, side="right") - 1
    owners = np.clip(owners, 0, len(places) - 1)
    is_empty = starts == stops
    return Columns(np.where(is_empty, owners, starts), np.where(is_empty, owners + 1, stops))


def extremes(
    values: NDArray[Any], columns: Columns
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the least and the largest value in each column.

    Parameters
    ----------
    values : numpy.ndarray, shape (T, F)
    columns : Columns

    Returns
    -------
    low, high : numpy.ndarray, shape (count, F)
        NaN where a column has none that is finite.
    """
    least: Any = np.minimum
    largest: Any = np.maximum
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        values = np.where(np.isfinite(values), values, np.nan)
        least, largest = np.fmin, np.fmax  # which overlook NaN, and are slower
    return _reduced(least, values, columns), _reduced(largest, values, columns)


def _reduced(function: np.ufunc, values: NDArray[Any], columns: Columns) -> NDArray[np.float64]:
    """Reduce the steps of each column, kept in what floats can still subtract."""
    if values.size < _MANY:
        # One step more, because a part may not begin where all others end.
        longer = np.concatenate([values, values[-1:]])
        ends = np.stack(columns, axis=1).ravel()
        reduced = function.reduceat(longer, ends, axis=0)[::2]
    else:  # the same six times as fast, where that pays for calls from Python
        parts = zip(*columns, strict=True)
        reduced = np.stack([function.reduce(values[start:stop]) for start, stop in parts])
    return np.clip(reduced.astype(np.float64), -_LARGEST, _LARGEST)


def furthest(low: Any, high: Any, centre: Any = 0.0) -> NDArray[np.float64]:
    """Give of two extremes the one that is further from a centre."""
    return np.where(high - centre >= centre - low, high, low)


def trace(
    values: NDArray[Any], places: NDArray[np.float64], edges: NDArray[np.float64], count: int
) -> Trace:
    """Give the points that draw the line of one channel as all its points would draw it.

    Parameters
    ----------
    values, places : numpy.ndarray, shape (T,)
    edges : numpy.ndarray, shape (T + 1,)
        See `cell_edges`.
    count : int
        How many columns of pixels there are.

    Returns
    -------
    Trace
        All points, or where they are more than two for each column, the least and the largest
        value of each.
    """
    width = (edges[-1] - edges[0]) / count
    if len(values) <= 2 * count:
        columns = ((places - edges[0]) / width).astype(np.intp)
        y = np.where(np.isfinite(values), values.astype(np.float64), np.nan)
        y = np.clip(y, -_LARGEST, _LARGEST)
        return Trace(places, y, np.clip(columns, 0, count - 1))
    low, high = extremes(values[:, None], share_out(places, edges, count))
    columns = np.repeat(np.arange(count), 2)
    return Trace(edges[0] + (columns + 0.5) * width, np.hstack([low, high]).ravel(), columns)


def polylines(line: Trace, levels: NDArray[Any]) -> list[tuple[NDArray[np.float64], int]]:
    """Cut a line into parts of one colour each.

    Parameters
    ----------
    line : Trace
    levels : numpy.ndarray, shape (n,)
        The number of each point's colour. It reaches half the way to the next point.

    Returns
    -------
    list of tuple
        The points of a part, of shape ``(m, 2)``, and its level. A single point is one that has a
        gap on both sides.
    """
    is_shown = np.isfinite(line.y)
    joins = is_shown[1:] & is_shown[:-1]
    points = np.column_stack([line.x, line.y])
    middles = points[1:] / 2 + points[:-1] / 2
    ends = np.flatnonzero(~(joins & (levels[1:] == levels[:-1])))
    starts, stops = [0, *(ends + 1)], [*ends, len(points) - 1]
    return [
        (
            np.concatenate(
                [
                    middles[start - 1 : start] if start and joins[start - 1] else points[:0],
                    points[start : stop + 1],
                    middles[stop : stop + 1] if stop < len(joins) and joins[stop] else points[:0],
                ]
            ),
            int(levels[start]),
        )
        for start, stop in zip(starts, stops, strict=True)
        if is_shown[start]
    ]

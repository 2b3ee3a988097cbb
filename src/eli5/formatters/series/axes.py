"""Draw a series with matplotlib: its frame, its heatmap, and its lines or its strip."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib import dates
from matplotlib.collections import LineCollection
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.ticker import MaxNLocator, NullLocator, ScalarFormatter

from eli5.formatters.fonts import families
from eli5.formatters.series.chart import DPI, FONT
from eli5.formatters.series.colours import GREY, LEVELS
from eli5.formatters.series.columns import (
    cell_edges,
    extremes,
    furthest,
    polylines,
    share_out,
    trace,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from eli5.formatters.series.chart import Chart
    from eli5.formatters.series.colours import Heat

__all__ = ["FAINT", "INK", "draw_frame", "draw_heat", "draw_lines", "draw_strip", "set_limits"]

INK, FAINT = "0.2", "0.75"
_POINT = 72 / DPI  # of a pixel
_WIDTHS = {False: 2.2, True: 1.2}  # of lines in pixels; thin where they stand for many steps
_DOT = 5.0  # pixels

# Missing values are white. The rest is light enough for colours to be seen on it.
_STRIP = ListedColormap(np.linspace(0.95, 0.5, 256)[:, None].repeat(3, axis=1))


def set_limits(ax: Axes, chart: Chart) -> None:
    """Let axes begin and end where the chart does."""
    ax.set_xlim(chart.edges[0], chart.edges[-1])
    ax.set_ylim(chart.low, chart.high)
    ax.set_aspect("auto")


def draw_frame(ax: Axes, chart: Chart, ink: str = INK) -> None:
    """Draw all around the lines: time below, values and channels at the left.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    chart : Chart
    ink : str
        The colour of the letters. They stand on the figure, and the lines on white.
    """
    ax.grid(False)
    ax.set_facecolor("white")
    for spine in ax.spines.values():
        spine.set(visible=True, color=FAINT, linewidth=_POINT)
    _draw_time(ax, chart, ink)
    _draw_channels(ax, chart, ink)
    for k in range(1, len(chart.lanes)):
        ax.axhline(k, color=FAINT, linewidth=_POINT, zorder=1.5)
    set_limits(ax, chart)


def _draw_time(ax: Axes, chart: Chart, ink: str) -> None:
    locator: Any
    if chart.timeline.is_dated:
        locator = dates.AutoDateLocator(minticks=3, maxticks=8)
        formatter: Any = dates.ConciseDateFormatter(locator)
    else:
        is_whole = not chart.timeline.has_time
        locator = MaxNLocator(8, steps=[1, 2, 2.5, 5, 10], integer=is_whole)
        formatter = ScalarFormatter(useOffset=False, useMathText=False, useLocale=False)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(formatter)
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(
        axis="x", **_ticks(ink), top=False, labeltop=False, bottom=True, labelbottom=True
    )
    ax.xaxis.get_offset_text().set(size=FONT * _POINT, color=ink)
    label = "time" if chart.timeline.has_time else "step"
    ax.set_xlabel(label, fontsize=FONT * _POINT, color=ink, labelpad=2, weight="normal")


def _draw_channels(ax: Axes, chart: Chart, ink: str) -> None:
    ticks = [tick for lane in chart.lanes for tick in lane.ticks]
    ax.set_yticks([place for place, _ in ticks], [text for _, text in ticks])
    ax.tick_params(
        axis="y", **_ticks(ink), right=False, labelright=False, left=True, labelleft=True
    )
    # As minor ticks names move with the axes, and keep their distance from the numbers.
    ax.yaxis.remove_overlapping_locs = False  # a name may stand beside a number
    ax.set_yticks([place for place, _ in chart.names], [""] * len(chart.names), minor=True)
    pad = (chart.label_width + 12) * _POINT
    ax.tick_params(axis="y", which="minor", length=0, labelsize=FONT * _POINT, pad=pad)
    labels = [name for _, name in chart.names]
    known = [*matplotlib.rcParams["font.family"], *families("".join(labels))]
    # A name with dollars is no formula.
    ax.set_yticklabels(labels, minor=True, family=known, color=ink, parse_math=False)


def _ticks(ink: str) -> dict[str, Any]:
    return {
        "which": "major",
        "direction": "out",
        "length": 3,
        "width": _POINT,
        "color": FAINT,
        "labelcolor": ink,
        "labelsize": FONT * _POINT,
        "pad": 3,
    }


def _shown_heat(chart: Chart, heat: Heat, count: int) -> NDArray[np.float64]:
    """Give what of a heatmap is to be seen in each of so many columns.

    Returns
    -------
    numpy.ndarray, shape (1, count) or (F, count)
        In units of the heatmap; of all values in a column the one that is furthest from zero.
    """
    low, high = extremes(heat.values, share_out(chart.places, chart.edges, count))
    return furthest(low, high).T


def draw_heat(ax: Axes, chart: Chart, heat: Heat, colours: ListedColormap, count: int) -> Any:
    """Draw the heatmap as a background, and return it for a colour bar."""
    values = _shown_heat(chart, heat, count)
    values = values if chart.lanes else _in_rows(values, chart.rows)
    return _draw_image(ax, chart, values, colours, Normalize(heat.low, heat.peak), 0.5)


def draw_strip(ax: Axes, chart: Chart, count: int) -> None:
    """Draw the channels as rows of grey, each from its least value, light, to its largest."""
    low, high = extremes(chart.timeline.values, share_out(chart.places, chart.edges, count))
    least, largest = np.fmin.reduce(low), np.fmax.reduce(high)
    centre, length = least / 2 + largest / 2, largest / 2 - least / 2
    shares = (furthest(low, high, centre) - centre) / np.where(length > 0, length, 1)
    _draw_image(ax, chart, _in_rows(shares.T, chart.rows), _STRIP, Normalize(-1, 1), 0.0)


def _in_rows(values: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Give of channels that share a row of pixels the value that is furthest from zero."""
    if len(values) <= count:
        return values
    places = np.arange(len(values), dtype=np.float64)
    return furthest(*extremes(values, share_out(places, cell_edges(places), count)))


def _draw_image(
    ax: Axes, chart: Chart, values: Any, colours: Any, norm: Normalize, zorder: float
) -> Any:
    extent = chart.edges[0], chart.edges[-1], chart.low, chart.high
    shown = np.ma.masked_invalid(values)
    return ax.imshow(
        shown,
        cmap=colours,
        norm=norm,
        extent=extent,
        origin="upper",
        aspect="auto",
        interpolation="nearest",
        zorder=zorder,
    )


def draw_lines(
    ax: Axes, chart: Chart, count: int, heat: Heat | None = None, colours: Any = None
) -> None:
    """Draw the line of each channel, in grey or in the colours of its heat.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    chart : Chart
    count : int
        How many columns of pixels there are.
    heat : Heat, optional
    colours : numpy.ndarray, shape (LEVELS, 3), optional
        From its least to its largest value.
    """
    heated = np.zeros((1, count)) if heat is None else _levels(chart, heat, count)
    table = np.full((LEVELS, 3), GREY) if colours is None else colours
    for k, lane in enumerate(chart.lanes):
        line = trace(chart.timeline.values[:, k], chart.places, chart.edges, count)
        line = line._replace(y=lane.offset + lane.scale * line.y)
        parts = polylines(line, heated[min(k, len(heated) - 1)][line.column])
        _draw_parts(ax, parts, table, is_thin=len(line.y) < len(chart.places))


def _levels(chart: Chart, heat: Heat, count: int) -> NDArray[np.intp]:
    shares = (_shown_heat(chart, heat, count) - heat.low) / (heat.peak - heat.low)
    return np.rint(np.clip(shares, 0, 1) * (LEVELS - 1)).astype(np.intp)


def _draw_parts(
    ax: Axes, parts: list[tuple[NDArray[np.float64], int]], table: Any, is_thin: bool
) -> None:
    lines = [(points, level) for points, level in parts if len(points) > 1]
    dots = [(points[0], level) for points, level in parts if len(points) == 1]
    if lines:
        collection = LineCollection(
            [points for points, _ in lines],
            colors=table[[level for _, level in lines]],
            linewidths=_WIDTHS[is_thin] * _POINT,
            capstyle="round",
            joinstyle="round",
            zorder=2,
        )
        ax.add_collection(collection, autolim=False)
    if dots:
        x, y = np.array([point for point, _ in dots]).T
        colours = table[[level for _, level in dots]]
        ax.scatter(x, y, s=(_DOT * _POINT) ** 2, c=colours, linewidths=0, zorder=2)

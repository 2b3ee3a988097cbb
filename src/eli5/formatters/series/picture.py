"""Draw the chart of a series as a picture, with its heatmap or in layers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from eli5.formatters.overlay.options import make_look
from eli5.formatters.series.axes import (
    FAINT,
    INK,
    draw_frame,
    draw_heat,
    draw_lines,
    draw_strip,
    set_limits,
)
from eli5.formatters.series.chart import DPI, FONT, make_chart
from eli5.formatters.series.colours import background_colours, line_colours, series_heat

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.options import Look
    from eli5.formatters.series.chart import Chart

__all__ = ["FONT", "chart_layer", "chart_picture", "chart_size", "draw_series"]

_WIDTH = 1300  # pixels of the picture
_TOP, _BOTTOM = 16, 64
_EDGE, _TICK = 10, 14  # at the left of all letters, and between them and the axes
_NO_COLOURS = ListedColormap([(1, 1, 1, 0)])
_BAR_PAD, _BAR, _BAR_LABELS = 24, 20, 96


class Box(NamedTuple):
    """Where axes lie in a picture, in pixels; and the picture's size."""

    left: int
    width: int
    height: int
    size: tuple[int, int]


def draw_series(expl: Explanation, target: TargetExplanation, look: Look) -> Image.Image:
    """Draw a series, its heatmap and a colour bar.

    Parameters
    ----------
    expl : Explanation
        With a ``series``.
    target : TargetExplanation
        One of its targets.
    look : Look
        See `eli5.formatters.overlay.options.make_look`.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``, opaque, of the size that `chart_size` gives.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    chart = make_chart(expl.series)
    heat = series_heat(target, chart.timeline, look)
    box = _box(chart)
    figure, ax = _figure(box, "white")
    draw_frame(ax, chart)
    if not chart.lanes:
        draw_strip(ax, chart, box.width)
    shown = draw_heat(ax, chart, heat, background_colours(look), box.width)
    draw_lines(ax, chart, box.width, heat, line_colours(look, look.alpha_limit))
    _draw_bar(figure, box, shown, look)
    return _drawn(figure)


def chart_size(expl: Explanation) -> tuple[int, int]:
    """Give the width and height of what is drawn here."""
    return _box(make_chart(expl.series)).size


def chart_picture(expl: Explanation) -> Image.Image:
    """Draw a series without a heatmap, and an empty colour bar.

    Returns
    -------
    PIL.Image.Image
        Mode ``L``: dark on white.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    chart = make_chart(expl.series)
    box = _box(chart)
    figure, ax = _figure(box, "white")
    draw_frame(ax, chart)
    if not chart.lanes:
        draw_strip(ax, chart, box.width)
    draw_lines(ax, chart, box.width)
    _draw_bar(figure, box, ScalarMappable(cmap=_NO_COLOURS), make_look())
    return _drawn(figure).convert("L")


def chart_layer(
    expl: Explanation, target: TargetExplanation, look: Look, opacity: float
) -> Image.Image:
    """Draw the heatmap, and line and bar in its colours, to be laid over `chart_picture`.

    Parameters
    ----------
    expl, target, look
        See `draw_series`.
    opacity : float
        With which it will be shown, to look as `draw_series` draws it.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``, transparent where there is neither heat nor line.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    chart = make_chart(expl.series)
    heat = series_heat(target, chart.timeline, look)
    box = _box(chart)
    figure, ax = _figure(box, "none")
    ax.set_axis_off()
    shown = draw_heat(ax, chart, heat, background_colours(look, opacity), box.width)
    draw_lines(ax, chart, box.width, heat, line_colours(look, 1.0))
    set_limits(ax, chart)
    bar = _draw_bar(figure, box, shown, look)
    bar.ax.set_axis_off()
    bar.outline.set_visible(False)
    return _drawn(figure)


def _box(chart: Chart) -> Box:
    left = _EDGE + chart.name_width + chart.label_width + _TICK
    right = _BAR_PAD + _BAR + _BAR_LABELS
    return Box(left, _WIDTH - left - right, chart.height, (_WIDTH, _TOP + chart.height + _BOTTOM))


def _figure(box: Box, colour: str) -> tuple[Figure, Axes]:
    """Make a figure without pyplot, which would keep it and look for a screen."""
    inches = box.size[0] / DPI, box.size[1] / DPI
    figure = Figure(inches, dpi=DPI, facecolor=colour, edgecolor="none")
    figure.set_layout_engine("none")  # the user's settings may name another
    FigureCanvasAgg(figure)
    return figure, _add_axes(figure, box, box.left, box.width)


def _add_axes(figure: Figure, box: Box, left: int, width: int) -> Axes:
    whole = np.array([*box.size, *box.size])
    ax: Any = figure.add_axes(tuple(np.array([left, _BOTTOM, width, box.height]) / whole))
    return ax


def _draw_bar(figure: Figure, box: Box, shown: Any, look: Look) -> Any:
    place = _add_axes(figure, box, box.left + box.width + _BAR_PAD, _BAR)
    place.grid(False)
    place.set_facecolor("none")  # the colours are as transparent as on the chart
    cut_off = "both" if look.signed else "max"
    extend = "neither" if look.percentile == 100 else cut_off
    bar = figure.colorbar(shown, cax=place, extend=extend)
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))
    bar.outline.set(edgecolor=FAINT, linewidth=72 / DPI)
    bar.ax.tick_params(color=FAINT, labelsize=FONT * 72 / DPI, labelcolor=INK, length=3)
    bar.minorticks_off()
    letters: Any = {"size": FONT * 72 / DPI, "color": INK, "weight": "normal", "labelpad": 4}
    bar.set_label("attribution" if look.signed else "heatmap", **letters)
    return bar


def _drawn(figure: Figure) -> Image.Image:
    canvas: Any = figure.canvas
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba()))

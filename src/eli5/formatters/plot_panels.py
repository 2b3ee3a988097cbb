"""What `eli5.plot` draws in one pair of axes: a picture under its heatmap, or a series on it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.colors import Normalize
from PIL import Image

from eli5.formatters.overlay.heatmap import checked_picture
from eli5.formatters.overlay.layers import shown_values
from eli5.formatters.overlay.picture import to_rgba
from eli5.formatters.series.axes import draw_frame, draw_heat, draw_lines, draw_strip
from eli5.formatters.series.chart import DPI, make_chart
from eli5.formatters.series.colours import background_colours, line_colours, series_heat

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.options import Look
    from eli5.formatters.series.chart import Chart
    from eli5.formatters.series.colours import Heat

__all__ = ["Panel", "picture_panel", "series_panel"]

_FINEST = 1024  # pixels of the longer side: a figure shows no more of a smooth heatmap
_SERIES_INCHES = 7.0
_BELOW, _AT_LEFT = 0.5, 20 / DPI  # inches, for the time, and beside the numbers


class Panel(NamedTuple):
    """What is ready to be drawn.

    Attributes
    ----------
    target : TargetExplanation
    draw : callable
        Draws it in a pair of axes, and returns what a colour bar is made for.
    size : tuple of int
        Width and height in the units of the axes: the picture's pixels, or places of the heatmap.
    inches : tuple of float, optional
        Width and height of the axes in a figure, where they do not follow from the size.
    beside : tuple of float
        The room, in inches, that is needed at the left and below.
    """

    target: TargetExplanation
    draw: Callable[[Axes], Any]
    size: tuple[int, int] = (1, 1)
    inches: tuple[float, float] | None = None
    beside: tuple[float, float] = (0.0, 0.0)


def picture_panel(expl: Explanation, target: TargetExplanation, look: Look) -> Panel:
    """Prepare a picture, if there is one, under the heatmap of a target.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    picture = None if expl.image is None else to_rgba(checked_picture(expl.image, "expl.image"))
    shown, peak = shown_values(target, _canvas(picture, target, look), look)
    size = picture.size if picture else (shown.shape[1], shown.shape[0])
    values, peak = shown * np.float64(peak), peak or 1.0
    return Panel(target, partial(_draw_picture, picture, size, values, peak, look), size)


def _canvas(picture: Image.Image | None, target: TargetExplanation, look: Look) -> Image.Image:
    """Give an image of the size to which the heatmap is resized."""
    values = target.attribution if look.signed else target.heatmap
    shape = values.shape if isinstance(values, np.ndarray) and values.size else ()
    n_slices = shape[0] if len(shape) == 3 else 1
    if picture is None:
        # Of the heatmap's own size. What has another rank is refused later.
        height, width = shape[-2:] if len(shape) in (2, 3) else (1, 1)
        return Image.new("1", (n_slices * width, height))
    scale = _FINEST / max(picture.size)
    if scale >= 1 or picture.width % n_slices:
        return picture
    width, height = round(scale * picture.width / n_slices), round(scale * picture.height)
    return Image.new("1", (n_slices * max(width, 1), max(height, 1)))


def _draw_picture(
    picture: Image.Image | None,
    size: tuple[int, int],
    values: NDArray[np.float64],
    peak: float,
    look: Look,
    ax: Axes,
) -> Any:
    # All is said here, because the user's settings may be others.
    draw = partial(ax.imshow, extent=(0, size[0], size[1], 0), origin="upper", aspect="equal")
    alpha = None
    if picture:
        draw(picture)
        alpha = np.minimum(np.abs(values) / peak, look.alpha_limit)
    colormap: Any = look.colormap
    norm = Normalize(-peak if look.signed else 0, peak)
    heat = draw(values, cmap=colormap, norm=norm, alpha=alpha)
    ax.set_axis_off()
    return heat


def series_panel(expl: Explanation, target: TargetExplanation, look: Look) -> Panel:
    """Prepare a series on the heatmap of a target.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    chart = make_chart(expl.series)
    heat = series_heat(target, chart.timeline, look)
    at_left = (chart.name_width + chart.label_width) / DPI + _AT_LEFT
    return Panel(
        target,
        partial(_draw_series, chart, heat, look),
        inches=(_SERIES_INCHES, chart.height / DPI),
        beside=(at_left, _BELOW),
    )


def _draw_series(chart: Chart, heat: Heat, look: Look, ax: Axes) -> Any:
    draw_frame(ax, chart, matplotlib.rcParams["text.color"])
    if not chart.lanes:
        draw_strip(ax, chart, _FINEST)
    shown = draw_heat(ax, chart, heat, background_colours(look), _FINEST)
    draw_lines(ax, chart, _FINEST, heat, line_colours(look, look.alpha_limit))
    return shown

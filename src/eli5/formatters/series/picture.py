"""Draw a series with matplotlib, in axes or as a picture: heat behind its lines or its strip."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib import dates
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.patheffects import withStroke
from matplotlib.ticker import MaxNLocator, ScalarFormatter
from PIL import Image

from eli5.checks import wrong_value
from eli5.formatters.caption import drawable, literal_text
from eli5.formatters.labels import is_against, one_line
from eli5.formatters.overlay.data_uri import LARGEST_HEAT, data_uri, visible
from eli5.formatters.overlay.heatmap import LANCZOS
from eli5.formatters.overlay.layers import checked_colours, shown_map
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, for_target
from eli5.formatters.overlay.picture import figure_to_image
from eli5.formatters.series.timeline import checked_series, furthest, series_heatmap

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.data_uri import PixelBudget
    from eli5.formatters.overlay.options import OverlayOptions
    from eli5.formatters.series.timeline import Timeline

_DPI = 128  # of pictures: a power of two, so that lengths in inches are whole pixels again
_WIDTH, _AROUND = 1300, 80  # pixels: of a picture, and above and below its axes
_MOST_PANELS = 8  # more channels than that are a strip
_ONE_PANEL, _PANELS, _LEAST_PANEL, _STRIP = 300, 420, 105, 480  # pixels: heights
_FINEST = 2000  # columns of pixels that lines are drawn for
_MOST_NAMES, _LONGEST_NAME = 24, 14  # names of a strip's rows, and letters of a name
_FONT_SIZE = 9.5  # points
_FAINT, _INK = "0.75", "0.2"
_PAD = 0.12  # of a panel's height, above and below its line
_LARGEST = 1e300  # beyond it differences overflow
_YEARS = np.array(["0001-01-01", "9999-12-31"], "M8[D]")
_MINUS = "\N{MINUS SIGN}"  # as matplotlib writes it

_LEVELS = 255  # odd, so that there is one for zero in the middle

# Which are linear. LANCZOS is what is there if none was given; it would overshoot beside a peak.
_NEAREST, _BILINEAR = Image.Resampling.NEAREST, Image.Resampling.BILINEAR
_FILTERS: dict[Any, bool] = {LANCZOS: True, _BILINEAR: True, _NEAREST: False}

# As it is if none was given. On white more heat has to be darker: yellow is no more than a shade of
# white, most of all for those who do not see blue, and for a printer. Its darkest part is left out,
# or a line would not be seen on it.
_ON_WHITE = ListedColormap(DEFAULT_COLORMAP(np.linspace(1, 0.15, 256)))
# Missing values are white. The rest is light enough for colours to be seen on it.
_GREYS = ListedColormap(np.linspace(0.95, 0.5, 256)[:, None].repeat(3, axis=1))


def draw_series(
    expl: Explanation, target: TargetExplanation, options: OverlayOptions
) -> Image.Image:
    """Draw a series, its heatmap and a colour bar, as an opaque picture of mode ``RGBA``."""
    timeline = checked_series(expl.series)
    return _render(timeline, series_heat(target, timeline, options))


def draw_without_heat(expl: Explanation, options: OverlayOptions) -> Image.Image:
    """Draw a series as a layer has it where the heatmap is 0, and an empty colour bar."""
    timeline = checked_series(expl.series)
    nothing = np.zeros((len(timeline.values), 1))
    label = bar_label(options, expl.targets[0]) if expl.targets else "heatmap"
    heat = Heat(nothing, _ends(options), heat_colours(options._replace(alpha_limit=0)), label)
    return _render(timeline, heat)


def series_layer(
    expl: Explanation, target: TargetExplanation, budget: PixelBudget, options: OverlayOptions
) -> str | None:
    """Write a series with its heatmap as a data URI; None if there is nothing to see.

    Shown with the opacity ``options.alpha_limit`` over `draw_without_heat`, it is what
    `eli5.format_as_image` draws, but for the numbers beside the colour bar: they are shares of the
    value that is drawn as the largest, so that one chart serves the layers of all targets.
    """
    timeline, seen = checked_series(expl.series), visible(options)
    heat = series_heat(target, timeline, seen, seen.alpha_limit)
    shares = np.clip(heat.values / heat.end, -1, 1)
    layer = _render(timeline, heat._replace(values=shares, norm=_ends(options))).convert("RGB")
    if not np.any(shown_map(target, options)):
        return None
    if budget.heat < LARGEST_HEAT:  # less than half as large; slow changes are seen as bands
        layer = layer.quantize()
    return data_uri(layer)


def _ends(options: OverlayOptions) -> Normalize:
    return Normalize(-1 if options.signed else 0, 1)


def chart_size(expl: Explanation) -> tuple[int, int]:
    """Give the width and height of such a picture in pixels."""
    return _WIDTH, round(axes_inches(checked_series(expl.series)) * _DPI) + _AROUND


def _render(timeline: Timeline, heat: Heat) -> Image.Image:
    size = _WIDTH / _DPI, axes_inches(timeline) + _AROUND / _DPI
    # Without pyplot, which would keep the figure and look for a screen.
    layout = ConstrainedLayoutEngine(w_pad=0.06, h_pad=0.06, wspace=0, hspace=0)
    figure = Figure(size, _DPI, facecolor="white", edgecolor="white", layout=layout)
    draw_chart(figure.add_subplot(), timeline, heat)
    return figure_to_image(figure)


def axes_inches(timeline: Timeline) -> float:
    """Give how high the axes of a series are to be."""
    n_channels = timeline.values.shape[1]
    if n_channels > _MOST_PANELS:
        return _STRIP / _DPI
    return max(_ONE_PANEL if n_channels == 1 else _PANELS, n_channels * _LEAST_PANEL) / _DPI


def draw_chart(
    ax: Axes, timeline: Timeline, heat: Heat, *, ink: str = _INK, colorbar: bool = True
) -> None:
    """Draw a series, its heatmap, and a colour bar for which the axes make room.

    Up to eight channels are lines, more are a strip with a row for each. The y axis is that of a
    single channel; several are each 1 high, from the top. Letters stand on the figure and take the
    colour `ink`, lines stand on white.
    """
    values = timeline.values.astype(np.float64)
    values = np.where(np.isfinite(values), np.clip(values, -_LARGEST, _LARGEST), np.nan)
    names = [_short_name(timeline.channel_name(k)) for k in range(values.shape[1])]
    steps = _steps(timeline)
    _draw_frame(ax, timeline, ink)
    y_range = (0.0, float(len(names)))
    if len(names) > _MOST_PANELS:
        _draw_cells(ax, steps, Heat(_greys(values), Normalize(-1, 1), _GREYS), y_range, zorder=0.0)
        ax.set_yticks([])
        _name_channels(ax, names)
    elif len(names) > 1:
        _draw_panels(ax, steps, values)
        _name_channels(ax, names)
    else:
        y_range = _draw_single(ax, steps, values[:, 0])
        if timeline.names:
            ax.set_ylabel(names[0], **_label_style(ink), **literal_text(names[0]))
    image = _draw_cells(ax, steps, heat, y_range, zorder=0.5)
    ax.set(xlim=steps.edges[[0, -1]], ylim=y_range)
    if colorbar:
        _draw_colour_bar(ax, image, ink, heat.label)


class Steps(NamedTuple):
    """When steps are, in matplotlib's units, and where the cells begin and end that they own."""

    x: NDArray[np.float64]
    edges: NDArray[np.float64]

    def first_in_columns(self, count: int) -> NDArray[np.intp]:
        """Share the steps out over columns of one width, and give the first step of each.

        A column has the steps that are in it; and where steps lie so far apart that none is, the
        one whose cell its middle is in. So each step is in a column, and no column is empty.
        """
        borders = np.linspace(self.edges[0], self.edges[-1], count + 1)
        starts = np.searchsorted(self.x, borders[:-1])
        middles = borders[:-1] / 2 + borders[1:] / 2
        owners = np.searchsorted(self.edges, middles, side="right") - 1
        is_empty = starts == np.append(starts[1:], len(self.x))
        return np.where(is_empty, np.clip(owners, 0, len(self.x) - 1), starts)


def _steps(timeline: Timeline) -> Steps:
    """Let a cell end in the middle between its step and the next.

    The first and the last are as long as they are on their other side, or about 1 if all steps are
    at one time.
    """
    # matplotlib counts days from a date that its user may have set.
    x = timeline.x + (dates.date2num(np.datetime64(0, "D")) if timeline.is_dated else 0.0)
    if x[0] == x[-1]:
        before = after = max(0.5, 1e-6 * abs(x[0]))
    else:
        gaps = np.diff(x)
        before, after = gaps[gaps > 0][[0, -1]] / 2
    edges = np.concatenate([[x[0] - before], x[:-1] / 2 + x[1:] / 2, [x[-1] + after]])
    return Steps(x, np.clip(edges, *dates.date2num(_YEARS)) if timeline.is_dated else edges)


class Heat(NamedTuple):
    """The heatmap of a series, or its attribution, and how values become colours."""

    values: NDArray[np.floating[Any]]  # shape (T, 1) or (T, F), also beyond the percentile
    norm: Normalize  # from 0, or if signed from the negative of the other end
    colours: ListedColormap
    label: str = ""  # of the colour bar

    @property
    def end(self) -> float:
        """The value that is drawn as the largest."""
        return float(self.norm.vmax or 1.0)


def series_heat(
    target: TargetExplanation, timeline: Timeline, options: OverlayOptions, opacity: float = 1.0
) -> Heat:
    """Bring the heatmap of a target, or if signed its attribution, to its series."""
    if options.resampling_filter not in _FILTERS:
        expected = "to be BILINEAR or NEAREST, which heatmaps of series are stretched with"
        raise wrong_value("resampling_filter", options.resampling_filter, expected)
    name = "attribution" if options.signed else "heatmap"
    given, is_linear = shown_map(target, options), _FILTERS[options.resampling_filter]
    values = series_heatmap(given, timeline, name, is_linear)
    end = float(np.abs(values).max()) if options.signed else 1.0
    if options.percentile < 100:
        end = float(np.percentile(np.abs(values), options.percentile)) or end
    end = end or 1.0
    norm = Normalize(-end if options.signed else 0, end)
    colours = heat_colours(for_target(options, target), opacity)
    return Heat(values, norm, colours, bar_label(options, target))


def bar_label(options: OverlayOptions, target: TargetExplanation) -> str:
    """Say what the numbers beside a colour bar are."""
    name = "attribution" if options.signed else "heatmap"
    return f"{name} (against)" if is_against(target) else name


def heat_colours(options: OverlayOptions, opacity: float = 1.0) -> ListedColormap:
    """Give the colours of the background from the least value to the largest.

    Each is as opaque as its value is large, up to the limit of the options. They make up for the
    `opacity` with which a picture in these colours will be laid over one without.
    """
    colormap = _ON_WHITE if options.colormap is DEFAULT_COLORMAP else options.colormap
    places = np.linspace(0, 1, _LEVELS, dtype=np.float32)[None]
    colours = checked_colours(colormap(places), places.shape)[0]
    shares = np.abs(np.linspace(-1 if options.signed else 0, 1, _LEVELS))
    alpha = np.minimum(shares, options.alpha_limit) / opacity
    return ListedColormap(np.column_stack([colours, np.minimum(alpha, 1)]))


# --- the frame: all is said here, because the user's settings of matplotlib may be others ---------


def _draw_frame(ax: Axes, timeline: Timeline, ink: str) -> None:
    ax.grid(False)
    ax.set_facecolor("white")
    ax.minorticks_off()
    for spine in ax.spines.values():
        spine.set(visible=True, color=_FAINT, linewidth=0.6)
    sides: Any = {one: one in ("bottom", "left") for one in ("bottom", "left", "top", "right")}
    labels = {f"label{side}": is_shown for side, is_shown in sides.items()}
    ax.tick_params(axis="both", which="both", **sides, **labels, **_tick_style(ink))
    for axis in (ax.xaxis, ax.yaxis):
        axis.get_offset_text().set(size=_FONT_SIZE, color=ink)
    if timeline.is_dated:
        locator: Any = dates.AutoDateLocator(minticks=3, maxticks=8)
        formatter: Any = dates.ConciseDateFormatter(locator)
    else:
        locator = MaxNLocator(8, steps=[1, 2, 2.5, 5, 10], integer=not timeline.has_time)
        formatter = ScalarFormatter(useOffset=False, useMathText=False, useLocale=False)
    ax.xaxis.set(major_locator=locator, major_formatter=formatter)
    ax.set_xlabel("time" if timeline.has_time else "step", **_label_style(ink))


def _tick_style(ink: str) -> dict[str, Any]:
    lines = {"direction": "out", "length": 3, "width": 0.6, "color": _FAINT}
    return lines | {"labelcolor": ink, "labelsize": _FONT_SIZE, "pad": 3}


def _label_style(ink: str) -> dict[str, Any]:
    return {"fontsize": _FONT_SIZE, "color": ink, "weight": "normal", "labelpad": 3}


def _name_channels(ax: Axes, names: list[str]) -> None:
    """Write as many names at the left as have room, in one column with the numbers."""
    every = math.ceil(len(names) / _MOST_NAMES)
    shown = names[::every]
    places = len(names) - 0.5 - every * np.arange(len(shown))
    ax.set_yticks(places, shown, minor=True, **literal_text("".join(shown)))
    ax.tick_params(axis="y", which="minor", length=0)


def _short_name(name: str) -> str:
    text = drawable(one_line(name))
    return text if len(text) <= _LONGEST_NAME else f"{text[: _LONGEST_NAME - 1].rstrip()}…"


def _draw_colour_bar(ax: Axes, image: Any, ink: str, label: str) -> None:
    """Draw a colour bar at the right, with arrows where values lie beyond its ends."""
    is_signed = image.norm.vmin < 0
    is_cut_off = np.abs(image.get_array()).max() > image.norm.vmax
    extend = ("both" if is_signed else "max") if is_cut_off else "neither"
    shape: Any = {"fraction": 0.1, "pad": 0.02, "aspect": 20}
    bar = ax.figure.colorbar(image, ax=ax, extend=extend, **shape)
    bar.ax.set_facecolor("white")  # the colours let it through, as on the axes
    bar.ax.grid(False)
    bar.ax.tick_params(**_tick_style(ink))
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))  # longer numbers have no room
    bar.minorticks_off()
    bar.outline.set(edgecolor=_FAINT, linewidth=0.6)
    bar.set_label(label, **_label_style(ink))


# --- what is in it --------------------------------------------------------------------------------


def _draw_single(ax: Axes, steps: Steps, values: NDArray[np.float64]) -> tuple[float, float]:
    """Draw the line of one channel in its own units, and return the range of the axis."""
    _draw_line(ax, steps, values)
    formatter = ScalarFormatter(useOffset=True, useMathText=False, useLocale=False)
    ax.yaxis.set(major_locator=MaxNLocator(5), major_formatter=formatter)
    low, high = _value_range(values)
    pad = (high - low) * _PAD / (1 - 2 * _PAD)
    return low - pad, high + pad


def _draw_panels(ax: Axes, steps: Steps, values: NDArray[np.float64]) -> None:
    """Draw lines below each other, beside each the ends of its range."""
    ticks = {}
    for bottom, channel in enumerate(values.T[::-1]):
        low, high = _value_range(channel)
        share = (channel - low) / (high - low)
        _draw_line(ax, steps, bottom + _PAD + (1 - 2 * _PAD) * share)
        # As many digits as tell the ends apart.
        digits = 2 + math.ceil(math.log10(max(abs(low), abs(high)) / (high - low) + 1))
        ticks[bottom + _PAD], ticks[bottom + 1 - _PAD] = f"{low:.{digits}g}", f"{high:.{digits}g}"
        ax.axhline(bottom, color=_FAINT, linewidth=0.6, linestyle="-", zorder=1.5)
    ax.set_yticks(list(ticks), [text.replace("-", _MINUS) for text in ticks.values()])


def _value_range(values: NDArray[np.float64]) -> tuple[float, float]:
    """Give the least and the largest value, or a range around a constant one."""
    low, high = np.nan_to_num([np.fmin.reduce(values), np.fmax.reduce(values)])
    largest = max(abs(low), abs(high))
    if high - low <= max(1e-9 * largest, np.finfo(float).tiny):
        low, high = low - (0.1 * largest or 1), high + (0.1 * largest or 1)
    return float(low), float(high)


def _draw_line(ax: Axes, steps: Steps, y: NDArray[np.float64]) -> None:
    """Draw a line with gaps, and dots for steps between two gaps."""
    x = steps.x
    border = [withStroke(linewidth=2.6, foreground="white")]  # to be seen on any background
    style: dict[str, Any] = {"color": _INK, "zorder": 2, "path_effects": border}
    if len(y) > 2 * _FINEST:  # least and largest value of each column look the same
        style |= {"path_effects": [], "alpha": 0.6}  # a line that fills its panel lets heat through
        starts = np.unique(steps.first_in_columns(_FINEST))
        ends = np.fmin.reduceat(y, starts), np.fmax.reduceat(y, starts)
        x, y = np.repeat(x[starts], 2), np.column_stack(ends).ravel()
    ax.plot(x, y, linestyle="-", linewidth=1.1, marker="", **style)
    missing = np.isnan(np.concatenate([[np.nan], y, [np.nan]]))
    is_alone = ~missing[1:-1] & missing[:-2] & missing[2:]
    style |= {"linestyle": "", "marker": "o", "markersize": 3.0, "markeredgewidth": 0}
    ax.plot(x[is_alone], y[is_alone], **style)


def _greys(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale channels from -1 for the least value to 1 for the largest."""
    low, high = np.fmin.reduce(values), np.fmax.reduce(values)
    half = (high - low) / 2
    return (values - (low + half)) / np.where(half > 0, half, 1)


def _draw_cells(
    ax: Axes, steps: Steps, heat: Heat, y_range: tuple[float, float], *, zorder: float
) -> Any:
    """Draw values of shape (T, F) or (T, 1) as cells from left to right, and channels downwards."""
    # Columns of two pixels, so that no peak lies between two pixels.
    count = max(int(ax.get_window_extent().width / 2), 64)
    cells = furthest(heat.values, steps.first_in_columns(count)).T
    if len(cells) > _STRIP:
        cells = furthest(cells, np.arange(_STRIP) * len(cells) // _STRIP)
    style: Any = {"cmap": heat.colours, "norm": heat.norm, "interpolation": "nearest"}
    place: Any = {"extent": (*steps.edges[[0, -1]], *y_range), "origin": "upper", "aspect": "auto"}
    return ax.imshow(np.ma.masked_invalid(cells), zorder=zorder, **style, **place)

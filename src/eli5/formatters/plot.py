"""Draw an explanation with matplotlib: the picture, the heatmap over it, and a colour bar."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.font_manager import FontProperties
from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]

from eli5.base import check_single
from eli5.formatters.caption import title_lines
from eli5.formatters.figure import BAR, PAD, new_axes, picture_inches
from eli5.formatters.fonts import families
from eli5.formatters.overlay.heatmap import LANCZOS
from eli5.formatters.overlay.options import VIRIDIS, Look, default_percentile, make_look
from eli5.formatters.plot_panels import picture_panel, series_panel
from eli5.formatters.texts.bars import draw_bars, new_bar_axes
from eli5.formatters.texts.weighted_text import has_texts

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.plot_panels import Panel

__all__ = ["plot"]

_POINTS = 72  # per inch
_LABELLED = 1.0  # inches: shorter colour bars have no room for a name


def plot(
    expl: Explanation,
    ax: Axes | None = None,
    *,
    target: int | None = None,
    signed: bool = False,
    colormap: str | Colormap = VIRIDIS,
    alpha_limit: float | None = 0.65,
    percentile: float | None = None,
    resampling_filter: int = LANCZOS,
    colorbar: bool = True,
    title: bool = True,
) -> Any:
    """Draw an explanation with matplotlib.

    The heatmap lies over the picture, whose pixels are the units of the axes. A series is drawn as
    `eli5.format_as_image` draws it, with all channels in one pair of axes: their x is the time,
    dates in matplotlib's days, and their y the value of a single channel. Several channels are each
    1 high. Of a text there is a bar for each token's weight, or for the heaviest 30, and only `ax`,
    `target` and `title` matter. Nothing is shown or saved, and no setting of matplotlib is changed.

    Parameters
    ----------
    expl : Explanation
        An explanation with at least one target. Without ``image`` and ``series`` the heatmap is
        drawn alone.
    ax : matplotlib.axes.Axes, optional
        Where to draw one target, without `matplotlib.pyplot`. If not given, in a new figure of
        pyplot.
    target : int, optional
        Which of ``expl.targets`` is drawn, counted from 0. All of them if not given.
    signed : bool
        See `eli5.format_as_image`.
    colormap : matplotlib.colors.Colormap or str
        A colormap of matplotlib or its name; see `eli5.format_as_image`.
    alpha_limit, percentile, resampling_filter
        See `eli5.format_as_image`.
    colorbar : bool
        Draw a colour bar: from 0 to 1 for a heatmap, symmetric about 0 and in units of the
        attribution if signed. Below ``percentile=100`` it ends at that percentile, in an arrow.
    title : bool
        Write class, score and method above.

    Returns
    -------
    matplotlib.axes.Axes or numpy.ndarray of them
        Where it is drawn; for several targets an array of rank 1, in their order.

    Raises
    ------
    TypeError
        If `ax` is no Axes, `target` no int, or `colormap` a function; see also
        `eli5.format_as_image`.
    ValueError
        If the explanation has an error or no target, there is no such target, or there is one `ax`
        for several targets; see also `eli5.format_as_image`.
    """
    check_single(expl)
    shown = default_percentile(expl) if percentile is None else percentile
    look = make_look(resampling_filter, colormap, alpha_limit, shown, signed)
    if not isinstance(look.colormap, Colormap):
        raise TypeError(
            "Expected a matplotlib colormap or its name. "
            f"Received: colormap={colormap!r}. format_as_image takes functions, too."
        )
    targets = _chosen(expl, target)
    if ax is not None:
        _check_axes(ax, len(targets))
    if has_texts(expl):
        axes = [ax] if ax is not None else new_bar_axes(targets)
        for one, chosen in zip(axes, targets, strict=True):
            draw_bars(one, expl, chosen, title=title)
        return axes[0] if len(axes) == 1 else np.array(axes)
    # All of it first, so that what cannot be drawn leaves no empty figure.
    is_series = expl.image is None and expl.series is not None
    make_panel = series_panel if is_series else picture_panel
    panels = [make_panel(expl, one, look) for one in targets]
    axes = [ax] if ax is not None else _new_axes(expl, panels, colorbar, title)
    for one, panel in zip(axes, panels, strict=True):
        heat = panel.draw(one)
        if colorbar:
            _draw_colorbar(one, heat, look)
        if title:
            lines = _title(expl, panel.target, one.get_window_extent().width / one.figure.dpi)
            _write_title(one, lines)
    return axes[0] if len(axes) == 1 else np.array(axes)


def _chosen(expl: Explanation, target: Any) -> list[TargetExplanation]:
    if expl.error or not expl.targets:
        raise ValueError(
            "Expected an explanation with a target to draw. "
            f"Received: expl.targets={expl.targets!r}, expl.error={expl.error}"
        )
    if target is None:
        return list(expl.targets)
    if isinstance(target, bool) or not isinstance(target, int | np.integer):
        raise TypeError(
            "Expected target to be an int, the place in expl.targets. "
            f"Received: target={target!r} of type {type(target).__name__}"
        )
    if not 0 <= target < len(expl.targets):
        raise ValueError(
            f"Expected target to be in [0, {len(expl.targets)}), the place in expl.targets, which "
            f"is not the class id. Received: target={target}"
        )
    return [expl.targets[target]]


def _check_axes(ax: Any, n_targets: int) -> None:
    if not isinstance(ax, Axes):
        raise TypeError(
            "Expected ax to be a matplotlib.axes.Axes. "
            f"Received: ax of type {type(ax).__name__}. plt.subplots makes them."
        )
    if n_targets > 1:
        raise ValueError(
            f"Expected one target for one ax. Received: an explanation of {n_targets} targets. "
            "Choose one of them with target=0, or give no ax."
        )


def _new_axes(expl: Explanation, panels: list[Panel], colorbar: bool, title: bool) -> list[Axes]:
    first = panels[0]
    inches = first.inches or picture_inches(*first.size, len(panels))
    titles = [_title(expl, panel.target, inches[0]) for panel in panels] if title else [[]]
    return new_axes(len(panels), inches, colorbar, max(map(len, titles)), first.beside)


def _draw_colorbar(ax: Axes, heat: Any, look: Look) -> None:
    figure = ax.figure
    current = figure.gca()
    place = make_axes_locatable(ax).append_axes("right", size=BAR, pad=PAD)
    place.grid(False)
    place.set_facecolor("white")  # the colours of a series let it through, as on its axes
    cut_off = "both" if look.signed else "max"
    bar = figure.colorbar(heat, cax=place, extend="neither" if look.percentile == 100 else cut_off)
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))  # longer numbers have no room
    if ax.get_window_extent().height / figure.dpi >= _LABELLED:
        bar.set_label("attribution" if look.signed else "heatmap")
    figure.sca(current)


def _title(expl: Explanation, target: TargetExplanation, inches: float) -> list[str]:
    font_size = FontProperties(size=matplotlib.rcParams["axes.titlesize"]).get_size_in_points()
    return title_lines(expl, target, round(font_size), inches * _POINTS)


def _write_title(ax: Axes, lines: list[str]) -> None:
    text = "\n".join(lines)
    known = [*matplotlib.rcParams["font.family"], *families(text)]
    # A name with dollars is no formula.
    ax.set_title(text, family=known, parse_math=False, usetex=False)

"""Draw an explanation with matplotlib: the picture, the heatmap over it, and a colour bar."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.font_manager import FontProperties
from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]
from PIL import Image

from eli5.base import check_single
from eli5.formatters.caption import title_lines
from eli5.formatters.figure import BAR, PAD, new_axes, picture_inches
from eli5.formatters.fonts import families
from eli5.formatters.heatmap import LANCZOS, checked_picture
from eli5.formatters.layer import shown_values
from eli5.formatters.look import VIRIDIS, Look, default_percentile, make_look
from eli5.formatters.picture import to_rgba

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation

__all__ = ["plot"]

_FINEST = 1024  # pixels of the longer side: a figure shows no more of a smooth heatmap
_POINTS = 72  # per inch
_LABELLED = 1.0  # inches: shorter colour bars have no room for a name


class Panel(NamedTuple):
    """What is drawn in one pair of axes.

    Attributes
    ----------
    picture : PIL.Image.Image or None
        Mode ``RGBA``.
    size : tuple of int
        Width and height in the units of the axes: the picture's pixels, or places of the heatmap.
    values : numpy.ndarray
        Rank 2, in units of the heatmap or attribution.
    peak : float
        The value at the end of the colormap.
    target : TargetExplanation
    """

    picture: Image.Image | None
    size: tuple[int, int]
    values: NDArray[np.float64]
    peak: float
    target: TargetExplanation


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

    The heatmap lies over the picture, whose pixels are the units of the axes. Nothing is shown or
    saved, and no setting of matplotlib is changed.

    Parameters
    ----------
    expl : Explanation
        An explanation with at least one target. Without an ``image`` the heatmap is drawn alone.
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
    # All of it first, so that what cannot be drawn leaves no empty figure.
    panels = [_panel(expl, one, look) for one in targets]
    axes = [ax] if ax is not None else _new_axes(expl, panels, colorbar, title)
    for one, panel in zip(axes, panels, strict=True):
        _draw(one, panel, look)
        if colorbar:
            _draw_colorbar(one, look)
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


def _panel(expl: Explanation, target: TargetExplanation, look: Look) -> Panel:
    picture = None if expl.image is None else to_rgba(checked_picture(expl.image, "expl.image"))
    values, peak = shown_values(target, _canvas(picture, target, look), look)
    size = picture.size if picture else (values.shape[1], values.shape[0])
    return Panel(picture, size, values * np.float64(peak), peak or 1.0, target)


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


def _new_axes(expl: Explanation, panels: list[Panel], colorbar: bool, title: bool) -> list[Axes]:
    width, height = panels[0].size
    inches = picture_inches(width, height, len(panels))
    titles = [_title(expl, panel.target, inches[0]) for panel in panels] if title else [[]]
    return new_axes(len(panels), inches, colorbar, max(map(len, titles)))


def _draw(ax: Axes, panel: Panel, look: Look) -> None:
    width, height = panel.size
    # All is said here, because the user's settings may be others.
    draw = partial(ax.imshow, extent=(0, width, height, 0), origin="upper", aspect="equal")
    alpha = None
    if panel.picture:
        draw(panel.picture)
        alpha = np.minimum(np.abs(panel.values) / panel.peak, look.alpha_limit)
    colormap: Any = look.colormap
    norm = Normalize(-panel.peak if look.signed else 0, panel.peak)
    draw(panel.values, cmap=colormap, norm=norm, alpha=alpha)
    ax.set_axis_off()


def _draw_colorbar(ax: Axes, look: Look) -> None:
    figure, heat = ax.figure, ax.images[-1]
    current = figure.gca()
    place = make_axes_locatable(ax).append_axes("right", size=BAR, pad=PAD)
    place.grid(False)
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

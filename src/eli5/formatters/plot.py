"""Draw an explanation with matplotlib: the picture, the heatmap over it, and a colour bar."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.font_manager import FontProperties
from mpl_toolkits.axes_grid1 import make_axes_locatable  # type: ignore[import-untyped]
from PIL import Image

from eli5.checks import expect_flag, expect_integer, expect_type, shown, wrong_value
from eli5.formatters.caption import caption_lines, drawable, literal_text, title_lines
from eli5.formatters.colours import AGAINST, FOR
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.labels import headings, is_against
from eli5.formatters.overlay.heatmap import LANCZOS, checked_picture
from eli5.formatters.overlay.layers import shown_values
from eli5.formatters.overlay.options import (
    DEFAULT_COLORMAP,
    default_percentile,
    for_target,
    make_options,
)
from eli5.formatters.overlay.outline import draw_outline
from eli5.formatters.overlay.picture import to_rgba
from eli5.formatters.series.picture import axes_inches, bar_label, draw_chart, series_heat
from eli5.formatters.series.timeline import checked_series
from eli5.formatters.texts.weighted_text import (
    Token,
    has_texts,
    heaviest,
    texts_of,
    token_name,
    tokens_of,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.options import OverlayOptions

_FINEST = 1024  # pixels of the longer side: a figure shows no more of a smooth heatmap
_POINTS = 72  # per inch
_MOST_COLUMNS = 4

# In inches. All is set here and not left to matplotlib, whose layouts overlook such colour bars.
_BAR, _PAD = 0.12, 0.08
_BAR_LABELS, _MARGIN, _LINE = 0.8, 0.12, 0.2
_ALONE, _AMONG_OTHERS, _LEAST = 4.8, 3.2, 0.5
_LABELLED = 1.0  # shorter colour bars have no room for a name
_SERIES_WIDTH, _TEXT_WIDTH, _AROUND = 8.5, 4.0, 1.0
_BAR_OF_TOKEN = 0.22

_MOST_BARS = 30
_LONGEST_NAME = 24  # letters of a token's name


def plot(
    expl: Explanation | Iterable[Any],
    ax: Axes | None = None,
    *,
    target: int | None = None,
    signed: bool = False,
    colormap: str | Colormap = DEFAULT_COLORMAP,
    alpha_limit: float | None = 0.65,
    percentile: float | None = None,
    resampling_filter: int = LANCZOS,
    colorbar: bool = True,
    title: bool = True,
) -> Any:
    """Draw one or several explanations with matplotlib.

    The heatmap lies over the picture, whose pixels are the units of the axes. A series is drawn as
    `eli5.format_as_image` draws it, with all channels in one pair of axes: their x is the time,
    dates in matplotlib's days, and their y the value of a single channel. Several channels are each
    1 high. Of a text there is a bar for each token's weight, or for the heaviest 30, and only `ax`,
    `target` and `title` matter. Nothing is shown or saved, and no setting of matplotlib is changed.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation with at least one target, or several, each named by what tells it from the
        others; pictures, series and texts have a figure each. Without ``image`` and ``series`` the
        heatmap is drawn alone.
    ax : matplotlib.axes.Axes, optional
        Where to draw one target, without `matplotlib.pyplot`. If not given, in a new figure of
        pyplot.
    target : int, optional
        Which of ``expl.targets`` is drawn, counted from 0, of each explanation. All if not given.
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
        Where it is drawn; for several targets or explanations an array of rank 1, in their order.

    Raises
    ------
    TypeError
        If `ax` is no Axes, `target` no int, or `colormap` a function; see also
        `eli5.format_as_image`.
    ValueError
        If there is no explanation, one has an error or no target, there is no such target, or there
        is one `ax` for several targets; see also `eli5.format_as_image`.
    """
    explanations = list(flattened(expl))
    expect_flag("colorbar", colorbar)
    expect_flag("title", title)
    chosen = [_chosen_targets(one, target) for one in explanations]
    if not chosen:
        raise ValueError(f"Expected at least one Explanation. Received: expl={shown(expl)}")
    if ax is not None:
        _check_axes(ax, sum(map(len, chosen)))
    # All is checked first, so that what cannot be drawn leaves no empty figure.
    panels = []
    for one, targets, heading in zip(explanations, chosen, headings(explanations), strict=True):
        limit = default_percentile(one) if percentile is None else percentile
        options = make_options(resampling_filter, colormap, alpha_limit, limit, signed)
        _check_colormap(options)
        for panel, aim in zip(_panels(one, targets, options, colorbar), targets, strict=True):
            width = panel.inches[0] if ax is None else _width(ax)
            text = _title(one, aim, heading, width) if title else ""
            panels.append(panel._replace(title=text))
    axes = [ax] if ax is not None else _axes_of(panels, colorbar=colorbar)
    for place, panel in zip(axes, panels, strict=True):
        panel.draw(place)
        if title:
            place.set_title(panel.title, **literal_text(panel.title))
    return axes[0] if len(axes) == 1 else np.array(axes)


def _check_colormap(options: OverlayOptions) -> None:
    advice = "format_as_image takes functions, too"
    expect_type("colormap", options.colormap, Colormap, "a matplotlib colormap or its name", advice)


def _panels(
    expl: Explanation, targets: Sequence[TargetExplanation], options: OverlayOptions, bar: bool
) -> list[Panel]:
    if has_texts(expl):
        return [_text_panel(one) for one in targets]
    if expl.image is None and expl.series is not None:
        return _series_panels(expl, targets, options, bar)
    return _picture_panels(expl, targets, options, bar)


class Panel(NamedTuple):
    """What is ready to be drawn in a pair of axes of a width and height in inches."""

    draw: Callable[[Axes], None]
    inches: tuple[float, float]
    layout: Literal["grid", "column", "row"] = "grid"
    title: str = ""


def _chosen_targets(expl: Explanation, target: Any) -> list[TargetExplanation]:
    if expl.error or not expl.targets:
        raise ValueError(
            "Expected an explanation with a target to draw. "
            f"Received: expl.targets={expl.targets!r}, expl.error={expl.error}. Of several, draw "
            "those that have one: eli5.Explanations(one for one in explanations if one.targets)"
        )
    if target is None:
        return list(expl.targets)
    if not 0 <= expect_integer("target", target) < len(expl.targets):
        expected = f"to be in [0, {len(expl.targets)}), an index of expl.targets"
        raise wrong_value("target", target, expected, "It is not the class id")
    return [expl.targets[target]]


def _check_axes(ax: Any, n_targets: int) -> None:
    expect_type("ax", ax, Axes, "a matplotlib.axes.Axes", "plt.subplots makes them")
    if n_targets > 1:
        raise ValueError(
            f"Expected one target for one ax. Received: an explanation of {n_targets} targets. "
            "Choose one of them with target=0, or give no ax"
        )


def _width(ax: Axes) -> float:
    return float(ax.get_window_extent().width / ax.figure.dpi)


def _title(expl: Explanation, target: TargetExplanation, heading: str, inches: float) -> str:
    size = FontProperties(size=matplotlib.rcParams["axes.titlesize"]).get_size_in_points()
    room = round(size), inches * _POINTS
    lines = caption_lines(heading, target, *room) if heading else title_lines(expl, target, *room)
    return "\n".join(lines)


def _axes_of(panels: Sequence[Panel], *, colorbar: bool) -> list[Axes]:
    """Make axes for panels, in their order; those of another layout have a figure of their own."""
    axes: dict[int, Axes] = {}
    for layout in dict.fromkeys(panel.layout for panel in panels):
        alike = {k: panel for k, panel in enumerate(panels) if panel.layout == layout}
        axes |= zip(alike, _new_axes([*alike.values()], colorbar=colorbar), strict=True)
    return [axes[k] for k in range(len(panels))]


def _new_axes(panels: Sequence[Panel], *, colorbar: bool) -> list[Axes]:
    """Make axes in a new figure of pyplot: at most four in a row, or one if they are wide."""
    from matplotlib import pyplot as plt  # where it is needed: it looks for a screen

    (width, height), layout = panels[0].inches, panels[0].layout
    if layout != "grid":
        rows, columns = (1, len(panels)) if layout == "row" else (len(panels), 1)
        highest = max(panel.inches[1] for panel in panels)
        size = columns * (width + _AROUND), rows * (highest + _AROUND)
        options = {"squeeze": False, "sharex": layout == "row", "layout": "constrained"}
        _, grid = plt.subplots(rows, columns, figsize=size, **options)
        return list(grid.flat)
    most = 1 if width > 2 * height else _MOST_COLUMNS
    columns = math.ceil(len(panels) / math.ceil(len(panels) / most))
    rows = math.ceil(len(panels) / columns)
    n_lines = max(panel.title.count("\n") + 1 if panel.title else 0 for panel in panels)
    slot, right = (width + _PAD + _BAR, _BAR_LABELS) if colorbar else (width, _MARGIN)
    above = _LINE * n_lines + 2 * _MARGIN
    total = _MARGIN + columns * (slot + right), _MARGIN + rows * (above + height)
    figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=total, layout="none")
    figure.subplots_adjust(
        left=_MARGIN / total[0],
        right=1 - right / total[0],
        bottom=_MARGIN / total[1],
        top=1 - above / total[1],
        wspace=right / slot,
        hspace=above / height,
    )
    for ax in grid.flat[len(panels) :]:
        ax.remove()
    return list(grid.flat[: len(panels)])


def _text_panel(target: TargetExplanation) -> Panel:
    """Prepare a bar for each token, from top to bottom as in the text, or for the heaviest 30."""
    all_tokens = [token for text in texts_of(target) for token in tokens_of(text)]
    strong = {id(token) for token in heaviest(all_tokens, _MOST_BARS)}
    is_few = len(all_tokens) <= _MOST_BARS
    tokens = [token for token in all_tokens if is_few or id(token) in strong]
    chosen = "" if is_few else f"; the heaviest {len(tokens)} of {len(all_tokens)} tokens"
    inches = _TEXT_WIDTH, 0.1 + _BAR_OF_TOKEN * max(len(tokens), 3)
    for_sign = -1 if is_against(target) else 1
    draw = partial(_draw_bars, tokens, for_sign, f"weight{chosen}")
    return Panel(draw, inches, layout="row")


def _draw_bars(tokens: Sequence[Token], for_sign: int, x_label: str, ax: Axes) -> None:
    weights = [token.weight for token in tokens]
    names = [drawable(_short(token_name(token))) for token in tokens]
    ax.barh(
        range(len(tokens)),
        weights,
        color=[FOR if weight * for_sign >= 0 else AGAINST for weight in weights],
        height=0.8,
    )
    ax.set_yticks(range(len(tokens)), names)
    for name, label in zip(names, ax.get_yticklabels(), strict=True):
        label.set(**literal_text(name))
    ax.set_ylim(len(tokens) - 0.4, -0.6)
    ax.axvline(0, color=matplotlib.rcParams["axes.edgecolor"], linewidth=0.8)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(x_label)


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"


def _series_panels(
    expl: Explanation, targets: Sequence[TargetExplanation], options: OverlayOptions, bar: bool
) -> list[Panel]:
    timeline = checked_series(expl.series)
    heats = [series_heat(target, timeline, options) for target in targets]
    inches = _SERIES_WIDTH, axes_inches(timeline)
    style = {"ink": matplotlib.rcParams["text.color"], "colorbar": bar}
    draws = [partial(draw_chart, timeline=timeline, heat=heat, **style) for heat in heats]
    return [Panel(draw, inches, layout="column") for draw in draws]


def _picture_panels(
    expl: Explanation, targets: Sequence[TargetExplanation], options: OverlayOptions, bar: bool
) -> list[Panel]:
    """Prepare a picture, if there is one, under the heatmap of each target."""
    picture = None if expl.image is None else to_rgba(checked_picture(expl.image, "expl.image"))
    panels = []
    for target in targets:
        values, peak = shown_values(target, _canvas(picture, target, options), options)
        width, height = picture.size if picture else values.shape[::-1]
        extent = (0, width, height, 0)
        longer = (_ALONE if len(targets) == 1 else _AMONG_OTHERS) * (2 if width > 2 * height else 1)
        scale = longer / max(width, height)
        inches = max(scale * width, _LEAST), max(scale * height, _LEAST)
        heat = values * np.float64(peak), peak or 1.0
        label = bar_label(options, target) if bar else ""
        outline = draw_outline(target, picture.size) if picture else None
        layers = [one for one in (picture, outline) if one is not None]
        draw = partial(_draw_picture, layers, extent, *heat, for_target(options, target), label)
        panels.append(Panel(draw, inches))
    return panels


def _canvas(
    picture: Image.Image | None, target: TargetExplanation, options: OverlayOptions
) -> Image.Image:
    """Give an image of the size to which the heatmap is resized."""
    values = target.attribution if options.signed else target.heatmap
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
    pictures: Sequence[Image.Image],
    extent: tuple[int, int, int, int],
    values: NDArray[np.float64],
    peak: float,
    options: OverlayOptions,
    bar_label: str,
    ax: Axes,
) -> None:
    # All is said here, because the user's settings may be others.
    draw = partial(ax.imshow, extent=extent, origin="upper", aspect="equal")
    alpha = None
    if pictures:
        draw(pictures[0])
        alpha = np.minimum(np.abs(values) / peak, options.alpha_limit)
    norm = Normalize(-peak if options.signed else 0, peak)
    colormap: Any = options.colormap
    heat = draw(values, cmap=colormap, norm=norm, alpha=alpha)
    for outline in pictures[1:]:
        draw(outline)
    ax.set_axis_off()
    if bar_label:
        _draw_colour_bar(ax, heat, options, bar_label)


def _draw_colour_bar(ax: Axes, heat: Any, options: OverlayOptions, label: str) -> None:
    figure = ax.figure
    current = figure.gca()
    place = make_axes_locatable(ax).append_axes("right", size=_BAR, pad=_PAD)
    place.grid(False)
    cut_off = "both" if options.signed else "max"
    extend = "neither" if options.percentile == 100 else cut_off
    bar = figure.colorbar(heat, cax=place, extend=extend)
    bar.ax.ticklabel_format(axis="y", scilimits=(-2, 3))  # longer numbers have no room
    if ax.get_window_extent().height / figure.dpi >= _LABELLED:
        bar.set_label(label)
    figure.sca(current)

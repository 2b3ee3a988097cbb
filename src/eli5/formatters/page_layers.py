"""What a page shows of pictures and series: the picture, its heat layers, the slider, the legend.

`look` holds the options of `eli5.format_as_image` that were given for the page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from eli5.formatters.labels import is_against, of_target, one_line
from eli5.formatters.overlay.data_uri import (
    data_uri,
    heat_layer,
    legend_colours,
    outline_layer,
    picture_layer,
)
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, DIVERGING, options_for
from eli5.formatters.series.picture import chart_size, draw_without_heat, series_layer
from eli5.formatters.series.timeline import peaks_in_words, series_in_words

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.data_uri import PixelBudget
    from eli5.formatters.overlay.options import OverlayOptions

Data = dict[str, Any]
"""The values of a template, by the names that stand there."""

Look = Mapping[str, Any]

_IN_WORDS = {
    DEFAULT_COLORMAP.name: "from clear over violet and green to yellow",
    DIVERGING.name: "from blue over clear to red",
}


def page_picture(expl: Explanation, budget: PixelBudget, look: Look) -> Data:
    """Give the picture and its shape; that of the layers may differ, for they are rounded."""
    if expl.image is None:
        source = data_uri(draw_without_heat(expl, options_for(expl, look)).convert("L"))
        return {"src": source, "alt": one_line(series_in_words(expl)), "size": chart_size(expl)}
    shown = {"src": picture_layer(expl.image, budget), "alt": "The explained picture"}
    return shown | {"size": expl.image.size}


def page_heat(
    expl: Explanation, target: TargetExplanation, budget: PixelBudget, look: Look
) -> Data:
    """Give the layer of a target, with words for who does not see it, or why there is none."""
    options = options_for(expl, look)
    outline = None if expl.image is None else outline_layer(target, expl.image, budget)
    name = "attribution" if options.signed else "heatmap"
    if target.heatmap is None and not (options.signed and target.attribution is not None):
        return {"src": None, "why_none": "No heatmap", "outline": outline}
    if expl.image is None:
        source, where = series_layer(expl, target, budget, options), "behind the series"
    else:
        source, where = heat_layer(target, expl.image, budget, options), "laid over the picture"
    if source is None:
        return {"src": None, "why_none": f"The {name} is empty", "outline": outline}
    method = f"{expl.method} {name}" if expl.method else name.capitalize()
    peak = "" if options.signed else peaks_in_words(expl, target, most=1)
    alt = f"{method} {of_target(target)}, {where}{peak and f'; peak at {peak}'}"
    return {"src": source, "alt": alt, "cut_off": _cut_off(expl, options), "outline": outline}


def _cut_off(expl: Explanation, options: OverlayOptions) -> str:
    """Say what a percentile makes of the strongest values, if there is one."""
    if options.percentile == 100:
        return ""
    unit = "steps" if expl.image is None else "pixels"
    return f"The strongest {100 - options.percentile:g} % of the {unit} are drawn alike."


def heat_controls(explanations: Sequence[Explanation], look: Look) -> Data:
    """Give the opacity that layers have at first, and what their colours mean."""
    options = options_for(explanations[0], look)
    has_pictures = any(one.image is not None for one in explanations)
    return {
        "opacity": options.alpha_limit,
        "percent": round(options.alpha_limit * 100),
        # A series has its legend in the chart.
        "colours": _legend(explanations, options) if has_pictures else None,
    }


def _legend(explanations: Sequence[Explanation], options: OverlayOptions) -> Data:
    targets = [target for one in explanations for target in one.targets or ()]
    name, low, high = "Heatmap", "0", "1"
    if options.signed:
        name, low, high = "Speaks", "against", "for"
    elif all(map(is_against, targets)):
        name = "Speaks against"
    source = legend_colours(options)
    return {"name": name, "low": low, "high": high, "src": source, "alt": _in_words(options)}


def _in_words(options: OverlayOptions) -> str:
    """Name the colours of a legend from left to right."""
    colormap = options.colormap
    name: str = getattr(colormap, "name", "") or getattr(colormap, "__name__", "")
    middle = "clear in the middle" if options.signed else "clear at the left"
    return _IN_WORDS.get(name, f"the colours of {name or 'the colormap'}, {middle}")

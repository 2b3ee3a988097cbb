"""The pictures of a series for a page, and the words that stand for them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from eli5.formatters.overlay.data_uri import DEFAULT_OPACITY, LARGEST_HEAT, png_uri
from eli5.formatters.overlay.options import make_options
from eli5.formatters.series.peaks import time_in_words
from eli5.formatters.series.picture import draw_series, draw_without_heat
from eli5.formatters.series.timeline import checked_series

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.data_uri import PixelBudget

_MOST_NAMES = 8


def series_picture(expl: Explanation) -> str:
    """Write a series without heat as a data URI, a PNG."""
    return png_uri(draw_without_heat(expl).convert("L"))


def series_layer(expl: Explanation, target: TargetExplanation, budget: PixelBudget) -> str | None:
    """Write a series with its heatmap as a data URI.

    Shown with `DEFAULT_OPACITY` over `series_picture`, it gives what `eli5.format_as_image` draws.

    Returns
    -------
    str or None
        A PNG. ``None`` if all values are 0, for there is nothing to see.
    """
    layer = draw_series(expl, target, make_options(), DEFAULT_OPACITY).convert("RGB")
    if target.heatmap is None or not target.heatmap.any():
        return None
    if budget.heat < LARGEST_HEAT:  # less than half as large; slow changes are seen as bands
        layer = layer.quantize()
    return png_uri(layer)


def series_words(expl: Explanation) -> str:
    """Say in words what the picture of a series shows."""
    timeline = checked_series(expl.series)
    n_steps, n_channels = timeline.values.shape
    shown = range(min(n_channels, _MOST_NAMES))
    more = f" and {n_channels - _MOST_NAMES} more" if n_channels > _MOST_NAMES else ""
    names = ", ".join(map(timeline.channel_name, shown)) if timeline.names else ""
    known = f" ({names}{more})" if names else ""
    first, last = time_in_words(timeline, 0), time_in_words(timeline, n_steps - 1)
    return (
        f"The explained series: {_count(n_channels, 'channel')}{known}, "
        f"{_count(n_steps, 'step')} from {first} to {last}"
    )


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"

"""The heatmap of a series, its range, and the colours of the background that shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import ListedColormap, Normalize
from PIL import Image

from eli5.checks import wrong_value
from eli5.formatters.overlay.heatmap import LANCZOS
from eli5.formatters.overlay.layers import checked_colours, expect_attribution
from eli5.formatters.overlay.options import DEFAULT_COLORMAP
from eli5.formatters.series.timeline import series_heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation
    from eli5.formatters.overlay.options import OverlayOptions
    from eli5.formatters.series.timeline import Timeline

_LEVELS = 255  # odd, so that there is one for zero in the middle

# As it is if none was given. On white more heat has to be darker: yellow is no more than a shade of
# white, most of all for those who do not see blue, and for a printer.
# Its darkest part is left out, or a line would not be seen on it.
_ON_WHITE = ListedColormap(DEFAULT_COLORMAP(np.linspace(1, 0.15, 256)))


class Heat(NamedTuple):
    """The heatmap of a series, or its attribution, and how values become colours."""

    values: NDArray[np.floating[Any]]  # shape (T, 1) or (T, F), also beyond the percentile
    norm: Normalize  # from 0, or if signed from the negative of the other end
    colours: ListedColormap


def series_heat(
    target: TargetExplanation,
    timeline: Timeline,
    options: OverlayOptions,
    opacity: float | None = None,
) -> Heat:
    """Bring the heatmap of a target, or if signed its attribution, to its series.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    name = "attribution" if options.signed else "heatmap"
    given = expect_attribution(target) if options.signed else target.heatmap
    values = series_heatmap(given, timeline, name, _is_linear(options.resampling_filter))
    end = float(np.abs(values).max()) if options.signed else 1.0
    if options.percentile < 100:
        end = float(np.percentile(np.abs(values), options.percentile)) or end
    end = end or 1.0
    norm = Normalize(-end if options.signed else 0, end)
    return Heat(values, norm, heat_colours(options, opacity))


def _is_linear(resampling_filter: Any) -> bool:
    # LANCZOS is what is there if none was given. It would overshoot beside a peak.
    if resampling_filter in (LANCZOS, Image.Resampling.BILINEAR):
        return True
    if resampling_filter != Image.Resampling.NEAREST:
        expected = "to be BILINEAR or NEAREST, which heatmaps of series are stretched with"
        raise wrong_value("resampling_filter", resampling_filter, expected)
    return False


def heat_colours(options: OverlayOptions, opacity: float | None = None) -> ListedColormap:
    """Give the colours of the background from the least value to the largest.

    Each is as opaque as its value is large, up to the limit of the options. They make up for the
    `opacity` with which a picture in these colours will be laid over one without.
    """
    colormap = _ON_WHITE if options.colormap is DEFAULT_COLORMAP else options.colormap
    places = np.linspace(0, 1, _LEVELS, dtype=np.float32)[None]
    colours = checked_colours(colormap(places), places.shape)[0]
    shares = np.abs(np.linspace(-1 if options.signed else 0, 1, _LEVELS))
    alpha = np.minimum(shares, options.alpha_limit) / (opacity or 1.0)
    return ListedColormap(np.column_stack([colours, np.minimum(alpha, 1)]))

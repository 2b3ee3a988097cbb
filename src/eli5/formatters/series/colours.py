"""The colours of a series' heatmap: of the background, and of the line that lies on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import ListedColormap
from PIL import Image

from eli5.formatters.overlay.heatmap import LANCZOS
from eli5.formatters.overlay.layers import checked_colours
from eli5.formatters.overlay.options import VIRIDIS
from eli5.formatters.series.values import series_heatmap

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation
    from eli5.formatters.overlay.options import Look
    from eli5.formatters.series.values import Timeline

__all__ = ["GREY", "LEVELS", "Heat", "background_colours", "line_colours", "series_heat"]

LEVELS = 255  # odd, so that there is one for zero in the middle
GREY = 0.3  # of the line without heat

# As it is if none was given. On white more heat has to be darker: yellow is no more than a shade of
# white, most of all for those who do not see blue, and for a printer.
# Its darkest part is left out, or a line would not be seen on it.
_ON_WHITE = ListedColormap(VIRIDIS(np.linspace(1, 0.15, 256)))

_CONTRAST = 3.0  # of a line on its background: what WCAG asks for graphics
_LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


class Heat(NamedTuple):
    """The heatmap of a series, or for a signed look the attribution.

    Attributes
    ----------
    values : numpy.ndarray, shape (T, 1) or (T, F)
        In its own units; those beyond the look's percentile are still there.
    low, peak : float
        The values at the ends of the colormap: 0, or if signed the negative of the other; and one
        above zero.
    """

    values: NDArray[np.floating[Any]]
    low: float
    peak: float


def series_heat(target: TargetExplanation, timeline: Timeline, look: Look) -> Heat:
    """Bring the heatmap of a target, or for a signed look its attribution, to its series.

    Raises
    ------
    TypeError, ValueError
        See `eli5.format_as_image`.
    """
    is_linear = _is_linear(look.resampling_filter)
    if not look.signed:
        values = series_heatmap(target.heatmap, timeline, "heatmap", is_linear)
        return Heat(values, 0.0, _peak(values, look.percentile, 1.0))
    if target.attribution is None:
        raise ValueError(
            "Expected targets with an attribution, which signed=True draws. Received: "
            f"attribution=None for the target {target.target!r}. Draw the heatmap instead."
        )
    values = series_heatmap(target.attribution, timeline, "attribution", is_linear)
    largest = max(abs(float(values.min())), abs(float(values.max())))
    peak = _peak(values, look.percentile, largest)
    return Heat(values, -peak, peak)


def _is_linear(resampling_filter: Any) -> bool:
    # LANCZOS is what is there if none was given. It would overshoot beside a peak.
    if resampling_filter in (LANCZOS, Image.Resampling.BILINEAR):
        return True
    if resampling_filter != Image.Resampling.NEAREST:
        raise ValueError(
            "Expected resampling_filter to be BILINEAR or NEAREST, which heatmaps of series are "
            f"stretched with. Received: resampling_filter={resampling_filter!r}"
        )
    return False


def _peak(values: NDArray[Any], percentile: float, largest: float) -> float:
    if percentile < 100:
        largest = float(np.percentile(np.abs(values), percentile)) or largest
    return largest or 1.0


def background_colours(look: Look, opacity: float | None = None) -> ListedColormap:
    """Give the colours of the background from the least value to the largest.

    Parameters
    ----------
    look : Look
    opacity : float, optional
        The opacity that the layer will be shown with, if it is shown apart: then the colours are
        as opaque as makes up for it.

    Returns
    -------
    matplotlib.colors.ListedColormap
        `LEVELS` colours, each as opaque as its value is large, up to the limit of the look.
    """
    table = np.column_stack([_colours(look), _alpha(look)])
    if opacity is not None:
        table[:, 3] = np.minimum(_shares(look) / opacity, 1)
    return ListedColormap(table)


def line_colours(look: Look, opacity: float) -> NDArray[np.float64]:
    """Give the colours of the line, which are those of the heat, but stand out from it.

    Parameters
    ----------
    look : Look
    opacity : float
        How much of the colour there is where a value is largest; the rest is the grey of a line
        without heat.

    Returns
    -------
    numpy.ndarray, shape (LEVELS, 3)
        Darker than the background below them, or lighter where that is dark.
    """
    colours, alpha = _linear(_colours(look)), _alpha(look)[:, None]
    below = _linear(alpha * _colours(look) + 1 - alpha) @ _LUMINANCE
    luminance = colours @ _LUMINANCE
    dark = np.minimum((below + 0.05) / _CONTRAST - 0.05, luminance)
    light = np.clip((below + 0.05) * _CONTRAST - 0.05, luminance, 1)
    darker = colours * (np.maximum(dark, 0) / np.maximum(luminance, 1e-9))[:, None]
    white = (light - luminance) / np.maximum(1 - luminance, 1e-9)
    lighter = colours + white[:, None] * (1 - colours)
    standing_out = np.where((dark >= 0)[:, None], darker, lighter)
    # Without heat a line is as grey as it would be without a heatmap.
    share = opacity * _shares(look)[:, None]
    return share * _srgb(standing_out) + (1 - share) * GREY


def _shares(look: Look) -> NDArray[np.float64]:
    """Give how large the value of each level is, as a share of the largest."""
    return np.abs(np.linspace(-1 if look.signed else 0, 1, LEVELS))


def _alpha(look: Look) -> NDArray[np.float64]:
    return np.minimum(_shares(look), look.alpha_limit)


def _colours(look: Look) -> NDArray[np.float64]:
    places = np.linspace(0, 1, LEVELS, dtype=np.float32)[None]
    colormap = _ON_WHITE if look.colormap is VIRIDIS else look.colormap
    return checked_colours(colormap(places), places.shape)[0].astype(np.float64)


def _linear(srgb: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _srgb(linear: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)

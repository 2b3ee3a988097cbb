"""The options of a picture: how a heatmap is resized, coloured and stretched."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib
from matplotlib.colors import Colormap
from numpy.typing import NDArray

from eli5.checks import expect_flag, expect_number, wrong_type, wrong_value
from eli5.formatters.labels import is_against
from eli5.formatters.overlay.heatmap import LANCZOS, checked_filter

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

DEFAULT_COLORMAP = matplotlib.colormaps["viridis"]
# From `eli5.formatters.colours.AGAINST` to `FOR`; of those that matplotlib has, colour-blind people
# tell its ends apart best.
DIVERGING = matplotlib.colormaps["coolwarm"]


class OverlayOptions(NamedTuple):
    """How a heatmap is drawn; `make_options` checks it. See `eli5.format_as_image`."""

    resampling_filter: int
    colormap: Callable[[NDArray[Any]], Any]
    alpha_limit: float
    percentile: float
    signed: bool


def make_options(
    resampling_filter: int = LANCZOS,
    colormap: str | Callable[[NDArray[Any]], Any] = DEFAULT_COLORMAP,
    alpha_limit: float | None = 0.65,
    percentile: float = 100.0,
    signed: bool = False,
) -> OverlayOptions:
    """Check the options of a picture; see `eli5.format_as_image`."""
    expect_flag("signed", signed)
    limit = 1.0 if alpha_limit is None else alpha_limit
    if not 0 <= expect_number("alpha_limit", limit, expected="a number or None") <= 1:
        raise wrong_value("alpha_limit", limit, "to be in [0, 1]")
    if not 0 < expect_number("percentile", percentile) <= 100:
        raise wrong_value("percentile", percentile, "in (0, 100]")
    found = _find_colormap(colormap, signed)
    return OverlayOptions(
        checked_filter(resampling_filter), found, float(limit), float(percentile), signed
    )


def options_for(expl: Explanation, given: Mapping[str, Any]) -> OverlayOptions:
    """Check the options that were given for a picture; the rest is as this explanation needs it."""
    options = {name: value for name, value in given.items() if value is not None}
    if "alpha_limit" in given:
        options["alpha_limit"] = given["alpha_limit"]  # here None is no limit
    return make_options(**({"percentile": default_percentile(expl)} | options))


def for_target(options: OverlayOptions, target: TargetExplanation) -> OverlayOptions:
    """Turn the colours of signed values round where what is high speaks against the target.

    So *for* and *against* have the same colours whichever of them was asked for.
    """
    if not (options.signed and is_against(target)):
        return options
    colormap: Any = options.colormap
    if isinstance(colormap, Colormap):
        return options._replace(colormap=colormap.reversed())
    return options._replace(colormap=lambda places: colormap(1 - places))


def default_percentile(expl: Explanation) -> float:
    """Return the percentile of a map that is drawn as its maximum where nobody says which.

    A map of the input's own pixels, which is one of a method without a layer, has a few pixels that
    outshine all others, and nothing else would be seen. It is drawn up to its 99th percentile, as
    in section 3.1 of Smilkov et al. 2017 (arXiv:1706.03825). Maps of layers are drawn as they are,
    and so are series, of which the highest steps are what one looks for.
    """
    return 99.0 if expl.method and expl.layer is None and expl.series is None else 100.0


def _find_colormap(
    colormap: str | Callable[[NDArray[Any]], Any], signed: bool
) -> Callable[[NDArray[Any]], Any]:
    if signed and colormap is DEFAULT_COLORMAP:  # as it is if none was given
        return DIVERGING
    if isinstance(colormap, str):
        if colormap not in matplotlib.colormaps:
            advice = "list(matplotlib.colormaps) shows the names"
            raise wrong_value("colormap", colormap, "to be the name of a colormap", advice)
        return matplotlib.colormaps[colormap]
    function: Any = colormap
    if not callable(function):
        expected = "a matplotlib colormap, its name, or a function from a rank-2 array to RGBA"
        raise wrong_type("colormap", function, expected)
    return colormap

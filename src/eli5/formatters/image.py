"""Format an explanation as a picture: the heatmap laid over the image."""

from __future__ import annotations

from numbers import Real
from typing import TYPE_CHECKING, Any

import matplotlib
import numpy as np
from PIL import Image

from eli5.base import check_single
from eli5.formatters.heatmap import (
    LANCZOS,
    checked_picture,
    checked_values,
    expand_heatmap,
    expand_slices,
    heatmap_to_image,
)
from eli5.formatters.picture import to_png, to_rgba
from eli5.formatters.sheet import to_sheet

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from eli5.base import Explanation

__all__ = [
    "expand_heatmap",
    "format_as_image",
    "heatmap_to_image",
    "overlay_heatmap",
    "overlay_png",
]

VIRIDIS = matplotlib.colormaps["viridis"]


def format_as_image(
    expl: Explanation,
    resampling_filter: int = LANCZOS,
    colormap: str | Callable[[NDArray[Any]], Any] = VIRIDIS,
    alpha_limit: float | None = 0.65,
    percentile: float = 100.0,
) -> Image.Image:
    """Lay the heatmap of an explanation over its image.

    The heatmap is resized to the image first and coloured then, so every pixel has a colour of the
    colormap. A pixel is as opaque as its heatmap value, up to `alpha_limit`.

    The heatmap of a volume or a video has rank 3, ``(d, h, w)``, and its image shows ``d`` slices
    of one size side by side. Each slice of the heatmap is resized to its own part of the image.

    Parameters
    ----------
    expl : Explanation
        An explanation with a Pillow ``image`` of any mode and at least one target with a heatmap.
    resampling_filter : PIL.Image.Resampling
        How the heatmap is resized to the image; ``LANCZOS`` if not given.
    colormap : matplotlib.colors.Colormap, str or callable
        A colormap of matplotlib, its name, or a function that takes a rank-2 float array in [0, 1]
        and returns its colours, RGB or RGBA floats in [0, 1] of shape ``(H, W, 3)`` or
        ``(H, W, 4)``, whose alpha is not used; viridis if not given.
    alpha_limit : float or None
        The highest opacity, in [0, 1]: how much of the image always stays visible. ``None`` is no
        limit.
    percentile : float
        The percentile of each resized heatmap, in (0, 100], that is shown as its maximum. Below 100
        a few pixels no longer outshine all others, which helps with methods that explain each
        pixel: ``percentile=99``.

    Returns
    -------
    PIL.Image.Image
        Mode ``RGBA``, of the image's size. For several targets, their overlays side by side, or one
        below the other if they are more than twice as wide as high, each under a line with its
        name and score.

    Raises
    ------
    TypeError
        If the image is not a Pillow image, a heatmap is not a NumPy array, or an option has the
        wrong type.
    ValueError
        If there is no image or target (the message shows the explanation's ``error``), a heatmap
        has values outside [0, 1] or is not of rank 2 or 3, the image's width is not divisible by
        the number of slices of a heatmap of rank 3, or an option has an unknown value.
    """
    check_single(expl)
    if expl.error or expl.image is None:
        raise ValueError(
            "Expected an explanation with an image. "
            f"Received: expl.image={expl.image!r}, expl.error={expl.error}. "
            "Explain a picture, or show the explanation with format_as_text."
        )
    image = checked_picture(expl.image, "expl.image")
    if not expl.targets:
        raise ValueError(
            "Expected an explanation with at least one target. "
            f"Received: expl.targets={expl.targets!r}. There is no heatmap to lay over the image."
        )
    options = resampling_filter, colormap, alpha_limit, percentile
    overlays = [overlay_heatmap(target.heatmap, image, *options) for target in expl.targets]
    return overlays[0] if len(overlays) == 1 else to_sheet(overlays, expl.targets)


def overlay_heatmap(
    heatmap: NDArray[Any] | None,
    image: Image.Image,
    resampling_filter: int = LANCZOS,
    colormap: str | Callable[[NDArray[Any]], Any] = VIRIDIS,
    alpha_limit: float | None = 0.65,
    percentile: float = 100.0,
) -> Image.Image:
    """Lay a heatmap of shape ``(H, W)`` or ``(d, h, w)`` over an image. See `format_as_image`."""
    limit = _checked_alpha_limit(alpha_limit)
    colour = _find_colormap(colormap)
    heat = expand_slices(heatmap, image, resampling_filter)
    heat = _stretched(heat, _checked_percentile(percentile))
    alpha = np.minimum(heat, limit)
    coloured = heatmap_to_image(np.dstack([_checked_colours(colour(heat), heat.shape), alpha]))
    return Image.alpha_composite(to_rgba(image), coloured)


def _stretched(heat: NDArray[Any], percentile: float) -> NDArray[Any]:
    if percentile == 100:
        return heat
    peak = np.percentile(heat, percentile)
    return np.minimum(heat / peak, 1) if peak > 0 else heat


def overlay_png(expl: Explanation) -> bytes | None:
    """Write what `format_as_image` gives as PNG, for showing; see `to_png`.

    Returns
    -------
    bytes or None
        ``None`` if the explanation has an error, or no picture to show.
    """
    if expl.error or expl.image is None or not expl.targets:
        return None
    if any(target.heatmap is None for target in expl.targets):
        return None
    return to_png(format_as_image(expl))


def _find_colormap(colormap: str | Callable[[NDArray[Any]], Any]) -> Callable[[NDArray[Any]], Any]:
    if isinstance(colormap, str):
        if colormap not in matplotlib.colormaps:
            raise ValueError(
                f"Expected the name of a matplotlib colormap. Received: colormap={colormap!r}. "
                "list(matplotlib.colormaps) shows the names."
            )
        return matplotlib.colormaps[colormap]
    if not callable(colormap):
        raise TypeError(
            "Expected a matplotlib colormap, its name, or a function from a rank-2 array to RGBA. "
            f"Received: colormap={colormap!r} of type {type(colormap).__name__}"
        )
    return colormap


def _checked_colours(colours: Any, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Give the RGB part of what a colormap returned."""
    values = checked_values(colours, "colormap(heatmap)")
    if values.shape not in [(*size, 3), (*size, 4)]:
        raise ValueError(
            f"Expected the colormap to return an array of shape {(*size, 4)} or {(*size, 3)}. "
            f"Received: colormap(heatmap).shape={values.shape}"
        )
    return values[..., :3]


def _checked_percentile(percentile: Any) -> float:
    if isinstance(percentile, bool) or not isinstance(percentile, Real):
        raise TypeError(
            "Expected percentile to be a number. "
            f"Received: percentile={percentile!r} of type {type(percentile).__name__}"
        )
    if not 0 < float(percentile) <= 100:
        raise ValueError(f"Expected percentile in (0, 100]. Received: percentile={percentile!r}")
    return float(percentile)


def _checked_alpha_limit(alpha_limit: Any) -> float:
    if alpha_limit is None:
        return 1.0
    if isinstance(alpha_limit, bool) or not isinstance(alpha_limit, Real):
        raise TypeError(
            "Expected alpha_limit to be a float, an int or None. "
            f"Received: alpha_limit={alpha_limit!r} of type {type(alpha_limit).__name__}"
        )
    limit = float(alpha_limit)
    if not 0 <= limit <= 1:
        raise ValueError(
            f"Expected alpha_limit to be in [0, 1]. Received: alpha_limit={alpha_limit!r}"
        )
    return limit

"""Colour a heatmap, or a signed attribution: the transparent layer that lies over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib.colors import Colormap
from PIL import Image

from eli5.formatters.overlay.heatmap import (
    checked_values,
    expand_attribution,
    expand_slices,
    heatmap_to_image,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation
    from eli5.formatters.overlay.options import OverlayOptions

_ZERO = 128  # the level of 8 bits that stands for zero where values have a sign
_LEVELS = np.arange(256, dtype=np.float32)


def draw_layer(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> Image.Image:
    """Colour the heatmap of a target, or if signed its attribution, in the size of an image.

    The result is of mode ``RGBA``, each pixel as opaque as its value is large.
    """
    if options.signed:
        values, _ = _signed_values(target, image, options)
        levels = Image.fromarray((np.rint(values * (_ZERO - 1)) + _ZERO).astype(np.uint8))
        # Level 0 does not occur; it only makes the table as long as Pillow wants it.
        return _coloured(levels, np.clip((_LEVELS - _ZERO) / (_ZERO - 1), -1, 1), options)
    levels, values, _ = _heat_levels(target, image, options)
    return _coloured(levels, values, options)


def shown_values(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> tuple[NDArray[np.float32], float]:
    """Resize the heatmap of a target, or if signed its attribution, to an image.

    The values are of rank 2, in [0, 1], or [-1, 1] if signed; those beyond the percentile of the
    options are cut off there. The second is what 1 stands for: at 0 all values are 0.
    """
    if options.signed:
        return _signed_values(target, image, options)
    levels, values, peak = _heat_levels(target, image, options)
    return values[np.asarray(levels)], peak


def _signed_values(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> tuple[NDArray[np.float32], float]:
    values, scale = expand_attribution(
        expect_attribution(target), image, options.resampling_filter, target.placement
    )
    if options.percentile == 100:
        return values, scale
    peak = float(np.percentile(np.abs(values), options.percentile))
    return (np.clip(values / peak, -1, 1), scale * peak) if peak > 0 else (values, scale)


def expect_attribution(target: TargetExplanation) -> NDArray[Any]:
    """Return the attribution of a target; ValueError if it has none."""
    if target.attribution is None:
        raise ValueError(
            "Expected targets with an attribution, which signed=True draws. Received: "
            f"attribution=None for the target {target.target!r}. Draw the heatmap instead"
        )
    return target.attribution


def _heat_levels(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> tuple[Image.Image, NDArray[np.float32], float]:
    """Give the resized heatmap in 256 levels, what each level stands for, and the peak."""
    levels = expand_slices(target.heatmap, image, options.resampling_filter, target.placement)
    peak = _percentile(levels, options.percentile)
    return levels, _stretch(peak), peak / 255


def stretched(levels: Image.Image, percentile: float) -> Image.Image:
    """Draw the percentile of a picture of mode ``L`` as its maximum, as all of this module does."""
    values = _stretch(_percentile(levels, percentile))
    return levels.point(np.rint(values * 255).astype(int).tolist())


def _stretch(peak: float) -> NDArray[np.float32]:
    return np.minimum(_LEVELS / np.float32(peak), 1)


def _percentile(levels: Image.Image, percentile: float) -> float:
    # Where it is 0, it says nothing of the few pixels that are not: they are drawn as they are.
    value = 255.0 if percentile == 100 else float(np.percentile(np.asarray(levels), percentile))
    return value or 255.0


def _coloured(
    levels: Image.Image, values: NDArray[np.float32], options: OverlayOptions
) -> Image.Image:
    """Give each pixel of mode ``L`` the colour of what its level stands for, in [-1, 1]."""
    if isinstance(options.colormap, Colormap):
        # Pillow looks the colours up in a table, so no number is computed per pixel.
        colours = options.colormap(_places(values, options)).astype(np.float32)
        colours[:, 3] = _alpha(values, options)
        levels.putpalette(np.rint(colours * 255).astype(np.uint8).tobytes(), "RGBA")
        return levels.convert("RGBA")
    values = values[np.asarray(levels)]
    colours = checked_colours(options.colormap(_places(values, options)), values.shape)
    return heatmap_to_image(np.dstack([colours, _alpha(values, options)]))


def _places(values: NDArray[np.float32], options: OverlayOptions) -> NDArray[np.float32]:
    """Give the places of values on a colormap, in [0, 1]."""
    return (values + np.float32(1)) / np.float32(2) if options.signed else values


def _alpha(values: NDArray[np.float32], options: OverlayOptions) -> NDArray[np.float32]:
    return np.minimum(np.abs(values), options.alpha_limit)


def checked_colours(colours: Any, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Give the RGB part of what a colormap returned."""
    values = checked_values(colours, "colormap(heatmap)")
    if values.shape not in [(*size, 3), (*size, 4)]:
        raise ValueError(
            f"Expected the colormap to return an array of shape {(*size, 4)} or {(*size, 3)}. "
            f"Received: colormap(heatmap).shape={values.shape}"
        )
    return values[..., :3]

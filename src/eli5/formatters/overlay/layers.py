"""Colour a heatmap, or a signed attribution: the transparent layer that lies over an image."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from PIL import Image

from eli5.formatters.overlay.heatmap import (
    checked_values,
    expand_attribution,
    expand_slices,
    heatmap_to_image,
)
from eli5.formatters.overlay.options import for_target

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation
    from eli5.formatters.overlay.options import OverlayOptions

_ZERO = 128  # the level of 8 bits that stands for zero where values have a sign
_LEVELS = np.arange(256, dtype=np.float32)


class Levels(NamedTuple):
    """A map in the size of an image, in 256 levels."""

    picture: Image.Image  # of mode ``L``
    values: NDArray[np.float32]  # what each level stands for, in [0, 1], or [-1, 1] if signed


def draw_layer(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> Image.Image:
    """Colour the heatmap of a target, or if signed its attribution, in the size of an image.

    The result is of mode ``RGBA``, each pixel as opaque as its value is large.
    """
    return coloured(levels_of(target, image, options), for_target(options, target))


def levels_of(target: TargetExplanation, image: Image.Image, options: OverlayOptions) -> Levels:
    """Resize the heatmap of a target, or if signed its attribution, to an image, in levels."""
    if options.signed:
        values, _ = _signed_values(target, image, options)
        levels = Image.fromarray((np.rint(values * (_ZERO - 1)) + _ZERO).astype(np.uint8))
        # Level 0 does not occur; it only makes the table as long as Pillow wants it.
        return Levels(levels, np.clip((_LEVELS - _ZERO) / (_ZERO - 1), -1, 1))
    return _heat_levels(target, image, options)[0]


def coloured(levels: Levels, options: OverlayOptions, opacity: float = 1.0) -> Image.Image:
    """Give each pixel the colour of what its level stands for; see `palette` for the opacity."""
    if isinstance(options.colormap, Colormap):
        # Pillow looks the colours up in a table, so no number is computed per pixel.
        picture = levels.picture.copy()
        picture.putpalette(palette(levels.values, options, opacity).tobytes(), "RGBA")
        return picture.convert("RGBA")
    values = levels.values[np.asarray(levels.picture)]
    colours = checked_colours(options.colormap(_places(values, options)), values.shape)
    return heatmap_to_image(np.dstack([colours, _alpha(values, options, opacity)]))


def palette(
    values: NDArray[np.float32], options: OverlayOptions, opacity: float = 1.0
) -> NDArray[np.uint8]:
    """Give the colours of n values, RGBA of shape (n, 4).

    They make up for the `opacity` with which a layer in these colours will be laid over an image.
    """
    places = _places(values, options)[None]
    colours = checked_colours(options.colormap(places), places.shape)[0]
    alpha = _alpha(values, options, opacity)
    return np.rint(np.column_stack([colours, alpha]) * 255).astype(np.uint8)


def shown_values(
    target: TargetExplanation, image: Image.Image, options: OverlayOptions
) -> tuple[NDArray[np.float32], float]:
    """Resize the heatmap of a target, or if signed its attribution, to an image.

    The values are of rank 2, in [0, 1], or [-1, 1] if signed; those beyond the percentile of the
    options are cut off there. The second is what 1 stands for: at 0 all values are 0.
    """
    if options.signed:
        return _signed_values(target, image, options)
    levels, peak = _heat_levels(target, image, options)
    return levels.values[np.asarray(levels.picture)], peak


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


def shown_map(target: TargetExplanation, options: OverlayOptions) -> Any:
    """Return the heatmap of a target, or if signed its attribution; ValueError without that."""
    return expect_attribution(target) if options.signed else target.heatmap


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
) -> tuple[Levels, float]:
    """Give the resized heatmap in 256 levels, and the value that is drawn as its maximum."""
    levels = expand_slices(target.heatmap, image, options.resampling_filter, target.placement)
    peak = _percentile(levels, options.percentile)
    return Levels(levels, np.minimum(_LEVELS / np.float32(peak), 1)), peak / 255


def _percentile(levels: Image.Image, percentile: float) -> float:
    # Where it is 0, it says nothing of the few pixels that are not: they are drawn as they are.
    value = 255.0 if percentile == 100 else float(np.percentile(np.asarray(levels), percentile))
    return value or 255.0


def _places(values: NDArray[np.float32], options: OverlayOptions) -> NDArray[np.float32]:
    """Give the places of values on a colormap, in [0, 1]."""
    return (values + np.float32(1)) / np.float32(2) if options.signed else values


def _alpha(
    values: NDArray[np.float32], options: OverlayOptions, opacity: float
) -> NDArray[np.float32]:
    shown = np.minimum(np.abs(values), options.alpha_limit) / opacity
    return np.minimum(shown, 1).astype(np.float32)  # but for rounding it is so already


def checked_colours(colours: Any, size: tuple[int, ...]) -> NDArray[np.float32]:
    """Give the RGB part of what a colormap returned."""
    values = checked_values(colours, "colormap(heatmap)")
    if values.shape not in [(*size, 3), (*size, 4)]:
        raise ValueError(
            f"Expected the colormap to return an array of shape {(*size, 4)} or {(*size, 3)}. "
            f"Received: colormap(heatmap).shape={values.shape}"
        )
    return values[..., :3]

"""Write the picture and its heatmaps as data URIs: layers that a browser lays over each other."""

from __future__ import annotations

import io
import math
import struct
import zlib
from base64 import b64encode
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.colors import Colormap
from PIL import Image, features

from eli5.formatters.overlay.heatmap import LANCZOS, checked_picture
from eli5.formatters.overlay.layers import coloured, levels_of, palette, shown_map
from eli5.formatters.overlay.options import for_target
from eli5.formatters.overlay.outline import draw_outline
from eli5.formatters.overlay.picture import to_rgba

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from eli5.base import TargetExplanation
    from eli5.formatters.overlay.options import OverlayOptions

LARGEST_HEAT = 448 * 448  # pixels of a heat layer on a page that has few of them
_SMALL_PICTURE = 128 * 128
_ONE_OF_MANY = 512 * 512  # a picture that has room for less is one of some dozens
_FEW_COLOURS = 64  # drawings and masks have no more, and JPEG would smear them


class PixelBudget(NamedTuple):
    """How many pixels each picture and each heat layer of a page may have."""

    picture: float
    heat: float


def pixel_budget(n_pictures: int, n_layers: int) -> PixelBudget:
    """Share a page out, so that one of 500 explanations stays below 20 MB.

    So does one of 100 with three targets each. A photo takes about half a byte per pixel, a small
    one as WebP a third of that, a heatmap up to one, in base64 a third more.
    """
    return PixelBudget(
        picture=min(max(10e6 / max(n_pictures, 1), 240 * 240), 1600 * 1600),
        heat=min(max(7.5e6 / max(n_layers, 1), 64 * 64), LARGEST_HEAT),
    )


def picture_layer(image: Any, budget: PixelBudget) -> str:
    """Write a picture of any mode as a data URI, scaled down to the budget.

    It is a JPEG of an opaque photo, a WebP of one that is transparent in parts or was made small,
    and a PNG of what is small or has few colours.
    """
    picture = to_rgba(checked_picture(image, "expl.image"))
    is_one_of_many = budget.picture < _ONE_OF_MANY
    size = _scaled(picture.size, budget.picture)
    if size != picture.size:
        picture = picture.resize(size, LANCZOS)
    picture.info.clear()  # a comment in the photo's file is nobody's business
    is_opaque = picture.getchannel("A").getextrema() == (255, 255)
    if is_opaque:
        picture = picture.convert("RGB")
    is_plain = picture.width * picture.height <= _SMALL_PICTURE or picture.getcolors(_FEW_COLOURS)
    if is_plain or not (is_opaque or features.check("webp")):
        return data_uri(picture)
    if is_opaque and not (is_one_of_many and features.check("webp")):
        return data_uri(picture, "JPEG", quality=88, subsampling=0)
    if is_opaque:  # it takes longer to write, and half the room
        return data_uri(picture, "WEBP", quality=80)
    return data_uri(picture, "WEBP", quality=88)


def heat_layer(
    target: TargetExplanation, image: Any, budget: PixelBudget, options: OverlayOptions
) -> str | None:
    """Write what is drawn of a target as a data URI; None if there is nothing to see.

    It is a PNG with a palette, of the picture's size or, for a large one, of its heatmap's shape.
    Shown with the opacity ``options.alpha_limit`` over the picture, it gives what
    `eli5.format_as_image` draws: at full opacity a value is as opaque as itself divided by that, at
    most fully. A colormap that is a function may look at more than one value: of such a one it has
    the colours of each pixel.
    """
    values = shown_map(target, options)
    size = _heat_size(values, checked_picture(image, "expl.image").size, budget.heat)
    levels = levels_of(target, Image.new("1", size), options)
    if not np.any(values):
        return None
    turned, opacity = for_target(visible(options), target), visible(options).alpha_limit
    if not isinstance(turned.colormap, Colormap):
        return data_uri(coloured(levels, turned, opacity))
    colours = palette(levels.values, turned, opacity)
    return _as_uri("PNG", _with_palette(_written(levels.picture, "PNG"), colours))


def outline_layer(target: TargetExplanation, image: Any, budget: PixelBudget) -> str | None:
    """Write the border of a target's region as a data URI; None if it has none."""
    size = _scaled(checked_picture(image, "expl.image").size, budget.heat)
    outline = draw_outline(target, size)
    return None if outline is None else data_uri(outline.quantize(4))


def visible(options: OverlayOptions) -> OverlayOptions:
    """Return the options of layers that are seen where somebody moves the slider up from 0."""
    return options._replace(alpha_limit=options.alpha_limit or 1.0)


def legend_colours(options: OverlayOptions) -> str:
    """Write the colours of the least to the largest value, from left to right, as a data URI.

    They are as transparent as they are in a layer.
    """
    values = np.linspace(-1 if options.signed else 0, 1, 256, dtype=np.float32)
    colours = palette(values, visible(options), visible(options).alpha_limit)
    return data_uri(Image.fromarray(colours[None]))


def _scaled(size: tuple[int, int], area: float, n_slices: int = 1) -> tuple[int, int]:
    """Shrink a size to an area, so that the width stays divisible by the number of slices."""
    width, height = size
    scale = math.sqrt(area / max(width * height, 1))
    if scale >= 1:
        return size
    tile = max(round(width / n_slices * scale), 1)
    return tile * n_slices, max(round(height * scale), 1)


def _heat_size(heatmap: Any, size: tuple[int, int], area: float) -> tuple[int, int]:
    n_slices = len(heatmap) if isinstance(heatmap, np.ndarray) and heatmap.ndim == 3 else 1
    if not n_slices or size[0] % n_slices:
        return size  # to be refused with the size that the caller knows
    return _scaled(size, area, n_slices)


def _with_palette(png: bytes, palette: NDArray[np.uint8]) -> bytes:
    """Turn a grey PNG into one with a palette.

    Pillow writes palettes without the PNG filters that make smooth pictures half as large, because
    neighbouring entries of a palette need not be alike. Here they are.
    """
    header = png[12:24] + b"\x08\x03" + png[26:29]  # 8 bits that point into a palette
    colours = b"PLTE" + palette[:, :3].tobytes()
    alphas = b"tRNS" + palette[:, 3].tobytes()
    return png[:8] + b"".join(map(_chunk, (header, colours, alphas))) + png[33:]


def _chunk(content: bytes) -> bytes:
    size, checksum = len(content) - 4, zlib.crc32(content)  # the name counts in one of them only
    return struct.pack(">I", size) + content + struct.pack(">I", checksum)


def data_uri(picture: Image.Image, kind: str = "PNG", **options: Any) -> str:
    """Write a picture as a data URI; as a PNG it is kept pixel by pixel."""
    return _as_uri(kind, _written(picture, kind, **options))


def _written(picture: Image.Image, kind: str, **options: Any) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def _as_uri(kind: str, content: bytes) -> str:
    return f"data:image/{kind.lower()};base64,{b64encode(content).decode('ascii')}"

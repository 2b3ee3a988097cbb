"""Read pictures of any mode, and write them as PNG."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

# As large as a page shows it on a screen of high density; a photo's PNG takes 20 MB in full.
_LARGEST_SHOWN = (1600, 1600)


def to_rgba(image: Image.Image) -> Image.Image:
    """Convert a picture of any mode to ``RGBA``.

    Transparent parts stay transparent. Grey values of more than 8 bits (modes ``I``, ``F``,
    ``I;16``) are scaled from their own range, because Pillow would cut them off at 255; where they
    are all the same, they become black.
    """
    if image.mode in ("I", "F") or image.mode.startswith("I;16"):
        image = _stretch(image)
    # Pillow has no way from La to RGBA, and LAB may lose its alpha on a direct one.
    if between := {"La": "LA", "LAB": "RGB"}.get(image.mode):
        image = image.convert(between)
    return image.convert("RGBA")


def _stretch(image: Image.Image) -> Image.Image:
    values = np.asarray(image, np.float64)
    finite = values[np.isfinite(values)]
    low, high = (finite.min(), finite.max()) if finite.size else (0.0, 0.0)
    scaled = np.nan_to_num((values - low) / (high - low or 1.0), posinf=1.0, neginf=0.0)
    return Image.fromarray(np.rint(scaled * 255).astype(np.uint8))


def to_png(image: Image.Image) -> bytes:
    """Write a picture as PNG for showing: scaled down if no screen could show it in full."""
    shown = image.copy()
    shown.thumbnail(_LARGEST_SHOWN)
    buffer = io.BytesIO()
    shown.save(buffer, "PNG")
    return buffer.getvalue()


def is_wide(image: Image.Image) -> bool:
    """Tell whether a picture, such as a strip of slices, wants the page's width for itself."""
    return image.width > 2 * image.height


def figure_to_image(figure: Figure) -> Image.Image:
    """Draw a figure without pyplot, which would keep it and look for a screen; mode ``RGBA``."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return Image.fromarray(np.array(canvas.buffer_rgba()))


def outlined(image: Image.Image, mask: NDArray[np.bool_]) -> Image.Image:
    """Return a picture with the inner edge of a mask in white, and black around that outside.

    The mask, of shape (H, W), covers the whole picture and may be of another size.
    """
    shown = Image.fromarray(mask.astype("uint8") * 255).resize(image.size, Image.Resampling.NEAREST)
    width = max(image.size) // 400 + 1  # of the line, so that it is seen on a large picture
    inside = np.pad(np.asarray(shown), width)  # or a filter would see no outside at the border
    inner, outer = (
        np.asarray(Image.fromarray(inside).filter(rule(2 * width + 1)))
        for rule in (ImageFilter.MinFilter, ImageFilter.MaxFilter)
    )
    inside, inner, outer = (one[width:-width, width:-width] > 0 for one in (inside, inner, outer))
    pixels = np.array(to_rgba(image))
    pixels[outer & ~inside] = (0, 0, 0, 255)
    pixels[inside & ~inner] = 255
    return Image.fromarray(pixels)

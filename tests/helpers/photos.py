"""Pictures to draw over, and the colours of what was drawn."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image


def photo(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return smooth colours with some noise, which compress like a photo."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 16, 1), max(width // 16, 1), 3), np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(smooth) + rng.normal(0, 5, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert(mode)


def noisy_photo(width: int, height: int) -> Image.Image:
    """Return random colours, so that a pixel out of its place is seen."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    """Return the colours as integers, which do not wrap round when subtracted."""
    return np.asarray(image).astype(int)


def flat(image: Image.Image) -> list[tuple[int, ...]]:
    """Return the colours of an RGBA picture, row by row."""
    return [tuple(colour) for colour in pixels(image).reshape(-1, 4).tolist()]

"""A picture that compresses like a photo."""

from __future__ import annotations

import numpy as np
from PIL import Image


def photo(width: int, height: int, mode: str = "RGB", seed: int = 0) -> Image.Image:
    """Return smooth colours with some noise, which compress like a photo."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (max(height // 16, 1), max(width // 16, 1), 3), np.uint8)
    smooth = Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC)
    noisy = np.asarray(smooth) + rng.normal(0, 5, (height, width, 3))
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8)).convert(mode)

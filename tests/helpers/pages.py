"""An explanation as pages show it."""

from __future__ import annotations

import numpy as np
from PIL import Image

from eli5.base import Explanation, TargetExplanation


def explanation(image: Image.Image, *, noisy: bool = False, seed: int = 0) -> Explanation:
    """Return an explanation with three targets; per-pixel maps are the ones hard to compress."""
    rng = np.random.default_rng(seed)
    maps = [rng.exponential(1, (224, 224)) if noisy else rng.random((7, 7)) for _ in range(3)]
    targets = [
        TargetExplanation(i, proba=0.3, score=0.3, heatmap=one / one.max(), class_name=f"name {i}")
        for i, one in enumerate(maps)
    ]
    return Explanation(
        "my_net",
        description="Grad-CAM heatmap of layer 'conv_9'.",
        method="Grad-CAM",
        targets=targets,
        image=image,
        layer="conv_9",
    )

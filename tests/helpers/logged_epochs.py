"""Epochs to log, without a model."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.callbacks.loggers import Epoch, make_epoch

METHODS = ("Grad-CAM", "Gradient × Input")


def explanation(seed: int, method: str = "Grad-CAM", n_targets: int = 1) -> Explanation:
    rng = np.random.default_rng([seed, *method.encode()])
    targets = [
        TargetExplanation(
            rank, score=0.25 + rank, heatmap=rng.random((3, 4)), class_name=f"class {rank}"
        )
        for rank in range(n_targets)
    ]
    image = Image.fromarray(rng.integers(0, 256, (150, 200, 3), np.uint8))
    return Explanation("net", method=method, targets=targets, image=image, layer="conv")


def epoch(step: int, n_images: int = 2, n_targets: int = 1, **drawing: Any) -> Epoch:
    logs = {"loss": 1 / (step + 1), "val_loss": 2}
    explanations = [
        [explanation(97 * step + image, method, n_targets) for method in METHODS]
        for image in range(n_images)
    ]
    return make_epoch(step, logs, explanations, drawing)


def pixels(image: Image.Image | bytes) -> Any:
    return np.asarray(Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image)

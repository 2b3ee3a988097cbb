"""The pictures that `test_golden_images` compares with those under ``data/golden``.

    PYTHONPATH=tests python -m helpers.golden_images

draws them anew. Look at each of them before it is committed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from eli5.base import Explanation, Series, TargetExplanation
from eli5.formatters.image import format_as_image

GOLDEN = Path(__file__).parents[1] / "data" / "golden"
SIZE = 96

Array = np.ndarray[Any, Any]


def scene(width: int = SIZE, height: int = SIZE) -> Image.Image:
    """Draw a disc and a square on a soft background, by formulas alone."""
    y, x = np.mgrid[:height, :width] / height
    pixels = np.stack([0.35 + 0.3 * y, 0.45 + 0.2 * (x % 1), 0.6 - 0.3 * y], axis=-1)
    pixels[(x % 1 - 0.3) ** 2 + (y - 0.3) ** 2 < 0.04] = 0.9, 0.8, 0.4
    pixels[(abs(x % 1 - 0.7) < 0.17) & (abs(y - 0.7) < 0.17)] = 0.2, 0.3, 0.5
    return Image.fromarray(np.rint(255 * pixels).astype(np.uint8))


def bump(x: float, y: float, places: int = 6) -> Array:
    """Return a hill of height 1 at a place of the picture, both from 0 to 1."""
    rows, columns = (np.mgrid[:places, :places] + 0.5) / places
    return np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 0.03)


def target(name: str, score: float, heatmap: Array, against: Any = 0.0) -> TargetExplanation:
    return TargetExplanation(
        0, score=score, heatmap=heatmap, class_name=name, attribution=12.5 * (heatmap - against)
    )


def explanation(*targets: TargetExplanation, **fields: Any) -> Explanation:
    return Explanation("net", **{"image": scene(), "targets": list(targets), **fields})


DISC, SQUARE, BOTH = bump(0.3, 0.3), bump(0.7, 0.7), bump(0.3, 0.3) / 2 + bump(0.7, 0.7)


def overlay(**options: Any) -> Image.Image:
    return format_as_image(explanation(target("disc", 0.75, DISC)), **options)


def signed(**options: Any) -> Image.Image:
    return format_as_image(explanation(target("disc", 0.75, DISC, SQUARE)), signed=True, **options)


def strip(**options: Any) -> Image.Image:
    heatmap = np.stack([0.3 * DISC, DISC, SQUARE, 0 * DISC])
    expl = explanation(target("disc", 0.75, heatmap), image=scene(4 * 48, 48))
    return format_as_image(expl, **options)


def sheet(**options: Any) -> Image.Image:
    targets = [
        target("disc", 0.75, DISC),
        target("a square that stands on its side", 0.2, SQUARE),
        target("both", -0.05, BOTH),
    ]
    return format_as_image(explanation(*targets), **options)


def methods(**options: Any) -> Image.Image:
    pairs = [(DISC, SQUARE), (DISC**2, SQUARE**2)]
    explanations = [
        explanation(
            target("disc", 0.75, one), target("square", 0.2, other), method=method, layer="conv"
        )
        for method, (one, other) in zip(("Grad-CAM", "LayerCAM"), pairs, strict=True)
    ]
    return format_as_image(explanations, **options)


def series(**options: Any) -> Image.Image:
    """Three channels of sine waves, and heat in two places."""
    steps = np.arange(120)
    values = np.stack([np.sin(steps / 9), 20 + 5 * np.cos(steps / 15), 0 * steps], axis=1)
    values[70:80, 1] = np.nan
    heat = np.exp(-((np.arange(24) - 6) ** 2) / 4) + 0.4 * np.exp(-((np.arange(24) - 18) ** 2))
    fields = Series(values, steps / 10, ["sine", "cosine", "none"])
    expl = explanation(target("wave", 0.75, heat), image=None, series=fields)
    return format_as_image(expl, **options)


def series_strip(**options: Any) -> Image.Image:
    """Twelve channels with ramps from left to right, and heat that is for and against."""
    values = np.linspace(0, 1, 40)[:, None] ** np.linspace(0.3, 3, 12)
    heat, against = (np.exp(-((np.arange(10) - place) ** 2) / 2) for place in (6, 2))
    expl = explanation(target("ramp", 0.75, heat, against), image=None, series=Series(values))
    return format_as_image(expl, signed=True, **options)


PICTURES: dict[str, Callable[..., Image.Image]] = {
    "overlay": overlay,
    "signed": signed,
    "strip": strip,
    "sheet": sheet,
    "methods": methods,
    "series": series,
    "series_strip": series_strip,
}


def main() -> None:
    """Write all pictures."""
    GOLDEN.mkdir(parents=True, exist_ok=True)
    for name, draw in PICTURES.items():
        draw().save(GOLDEN / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()

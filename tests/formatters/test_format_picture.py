from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import format_as_image, overlay_png
from helpers.photos import flat, noisy_photo, pixels


def explanation(
    *heatmaps: Any, image: Any, names: list[str] | None = None, **fields: Any
) -> Explanation:
    given = names or [""] * len(heatmaps)
    targets = [
        TargetExplanation(i, score=0.5, heatmap=heatmap, class_name=name)
        for i, (heatmap, name) in enumerate(zip(heatmaps, given, strict=True))
    ]
    return Explanation("net", image=image, targets=targets, **fields)


def palette_picture(**info: Any) -> Image.Image:
    image = Image.new("P", (2, 1))
    image.putpalette([255, 0, 0, 0, 0, 255])
    image.putpixel((1, 0), 1)
    image.info.update(info)
    return image


def grey_picture(values: list[float], dtype: str) -> Image.Image:
    return Image.fromarray(np.array([values], dtype))


GREY, BLACK, WHITE = (100, 100, 100, 255), (0, 0, 0, 255), (255, 255, 255, 255)
RED, BLUE = (255, 0, 0, 255), (0, 0, 255, 255)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.new("RGB", (2, 1), GREY[:3]), [GREY, GREY]),
        (Image.new("RGBA", (2, 1), (10, 20, 30, 40)), [(10, 20, 30, 40)] * 2),
        (Image.new("L", (2, 1), 100), [GREY, GREY]),
        (Image.new("LA", (2, 1), (100, 50)), [(100, 100, 100, 50)] * 2),
        (Image.new("La", (2, 1), (100, 255)), [GREY, GREY]),
        (Image.new("1", (2, 1), 1), [WHITE, WHITE]),
        (palette_picture(), [RED, BLUE]),
        (palette_picture(transparency=0), [(255, 0, 0, 0), BLUE]),
        (palette_picture(transparency=b"\x80\xff"), [(255, 0, 0, 128), BLUE]),
        (Image.new("CMYK", (2, 1), (0, 255, 255, 0)), [RED, RED]),
        (Image.new("HSV", (2, 1), (0, 0, 100)), [GREY, GREY]),
        (Image.new("YCbCr", (2, 1), (100, 128, 128)), [GREY, GREY]),
        (grey_picture([-1.5, 8.5], "f4"), [BLACK, WHITE]),
        (grey_picture([0.0, 0.0], "f4"), [BLACK, BLACK]),
        (grey_picture([7.0, 7.0], "f4"), [BLACK, BLACK]),
        (grey_picture([1.0, 2.0, np.nan, np.inf, -np.inf], "f4"), [BLACK, WHITE] * 2 + [BLACK]),
        (grey_picture([np.nan, np.nan], "f4"), [BLACK, BLACK]),
        (grey_picture([-100000, 0, 100000], "i4"), [BLACK, (128, 128, 128, 255), WHITE]),
        (grey_picture([1000, 3000, 2000], "u2"), [BLACK, WHITE, (128, 128, 128, 255)]),
        (grey_picture([1000, 3000], ">u2"), [BLACK, WHITE]),
    ],
    ids=lambda value: value.mode if isinstance(value, Image.Image) else "",
)
def test_pictures_of_every_mode(picture: Image.Image, expected: Any) -> None:
    cold = np.zeros((2, 2))
    assert flat(format_as_image(explanation(cold, image=picture))) == expected
    hot = format_as_image(explanation(np.ones((2, 2)), image=picture), alpha_limit=None)
    assert set(flat(hot)) == {(253, 231, 37, 255)}


def test_lab_pictures() -> None:
    """Little CMS rounds as it likes, so close is good enough."""
    picture = Image.merge("LAB", [Image.new("L", (1, 1), level) for level in (0, 128, 128)])
    overlay = format_as_image(explanation(np.zeros((1, 1)), image=picture))
    np.testing.assert_allclose(pixels(overlay), [[BLACK]], atol=2)


def test_overlay_png_is_the_picture() -> None:
    expl = explanation(np.eye(3), image=noisy_photo(30, 20))
    shown = Image.open(io.BytesIO(overlay_png(expl) or b""))
    assert shown.mode == "RGBA"
    np.testing.assert_array_equal(pixels(shown), pixels(format_as_image(expl)))


def test_overlay_png_of_a_large_photo_is_scaled_down() -> None:
    expl = explanation(np.zeros((2, 2)), image=Image.new("RGB", (3200, 2000), "red"))
    shown = Image.open(io.BytesIO(overlay_png(expl) or b""))
    assert shown.size == (1600, 1000)
    assert shown.getpixel((800, 500)) == RED


@pytest.mark.parametrize(
    "expl",
    [
        Explanation("net"),
        explanation(image=noisy_photo(4, 4)),
        explanation(None, image=noisy_photo(4, 4)),
        explanation(np.eye(2), None, image=noisy_photo(4, 4)),
        explanation(np.eye(2), image=noisy_photo(4, 4), error="failed"),
        Explanation("net", targets=[TargetExplanation(0, heatmap=np.eye(2))]),
    ],
)
def test_overlay_png_without_a_picture(expl: Explanation) -> None:
    assert overlay_png(expl) is None

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import format_as_image, overlay_heatmap, overlay_png


def explanation(
    *heatmaps: Any, image: Any, names: list[str] | None = None, **fields: Any
) -> Explanation:
    given = names or [""] * len(heatmaps)
    targets = [
        TargetExplanation(i, score=0.5, heatmap=heatmap, class_name=name)
        for i, (heatmap, name) in enumerate(zip(heatmaps, given, strict=True))
    ]
    return Explanation("net", image=image, targets=targets, **fields)


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image).astype(int)


def flat(image: Image.Image) -> list[tuple[int, ...]]:
    return [tuple(colour) for colour in pixels(image).reshape(-1, 4).tolist()]


def photo(width: int, height: int) -> Image.Image:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return Image.fromarray(noise)


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
    assert flat(overlay_heatmap(cold, picture)) == expected
    hot = overlay_heatmap(np.ones((2, 2)), picture, alpha_limit=None)
    assert set(flat(hot)) == {(253, 231, 37, 255)}


def test_lab_pictures() -> None:
    """Little CMS rounds as it likes, so close is good enough."""
    picture = Image.merge("LAB", [Image.new("L", (1, 1), level) for level in (0, 128, 128)])
    overlay = overlay_heatmap(np.zeros((1, 1)), picture)
    np.testing.assert_allclose(pixels(overlay), [[BLACK]], atol=2)


# No grey, so that no pixel of a black letter has one of these colours.
COLD, HOT = (100, 100, 40, 255), (200, 185, 38, 255)


def box_of(sheet: Image.Image, colour: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Find the rectangle of a colour: left, top, width and height; it must be filled."""
    rows, columns = np.nonzero((pixels(sheet) == colour).all(axis=-1))
    left, top = columns.min(), rows.min()
    width, height = columns.max() - left + 1, rows.max() - top + 1
    assert len(rows) == width * height
    return int(left), int(top), int(width), int(height)


def two_targets(size: tuple[int, int], names: list[str]) -> Image.Image:
    picture = Image.new("RGB", size, COLD[:3])
    return format_as_image(
        explanation(np.zeros((2, 2)), np.ones((2, 2)), image=picture, names=names)
    )


@pytest.mark.parametrize("size", [(32, 24), (300, 200), (1, 1)])
def test_several_targets_side_by_side(size: tuple[int, int]) -> None:
    sheet = two_targets(size, ["tabby", "tiger"])
    assert sheet.mode == "RGBA"
    cold, hot = box_of(sheet, COLD), box_of(sheet, HOT)
    assert cold[2:] == hot[2:] == size
    assert cold[1] == hot[1]
    assert hot[0] >= cold[0] + size[0]
    ink = pixels(sheet.convert("L")) < 200
    assert ink[: cold[1], : hot[0]].any()
    assert ink[: cold[1], hot[0] :].any()
    assert not ink[cold[1] + size[1] :].any()


def test_captions_name_class_and_score() -> None:
    sheets = [two_targets((100, 80), names) for names in (["tabby", "x"], ["tabby", "y"])]
    top, right = box_of(sheets[0], HOT)[1], box_of(sheets[0], HOT)[0]
    first, second = (pixels(sheet)[:top] for sheet in sheets)
    np.testing.assert_array_equal(first[:, :right], second[:, :right])
    assert (first[:, right:] != second[:, right:]).any()

    expl = explanation(np.zeros((2, 2)), np.ones((2, 2)), image=photo(100, 80))
    assert expl.targets is not None
    before = format_as_image(expl)
    expl.targets[0].score = 0.25
    assert format_as_image(expl) != before
    expl.targets[0].score = None
    assert format_as_image(expl) != before


@pytest.mark.parametrize(
    "name", ["long " * 100, "W" * 5000, "two\nlines\r\n\t\x00 \ud800", "שלום", " "]
)
def test_odd_names_stay_in_their_tile(name: str) -> None:
    plain, sheet = (two_targets((150, 80), [one, "b"]) for one in ("a", name))
    assert sheet.size == plain.size
    left, top, *_ = box_of(sheet, HOT)
    np.testing.assert_array_equal(pixels(sheet)[:, left - 3 :], pixels(plain)[:, left - 3 :])
    assert (pixels(sheet)[:top, :left] != pixels(plain)[:top, :left]).any()


@pytest.mark.parametrize(
    ("count", "columns", "rows"), [(2, 2, 1), (4, 4, 1), (5, 3, 2), (8, 4, 2), (10, 4, 3)]
)
def test_many_targets_take_several_rows(count: int, columns: int, rows: int) -> None:
    picture = Image.new("RGB", (200, 100), COLD[:3])
    heatmaps = [np.zeros((2, 2))] * count
    sheet = pixels(format_as_image(explanation(*heatmaps, image=picture)))
    is_picture = (sheet == COLD).all(axis=-1)
    assert is_picture.sum() == count * 200 * 100
    assert is_picture.any(axis=0).sum() == columns * 200
    assert is_picture.any(axis=1).sum() == rows * 100


def test_overlay_png_is_the_picture() -> None:
    expl = explanation(np.eye(3), image=photo(30, 20))
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
        explanation(image=photo(4, 4)),
        explanation(None, image=photo(4, 4)),
        explanation(np.eye(2), None, image=photo(4, 4)),
        explanation(np.eye(2), image=photo(4, 4), error="failed"),
        Explanation("net", targets=[TargetExplanation(0, heatmap=np.eye(2))]),
    ],
)
def test_overlay_png_without_a_picture(expl: Explanation) -> None:
    assert overlay_png(expl) is None

"""Heatmaps of volumes and videos, rank 3, laid over a strip: their slices side by side."""

from __future__ import annotations

import io
import re
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html
from eli5.formatters.image import expand_heatmap, format_as_image, overlay_png
from eli5.keras.inputs.image import to_picture
from helpers.photos import noisy_photo
from helpers.strict_html import Page

NEAREST = Image.Resampling.NEAREST
# No grey, so that no pixel of a black letter has one of these colours.
COLD, HOT = (100, 100, 40), (200, 185, 38)  # HOT is viridis(1.0) over COLD with the alpha 0.65


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGB")).astype(int)


def is_colour(image: Image.Image, colour: tuple[int, ...]) -> np.ndarray[Any, Any]:
    return (pixels(image) == colour).all(axis=-1)


def explanation(*heatmaps: Any, image: Image.Image) -> Explanation:
    targets = [
        TargetExplanation(i, score=0.5, heatmap=heatmap, class_name=f"name {i}")
        for i, heatmap in enumerate(heatmaps)
    ]
    return Explanation("net", image=image, targets=targets)


def overlay(heatmap: Any, image: Any) -> Image.Image:
    return format_as_image(explanation(heatmap, image=image))


def one_hot_slice(hot: int, shape: tuple[int, int, int]) -> np.ndarray[Any, Any]:
    heatmap = np.zeros(shape, np.float32)
    heatmap[hot] = 1
    return heatmap


@pytest.mark.parametrize("resampling_filter", list(Image.Resampling))
@pytest.mark.parametrize("tile", [(8, 8), (20, 6), (5, 30), (1, 1)])
@pytest.mark.parametrize("hot", [0, 1, 3])
def test_a_hot_slice_changes_its_own_tile_only(
    hot: int, tile: tuple[int, int], resampling_filter: Image.Resampling
) -> None:
    """The whole tile is as hot as hot can be up to its borders, and no pixel beyond them is."""
    width, height = tile
    strip = Image.new("RGB", (4 * width, height), COLD)
    heatmap = one_hot_slice(hot, (4, 3, 2))
    drawn = format_as_image(explanation(heatmap, image=strip), resampling_filter)
    assert (drawn.mode, drawn.size) == ("RGBA", strip.size)
    expected = np.full((height, 4 * width, 3), COLD)
    expected[:, hot * width : (hot + 1) * width] = HOT
    np.testing.assert_array_equal(pixels(drawn), expected)


def test_rows_and_columns_of_a_slice_keep_their_place() -> None:
    heatmap = np.zeros((3, 2, 5))
    heatmap[1, 0, 4] = heatmap[2, 1, 0] = 1
    strip = Image.new("RGB", (3 * 5, 2), COLD)
    drawn = format_as_image(explanation(heatmap, image=strip), NEAREST)
    assert np.argwhere(is_colour(drawn, HOT)).tolist() == [[0, 5 + 4], [1, 10 + 0]]
    assert is_colour(drawn, COLD).sum() == 3 * 5 * 2 - 2


@pytest.mark.parametrize("resampling_filter", list(Image.Resampling))
@pytest.mark.parametrize("tile", [(16, 16), (24, 10), (7, 30)])
def test_equals_the_slices_drawn_one_by_one(
    tile: tuple[int, int], resampling_filter: Image.Resampling
) -> None:
    (width, height), heatmap = tile, np.random.default_rng(1).random((4, 3, 5))
    strip = noisy_photo(4 * width, height)
    expected = Image.new("RGBA", strip.size)
    for k, one in enumerate(heatmap):
        alone = strip.crop((k * width, 0, (k + 1) * width, height))
        part = format_as_image(explanation(one, image=alone), resampling_filter, "jet", 0.8)
        assert part.size == tile
        expected.paste(part, (k * width, 0))
    expl = explanation(heatmap, image=strip)
    assert format_as_image(expl, resampling_filter, "jet", 0.8) == expected


def test_one_slice_is_a_heatmap_of_rank_2() -> None:
    heatmap, picture = np.random.default_rng(2).random((3, 5)), noisy_photo(30, 20)
    assert overlay(heatmap[None], picture) == overlay(heatmap, picture)


@pytest.mark.parametrize("channels", [3, 4])
def test_as_many_columns_as_colours_have_channels(channels: int) -> None:
    """It is a volume all the same; coloured heatmaps are for `expand_heatmap`."""
    heatmap, strip = one_hot_slice(1, (2, 2, channels)), Image.new("RGB", (8, 4), COLD)
    assert is_colour(overlay(heatmap, strip), HOT).sum(axis=0).tolist() == [0] * 4 + [4] * 4
    expanded = expand_heatmap(heatmap, strip, NEAREST)
    assert (expanded.mode, expanded.size) == ("RGB" if channels == 3 else "RGBA", (8, 4))


@pytest.mark.parametrize("n_slices", [1, 3, 6])
def test_the_picture_made_of_a_volume_has_its_tiles(n_slices: int) -> None:
    volume = np.repeat(np.arange(6.0), 4 * 5).reshape(1, 6, 4, 5, 1) * 20  # dark to bright
    strip = to_picture(volume, n_slices=n_slices)
    for hot in range(n_slices):
        heatmap = one_hot_slice(hot, (n_slices, 2, 2))
        changed = np.asarray(overlay(heatmap, strip).convert("RGB")) != pixels(strip)
        columns = np.flatnonzero(changed.any(axis=(0, 2)))
        assert columns.tolist() == list(range(5 * hot, 5 * hot + 5))


def test_html_shows_the_strip() -> None:
    heatmap, strip = np.random.default_rng(3).random((4, 2, 2)), noisy_photo(64, 16)
    expl = explanation(heatmap, image=strip)
    page = Page(format_as_html(expl))
    assert page.is_harmless()
    (picture,), (layer,) = page.pictures("eli5-picture"), page.pictures("eli5-layer")
    assert picture.size == layer.size == strip.size
    red, green, blue, alpha = layer.convert("RGBA").split()
    fainter = Image.merge("RGBA", (red, green, blue, alpha.point(lambda level: level * 0.65)))
    shown = Image.alpha_composite(picture.convert("RGBA"), fainter)
    assert np.abs(pixels(shown) - pixels(format_as_image(expl))).max() <= 1
    assert len(page.attributes_of("form", "eli5-wide")) == 1


@pytest.mark.parametrize("size", [(32, 16), (16, 64)])
def test_html_gives_other_pictures_no_width_of_their_own(size: tuple[int, int]) -> None:
    page = Page(format_as_html(explanation(np.zeros((2, 2, 2)), image=noisy_photo(*size))))
    assert page.attributes_of("form", "eli5-wide") == []


def test_png_shows_the_strip() -> None:
    expl = explanation(np.random.default_rng(4).random((4, 2, 2)), image=noisy_photo(64, 16))
    shown = Image.open(io.BytesIO(overlay_png(expl) or b""))
    np.testing.assert_array_equal(np.asarray(shown), np.asarray(format_as_image(expl)))


def test_dict_and_text_of_a_volume() -> None:
    heatmap = np.array([[[0, 0.5]], [[1, 0.25]]], np.float32)
    expl = explanation(heatmap, image=noisy_photo(4, 4))
    assert eli5.format_as_dict(expl)["targets"][0]["heatmap"] == [[[0.0, 0.5]], [[1.0, 0.25]]]
    assert eli5.format_as_text(expl) == (
        "Model   net\n\nClass        Score\nname 0 (0)  0.5000"  #
    )


@pytest.mark.parametrize(
    ("shape", "width", "message"),
    [
        (
            (5, 2, 2),
            32,
            "Expected an image whose width is divisible by the number of slices of its heatmap, 5. "
            "Received: image.width=32, heatmap.shape=(5, 2, 2). "
            "Give an image of that many slices of one size, side by side.",
        ),
        ((33, 1, 1), 32, "Received: image.width=32, heatmap.shape=(33, 1, 1)."),
        ((0, 2, 2), 32, "and not to be empty. Received: heatmap.shape=(0, 2, 2)."),
        ((2, 0, 2), 32, "and not to be empty. Received: heatmap.shape=(2, 0, 2)."),
        (
            (2, 2, 2, 2),
            32,
            "of rank 2, (H, W), or 3, (d, h, w), and not to be empty. Received: heatmap.shape=(2",
        ),
        ((1, 2, 2, 1), 32, "Give one heatmap per target, without batch or channel axis."),
    ],
)
def test_strips_that_do_not_fit(shape: tuple[int, ...], width: int, message: str) -> None:
    expl = explanation(np.zeros(shape), image=noisy_photo(width, 8))
    for draw in (format_as_image, format_as_html, overlay_png):
        with pytest.raises(ValueError, match=re.escape(message)):
            draw(expl)


@pytest.mark.parametrize("hot", [-0.5, 1.5, np.nan])
def test_values_of_every_slice_are_checked(hot: float) -> None:
    heatmap = np.zeros((3, 2, 2))
    heatmap[2, 1, 1] = hot
    with pytest.raises(ValueError, match=re.escape("values of `heatmap` to be in [0, 1]")):
        overlay(heatmap, noisy_photo(6, 4))


def test_a_strip_is_a_pillow_image() -> None:
    with pytest.raises(TypeError, match=r"Expected `expl.image` to be a PIL\.Image\.Image"):
        overlay(np.zeros((2, 2, 2)), np.zeros((4, 4)))

"""Signed attributions, drawn from blue (against) to red (for)."""

from __future__ import annotations

import re
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import format_as_image
from helpers.photos import noisy_photo, pixels

NEAREST = Image.Resampling.NEAREST
BILINEAR = Image.Resampling.BILINEAR


def signed_explanation(attribution: Any, image: Any = None) -> Explanation:
    image = Image.new("RGB", (4, 4), (100, 100, 100)) if image is None else image
    target = TargetExplanation(0, heatmap=np.eye(2), attribution=attribution)
    return Explanation("net", image=image, targets=[target])


BLUE, RED = (59, 76, 192), (180, 4, 38)  # the ends of coolwarm


def test_signed_draws_against_in_blue_and_for_in_red() -> None:
    expl = signed_explanation(np.array([[-2.0, 0.0], [0.0, 2.0]]))
    overlay = pixels(format_as_image(expl, NEAREST, signed=True))[..., :3]
    expected = np.full((4, 4, 3), 100)
    for colour, place in [(BLUE, np.s_[:2, :2]), (RED, np.s_[2:, 2:])]:
        # The alpha 0.65 is 166 of 255.
        expected[place] = np.rint((np.array(colour) * 166 + 100 * 89) / 255)
    np.testing.assert_allclose(overlay, expected, atol=1)


@pytest.mark.parametrize("scale", [1e-30, 1, 1e30])
def test_signed_equals_a_literal_computation(scale: float) -> None:
    """Scale by the largest magnitude, resize, colour around zero, composite."""
    attribution, picture = np.random.default_rng(7).standard_normal((4, 6)), noisy_photo(30, 20)
    relative = (attribution / np.abs(attribution).max()).astype(np.float32)
    values = np.asarray(Image.fromarray(relative).resize((30, 20), BILINEAR))
    colours = matplotlib.colormaps["coolwarm"](0.5 + values / 2)[..., :3]
    alpha = np.minimum(np.abs(values), 0.65)[..., None]
    expected = 255 * alpha * colours + (1 - alpha) * np.asarray(picture)
    expl = signed_explanation(scale * attribution, picture)
    overlay = pixels(format_as_image(expl, BILINEAR, signed=True))[..., :3]
    # A level is 1/127: its opacity, times the distance to the picture's colour, and one of 256
    # colours further.
    np.testing.assert_allclose(overlay, expected, atol=3)


def test_signed_is_symmetric() -> None:
    attribution = np.random.default_rng(8).standard_normal((4, 6)).astype(np.float32)
    clear = Image.new("RGBA", (30, 20))
    one, other = (
        pixels(format_as_image(signed_explanation(sign * attribution, clear), signed=True))
        for sign in (1, -1)
    )
    np.testing.assert_array_equal(one[..., 3], other[..., 3])
    is_seen = one[..., 3] > 40
    is_red, is_blue = (image[..., 0] > image[..., 2] for image in (one, other))
    assert (is_red != is_blue)[is_seen].all()
    assert is_red[is_seen].any()
    assert is_blue[is_seen].any()


def test_signed_zero_is_transparent() -> None:
    picture = noisy_photo(8, 8)
    for attribution in (np.zeros((2, 2)), np.array([[0.0, 1.0], [0.0, 0.0]])):
        overlay = pixels(
            format_as_image(signed_explanation(attribution, picture), NEAREST, signed=True)
        )
        np.testing.assert_array_equal(overlay[4:, :, :3], np.asarray(picture)[4:])


def test_signed_draws_the_attribution_and_not_the_heatmap() -> None:
    expl = signed_explanation(np.ones((2, 2)))
    expl.targets[0].heatmap = None
    assert format_as_image(expl, signed=True).getpixel((0, 0)) == (152, 38, 60, 255)


def test_signed_with_a_colormap_of_ones_own() -> None:
    seen: list[Any] = []

    def grey(places: Any) -> Any:
        seen.append(places)
        return np.dstack([places] * 3)

    expl = signed_explanation(np.array([[-4.0, 0.0], [2.0, 4.0]]))
    overlay = pixels(format_as_image(expl, NEAREST, grey, None, signed=True))
    # A level is 1/127; zero is exactly in the middle.
    np.testing.assert_allclose(seen[0][::2, ::2], [[0, 0.5], [0.75, 1]], atol=1 / 254)
    assert seen[0][0, 3] == 0.5
    assert overlay[0, 0].tolist() == [0, 0, 0, 255]
    assert overlay[3, 3].tolist() == [255, 255, 255, 255]


def test_signed_with_a_percentile_of_the_magnitude() -> None:
    attribution = np.full((10, 10), 0.1)
    attribution[0, 0], attribution[:, 9] = 5, -0.1
    expl = signed_explanation(attribution, Image.new("RGBA", (10, 10)))
    plain = pixels(format_as_image(expl, NEAREST, signed=True))
    stretched = pixels(format_as_image(expl, NEAREST, signed=True, percentile=90))
    assert plain[5, 5, 3] <= 8
    assert plain[5, 5, 3] == plain[5, 9, 3]
    assert (stretched[..., 3] == 166).all()
    assert tuple(stretched[5, 5, :3]) == RED
    assert tuple(stretched[5, 9, :3]) == BLUE


def test_a_percentile_leaves_an_empty_attribution_empty() -> None:
    attribution = np.zeros((4, 4))
    attribution[0, 0] = -1
    expl = signed_explanation(attribution, Image.new("L", (4, 4), 7))
    overlay = format_as_image(expl, NEAREST, signed=True, percentile=50)
    assert overlay.getpixel((3, 3)) == (7, 7, 7, 255)
    assert overlay.getpixel((0, 0)) != (7, 7, 7, 255)


@pytest.mark.parametrize("resampling_filter", list(Image.Resampling))
def test_signed_slices_do_not_bleed(resampling_filter: Image.Resampling) -> None:
    attribution = np.zeros((3, 2, 2))
    attribution[1] = -1
    strip = Image.new("RGB", (12, 5), (100, 100, 100))
    expl = signed_explanation(attribution, strip)
    changed = pixels(format_as_image(expl, resampling_filter, signed=True))[..., 0] != 100
    assert (
        changed.all(axis=0).tolist() == changed.any(axis=0).tolist() == [0] * 4 + [1] * 4 + [0] * 4
    )


@pytest.mark.parametrize(
    ("attribution", "error", "message"),
    [
        (None, ValueError, "signed=True draws. Received: attribution=None for the target 0. Draw"),
        (
            [[1.0]],
            TypeError,
            "attribution` to be a NumPy array of numbers. Received: ",
        ),
        (np.full((2, 2), "a"), TypeError, "of shape (2, 2), dtype <U1>"),
        (np.array([[0, np.nan]]), ValueError, "to be finite. Received: values from nan to nan."),
        (np.array([[0, -np.inf]]), ValueError, "Received: values from -inf to 0.0. Draw the heat"),
        (
            np.ones(3),
            ValueError,
            "Expected `attribution` to be of rank 2, (H, W), or 3, (d, h, w)",
        ),
        (np.ones((0, 3)), ValueError, "not to be empty. Received: attribution.shape=(0, 3)"),
        (np.ones((3, 2, 2)), ValueError, "number of slices of its attribution, 3. Received: image"),
    ],
)
def test_wrong_attributions(attribution: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        format_as_image(signed_explanation(attribution), signed=True)

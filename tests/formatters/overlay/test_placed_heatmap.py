"""Overlays of heatmaps whose layer looked at a part of the input, or at all of it turned."""

from __future__ import annotations

import io
from base64 import b64decode
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.overlay.heatmap import expand_attribution, expand_slices
from eli5.placement import Placement, lay_out, stretch

Array = np.ndarray[Any, Any]
SMOOTH = Image.Resampling.BILINEAR
# Of a doc of 32 x 48 pixels, cropped to rows 8 to 23 and columns 16 to 47: 4 x 8 cells.
CROPPED = Placement((32, 48), (0, 1), (9.5, 17.5), (21.5, 45.5), ((7.5, 23.5), (15.5, 47.5)))
MIRRORED = replace(CROPPED, first=(21.5, 17.5), last=(9.5, 45.5))
TURNED = Placement((48, 32), (1, 0), (9.5, 17.5), (21.5, 45.5), ((7.5, 23.5), (15.5, 47.5)))
# The same cells, but they see 6 pixels more on each side.
FAR = replace(CROPPED, seen=((1.5, 29.5), (9.5, 47.5)))


def values(placement: Placement) -> Array:
    return np.random.default_rng(0).uniform(0.2, 1, (4, 8)).astype("float32")


@pytest.mark.parametrize("placement", [CROPPED, MIRRORED, TURNED, FAR])
@pytest.mark.parametrize("scale", [1, 3])
def test_an_overlay_is_what_lies_on_the_input(placement: Placement, scale: int) -> None:
    heatmap, (height, width) = values(placement), placement.size
    image = Image.new("RGB", (scale * width, scale * height))
    drawn = np.asarray(expand_slices(heatmap, image, SMOOTH, placement), "float64") / 255
    expected = lay_out(heatmap, placement, (scale * height, scale * width))
    np.testing.assert_allclose(drawn, expected, atol=1.5 / 255)
    signed, largest = expand_attribution(heatmap, image, SMOOTH, placement)
    np.testing.assert_allclose(signed * largest, expected, atol=1e-5)


def test_a_plain_stretch_is_drawn_as_ever() -> None:
    heatmap, image = values(CROPPED), Image.new("RGB", (50, 30))
    plain = expand_slices(heatmap, image)
    placed = expand_slices(heatmap, image, placement=stretch((4, 8), (15, 25)))
    np.testing.assert_array_equal(np.asarray(plain), np.asarray(placed))


def test_each_slice_of_a_volume_comes_to_its_place() -> None:
    plane = replace(CROPPED)
    placement = Placement(
        (2, 32, 48), (0, 1, 2), (0.0, *plane.first), (1.0, *plane.last), ((-0.5, 1.5), *plane.seen)
    )
    heatmap = np.stack([values(plane), values(plane)[::-1]])
    drawn = np.asarray(expand_slices(heatmap, Image.new("RGB", (96, 32)), SMOOTH, placement)) / 255
    for k in (0, 1):
        expected = lay_out(heatmap[k], plane)
        np.testing.assert_allclose(drawn[:, 48 * k :][:, :48], expected, atol=1.5 / 255)


def test_all_formats_draw_it_there() -> None:
    heatmap = np.ones((4, 8), "float32")
    target = TargetExplanation(0, heatmap=heatmap, placement=CROPPED)
    image = Image.new("RGB", (48, 32), "white")
    expl = Explanation("model", targets=[target], image=image, method="Grad-CAM")
    overlay = np.asarray(eli5.format_as_image(expl))[..., :3]
    is_white = (overlay == 255).all(axis=-1)
    np.testing.assert_array_equal(is_white, expl.heatmap_on_input() == 0)
    frame = eli5.format_as_dataframe(expl)
    assert frame["area"][0] == pytest.approx(16 * 32 / (32 * 48))
    page = eli5.format_as_html(expl)
    layer = Image.open(io.BytesIO(b64decode(page.split("data:image/png;base64,")[2].split('"')[0])))
    alpha = np.asarray(layer.convert("RGBA"))[..., 3]
    np.testing.assert_array_equal(alpha == 0, expl.heatmap_on_input() == 0)

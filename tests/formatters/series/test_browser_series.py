"""The page of a series in a real browser."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.formatters.html import format_as_page
from eli5.formatters.image import format_as_image
from helpers.browser import _never_hangs, browser, open_page, process  # noqa: F401
from helpers.series_cases import Array, block, frame, of_series
from helpers.strict_html import Page

EXPL = of_series(np.zeros((50, 1)), block(50, slice(10, 20)), block(50, slice(30, 40)))


def shown(page: Any, share: float) -> Array:
    """Return the colour that is shown at a share of the time, above the line."""
    with Image.open(io.BytesIO(page.screenshot())) as shot:
        pixels = np.asarray(shot.convert("RGB")).astype(int)
    (chart,) = Page(format_as_page(EXPL)).pictures("eli5-picture")
    left, right, *_ = frame(chart)
    box = page.locator(".eli5-picture").bounding_box()
    scale = box["width"] / chart.width
    x = box["x"] + scale * (left + share * (right - left))
    colour: Array = pixels[round(box["y"] + 40 * scale), round(x)]
    return colour


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_each_target_has_its_heat_and_the_slider_moves_it(
    open_page: Any,  # noqa: F811
    scheme: str,
) -> None:
    page = open_page(format_as_page(EXPL), width=1300, color_scheme=scheme)
    drawn = format_as_image(replace(EXPL, targets=EXPL.targets[:1])).convert("RGB")
    peak = np.asarray(drawn)[40, 400].astype(int)
    assert np.ptp(peak) > 40
    assert np.abs(shown(page, 0.3) - peak).max() < 8
    assert (shown(page, 0.7) == 255).all()
    page.locator("[type=radio]").nth(1).check()
    assert (shown(page, 0.3) == 255).all()
    assert np.abs(shown(page, 0.7) - peak).max() < 8
    page.locator("[type=range]").fill("0")
    assert (shown(page, 0.7) == 255).all()
    page.locator("[type=range]").fill("100")
    assert shown(page, 0.7).sum() < peak.sum() - 150


@pytest.mark.parametrize(("width", "chart"), [(1300, 960), (800, 752), (400, 600)])
def test_a_layer_lies_on_its_chart_and_letters_stay_readable(
    open_page: Any,  # noqa: F811
    width: int,
    chart: int,
) -> None:
    page = open_page(format_as_page(EXPL), width=width)
    layer = page.locator(".eli5-layer").first.bounding_box()
    assert layer == page.locator(".eli5-picture").bounding_box()
    assert layer["width"] == chart
    # What is too wide for a small screen is scrolled within its card.
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("count", [1, 2])
def test_on_a_small_screen_a_chart_can_be_scrolled(
    open_page: Any,  # noqa: F811
    count: int,
) -> None:
    page = open_page(format_as_page([EXPL] * count), width=400)
    card = page.locator(".eli5-card").first
    card.hover()
    page.mouse.wheel(1000, 0)
    page.wait_for_timeout(200)
    assert page.evaluate("document.querySelector('.eli5-card').scrollLeft") > 200
    edge = page.locator(".eli5-picture").first.bounding_box()
    box = card.bounding_box()
    assert edge["x"] + edge["width"] == pytest.approx(box["x"] + box["width"], abs=2)

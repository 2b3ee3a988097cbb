"""Series on pages: layers, the words that stand for them, and what a browser makes of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from eli5.formatters.overlay.data_uri import pixel_budget
from eli5.formatters.overlay.options import make_options
from eli5.formatters.series.picture import series_layer
from helpers.series_cases import block, frame, of_series, waves
from helpers.strict_html import HOSTILE, Page

PEAK = colormaps["viridis"](0.15)


def fragment(expl: Any) -> Page:
    return Page(format_as_html(expl, include_styles=False))


def test_a_picture_and_a_layer_for_each_target() -> None:
    expl = of_series(waves(50, 2), block(50, 7), block(50, 30), block(50))
    page = fragment(expl)
    (picture,) = page.pictures("eli5-picture")
    layers = page.pictures("eli5-layer")
    assert [layer.size for layer in layers] == [picture.size] * 2
    assert len(page.attributes_of("input", "")) == 4  # three to choose, and the slider
    assert "The heatmap is empty" in page.text
    (form,) = page.attributes_of("form")
    assert form["class"] == "eli5-card eli5-wide eli5-series"
    assert form["style"] == f"--eli5-ratio: {picture.width} / {picture.height}"
    first, last, *_ = frame(picture)
    for layer, place in zip(layers, (7.5, 30.5), strict=True):
        row = np.asarray(layer.convert("RGB"))[20, first + 1 : last].astype(int)
        coloured = np.flatnonzero(np.ptp(row, axis=-1) > 20)
        assert coloured.mean() == pytest.approx(place / 50 * (last - first), abs=3)


def test_the_legend_is_in_the_chart_and_its_colours_in_the_layer() -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    page = fragment(expl)
    assert "eli5-legend" not in format_as_html(expl, include_styles=False)
    assert "eli5-legend" not in format_as_html([expl, expl], include_styles=False)
    (layer,) = page.pictures("eli5-layer")
    picture = page.pictures("eli5-picture")[0]
    _, last, top, bottom = frame(picture)
    bar = np.asarray(layer)[top + 1 : bottom, last + 34].astype(int)
    np.testing.assert_allclose(bar[5], 255 * np.array(PEAK[:3]), atol=4)
    assert (np.diff(bar[2:-2].sum(axis=-1)) >= -1).all()  # the highest is at the top
    assert (bar[-3] > 245).all()
    assert (np.asarray(picture.convert("L"))[top + 3 : bottom - 2, last + 34] == 255).all()


def test_pictures_and_layers_are_named_in_words() -> None:
    expl = of_series(
        waves(50, 3),
        block((50, 3), (slice(16, 20), 1)),
        time=np.arange(50) / 5,
        channel_names=["x", "y", "z"],
    )
    images = fragment(expl).attributes_of("img")
    assert images[0]["alt"] == "The explained series: 3 channels (x, y, z), 50 steps from 0 to 9.8"
    assert images[1]["alt"] == (
        "Grad-CAM heatmap of kind 0 (0), behind the series; peak at 3.2 to 3.8 in y"
    )
    assert "Peak at 3.2 to 3.8 in y" in fragment(expl).text


@pytest.mark.parametrize(
    ("shape", "names", "told"),
    [
        ((1, 1), None, "1 channel, 1 step from 0 to 0"),
        ((20_000, 1), ["ECG"], "1 channel (ECG), 20,000 steps from 0 to 19999"),
        ((5, 10), list("abcdefghij"), "10 channels (a, b, c, d, e, f, g, h and 2 more), 5 steps"),
        ((5, 10), None, "10 channels, 5 steps from 0 to 4"),
    ],
)
def test_a_series_in_words(shape: Any, names: Any, told: str) -> None:
    page = fragment(of_series(waves(*shape), block(1, 0), channel_names=names))
    assert str(page.attributes_of("img", "eli5-picture")[0]["alt"]).startswith(
        f"The explained series: {told}"
    )


def test_names_are_escaped() -> None:
    heatmap = np.ones((50, len(HOSTILE)), "float32")
    page = Page(format_as_page(of_series(waves(50, len(HOSTILE)), heatmap, channel_names=HOSTILE)))
    assert page.is_harmless()


def test_without_a_heatmap_the_series_is_shown() -> None:
    page = fragment(of_series(waves(50, 2), None))
    assert len(page.pictures("eli5-picture")) == 1
    assert "No heatmap" in page.text
    assert not page.attributes_of("input")


def test_layers_of_a_large_gallery_take_less() -> None:
    expl = of_series(waves(500, 2), np.random.default_rng(0).random(40, "float32"))
    layers = [
        series_layer(expl, expl.targets[0], pixel_budget(n, n), make_options()) for n in (1, 100)
    ]
    pages = [f'<img class="eli5-layer" src="{layer}">' for layer in layers]
    alone, one_of_many = (Page(page).pictures("eli5-layer")[0] for page in pages)
    assert (alone.mode, one_of_many.mode) == ("RGB", "P")
    one, other = (np.asarray(image.convert("RGB")).astype(int) for image in (alone, one_of_many))
    assert np.abs(one - other).mean() < 8
    assert len(pages[1]) < 0.6 * len(pages[0])


def test_pictures_and_series_share_a_page() -> None:
    series = of_series(waves(50, 2), block(50, 7))
    picture = replace(series, series=None, image=Image.new("RGB", (30, 20)))
    picture.targets = [replace(series.targets[0], heatmap=np.eye(4, dtype="float32"))]
    page = fragment([series, picture])
    assert page.is_harmless()
    assert len(page.pictures("eli5-layer")) == 2
    assert "laid over the picture" in str(page.attributes_of("img", "eli5-layer")[1]["alt"])
    assert format_as_image([series, picture]).mode == "RGBA"

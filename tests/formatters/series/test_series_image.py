"""The pixels of a drawn series: where there is heat, where there is none, and what is cut off."""

from __future__ import annotations

import io
from base64 import b64decode
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
import pytest
from matplotlib import colormaps
from PIL import Image

import eli5
from eli5.formatters.image import format_as_image, overlay_png
from eli5.formatters.overlay.data_uri import PixelBudget
from eli5.formatters.overlay.options import make_options
from eli5.formatters.series.picture import chart_size, draw_without_heat, series_layer
from helpers.series_cases import Array, block, frame, of_series, waves

NEAREST = Image.Resampling.NEAREST
PEAK = colormaps["viridis"](0.15)  # the highest heat, if no colormap is given


def panels(image: Image.Image, n_channels: int) -> Array:
    """Return the pixels of each panel, its frame left out: of shape (F, height, width, 3)."""
    pixels = np.asarray(image.convert("RGB")).astype(int)
    left, right, top, bottom = frame(image)
    height = (bottom - top) // n_channels
    starts = [top + round(k * (bottom - top) / n_channels) for k in range(n_channels)]
    return np.stack([pixels[y + 4 : y + height - 4, left + 2 : right - 1] for y in starts])


def colourful(pixels: Array) -> Array:
    """Tell where there is a background colour: no grey, and not as dark as a line."""
    return (np.ptp(pixels, axis=-1) > 12) & (pixels.max(axis=-1) > 150)


def test_a_planted_interval_is_coloured_and_the_rest_is_not() -> None:
    expl = of_series(np.zeros((200, 1)), block(200, slice(120, 140)))
    (panel,) = panels(format_as_image(expl), 1)
    for row in (5, len(panel) - 5):  # above and below the line
        coloured = np.flatnonzero(colourful(panel[row]))
        width = panel.shape[1]
        assert coloured[0] == pytest.approx(120 / 200 * width, abs=4)
        assert coloured[-1] == pytest.approx(140 / 200 * width, abs=4)
        assert len(coloured) == coloured[-1] - coloured[0] + 1
        assert (panel[row][~colourful(panel[row])] == 255).all()
    wanted = 255 * (0.65 * np.array(PEAK[:3]) + 0.35)
    np.testing.assert_allclose(panel[5, round(0.65 * width)], wanted, atol=1.5)


def test_in_uneven_time_the_interval_is_where_its_steps_are() -> None:
    time = np.concatenate([np.arange(100.0), 100 + 10 * np.arange(100.0)])
    expl = of_series(np.zeros((200, 1)), block(200, slice(110, 120)), time=time)
    (panel,) = panels(format_as_image(expl), 1)
    coloured = np.flatnonzero(colourful(panel[5]))
    first, last = (200 - 5 + 0.5) / 1095.5, (290 + 5 + 0.5) / 1095.5
    assert coloured[0] == pytest.approx(first * panel.shape[1], abs=4)
    assert coloured[-1] == pytest.approx(last * panel.shape[1], abs=4)


def test_the_column_of_the_peak_is_the_strongest() -> None:
    heatmap = np.exp(-((np.arange(30) - 21) ** 2) / 20).astype("float32")
    expl = of_series(np.zeros((300, 1)), heatmap)
    (panel,) = panels(format_as_image(expl, colormap="gray", alpha_limit=None), 1)
    # Grey of the value v, as opaque as v, on white: v² + 1 - v, lowest at half the height.
    values = np.interp((np.arange(300) + 0.5) / 10 - 0.5, np.arange(30), heatmap)
    columns = (np.arange(panel.shape[1]) / panel.shape[1] * 300).astype(int)
    shown = values[columns]
    np.testing.assert_allclose(panel[5, :, 0] / 255, shown**2 + 1 - shown, atol=0.06)
    (panel,) = panels(format_as_image(expl), 1)
    darkest = np.flatnonzero(panel[5].sum(axis=-1) == panel[5].sum(axis=-1).min())
    assert darkest.mean() == pytest.approx(215 / 300 * panel.shape[1], abs=4)


def test_each_channel_has_the_background_of_its_own() -> None:
    expl = of_series(np.zeros((100, 3)), block((100, 3), (slice(20, 30), 1)))
    image = format_as_image(expl)
    first, second, third = panels(image, 3)
    assert not colourful(first).any()
    assert not colourful(third).any()
    assert colourful(second[5]).mean() == pytest.approx(0.1, abs=0.01)
    shared = of_series(np.zeros((100, 3)), block(100, slice(20, 30)))
    for panel in panels(format_as_image(shared), 3):
        assert colourful(panel[5]).mean() == pytest.approx(0.1, abs=0.01)


@pytest.mark.parametrize("limit", [0.3, 0.65, None])
@pytest.mark.parametrize("name", ["viridis", "magma", "cividis", "gray", "Blues", "coolwarm"])
def test_lines_stand_out_from_their_background(name: str, limit: float | None) -> None:
    expl = of_series(np.zeros((100, 1)), np.linspace(0, 1, 100, dtype="float32"))
    options: Any = {"colormap": name, "alpha_limit": limit, "signed": name == "coolwarm"}
    (panel,) = panels(format_as_image(expl, **options), 1)
    middle = luminance(panel[len(panel) // 2 - 8 : len(panel) // 2 + 8] / 255)[:, 40:-40]
    # Below the line, or in its white border on a dark background.
    assert ((middle.max(axis=0) + 0.05) / (middle.min(axis=0) + 0.05)).min() > 3


def test_gaps_are_left_and_single_steps_are_dots() -> None:
    values = np.zeros((100, 1))
    values[20:60], values[80:] = np.nan, np.inf
    values[40] = 0.0
    (panel,) = panels(format_as_image(of_series(values, block(100))), 1)
    is_line = (panel.sum(axis=-1) < 300).any(axis=0)
    width = panel.shape[1]
    assert is_line[round(0.01 * width) : round(0.19 * width)].all()
    assert not is_line[round(0.21 * width) : round(0.39 * width)].any()
    assert is_line[round(0.405 * width)]
    assert not is_line[round(0.42 * width) : round(0.59 * width)].any()
    assert is_line[round(0.61 * width) : round(0.79 * width)].all()
    assert not is_line[round(0.81 * width) :].any()


def test_a_single_spike_of_a_long_series_is_seen() -> None:
    values, heatmap = np.zeros((100_000, 1), "float32"), block((100_000, 1), (70_000, 0))
    values[30_000] = 1
    (panel,) = panels(format_as_image(of_series(values, heatmap)), 1)
    upper = panel[: len(panel) // 2]
    is_line = (upper.max(axis=-1) < 170) & (np.ptp(upper, axis=-1) < 12)
    spike = np.flatnonzero(is_line.any(axis=0))
    assert spike.size > 0
    assert spike.mean() == pytest.approx(0.3 * panel.shape[1], abs=4)
    coloured = np.flatnonzero(colourful(panel[5]))
    assert 1 <= len(coloured) <= 3
    assert coloured.mean() == pytest.approx(0.7 * panel.shape[1], abs=4)


def test_for_and_against_have_their_colours() -> None:
    expl = of_series(np.zeros((100, 1)), block(100))
    expl.targets[0].attribution = block(100, slice(20, 30)) - block(100, slice(60, 70))
    (panel,) = panels(format_as_image(expl, signed=True), 1)
    red, blue = panel[5, round(0.25 * panel.shape[1])], panel[5, round(0.65 * panel.shape[1])]
    assert red[0] > red[2] + 80
    assert blue[2] > blue[0] + 80
    assert (panel[5, round(0.45 * panel.shape[1])] > 250).all()


def test_a_strip_is_light_for_the_least_and_dark_for_the_largest_value_of_each_channel() -> None:
    values = np.tile(np.linspace(0, 1, 50)[:, None], 12) * 10.0 ** np.arange(12)
    values[:, 3], values[20:30, 5] = 7.0, np.nan
    strip = panels(draw_without_heat(of_series(values, block(50)), make_options()), 12)[..., 0]
    rows = strip[:, 16]  # the middle of each
    for k in (0, 1, 11):
        assert rows[k, 0] > 235
        assert rows[k, -1] < 135
        assert (np.diff(rows[k]) <= 0).all()
    assert np.ptp(rows[3]) == 0
    assert rows[3, 0] == pytest.approx((242 + 128) / 2, abs=3)
    assert (rows[5] == 255).mean() == pytest.approx(0.2, abs=0.01)


def test_rows_of_a_strip_are_coloured_each_by_its_own() -> None:
    heatmap = block((60, 12), (slice(30, 40), 7))
    expl = of_series(waves(60, 12), heatmap)
    rows = panels(format_as_image(expl), 12)
    coloured = (np.ptp(rows, axis=-1) > 12).any(axis=(1, 2))
    assert np.flatnonzero(coloured).tolist() == [7]


def test_of_more_channels_than_rows_the_hottest_is_seen() -> None:
    expl = of_series(np.zeros((20, 1000)), block((20, 1000), (slice(5, 10), 801)))
    image = format_as_image(expl)
    assert image.height == 480 + 80
    left, right, top, bottom = frame(image)
    pixels = np.asarray(image.convert("RGB")).astype(int)[top:bottom, left:right]
    rows = np.flatnonzero((np.ptp(pixels, axis=-1) > 12).any(axis=1))
    assert rows.mean() == pytest.approx(801.5 / 1000 * (bottom - top), abs=2)


@pytest.mark.parametrize("look", [{}, {"signed": True}, {"colormap": "magma", "alpha_limit": 0.4}])
@pytest.mark.parametrize("n_channels", [1, 3, 12])
def test_the_layers_over_each_other_are_the_picture(n_channels: int, look: Any) -> None:
    heatmap = np.random.default_rng(0).random((20, n_channels), "float32")
    expl = of_series(waves(200, n_channels), heatmap[:, 0])
    # 1, so that the numbers beside the colour bar are the same.
    expl.targets[0].attribution = np.linspace(-1, 1, 20, dtype="float32")
    options, ample = make_options(**look), PixelBudget(1e9, 1e9)
    uri = str(series_layer(expl, expl.targets[0], ample, options)).partition(",")[2]
    layer = Image.open(io.BytesIO(b64decode(uri))).convert("RGBA")
    assert layer.size == chart_size(expl)
    shown = Image.blend(draw_without_heat(expl, options), layer, options.alpha_limit)
    one, other = (np.asarray(one).astype(int) for one in (shown, format_as_image(expl, **look)))
    assert np.abs(one - other).max(axis=-1).mean() < 1.5
    # They are as good as equal within, and differ by a little at the edges of lines.
    assert (np.abs(one - other).max(axis=-1) > 8).mean() < 0.02


def test_without_opacity_there_is_no_heat() -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    image = format_as_image(expl, alpha_limit=0)
    pixels = np.asarray(image.convert("RGB")).astype(int)
    assert np.ptp(pixels, axis=-1).max() == 0


def test_options_are_those_of_pictures() -> None:
    heatmap = np.array([0, 0.2, 0.4, 1.0], "float32")
    expl = of_series(np.zeros((80, 1)), heatmap)
    plain, blocks = format_as_image(expl), format_as_image(expl, NEAREST)
    assert format_as_image(expl, Image.Resampling.BILINEAR) == plain
    (panel,) = panels(blocks, 1)
    assert len(np.unique(panel[5], axis=0)) == 4
    (cut,) = panels(format_as_image(expl, NEAREST, percentile=50), 1)
    peak = 255 * (0.65 * np.array(PEAK[:3]) + 0.35)
    np.testing.assert_allclose(cut[5, round(0.6 * cut.shape[1])], peak, atol=2)
    own = format_as_image(expl, colormap=lambda values: np.stack([values] * 3, axis=-1))
    named = format_as_image(expl, colormap="gray")
    assert np.abs(np.asarray(own).astype(int) - np.asarray(named)).max() <= 2


@pytest.mark.parametrize("name", ["LANCZOS", "BICUBIC", "BOX", "HAMMING"])
def test_other_filters_are_refused(name: str) -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    if name == "LANCZOS":  # the default
        assert format_as_image(expl, Image.Resampling.LANCZOS) == format_as_image(expl)
        return
    wanted = getattr(Image.Resampling, name)
    with pytest.raises(ValueError, match="Expected `resampling_filter` to be BILINEAR or NEAREST"):
        format_as_image(expl, wanted)


def test_a_function_that_gives_no_colours_is_refused() -> None:
    with pytest.raises(ValueError, match="Expected the colormap to return an array of shape"):
        format_as_image(of_series(waves(50, 2), block(50, 7)), colormap=lambda values: values)


def luminance(colours: Array) -> Array:
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_several_targets_and_explanations_are_a_sheet() -> None:
    expl = of_series(waves(50, 1), block(50, 7), block(50, 20))
    sheet = format_as_image(expl)
    size = chart_size(expl)
    assert sheet.height > 2 * size[1]
    assert sheet.width < size[0] + 100
    top = format_as_image(replace(expl, targets=expl.targets[:1]))
    pixels = np.asarray(sheet)
    part = np.asarray(top.crop((0, 0, size[0], 50)))
    views = np.lib.stride_tricks.sliding_window_view(pixels[:150], part.shape)
    assert (views == part).all(axis=(-1, -2, -3)).any(), "it stands on the sheet pixel by pixel"
    many = format_as_image([expl, replace(expl, method="Saliency")])
    assert many.height > 2 * sheet.height


@pytest.mark.parametrize("ending", [".png", ".jpg", ".webp", ".html"])
def test_it_is_saved_by_ending(ending: str, tmp_path: Any) -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    expl.save(tmp_path / f"series{ending}")
    if ending == ".html":
        assert "data:image/png" in (tmp_path / "series.html").read_text("utf-8")
        return
    with Image.open(tmp_path / f"series{ending}") as saved:
        saved_pixels = np.asarray(saved.convert("RGB")).astype(int)
    drawn = np.asarray(format_as_image(expl).convert("RGB")).astype(int)
    assert np.abs(saved_pixels - drawn).mean() < (0.01 if ending == ".png" else 3)


def test_it_shows_itself() -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    assert set(expl._repr_mimebundle_()) == {"text/html", "image/png", "text/plain"}
    png = overlay_png(expl)
    assert png == expl._repr_png_()
    assert png is not None
    assert overlay_png(replace(expl, error="no")) is None
    assert overlay_png(of_series(waves(50, 2), None)) is None
    assert "image/png" not in of_series(waves(50, 2), None)._repr_mimebundle_()


def test_it_is_what_show_prediction_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    expl = of_series(waves(50, 2), block(50, 7))
    monkeypatch.setattr("eli5.ipython.explain_prediction", lambda *_, **__: expl)
    shown = eli5.show_prediction(None, None, signed=True)
    assert shown == format_as_image(expl, signed=True) != format_as_image(expl)


def test_the_settings_of_the_user_change_nothing() -> None:
    import matplotlib as mpl

    expl = of_series(waves(50, 3), block(50, 7), channel_names=["$a", "b_$", "c"])
    plain = format_as_image(expl)
    changed = {
        "axes.grid": True,
        "axes.facecolor": "black",
        "figure.facecolor": "black",
        "figure.constrained_layout.use": True,
        "image.origin": "lower",
        "lines.linewidth": 9,
        "xtick.direction": "in",
        "xtick.top": True,
        "ytick.minor.visible": True,
        "axes.spines.top": False,
        "axes.labelpad": 20,
        "axes.labelweight": "bold",
        "font.size": 20,
    }
    with mpl.rc_context(changed):
        assert format_as_image(expl) == plain


def test_threads_draw_the_same() -> None:
    series = [
        of_series(waves(50, n), block(50, 7), channel_names=["$a", "⌚", "c"][:n]) for n in (1, 3)
    ]
    plain = [format_as_image(one) for one in series]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(format_as_image, series * 4)) == plain * 4


def test_a_long_series_is_drawn_fast_and_short_files_come_of_it() -> None:
    values = np.random.default_rng(0).normal(size=(100_000, 3)).astype("float32")
    expl = of_series(values, np.abs(values) / np.abs(values).max())
    format_as_image(of_series(waves(9, 1), block(9)))  # fonts are loaded once
    start = perf_counter()
    format_as_image(expl)
    assert perf_counter() - start < 3  # about 0.1 on a machine that does nothing else
    assert len(eli5.format_as_html(expl, include_styles=False)) < 500_000

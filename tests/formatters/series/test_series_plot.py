"""Series drawn with matplotlib: what the axes hold, in which units, and where."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib import dates
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from eli5.formatters.image import format_as_image
from eli5.formatters.plot import plot
from helpers.series_cases import Array, block, of_series, waves


@pytest.fixture(autouse=True)
def _closed() -> Any:
    yield
    plt.close("all")


def lines(ax: Any) -> Array:
    """Return all points of the lines, channel by channel."""
    parts = [line.get_xydata() for line in ax.lines if line.get_path_effects()]
    return np.concatenate(parts)


def heat(ax: Any) -> Array:
    return np.asarray(ax.images[-1].get_array())


def test_a_channel_is_in_its_own_units() -> None:
    time, values = np.arange(40) / 4, waves(40, 1)
    ax = plot(of_series(values, block(40, slice(10, 20)), time=time, channel_names=["pulse"]))
    points = {tuple(point) for point in lines(ax).round(9)}
    assert points >= {tuple(point) for point in np.column_stack([time, values]).round(9)}
    assert ax.get_xlim() == (-0.125, 9.875)
    low, high = ax.get_ylim()
    assert low < values.min() < values.max() < high
    assert ax.get_xlabel() == "time"
    assert ax.get_ylabel() == "pulse"


def test_the_background_is_the_heatmap_over_time() -> None:
    ax = plot(of_series(waves(40, 1), block(40, slice(10, 20))))
    (image,) = ax.images
    left, right, bottom, top = image.get_extent()
    assert (left, right) == (-0.5, 39.5)
    assert (bottom, top) == ax.get_ylim()
    columns = heat(ax)
    width = columns.shape[1]
    assert columns[0, : round(0.249 * width)].max() == 0
    assert columns[0, round(0.251 * width) : round(0.499 * width)].min() == 1
    assert columns[0, round(0.501 * width) :].max() == 0
    assert ax.get_xlabel() == "step"


def test_channels_are_stacked_from_the_top_each_in_its_own_range() -> None:
    values = waves(60, 3) * [1, 1000, 1e-6] + [0, 5e5, 0]
    ax = plot(of_series(values, block((60, 3), (5, 2)), channel_names=["x", "$y_1", "z"]))
    assert ax.get_ylim() == (0, 3)
    named = zip(ax.get_yticklabels(minor=True), ax.get_yticks(minor=True), strict=True)
    assert [(text.get_text(), place) for text, place in named] == [
        ("x", 2.5),
        ("$y_1", 1.5),
        ("z", 0.5),
    ]
    assert heat(ax).shape[0] == 3
    assert heat(ax)[2].max() == 1
    assert heat(ax)[:2].max() == 0
    points = lines(ax)
    for k in range(3):
        inside = points[(points[:, 1] > 2 - k) & (points[:, 1] < 3 - k), 1]
        assert inside.min() == pytest.approx(2 - k + 0.12)
        assert inside.max() == pytest.approx(3 - k - 0.12)


def test_numbers_beside_a_channel_are_those_of_its_values() -> None:
    values = np.linspace([0, -3], [10, 500], 20)
    ax = plot(of_series(values, block(20, 5)))
    points = lines(ax)
    for label, place in zip(ax.get_yticklabels(), ax.get_yticks(), strict=True):
        channel = 0 if place > 1 else 1
        of_channel = points[(points[:, 1] > 1) == (place > 1)]
        step = np.interp(place, of_channel[:, 1], of_channel[:, 0])
        value = np.interp(step, np.arange(20), values[:, channel])
        number = float(label.get_text().replace("\N{MINUS SIGN}", "-"))
        assert number == pytest.approx(value, rel=0.005)
    assert len(ax.get_yticks()) >= 4


@pytest.mark.parametrize("unit", ["D", "s", "ns"])
def test_dates_are_those_of_matplotlib(unit: str) -> None:
    time = np.array("2026-03-01", f"M8[{unit}]") + np.arange(5).astype("m8[D]")
    ax = plot(of_series(waves(5, 1), block(5, 2), time=time))
    first, last = dates.date2num(time[[0, -1]])
    assert ax.get_xlim() == (first - 0.5, last + 0.5)
    ax.figure.canvas.draw()
    assert "2026" in ax.xaxis.get_offset_text().get_text()


def test_one_step_has_the_axes_to_itself() -> None:
    for time in (None, np.array(["2026-03-01"], "M8[ns]"), np.array([1e12])):
        ax = plot(of_series(np.ones((1, 1)), block(1, 0), time=time))
        assert heat(ax).min() == 1
        (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
        assert dot.get_ydata().tolist() == [1]
        ax.figure.canvas.draw()


def test_the_first_and_the_last_date_there_are() -> None:
    time = np.array(["0001-01-01", "9999-12-31"], "M8[D]")
    ax = plot(of_series(waves(2, 1), block(2, 1), time=time))
    ax.figure.canvas.draw()


def test_signed_is_symmetric_and_in_units_of_the_attribution() -> None:
    expl = of_series(waves(40, 1), block(40, 3))
    expl.targets[0].attribution = 5 * block(40, 3) - 2 * block(40, 30)
    ax = plot(expl, signed=True)
    assert ax.images[-1].get_clim() == (-5, 5)
    assert set(np.unique(heat(ax))) == {-2, 0, 5}
    bar = next(one for one in ax.figure.axes if one is not ax)
    assert bar.get_ylabel() == "attribution"


def test_a_percentile_ends_the_colours() -> None:
    heatmap = np.linspace(0, 1, 101, dtype="float32")
    ax = plot(of_series(waves(101, 1), heatmap), percentile=50)
    assert ax.images[-1].get_clim() == pytest.approx((0, 0.5))


def test_a_strip_lies_below_its_heatmap() -> None:
    ax = plot(of_series(waves(30, 20), block((30, 20), (slice(0, 15), 4))))
    strip, _ = ax.images
    assert ax.get_ylim() == (0, 20)
    assert strip.get_array().shape[0] == 20
    assert heat(ax)[4].max() == 1
    assert heat(ax)[5].max() == 0
    labels = [text.get_text() for text in ax.get_yticklabels(minor=True)]
    assert labels == [f"channel {k}" for k in range(20)]
    many = plot(of_series(waves(30, 300), block(30, 1)))
    assert [text.get_text() for text in many.get_yticklabels(minor=True)][:3] == [
        "channel 0",
        "channel 13",
        "channel 26",
    ]


def test_several_targets_give_an_array_of_axes_that_do_not_overlap() -> None:
    expl = of_series(waves(50, 3), block(50, 1), block(50, 30), channel_names=["one", "2", "3"])
    axes = plot(expl)
    assert axes.shape == (2,)
    figure = axes[0].figure
    figure.canvas.draw()
    renderer = figure.canvas.get_renderer()
    boxes = [ax.get_tightbbox(renderer) for ax in axes]
    assert not boxes[0].overlaps(boxes[1])
    for box in boxes:
        assert box.x0 >= 0
        assert box.y0 >= 0
        assert box.x1 <= figure.bbox.width
        assert box.y1 <= figure.bbox.height
    for ax in axes:  # names and numbers stand below each other
        labels = [*ax.get_yticklabels(), *ax.get_yticklabels(minor=True)]
        extents = sorted((text.get_window_extent(renderer) for text in labels), key=lambda b: b.y0)
        assert all(low.y1 < high.y0 for low, high in pairwise(extents))


def test_given_axes_are_used() -> None:
    ax = Figure().add_subplot()
    assert plot(of_series(waves(50, 3), block(50, 1)), ax) is ax
    assert not plt.get_fignums()
    assert plot(of_series(waves(50, 3), block(50, 1), block(50, 2)), ax, target=1) is ax


def test_on_a_dark_figure_letters_are_light_and_lines_stand_on_white() -> None:
    with plt.style.context("dark_background"):
        ax = plot(of_series(waves(50, 2), block(50, 1), channel_names=["a", "b"]))
        assert mpl.rcParams["figure.facecolor"] == "black"
    letters = [*ax.get_yticklabels(), *ax.get_yticklabels(minor=True), ax.xaxis.label]
    assert {to_rgb(text.get_color()) for text in letters} == {(1, 1, 1)}
    assert ax.get_facecolor() == (1, 1, 1, 1)


def test_it_looks_as_format_as_image_draws_it() -> None:
    expl = of_series(np.zeros((200, 1)), block(200, slice(120, 140)))
    figure = Figure((10, 4), dpi=100)
    canvas = FigureCanvasAgg(figure)
    ax = figure.add_axes((0, 0, 1, 1))
    plot(expl, ax, colorbar=False, title=False)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[10]
    drawn = np.asarray(format_as_image(expl))[30, :1150].astype(int)
    peak = drawn[round(np.flatnonzero(np.ptp(drawn[:, :3], axis=-1) > 30).mean())]
    assert np.abs(pixels[650] - peak).max() <= 2
    assert (pixels[400] == 255).all()


def test_functions_are_no_colormaps_here_either() -> None:
    own: Any = np.asarray
    with pytest.raises(TypeError, match="format_as_image takes functions"):
        plot(of_series(waves(5, 1), block(5, 1)), colormap=own)

"""What `eli5.plot` draws, and what it leaves alone."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import expand_heatmap, format_as_image
from helpers.photos import noisy_photo

matplotlib.use("Agg")
from matplotlib import pyplot as plt

Array = np.ndarray[Any, Any]
NEAREST = Image.Resampling.NEAREST


@pytest.fixture(autouse=True)
def _no_figure_is_left() -> Iterator[None]:
    """Close what a test made by intention; each test says how many there should be."""
    assert not plt.get_fignums()
    settings = dict(matplotlib.rcParams)
    yield
    plt.close("all")
    assert dict(matplotlib.rcParams) == settings


def explanation(*shapes: tuple[int, ...], image: Any = "photo", **fields: Any) -> Explanation:
    rng = np.random.default_rng(1)
    targets = [
        TargetExplanation(
            100 + i,
            score=0.25 * (i + 1),
            heatmap=rng.random(shape),
            attribution=3 * rng.standard_normal(shape),
            class_name=f"name {i}",
        )
        for i, shape in enumerate(shapes or [(3, 4)])
    ]
    fields = {"method": "Grad-CAM", "layer": "conv", **fields}
    image = noisy_photo(40, 30) if isinstance(image, str) else image
    return Explanation("net", targets=targets, image=image, **fields)


def new_ax(**options: Any) -> Axes:
    """Make axes that pyplot knows nothing of."""
    figure = Figure(**options)
    FigureCanvasAgg(figure)
    return figure.subplots()


def rendered(ax: Axes) -> Array:
    """Draw a figure and return what is within the axes."""
    canvas: Any = ax.figure.canvas
    canvas.draw()
    box = ax.get_window_extent()
    pixels = np.asarray(canvas.buffer_rgba())[..., :3].astype(int)
    height = pixels.shape[0]
    return pixels[round(height - box.y1) : round(height - box.y0), round(box.x0) : round(box.x1)]


def bar_of(ax: Axes) -> Axes:
    (bar,) = (one for one in ax.figure.axes if one is not ax)
    return bar


# --- the picture ---------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"signed": True}, {"percentile": 80, "colormap": "jet"}])
def test_looks_as_format_as_image_draws_it(options: dict[str, Any]) -> None:
    expl = explanation()
    ax = new_ax(figsize=(4, 3), dpi=100)
    ax.set_position((0.1, 0.1, 0.8, 0.8))  # 320 by 240 pixels: 8 for each of the picture's
    eli5.plot(expl, ax, colorbar=False, title=False, **options)
    drawn = rendered(ax)
    expected = np.asarray(format_as_image(expl, **options))[..., :3]
    assert drawn.shape == (240, 320, 3)
    # The middle of each pixel. It rounds elsewhere, and has 256 colours in other places.
    np.testing.assert_allclose(drawn[4::8, 4::8], expected, atol=6)


def test_the_layers_hold_the_picture_and_the_values() -> None:
    expl = explanation()
    picture, heat = eli5.plot(expl, new_ax()).images
    np.testing.assert_array_equal(picture.get_array()[..., :3], np.asarray(expl.image))
    levels = np.asarray(expand_heatmap(expl.targets[0].heatmap, expl.image))
    np.testing.assert_allclose(heat.get_array(), levels / 255, atol=1e-6)
    np.testing.assert_allclose(heat.get_alpha(), np.minimum(levels / 255, 0.65), atol=1e-6)
    assert (heat.norm.vmin, heat.norm.vmax, heat.cmap.name) == (0, 1, "viridis")
    assert list(picture.get_extent()) == list(heat.get_extent()) == [0, 40, 30, 0]


def test_signed_is_symmetric_and_in_units_of_the_attribution() -> None:
    expl = explanation()
    attribution = expl.targets[0].attribution
    assert attribution is not None
    peak = np.abs(attribution).max()
    _, heat = eli5.plot(expl, new_ax(), signed=True, resampling_filter=NEAREST).images
    assert (-heat.norm.vmin, heat.norm.vmax, heat.cmap.name) == (peak, peak, "coolwarm")
    np.testing.assert_allclose(heat.get_array()[::10, ::10], attribution, rtol=1e-6)
    np.testing.assert_allclose(
        heat.get_alpha()[::10, ::10], np.minimum(np.abs(attribution) / peak, 0.65), rtol=1e-6
    )


def test_large_pictures_keep_their_pixels_as_units() -> None:
    expl = explanation((2, 2), image=Image.new("L", (3000, 1500)))
    picture, heat = eli5.plot(expl, new_ax()).images
    assert list(picture.get_extent()) == list(heat.get_extent()) == [0, 3000, 1500, 0]
    assert heat.get_array().shape == (512, 1024)


@pytest.mark.parametrize("width", [60, 3000])
def test_slices_do_not_bleed(width: int) -> None:
    expl = explanation((3, 2, 2), image=Image.new("L", (width, 20)))
    expl.targets[0].heatmap = np.array([np.zeros((2, 2)), np.ones((2, 2)), np.zeros((2, 2))])
    values = eli5.plot(expl, new_ax()).images[1].get_array()
    third = values.shape[1] // 3
    assert values.shape[1] == 3 * third
    assert values.any(axis=0).nonzero()[0].tolist() == list(range(third, 2 * third))
    assert (values[:, third : 2 * third] == 1).all()


@pytest.mark.parametrize(("shape", "size"), [((3, 4), (4, 3)), ((5, 2, 3), (15, 2))])
@pytest.mark.parametrize("signed", [False, True])
def test_without_a_picture_the_heatmap_is_drawn_alone(
    shape: tuple[int, ...], size: tuple[int, int], signed: bool
) -> None:
    expl = explanation(shape, image=None)
    (heat,) = eli5.plot(expl, new_ax(), signed=signed).images
    target = expl.targets[0]
    values = target.attribution if signed else target.heatmap
    expected = np.hstack(values) if len(shape) == 3 else values
    np.testing.assert_allclose(heat.get_array(), expected, atol=0.5 / 255)
    assert heat.get_alpha() is None
    assert list(heat.get_extent()) == [0, size[0], size[1], 0]


def test_an_empty_attribution() -> None:
    expl = explanation()
    expl.targets[0].attribution = np.zeros((2, 2))
    ax = eli5.plot(expl, new_ax(), signed=True)
    rendered(ax)
    assert not ax.images[1].get_array().any()
    assert not ax.images[1].get_alpha().any()


def test_settings_of_the_user_do_not_turn_it_around() -> None:
    settings = {"image.origin": "lower", "image.aspect": "auto", "image.cmap": "jet"}
    expl = explanation()
    with matplotlib.rc_context({**settings, "axes.grid": True}):
        ax = new_ax(figsize=(4, 4))
        eli5.plot(expl, ax, title=False)
        top_left = rendered(ax)[2, 2]
        lines = bar_of(ax).get_xgridlines() + bar_of(ax).get_ygridlines()
        assert not any(line.get_visible() for line in lines)
        box = ax.get_window_extent()
    assert box.width / box.height == pytest.approx(40 / 30)
    expected = np.asarray(format_as_image(expl))[0, 0, :3]
    np.testing.assert_allclose(top_left, expected, atol=6)


# --- the colour bar ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "ends", "arrows", "label"),
    [
        ({}, (0, 1), "neither", "heatmap"),
        ({"percentile": 90}, (0, None), "max", "heatmap"),
        ({"signed": True}, (None, None), "neither", "attribution"),
        ({"signed": True, "percentile": 90}, (None, None), "both", "attribution"),
    ],
)
def test_the_colour_bar(
    options: dict[str, Any], ends: tuple[Any, Any], arrows: str, label: str
) -> None:
    ax = eli5.plot(explanation(), new_ax(), **options)
    bar = ax.images[1].colorbar
    assert bar.ax is bar_of(ax)
    assert bar.extend == arrows
    assert bar.ax.get_ylabel() == label
    low, high = bar.vmin, bar.vmax
    assert low == (ends[0] if ends[0] is not None else -high)
    assert high == (ends[1] if ends[1] is not None else high)
    values = ax.images[1].get_array()
    assert np.abs(values).max() == pytest.approx(high, abs=0.01)


def test_a_percentile_is_in_units_of_the_heatmap() -> None:
    expl = explanation()
    levels = np.asarray(expand_heatmap(expl.targets[0].heatmap, expl.image)) / 255
    ax = eli5.plot(expl, new_ax(), percentile=75)
    assert ax.images[1].norm.vmax == pytest.approx(np.percentile(levels, 75), abs=1e-6)
    values = eli5.plot(expl, new_ax(), signed=True).images[1].get_array()
    magnitude = np.abs(np.asarray(values))
    ax = eli5.plot(expl, new_ax(), signed=True, percentile=75)
    assert ax.images[1].norm.vmax == pytest.approx(np.percentile(magnitude, 75), rel=1e-5)


def test_a_map_of_the_inputs_pixels_ends_at_its_99th_percentile() -> None:
    expl = explanation((30, 40), method="Saliency", layer=None)
    ax, as_asked = eli5.plot(expl, new_ax()), eli5.plot(expl, new_ax(), percentile=99)
    assert ax.images[1].colorbar.extend == "max"
    assert ax.images[1].norm.vmax == as_asked.images[1].norm.vmax < 1


def test_the_colour_bar_is_as_high_as_the_picture_and_beside_it() -> None:
    ax = eli5.plot(explanation(), new_ax(figsize=(5, 8)))
    rendered(ax)
    box, bar = ax.get_window_extent(), bar_of(ax).get_window_extent()
    assert (bar.y0, bar.y1) == pytest.approx((box.y0, box.y1), abs=1)
    assert 0 < bar.x0 - box.x1 < 15


def test_numbers_of_the_colour_bar_are_short() -> None:
    for scale in (1e-7, 3e-4, 1, 2e4, 1e7):
        expl = explanation()
        expl.targets[0].attribution = scale * np.array([[-1.0, 0.3]])
        ax = eli5.plot(expl, new_ax(), signed=True)
        rendered(ax)
        assert max(len(text.get_text()) for text in bar_of(ax).get_yticklabels()) <= 5


def test_without_a_colour_bar() -> None:
    ax = eli5.plot(explanation(), new_ax(), colorbar=False)
    assert ax.figure.axes == [ax]


# --- the title -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "title"),
    [
        ({}, "name 0\nscore 0.2500 · Grad-CAM"),
        ({"class_name": None}, "Class 100\nscore 0.2500 · Grad-CAM"),
        ({"class_name": None, "is_regression": True}, "Output 100\nscore 0.2500 · Grad-CAM"),
        ({"class_name": None, "target": "contrast"}, "contrast\nscore 0.2500 · Grad-CAM"),
        ({"score": None}, "name 0\nGrad-CAM"),
        ({"method": None}, "name 0\nscore 0.2500"),
        ({"score": None, "method": None}, "name 0"),
        ({"explained": 0.25}, "name 0\nscore (explained) 0.2500 · Grad-CAM"),
        (
            {"proba": 0.25, "explained": -1.1, "explained_name": "log-odds", "method": None},
            "name 0\nprobability 0.2500 · log-odds (explained) -1.100",
        ),
        ({"class_name": "$\\frac{x}$ & <b>"}, "$\\frac{x}$ & <b>\nscore 0.2500 · Grad-CAM"),
        ({"class_name": "x\U000f1234"}, "x\ufffd (100)\nscore 0.2500 · Grad-CAM"),
    ],
)
def test_the_title(changes: dict[str, Any], title: str) -> None:
    expl = explanation()
    for name, value in changes.items():
        setattr(expl if hasattr(expl, name) else expl.targets[0], name, value)
    ax = eli5.plot(expl, new_ax())
    rendered(ax)
    assert ax.get_title() == title


def test_long_titles_stay_above_their_picture() -> None:
    expl = explanation((2, 2), (2, 2))
    for target in expl.targets:
        target.class_name = "a name of very many words " * 10
    for ax in eli5.plot(expl):
        rendered(ax)
        title, picture = ax.title.get_window_extent(), ax.get_window_extent()
        assert title.width < 1.1 * picture.width
        assert title.y1 <= ax.figure.bbox.y1
        assert ax.get_title().count("\n") == 2
        assert "…" in ax.get_title()


def test_without_a_title() -> None:
    assert eli5.plot(explanation(), new_ax(), title=False).get_title() == ""


# --- figures and axes ----------------------------------------------------------------------------


def test_one_target_gives_its_axes() -> None:
    ax = eli5.plot(explanation())
    assert isinstance(ax, Axes)
    assert plt.get_fignums() == [1]
    assert ax.figure is plt.gcf()
    assert plt.gca() is ax  # and not the colour bar


@pytest.mark.parametrize(("count", "columns"), [(2, 2), (4, 4), (5, 3), (7, 4)])
def test_several_targets_give_an_array_of_axes(count: int, columns: int) -> None:
    axes = eli5.plot(explanation(*[(2, 2)] * count), colorbar=False)
    assert axes.shape == (count,)
    titles = [ax.get_title().split("\n")[0] for ax in axes]
    assert titles == [f"name {i}" for i in range(count)]
    assert len(plt.gcf().axes) == count
    boxes = [ax.get_window_extent() for ax in axes]
    assert len({round(box.x0) for box in boxes}) == columns
    assert all(one.x0 < other.x0 or one.y0 > other.y0 for one, other in pairwise(boxes))


@pytest.mark.parametrize("size", [(40, 30), (30, 80), (300, 20)])
def test_nothing_is_cut_off_or_overlaps_in_a_new_figure(size: tuple[int, int]) -> None:
    expl = explanation(*[(2, 2)] * 5, image=noisy_photo(*size))
    axes = eli5.plot(expl, signed=True, percentile=95)
    rendered(axes[0])
    whole = axes[0].figure.bbox
    boxes = [ax.get_tightbbox() for ax in axes[0].figure.axes]
    for box in boxes:
        assert whole.x0 <= box.x0 < box.x1 <= whole.x1
        assert whole.y0 <= box.y0 < box.y1 <= whole.y1
    pictures = [ax.get_tightbbox() for ax in axes]
    bars = [ax.images[1].colorbar.ax.get_tightbbox() for ax in axes]
    for k, (picture, bar) in enumerate(zip(pictures, bars, strict=True)):
        others = pictures[:k] + pictures[k + 1 :]
        assert not any(other.overlaps(picture) or other.overlaps(bar) for other in others)


def test_the_figure_fits_its_pictures() -> None:
    for image, shape in ((noisy_photo(40, 30), 4 / 3), (noisy_photo(300, 40), 7.5)):
        ax = eli5.plot(explanation(image=image))
        box = ax.get_position(original=True)
        width, height = ax.figure.get_size_inches() * [box.width, box.height]
        bar = 0.2  # with the space before it
        assert (width - bar) / height == pytest.approx(shape, rel=0.01)


def test_given_axes_are_used_without_pyplot() -> None:
    """In a process of its own, where nothing else has loaded it."""
    code = (
        "import sys, numpy as np\n"
        "from matplotlib.figure import Figure\n"
        "import eli5\n"
        "target = eli5.TargetExplanation(0, heatmap=np.eye(2))\n"
        "ax = Figure().subplots()\n"
        "assert eli5.plot(eli5.Explanation('net', targets=[target]), ax) is ax\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)


def test_given_axes_stay_the_current_ones_and_keep_their_place() -> None:
    figure, (left, right) = plt.subplots(1, 2)
    plt.sca(left)
    assert eli5.plot(explanation(), right) is right
    assert plt.gca() is left
    assert len(left.images) == 0
    assert left.get_position().x1 < right.get_position().x0
    assert plt.get_fignums() == [figure.number]


def test_a_subfigure() -> None:
    figure = plt.figure()
    ax = figure.subfigures(1, 2)[1].subplots()
    eli5.plot(explanation(), ax)
    figure.canvas.draw()
    assert bar_of(ax).get_window_extent().x0 > ax.get_window_extent().x1


def test_one_of_several_targets() -> None:
    expl = explanation((2, 2), (2, 2))
    target: Any
    for target in (1, np.int64(1)):
        ax = eli5.plot(expl, new_ax(), target=target)
        assert ax.get_title().startswith("name 1\n")
    assert eli5.plot(expl, target=0).get_title().startswith("name 0\n")


def test_nothing_is_shown_and_the_backend_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    def show(*_: Any, **__: Any) -> None:
        raise AssertionError("shown")

    monkeypatch.setattr(plt, "show", show)
    monkeypatch.setattr(Figure, "show", show)
    eli5.plot(explanation())
    assert matplotlib.get_backend().casefold() == "agg"


# --- what cannot be drawn ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expl", "options", "error", "message"),
    [
        ([], {}, ValueError, r"Expected at least one Explanation. Received: expl="),
        ([explanation(), 1], {}, TypeError, "Expected `expl` to be an Explanation, or several"),
        (Explanation("net", error="odd"), {}, ValueError, "expl.targets=None, expl.error=odd"),
        (explanation(error="odd"), {}, ValueError, "to draw. Received: expl.targets=[TargetEx"),
        (Explanation("net", targets=[]), {}, ValueError, "expl.targets=[], expl.error=None"),
        (explanation(), {"target": "0"}, TypeError, "target='0' (of type str)"),
        (explanation(), {"target": True}, TypeError, "target=True (of type bool)"),
        (explanation(), {"target": 100}, ValueError, "to be in [0, 1), an index of expl.targets"),
        (explanation(), {"target": -1}, ValueError, "target=-1. It is not the class id"),
        (explanation(), {"ax": 3}, TypeError, "matplotlib.axes.Axes. Received: ax=3 (of type int)"),
        (explanation((2, 2), (2, 2)), {"ax": "new"}, ValueError, "an explanation of 2 targets"),
        (
            explanation(),
            {"colormap": np.sin},
            TypeError,
            "or its name. Received: colormap=<ufunc",
        ),
        (explanation(), {"colormap": "jett"}, ValueError, "Received: colormap='jett'"),
        (explanation(), {"alpha_limit": 2}, ValueError, "Received: alpha_limit=2"),
        (explanation(), {"percentile": 0}, ValueError, "Received: percentile=0"),
        (explanation(), {"resampling_filter": 99}, ValueError, "resampling_filter=99"),
        (explanation(image=np.zeros((2, 2))), {}, TypeError, "Expected `expl.image` to be a PIL"),
        (explanation((2,)), {}, ValueError, "Expected `heatmap` to be of rank 2, (H, W), or 3"),
        (explanation((2,), image=None), {}, ValueError, "Received: heatmap.shape=(2,)"),
        (explanation((0, 2), image=None), {}, ValueError, "Received: heatmap.shape=(0, 2)"),
        (explanation((3, 2, 2)), {}, ValueError, "divisible by the number of slices of its heat"),
        (explanation((3, 2, 2)), {"signed": True}, ValueError, "slices of its attribution, 3."),
    ],
)
def test_what_cannot_be_drawn(
    expl: Any, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    if options.get("ax") == "new":
        options = {"ax": new_ax()}
    with pytest.raises(error, match=re.escape(message)):
        eli5.plot(expl, **options)
    assert not plt.get_fignums()


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("image", ["photo", None])
def test_targets_without_values(signed: bool, image: Any) -> None:
    expl = explanation(image=image)
    expl.targets[0].heatmap = expl.targets[0].attribution = None
    kind, message = (
        (ValueError, "Expected targets with an attribution, which signed=True draws")
        if signed
        else (
            TypeError,
            "Expected `heatmap` to be a NumPy array of numbers. Received: heatmap=None",
        )
    )
    with pytest.raises(kind, match=message):
        eli5.plot(expl, signed=signed)
    assert not plt.get_fignums()

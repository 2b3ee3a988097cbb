"""The default colours as colour-blind people see them.

Simulated with the matrices of Machado, Oliveira and Fernandes (2009) for the complete lack of one
kind of cone, in linear RGB. Distances are those of CIELAB (1976); 2.3 is just noticeable.
"""

from __future__ import annotations

import re
from importlib import resources
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_hex, to_rgb
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.colours import AGAINST, FOR
from eli5.formatters.html import format_as_html
from eli5.formatters.image import format_as_image
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, DIVERGING, make_options
from eli5.formatters.series.picture import heat_colours
from helpers.texts import review

Array = np.ndarray[Any, Any]

SIGHT: dict[str, Any] = {
    "all colours": np.eye(3),
    "no red": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "no green": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "no blue": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = [
    [0.4124564, 0.3575761, 0.1804375],
    [0.2126729, 0.7151522, 0.0721750],
    [0.0193339, 0.1191920, 0.9503041],
]
D65 = [0.95047, 1.0, 1.08883]


def seen(colours: Any, sight: str) -> Array:
    """Return sRGB colours of shape ``(..., 3)`` in [0, 1] as somebody sees them, in CIELAB."""
    srgb = np.asarray(colours, float)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    simulated = np.clip(linear @ np.transpose(SIGHT[sight]), 0, 1)
    xyz = simulated @ np.transpose(TO_XYZ) / D65
    delta = 6 / 29
    f = np.where(xyz > delta**3, np.cbrt(xyz), xyz / (3 * delta**2) + 4 / 29)
    x, y, z = np.moveaxis(f, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def distance(one: Any, other: Any, sight: str) -> Array:
    return np.linalg.norm(seen(one, sight) - seen(other, sight), axis=-1)


def test_the_simulation() -> None:
    """White and black stay so, and red and green of equal lightness become alike."""
    for sight in SIGHT:
        np.testing.assert_allclose(seen([1, 1, 1], sight), [100, 0, 0], atol=0.1)
        np.testing.assert_allclose(seen([0, 0, 0], sight), [0, 0, 0], atol=1e-9)
    red, green = (0.75, 0.28, 0.28), (0.45, 0.45, 0.2)
    assert distance(red, green, "all colours") > 40
    assert distance(red, green, "no green") < 15


@pytest.mark.parametrize("sight", SIGHT)
def test_more_heat_is_lighter_for_everybody(sight: str) -> None:
    lightness = seen(DEFAULT_COLORMAP(np.linspace(0, 1, 256))[:, :3], sight)[:, 0]
    assert (np.diff(lightness) > 0).all()
    assert lightness[-1] - lightness[0] > 70


@pytest.mark.parametrize("sight", SIGHT)
def test_equal_steps_of_heat_look_equal(sight: str) -> None:
    """No sixteenth of the way from cold to hot is lost; where the map ends, it is twice as far."""
    colours = DEFAULT_COLORMAP(np.linspace(0, 1, 17))[:, :3]
    assert distance(colours[1:], colours[:-1], sight).min() > 4


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("grey", [40, 128, 215])
def test_for_and_against_differ_on_a_picture(grey: int, sight: str) -> None:
    values = np.array([[-1.0, -0.5, -0.3, 0.3, 0.5, 1.0]])
    target = TargetExplanation(0, attribution=values)
    picture = Image.new("RGB", (6, 1), (grey,) * 3)
    expl = Explanation("net", image=picture, targets=[target])
    drawn = np.asarray(format_as_image(expl, Image.Resampling.NEAREST, signed=True))[0, :, :3] / 255
    against, in_favour = drawn[:3], drawn[:2:-1]
    assert (distance(against, in_favour, sight) > [40, 30, 12]).all()


CSS = resources.files("eli5.formatters").joinpath("templates", "text.css").read_text("utf-8")
INK = r"\.eli5-words {} {{ --eli5-mark: color-mix\(in srgb, currentColor (\d+)%, var\(--eli5-{}\)\)"
MARK = (
    r"background: color-mix\(in srgb, var\(--eli5-mark\) calc\(var\(--w\) \* (\d+)%\), transparent"
)
PAGES = [(1.0, 0.13), (0.98, 0.12), (0.07, 0.87), (0.11, 0.9)]
MARKS = {"b": ("for", FOR), "i": ("against", AGAINST)}


def on_page(tag: str, page: float, ink: float, share: Array) -> Array:
    """Return the colours of marks of these shares of the largest weight, on a grey page."""
    name, colour = MARKS[tag]
    (of_ink,), (most,) = re.findall(INK.format(tag, name), CSS), re.findall(MARK, CSS)
    mark = (1 - int(of_ink) / 100) * np.array(to_rgb(colour)) + int(of_ink) / 100 * ink
    alpha = share[:, None] * int(most) / 100
    return np.asarray(page * (1 - alpha) + mark * alpha)


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize(("page", "ink"), PAGES)
def test_words_for_and_against_differ_in_a_text(page: float, ink: float, sight: str) -> None:
    share = np.array([0.25, 0.5, 1.0])
    against, in_favour = on_page("i", page, ink, share), on_page("b", page, ink, share)
    assert (distance(against, in_favour, sight) > [6, 13, 20]).all()
    for marks in (against, in_favour):
        assert (np.diff(distance(marks, page * np.ones(3), sight)) > 3).all()


@pytest.mark.parametrize(("page", "ink"), PAGES)
@pytest.mark.parametrize("tag", ["b", "i"])
def test_words_stay_readable_on_their_colours(tag: str, page: float, ink: float) -> None:
    backgrounds = on_page(tag, page, ink, np.linspace(0, 1, 11))
    luminances = [luminance(background) for background in backgrounds]
    for one in luminances:
        light, dark = max(one, luminance([ink] * 3)), min(one, luminance([ink] * 3))
        assert (light + 0.05) / (dark + 0.05) >= 4.5


def luminance(colour: Any) -> float:
    srgb = np.asarray(colour, float)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_for_and_against_have_the_same_colours_everywhere() -> None:
    assert (to_hex(DIVERGING(0.0)), to_hex(DIVERGING(1.0))) == (AGAINST, FOR)
    page = format_as_html(review())
    for name, colour in MARKS.values():
        assert f"--eli5-{name}: {colour};" in page


@pytest.mark.parametrize("sight", SIGHT)
def test_for_and_against_differ_on_a_colour_bar(sight: str) -> None:
    magnitudes = np.linspace(0.1, 1, 10)
    against, in_favour = (DIVERGING(0.5 + sign * magnitudes / 2)[:, :3] for sign in (-1, 1))
    distances = distance(against, in_favour, sight)
    assert distances[0] > 12
    assert distances[-1] > 80
    for side in (against, in_favour):
        assert (np.diff(seen(side, sight)[:, 0]) < 0).all()  # the further from zero, the darker


def on_white(places: Any, **options: Any) -> Array:
    """Return the background of a series at places of its colormap."""
    colours = heat_colours(make_options(**options))(places)
    return np.asarray(colours[..., 3:] * colours[..., :3] + 1 - colours[..., 3:])


@pytest.mark.parametrize("sight", SIGHT)
def test_more_heat_of_a_series_is_darker_for_everybody(sight: str) -> None:
    lightness = seen(on_white(np.linspace(0, 1, 21)), sight)[:, 0]
    assert (np.diff(lightness) < 0).all()
    assert lightness[0] - lightness[-1] > 40
    # The other way round the peak would be a shade of white, worst for who sees no blue.
    yellow = seen(on_white(np.ones(1), colormap="viridis")[0], "no blue")
    assert np.linalg.norm(yellow - seen(np.ones(3), "no blue")) < 20


@pytest.mark.parametrize("sight", SIGHT)
def test_for_and_against_a_series_differ(sight: str) -> None:
    against, none, supports = on_white(np.array([0.0, 0.5, 1.0]), signed=True)
    assert distance(against, supports, sight) > 30
    assert distance(against, none, sight) > 30
    assert distance(supports, none, sight) > 30

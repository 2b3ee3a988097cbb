"""Pictures and heat layers as a page carries them."""

from __future__ import annotations

import base64
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import format_as_image
from eli5.formatters.overlay.data_uri import (
    PixelBudget,
    heat_layer,
    legend_colours,
    picture_layer,
    pixel_budget,
)
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, DIVERGING, make_options
from helpers.photos import photo

AMPLE = PixelBudget(1e9, 1e9)


def decoded(uri: str | None) -> Image.Image:
    assert uri is not None
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2], validate=True)))


def kind(uri: str) -> str:
    return uri.partition(";")[0].removeprefix("data:image/")


def composed(image: Image.Image, layer: Image.Image, opacity: float) -> Image.Image:
    """Lay a layer over an image as a browser does, ``opacity`` times as opaque as it is."""
    red, green, blue, alpha = layer.convert("RGBA").split()
    fainter = alpha.point([round(level * opacity) for level in range(256)])
    return Image.alpha_composite(
        image.convert("RGBA"), Image.merge("RGBA", (red, green, blue, fainter))
    )


def pixels(image: Image.Image) -> np.ndarray[Any, Any]:
    return np.asarray(image.convert("RGBA")).astype(int)


def layer_of(
    heatmap: Any, image: Any, budget: PixelBudget = AMPLE, signed: bool = False, **options: Any
) -> str | None:
    name = "attribution" if signed else "heatmap"
    target = TargetExplanation(0, **{name: heatmap})
    return heat_layer(target, image, budget, make_options(signed=signed, **options))


def as_drawn(image: Image.Image, heatmap: np.ndarray[Any, Any]) -> Image.Image:
    target = TargetExplanation(0, heatmap=heatmap)
    return format_as_image(Explanation("net", image=image, targets=[target]))


@pytest.mark.parametrize("shape", [(7, 7), (3, 5), (48, 64), (4, 3, 3)])
@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_at_its_default_opacity_a_layer_gives_what_the_picture_format_draws(
    mode: str, shape: tuple[int, ...]
) -> None:
    image = photo(64, 48, mode)
    if mode == "RGBA":
        image.putalpha(Image.linear_gradient("L").resize(image.size))
    heatmap = np.random.default_rng(1).random(shape)
    layer = decoded(layer_of(heatmap, image))
    shown = composed(image, layer, 0.65)
    difference = np.abs(pixels(shown) - pixels(as_drawn(image, heatmap)))
    visible = pixels(shown)[..., 3] > 10  # hardly any colour can be told below
    assert difference[visible].max() <= (1 if mode != "RGBA" else 8)
    assert difference[..., 3].max() <= 1


def softened(values: Any) -> Any:
    """Colour by how a value compares with the others, as no table of colours could."""
    return np.dstack([values, np.full_like(values, np.ptp(values) / 2), values**2])


@pytest.mark.parametrize(
    "options",
    [
        {"signed": True},
        {"signed": True, "sign": "negative"},
        {"signed": True, "percentile": 90, "alpha_limit": 0.3},
        {"colormap": "jet"},
        {"colormap": softened, "alpha_limit": 0.8},
        {"signed": True, "sign": "negative", "colormap": softened},
        {"alpha_limit": None},
        {"alpha_limit": 0.2, "percentile": 95},
        {"percentile": 95},
    ],
    ids=" ".join,
)
def test_so_does_a_layer_with_any_options(options: dict[str, Any]) -> None:
    sign = options.get("sign", "positive")
    look: Any = {name: options[name] for name in options if name != "sign"}
    values = np.random.default_rng(6).standard_normal((48, 64)) ** 3
    heatmap = np.maximum(values, 0) / values.max()
    target = TargetExplanation(0, heatmap=heatmap, attribution=values, sign=sign)
    expl = Explanation("net", image=photo(64, 48), targets=[target])
    used = make_options(**look)
    layer = decoded(heat_layer(target, expl.image, AMPLE, used))
    shown = pixels(composed(expl.image, layer, used.alpha_limit))
    assert np.abs(shown - pixels(format_as_image(expl, **look))).max() <= 1
    assert np.abs(shown - pixels(format_as_image(expl))).max() > 10


def test_at_full_opacity_what_is_hot_hides_the_picture() -> None:
    heatmap = np.array([[0, 0.325, 0.65, 1]])
    layer = decoded(layer_of(heatmap, Image.new("RGB", (4, 1))))
    assert pixels(layer)[0, :, 3].tolist() == pytest.approx([0, 128, 255, 255], abs=1)


def test_a_layer_that_is_invisible_at_first_can_be_made_visible() -> None:
    layer = decoded(layer_of(np.array([[0, 0.5, 1]]), Image.new("RGB", (3, 1)), alpha_limit=0))
    assert pixels(layer)[0, :, 3].tolist() == pytest.approx([0, 128, 255], abs=1)


def test_an_empty_heatmap_has_no_layer() -> None:
    assert layer_of(np.zeros((2, 2)), photo(8, 8)) is None
    assert layer_of(np.eye(2), photo(8, 8)) is not None
    assert layer_of(np.zeros((2, 2)), photo(8, 8), signed=True) is None
    assert layer_of(-np.eye(2), photo(8, 8), signed=True) is not None


@pytest.mark.parametrize("shape", [(9, 9), (5, 9, 9)])
def test_a_layer_for_a_large_picture_is_smaller_and_looks_alike(shape: tuple[int, ...]) -> None:
    image = photo(1000, 400)
    heatmap = np.random.default_rng(2).random(shape)
    layer = decoded(layer_of(heatmap, image, PixelBudget(1e9, 200 * 80)))
    assert layer.size == (200, 80)
    enlarged = layer.convert("RGBA").resize(image.size, Image.Resampling.BILINEAR)
    shown = composed(image, enlarged, 0.65)
    difference = np.abs(pixels(shown) - pixels(as_drawn(image, heatmap)))
    assert difference.mean() < 2
    inner = difference if len(shape) == 2 else difference[:, 10:190]  # beside the slices' borders
    assert np.percentile(inner, 99.5) < 16


def test_a_layer_of_slices_stays_divisible() -> None:
    heatmap = np.zeros((7, 2, 2))
    heatmap[3] = 1
    layer = decoded(layer_of(heatmap, photo(7 * 31, 31), PixelBudget(1e9, 2000)))
    assert layer.width % 7 == 0
    assert layer.width * layer.height < 2300
    hot = np.flatnonzero(pixels(layer)[0, :, 3])
    assert hot.tolist() == list(range(3 * layer.width // 7, 4 * layer.width // 7))


@pytest.mark.parametrize("seed", [0, 1])
def test_layers_are_half_as_large_as_pillow_would_write_them(seed: int) -> None:
    heatmap = np.random.default_rng(seed).random((7, 7))
    uri = layer_of(heatmap, photo(224, 224))
    buffer = io.BytesIO()
    decoded(uri).save(buffer, "PNG")
    assert len(str(uri)) * 3 / 4 < 0.6 * len(buffer.getvalue())


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        (photo(300, 200), "jpeg"),
        (photo(300, 200, "L"), "jpeg"),
        (photo(100, 100), "png"),  # small
        (Image.new("RGB", (900, 900), "red"), "png"),  # few colours
        (Image.new("RGBA", (900, 900), (255, 0, 0, 9)), "png"),
    ],
)
def test_pictures_are_written_in_what_suits_them(image: Image.Image, expected: str) -> None:
    uri = picture_layer(image, AMPLE)
    assert kind(uri) == expected
    shown = decoded(uri)
    assert shown.size == image.size
    difference = np.abs(pixels(shown) - pixels(image))
    assert difference.mean() < (3 if expected == "jpeg" else 1e-9)


@pytest.mark.parametrize("has_webp", [True, False])
def test_what_is_transparent_stays_so(has_webp: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    image = photo(300, 200, "RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    monkeypatch.setattr(features, "check", lambda name: has_webp)
    uri = picture_layer(image, AMPLE)
    assert kind(uri) == ("webp" if has_webp else "png")
    assert np.abs(pixels(decoded(uri)) - pixels(image))[..., 3].max() <= 2


def test_large_pictures_are_scaled_down() -> None:
    shown = decoded(picture_layer(photo(1000, 500), PixelBudget(200 * 100, 1)))
    assert shown.size == (200, 100)
    assert decoded(picture_layer(photo(2000, 1), PixelBudget(100, 1))).height == 1


@pytest.mark.parametrize("size", [(200, 150), (60, 40)])
def test_nothing_else_of_a_photos_file_is_passed_on(size: tuple[int, int]) -> None:
    image = photo(*size)
    image.info = {"comment": b"secret place", "exif": b"Exif\x00\x00secret place", "dpi": (7, 7)}
    shown = base64.b64decode(picture_layer(image, AMPLE).partition(",")[2])
    assert b"secret" not in shown
    assert image.info["comment"] == b"secret place"  # the user's picture is left alone


def test_the_legend_is_the_colormap_as_transparent_as_a_layer() -> None:
    shown = decoded(legend_colours(make_options(), 0, 1))
    assert shown.size == (256, 1)
    values = np.arange(256) / 255
    expected = np.rint(DEFAULT_COLORMAP(values) * 255)
    expected[:, 3] = np.rint(255 * np.minimum(values / 0.65, 1))
    np.testing.assert_allclose(pixels(shown)[0], expected, atol=1)


def test_the_legend_of_signed_values_is_clear_in_the_middle() -> None:
    shown = pixels(decoded(legend_colours(make_options(signed=True, alpha_limit=None), -1, 1)))[0]
    values = np.linspace(-1, 1, 256)
    np.testing.assert_allclose(shown[:, 3], 255 * np.abs(values), atol=1)
    np.testing.assert_allclose(shown[:, :3], 255 * DIVERGING(0.5 + values / 2)[:, :3], atol=3)


def test_the_budget_shrinks_with_what_has_to_share_it() -> None:
    assert pixel_budget(1, 3) == PixelBudget(1600 * 1600, 448 * 448)
    assert pixel_budget(0, 0) == pixel_budget(1, 1)
    hundred, thousand = pixel_budget(100, 300), pixel_budget(1000, 3000)
    assert 300 * 300 < hundred.picture < 400 * 400
    assert 150 * 150 < hundred.heat < 224 * 224
    assert thousand == PixelBudget(240 * 240, 64 * 64)  # still to be recognised


@pytest.mark.parametrize("wrong", [None, np.zeros((2, 2)), "x.png"])
def test_refuses_what_is_no_picture(wrong: Any) -> None:
    for write in (picture_layer, lambda image, budget: layer_of(np.eye(2), image, budget)):
        with pytest.raises(TypeError, match=r"Expected `expl\.image` to be a PIL\.Image\.Image"):
            write(wrong, AMPLE)


@pytest.mark.parametrize(
    ("heatmap", "error", "message"),
    [
        ([[1.0]], TypeError, "Expected `heatmap` to be a NumPy array"),
        (np.full((2, 2), 1.5), ValueError, r"Expected the values of `heatmap` to be in \[0, 1\]"),
        (np.zeros((0, 2, 2)), ValueError, "not to be empty"),
        (np.zeros((3, 2, 2)), ValueError, r"divisible .* Received: image\.width=1000"),
    ],
)
def test_refuses_what_is_no_heatmap(heatmap: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        layer_of(heatmap, photo(1000, 50), PixelBudget(1, 1))

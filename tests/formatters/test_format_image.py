from __future__ import annotations

import re
from typing import Any

import matplotlib
import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.image import expand_heatmap, format_as_image, heatmap_to_image
from helpers.photos import flat, noisy_photo, pixels

NEAREST = Image.Resampling.NEAREST
BILINEAR = Image.Resampling.BILINEAR
LANCZOS = Image.Resampling.LANCZOS


def explanation(*heatmaps: Any, image: Any = None, **fields: Any) -> Explanation:
    image = Image.new("RGB", (4, 4), (100, 100, 100)) if image is None else image
    targets = [TargetExplanation(i, heatmap=heatmap) for i, heatmap in enumerate(heatmaps)]
    return Explanation("net", image=image, targets=targets, **fields)


def test_only_the_hot_corner_changes() -> None:
    heatmap = np.array([[0.0, 0.0], [1.0, 0.0]])
    overlay = format_as_image(explanation(heatmap), NEAREST)
    assert (overlay.mode, overlay.size) == ("RGBA", (4, 4))
    expected = np.full((4, 4, 4), (100, 100, 100, 255))
    # viridis ends in (253, 231, 37); the alpha 0.65 is 166 of 255: (253 * 166 + 100 * 89) / 255 …
    expected[2:, :2] = (200, 185, 59, 255)
    np.testing.assert_array_equal(pixels(overlay), expected)


@pytest.mark.parametrize(
    ("heat", "alpha_limit", "alpha"),
    [
        (1.0, 0.65, 166),
        (1.0, None, 255),
        (1.0, 1, 255),
        (1.0, np.float32(0.2), 51),
        (1.0, 0, 0),
        (0.2, 0.65, 51),  # below the limit: as opaque as hot
        (0.2, 0.2, 51),
        (0.0, None, 0),
    ],
)
def test_alpha_is_the_heat_up_to_the_limit(heat: float, alpha_limit: Any, alpha: int) -> None:
    transparent = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    expl = explanation(np.full((2, 2), heat), image=transparent)
    overlay = format_as_image(expl, alpha_limit=alpha_limit)
    assert set(pixels(overlay)[..., 3].flat) == {alpha}


def test_without_opacity_the_picture_stays() -> None:
    picture = noisy_photo(6, 5)
    overlay = format_as_image(explanation(np.ones((2, 2)), image=picture), alpha_limit=0.0)
    assert overlay == picture.convert("RGBA")


@pytest.mark.parametrize("resampling_filter", list(Image.Resampling))
def test_equals_a_literal_computation(resampling_filter: Image.Resampling) -> None:
    """Resize, colour, cap the alpha, composite: one line of NumPy each."""
    picture, heatmap = noisy_photo(30, 20), np.random.default_rng(1).random((4, 6))
    eight_bit = Image.fromarray(np.rint(heatmap * 255).astype(np.uint8))
    heat = np.asarray(eight_bit.resize((30, 20), resampling_filter)) / 255
    colours = np.rint(matplotlib.colormaps["viridis"](heat)[..., :3] * 255)
    alpha = np.rint(np.minimum(heat, 0.65) * 255)[..., None] / 255
    expected = alpha * colours + (1 - alpha) * np.asarray(picture)
    overlay = pixels(format_as_image(explanation(heatmap, image=picture), resampling_filter))
    np.testing.assert_allclose(overlay[..., :3], expected, atol=0.6)  # it rounds once more
    assert (overlay[..., 3] == 255).all()


def test_coloured_after_resizing() -> None:
    """Between cold and hot lies green in jet; mixing the colours blue and red makes it purple."""
    picture = Image.new("RGB", (101, 1))
    heatmap = np.array([[0.0, 1.0]])
    overlay = format_as_image(explanation(heatmap, image=picture), BILINEAR, "jet", None)
    middle = np.abs(pixels(expand_heatmap(heatmap, picture, BILINEAR))[0] - 128).argmin()
    red, green, blue = pixels(overlay)[0, middle, :3]
    assert green > red + 50
    assert green > blue + 50

    coloured = heatmap_to_image(matplotlib.colormaps["jet"](heatmap)).resize((101, 1), BILINEAR)
    wrong = pixels(coloured)[0, middle, :3]
    assert wrong[1] < 30


def test_the_defaults_are_lanczos_viridis_and_065() -> None:
    expl = explanation(np.random.default_rng(2).random((3, 3)), image=noisy_photo(20, 20))
    viridis = matplotlib.colormaps["viridis"]
    assert format_as_image(expl) == format_as_image(expl, LANCZOS, viridis, 0.65)
    assert format_as_image(expl) != format_as_image(expl, BILINEAR)
    assert format_as_image(expl) != format_as_image(expl, colormap="magma")
    assert format_as_image(expl) != format_as_image(expl, alpha_limit=0.6)


def test_resampling_filter_as_a_number() -> None:
    expl = explanation(np.eye(3), image=noisy_photo(20, 20))
    assert format_as_image(expl, 0) == format_as_image(expl, NEAREST)


def test_colormap_by_object_name_or_function() -> None:
    expl = explanation(np.eye(3), image=noisy_photo(20, 20))
    expected = format_as_image(expl, colormap=matplotlib.colormaps["jet"])
    assert format_as_image(expl, colormap="jet") == expected
    jet = matplotlib.colormaps["jet"]
    assert format_as_image(expl, colormap=lambda heat: jet(heat)) == expected
    assert format_as_image(expl, colormap=lambda heat: jet(heat)[..., :3]) == expected


def test_colormap_function_gets_the_resized_heat() -> None:
    seen: list[Any] = []

    def red(heat: Any) -> Any:
        seen.append(heat)
        return np.dstack([np.ones_like(heat), 0 * heat, 0 * heat])

    overlay = format_as_image(explanation(np.ones((2, 2))), colormap=red, alpha_limit=None)
    assert [heat.shape for heat in seen] == [(4, 4)]
    assert (seen[0] == 1).all()
    assert set(flat(overlay)) == {(255, 0, 0, 255)}


@pytest.mark.parametrize("size", [(1, 1), (160, 96), (96, 160), (3, 50)])
@pytest.mark.parametrize("heatmap", [np.ones((1, 1)), np.eye(7), np.ones((200, 300))])
def test_has_the_size_of_the_picture(size: tuple[int, int], heatmap: Any) -> None:
    assert format_as_image(explanation(heatmap, image=noisy_photo(*size))).size == size


def test_width_is_the_second_axis() -> None:
    heatmap = np.zeros((3, 5))
    heatmap[0, 4] = 1
    overlay = format_as_image(explanation(heatmap, image=Image.new("RGB", (5, 3))), NEAREST)
    changed = np.argwhere(pixels(overlay)[..., :3].any(axis=-1))
    assert changed.tolist() == [[0, 4]]


def test_the_explanation_stays_as_it_is() -> None:
    heatmap, picture = np.eye(3), noisy_photo(6, 5)
    format_as_image(explanation(heatmap, image=picture))
    assert picture == noisy_photo(6, 5)
    np.testing.assert_array_equal(heatmap, np.eye(3))


@pytest.mark.parametrize(
    ("shape", "mode"), [((2, 3), "L"), ((2, 3, 3), "RGB"), ((2, 3, 4), "RGBA"), ((3, 4), "L")]
)
def test_heatmap_to_image(shape: tuple[int, ...], mode: str) -> None:
    heatmap = np.random.default_rng(3).random(shape)
    image = heatmap_to_image(heatmap)
    assert (image.mode, image.size) == (mode, (shape[1], shape[0]))
    np.testing.assert_array_equal(pixels(image), np.rint(heatmap * 255))


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8", "i4", "u1", "?"])
def test_heatmaps_of_any_number_type(dtype: str) -> None:
    image = heatmap_to_image(np.array([[0, 1]], dtype))
    assert pixels(image).tolist() == [[0, 255]]


def test_values_are_rounded_not_cut_off() -> None:
    heatmap = np.array([[0.9999, 0.0019, 0.0021]])
    assert pixels(heatmap_to_image(heatmap)).tolist() == [[255, 0, 1]]


def test_expand_heatmap() -> None:
    expanded = expand_heatmap(np.eye(2), noisy_photo(6, 4), NEAREST)
    assert (expanded.mode, expanded.size) == ("L", (6, 4))
    expected = np.kron(np.eye(2), np.ones((2, 3))) * 255
    np.testing.assert_array_equal(pixels(expanded), expected)
    assert expand_heatmap(np.ones((2, 2, 4)), noisy_photo(6, 4), NEAREST).mode == "RGBA"


@pytest.mark.parametrize("mode", ["RGB", "L", "RGBA"])
def test_without_a_heatmap_the_image_is_drawn_as_it_is(mode: str) -> None:
    image = noisy_photo(4, 3).convert(mode)
    for expl in (explanation(image=image), explanation(None, image=image)):
        drawn = format_as_image(expl)
        assert (drawn.mode, drawn.size) == ("RGBA", (4, 3))
        np.testing.assert_array_equal(pixels(drawn), pixels(image.convert("RGBA")))
    sheet = format_as_image([explanation(np.eye(2), image=image), explanation(None, image=image)])
    assert sheet.width > 8


@pytest.mark.parametrize(
    ("expl", "error", "message"),
    [
        (Explanation("net", error='"net" is\nodd'), ValueError, 'expl.error="net" is\nodd'),
        (explanation(np.eye(2), error="failed"), ValueError, "Expected an explanation with an ima"),
        (Explanation("net"), ValueError, "Received: expl.image=None, expl.error=None"),
        (
            explanation(np.eye(2), image=np.zeros((2, 2, 3))),
            TypeError,
            "Expected `expl.image` to be a PIL.Image.Image. Received: expl.image=<ndarr",
        ),
        (
            explanation(None, image=Image.new("L", (0, 4))),
            ValueError,
            "Expected `expl.image` to have pixels. Received: expl.image.size=(0, 4)",
        ),
        (explanation([[0, 1]]), TypeError, "heatmap` to be a NumPy array of numbers"),
        (
            explanation(np.eye(2, dtype=complex)),
            TypeError,
            "heatmap=<ndarray of shape (2, 2), dtype complex128>",
        ),
        (explanation(np.full((2, 2), "a")), TypeError, "dtype <U1>"),
        (explanation(np.full((2, 2), -0.001)), ValueError, "Received: values from -0.001 to -0.00"),
        (
            explanation(np.full((2, 2), 1.001)),
            ValueError,
            "Expected the values of `heatmap` to be in",
        ),
        (explanation(np.array([[0, 255]], "u1")), ValueError, "values from 0 to 255"),
        (explanation(np.array([[0.5, np.nan]])), ValueError, "values from nan to nan"),
        (explanation(np.array([[0.5, np.inf]])), ValueError, "values from 0.5 to inf"),
        (
            explanation(np.ones(3)),
            ValueError,
            "(d, h, w), and not to be empty. Received: heatmap.shape=(3,)",
        ),
        (explanation(np.ones((3, 2, 3))), ValueError, "Received: image.width=4, heatmap.shape=(3"),
        (explanation(np.ones((0, 3))), ValueError, "to be empty. Received: heatmap.shape=(0, 3)"),
    ],
)
def test_wrong_explanations(expl: Explanation, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        format_as_image(expl)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"alpha_limit": "0.5"}, TypeError, "Expected `alpha_limit` to be a number or None"),
        ({"alpha_limit": True}, TypeError, "Received: alpha_limit=True (of type bool)"),
        ({"alpha_limit": 1.1}, ValueError, "in [0, 1]. Received: alpha_limit=1.1"),
        ({"alpha_limit": -1}, ValueError, "Received: alpha_limit=-1"),
        ({"percentile": "99"}, TypeError, "a number. Received: percentile='99' (of type str)"),
        ({"percentile": 0}, ValueError, "in (0, 100]. Received: percentile=0"),
        ({"percentile": 101}, ValueError, "Received: percentile=101"),
        ({"alpha_limit": float("nan")}, ValueError, "Received: alpha_limit=nan"),
        ({"colormap": 3}, TypeError, "Received: colormap=3 (of type int)"),
        ({"colormap": "viridiis"}, ValueError, "Received: colormap='viridiis'"),
        ({"colormap": lambda heat: heat}, ValueError, "of shape (4, 4, 4) or (4, 4, 3)"),
        ({"colormap": lambda heat: np.ones((4, 4, 2))}, ValueError, "shape=(4, 4, 2)"),
        ({"colormap": lambda heat: np.ones((3, 4, 3))}, ValueError, "shape=(3, 4, 3)"),
        ({"colormap": lambda heat: None}, TypeError, "Expected `colormap(heatmap)` to be a NumPy"),
        (
            {"colormap": lambda heat: np.full((4, 4, 4), 255, np.uint8)},
            ValueError,
            "Expected the values of `colormap(heatmap)` to be in [0, 1]",
        ),
        ({"resampling_filter": 99}, ValueError, "Received: resampling_filter=99"),
        ({"resampling_filter": "best"}, ValueError, "one of NEAREST, BOX, BILINEAR"),
        ({"resampling_filter": None}, ValueError, "Received: resampling_filter=None"),
    ],
)
def test_wrong_options(options: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        format_as_image(explanation(np.eye(2)), **options)


@pytest.mark.parametrize("shape", [(), (3,), (2, 2, 1), (2, 2, 5), (1, 2, 2, 3), (0, 3), (3, 0)])
def test_heatmap_to_image_wants_a_picture_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=re.escape(f"Received: heatmap.shape={shape}")):
        heatmap_to_image(np.ones(shape))


def test_expand_heatmap_wants_a_pillow_image() -> None:
    with pytest.raises(TypeError, match=r"Expected `image` to be a PIL\.Image\.Image"):
        expand_heatmap(np.ones((1, 1)), np.ones((2, 2)), NEAREST)  # type: ignore[arg-type]


def test_a_percentile_keeps_a_few_pixels_from_outshining_the_rest() -> None:
    heatmap = np.full((10, 10), 0.1)
    heatmap[0, 0] = 1
    expl = explanation(heatmap, image=Image.new("L", (10, 10)))
    plain = pixels(format_as_image(expl, colormap="gray"))
    stretched = pixels(format_as_image(expl, colormap="gray", percentile=90))
    assert plain[5, 5, 0] == pytest.approx(0.1 * 0.1 * 255, abs=1.5)
    assert (stretched[..., 0] == plain[0, 0, 0]).all()
    assert format_as_image(expl, percentile=100) == format_as_image(expl)


def test_a_percentile_leaves_an_empty_heatmap_empty() -> None:
    heatmap = np.zeros((4, 4))
    heatmap[0, 0] = 1
    expl = explanation(heatmap, image=Image.new("L", (4, 4), 7))
    assert format_as_image(expl, percentile=50).getpixel((3, 3)) == (7, 7, 7, 255)


@pytest.mark.parametrize(
    ("method", "layer", "percentile"),
    [("Saliency", None, 99), ("Grad-CAM", "conv", 100), (None, None, 100), (None, "conv", 100)],
)
@pytest.mark.parametrize("signed", [False, True])
def test_a_map_of_the_inputs_pixels_is_drawn_up_to_its_99th_percentile(
    method: str | None, layer: str | None, percentile: int, signed: bool
) -> None:
    expl = explanation(np.random.default_rng(5).random((31, 20)) ** 9, image=noisy_photo(20, 31))
    expl.targets[0].attribution = expl.targets[0].heatmap
    expl.method, expl.layer = method, layer
    drawn = {q: format_as_image(expl, percentile=q, signed=signed) for q in (99, 100)}
    assert drawn[99] != drawn[100]
    assert format_as_image(expl, signed=signed) == drawn[percentile]


def test_each_map_of_a_sheet_has_its_own_percentile() -> None:
    heatmap = np.full((12, 12), 0.1)
    heatmap[0, 0] = 1
    fine, coarse = (explanation(heatmap, image=Image.new("L", (12, 12))) for _ in range(2))
    fine.method, coarse.method, coarse.layer = "Saliency", "LayerCAM", "conv"
    drawn = {pixels(format_as_image(one, colormap="gray"))[6, 6, 0] for one in (fine, coarse)}
    assert len(drawn) == 2
    sheet = pixels(format_as_image([fine, coarse], colormap="gray"))
    colours = {row[k] for row in sheet[..., 0] for k in range(sheet.shape[1])}
    assert drawn <= colours


# --- percentile, as a literal computation --------------------------------------------------------


@pytest.mark.parametrize("percentile", [99.5, 90, 50.25])
def test_a_percentile_equals_a_literal_computation(percentile: float) -> None:
    picture, heatmap = noisy_photo(31, 20), np.random.default_rng(4).random((4, 6)) ** 3
    heat = pixels(expand_heatmap(heatmap, picture)) / 255
    heat = np.minimum(heat / np.percentile(heat, percentile), 1)
    alpha = np.minimum(heat, 0.65)[..., None]
    red = alpha * np.dstack([heat, 0 * heat, 0 * heat]) * 255 + (1 - alpha) * np.asarray(picture)

    def reddish(values: Any) -> Any:
        return np.dstack([values, 0 * values, 0 * values])

    expl = explanation(heatmap, image=picture)
    overlay = pixels(format_as_image(expl, colormap=reddish, percentile=percentile))
    np.testing.assert_allclose(overlay[..., :3], red, atol=1.6)  # it rounds three times


def test_percentile_and_signed_are_named() -> None:
    with pytest.raises(TypeError, match="takes from 1 to 4 positional arguments"):
        format_as_image(explanation(np.eye(2)), NEAREST, "jet", 0.5, 99)  # type: ignore[call-arg]


# --- colours from a table ------------------------------------------------------------------------


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("name", ["viridis", "coolwarm", "tab10", "gray"])
@pytest.mark.parametrize("percentile", [100, 80])
def test_a_colormap_gives_what_its_function_gives(
    name: str, percentile: float, signed: bool
) -> None:
    """The one goes through a table of colours, the other computes each pixel."""
    colormap, rng = matplotlib.colormaps[name], np.random.default_rng(5)
    expl = explanation(rng.random((5, 4)), image=noisy_photo(40, 30))
    expl.targets[0].attribution = rng.standard_normal((5, 4))
    options: dict[str, Any] = {"percentile": percentile, "signed": signed}
    by_table = format_as_image(expl, colormap=colormap, **options)
    assert by_table == format_as_image(expl, colormap=lambda heat: colormap(heat), **options)


@pytest.mark.parametrize("alpha", [0, 1, 127, 254, 255])
def test_opaque_and_transparent_pictures_are_blended_alike(alpha: int) -> None:
    """Opaque ones go a shorter way; one transparent pixel makes all others go the longer one."""
    picture, heatmap = noisy_photo(30, 20).convert("RGBA"), np.random.default_rng(6).random((4, 6))
    picture.putpixel((0, 0), (*noisy_photo(30, 20).getpixel((0, 0))[:3], alpha))  # type: ignore[index]
    overlay = pixels(format_as_image(explanation(heatmap, image=picture)))
    opaque = pixels(format_as_image(explanation(heatmap, image=noisy_photo(30, 20))))
    np.testing.assert_allclose(overlay[1:], opaque[1:], atol=1)
    assert overlay[0, 0, 3] >= alpha


# --- several explanations ------------------------------------------------------------------------


@pytest.mark.parametrize("several", [list, tuple, iter])
def test_one_explanation_in_a_list_is_that_explanation(several: Any) -> None:
    expl = explanation(np.eye(2), image=noisy_photo(30, 20))
    assert format_as_image(several([expl])) == format_as_image(expl)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ([], ValueError, "Expected at least one Explanation. Received: expl=[]"),
        (
            [None],
            TypeError,
            "`expl` to be an Explanation, or several of them. Received: expl=None",
        ),
        (3, TypeError, "expl=3 (of type int). eli5.explain_prediction gives an Explanation"),
        ([explanation(np.eye(2)), [3]], TypeError, "Received: expl=3 (of type int)"),
        ([[]], ValueError, "Expected at least one Explanation. Received: expl=[[]]"),
        ([explanation(np.eye(2)), Explanation("net", error="odd")], ValueError, "expl.error=odd"),
        ([explanation(np.eye(2)), explanation()], ValueError, "at least one target"),
        ([explanation(), explanation(np.eye(2))], ValueError, "Received: expl.targets=[]"),
        (
            [explanation(np.eye(2)), explanation([[0, 1]])],
            TypeError,
            "heatmap` to be a NumPy",
        ),
    ],
)
def test_wrong_lists(given: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        format_as_image(given)

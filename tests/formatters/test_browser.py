"""Pages and notebook cells in a real browser: Chromium, without a window and without a network."""

# The fixtures come from another module, and each test's argument is named like one.
# ruff: noqa: F811

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.html import format_as_html, format_as_page
from eli5.formatters.image import format_as_image
from eli5.formatters.overlay.layers import shown_values
from eli5.formatters.overlay.options import DEFAULT_COLORMAP, make_options
from helpers.browser import (  # noqa: F401
    FULL_SIZE,
    INSERT,
    Open,
    _never_hangs,
    browser,
    contrast,
    open_page,
    process,
)
from helpers.photos import photo
from helpers.strict_html import HOSTILE

Array = np.ndarray[Any, Any]


def explanation(image: Image.Image | None = None, seed: int = 0) -> Explanation:
    rng = np.random.default_rng(seed)
    maps = [rng.random((5, 6)) for _ in range(3)]
    targets = [
        TargetExplanation(i, proba=p, score=p, heatmap=one / one.max(), class_name=name)
        for i, (one, p, name) in enumerate(
            zip(maps, (0.7, 0.2, 0.1), ("tabby cat", "tiger", "lynx"), strict=True)
        )
    ]
    return Explanation(
        "my_net",
        description="Grad-CAM heatmap of layer 'conv_9': the higher, the more it raises the score.",
        method="Grad-CAM",
        targets=targets,
        image=photo(120, 100) if image is None else image,
        layer="conv_9",
    )


def shot(page: Any, place: int = 0) -> Array:
    """Return the pixels where a card shows its picture, shown in its own size, without corners."""
    picture = page.locator(".eli5-picture").nth(place)
    picture.scroll_into_view_if_needed()
    box = {side: round(pixels) for side, pixels in picture.bounding_box().items()}
    taken = Image.open(io.BytesIO(page.screenshot(clip=box, animations="disabled")))
    return np.asarray(taken.convert("RGB")).astype(int)[8:-8, 8:-8]


def at_full_size(page: str) -> str:
    """Add `FULL_SIZE` to a page."""
    return page.replace("</head>", f"{FULL_SIZE}</head>")


def drawn(expl: Explanation, target: int = 0, **look: Any) -> Array:
    """Return the pixels that `format_as_image` draws."""
    alone = copy.copy(expl)
    alone.targets = [expl.targets[target]]
    return np.asarray(format_as_image(alone, **look).convert("RGB")).astype(int)[8:-8, 8:-8]


def bare(expl: Explanation) -> Array:
    return np.asarray(expl.image.convert("RGB")).astype(int)[8:-8, 8:-8]


def gap(one: Array, other: Array) -> int:
    assert one.shape == other.shape
    return int(np.abs(one - other).max())


def slide(page: Any, percent: int, place: int = 0) -> None:
    page.locator("input[type=range]").nth(place).fill(str(percent))


def test_page_shows_what_format_as_image_draws(open_page: Open) -> None:
    expl = explanation()
    page = open_page(at_full_size(format_as_page(expl)))
    assert gap(shot(page), drawn(expl)) <= 2
    assert gap(drawn(expl), bare(expl)) > 100


def test_a_photo_and_layers_that_were_scaled_down_still_look_alike(open_page: Open) -> None:
    expl = explanation(photo(480, 400))
    html = format_as_page([expl, *[explanation(seed=k) for k in range(1, 40)]])
    wide = """<style>.eli5-explanation .eli5-grid { display: block !important; }
        .eli5-explanation .eli5-card { width: 480px; border: 0 !important; }</style></head>"""
    page = open_page(html.replace("</head>", wide), width=600)
    difference = np.abs(shot(page) - drawn(expl))
    assert difference.mean() < 3
    assert np.percentile(difference, 99) < 16


def test_the_slider_changes_the_opacity(open_page: Open) -> None:
    expl = explanation()
    page = open_page(at_full_size(format_as_page(expl)))
    slider = page.locator("input[type=range]")
    slider.focus()
    page.keyboard.press("Home")
    assert page.locator("output").inner_text() == "0 %"
    assert gap(shot(page), bare(expl)) <= 1
    page.keyboard.press("End")
    assert page.locator("output").inner_text() == "100 %"
    opaque = shot(page)
    assert gap(opaque, fully_drawn(expl)) <= 2
    assert gap(opaque, drawn(expl)) > 50
    for _ in range(7):
        page.keyboard.press("ArrowLeft")
    assert page.locator("output").inner_text() == "65 %"
    assert gap(shot(page), drawn(expl)) <= 2
    box = slider.bounding_box()
    page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)
    assert gap(shot(page), opaque) <= 1


@pytest.mark.parametrize(
    "look",
    [{"signed": True, "percentile": 90}, {"colormap": "jet", "alpha_limit": 0.33}],
    ids=str,
)
def test_a_page_in_another_look_is_what_format_as_image_draws(look: Any, open_page: Open) -> None:
    expl = explanation()
    for target in expl.targets:
        target.attribution = target.heatmap - 0.5
    page = open_page(at_full_size(format_as_page(expl, **look)))
    assert gap(shot(page), drawn(expl, **look)) <= 2
    assert gap(shot(page), drawn(expl)) > 50
    page.get_by_text("tiger").click()
    assert gap(shot(page), drawn(expl, 1, **look)) <= 2
    percent = round(100 * look.get("alpha_limit", 0.65))
    assert page.locator("[type=range]").input_value() == str(percent)


def test_the_legend_shows_the_colours_as_they_are_over_white_and_follows_the_slider(
    open_page: Open,
) -> None:
    def legend() -> Array:
        taken = page.locator(".eli5-scale").screenshot(animations="disabled")
        return np.asarray(Image.open(io.BytesIO(taken)).convert("RGB")).astype(int)[4]

    page = open_page(signed_page())
    at_first = legend()
    for seen, colour in ((at_first[1], (59, 76, 192)), (at_first[-2], (180, 4, 38))):
        over = [0.65 * np.array(colour) + 0.35 * square for square in (0xFF, 0xBB)]
        assert min(np.abs(seen - one).max() for one in over) < 25
    slide(page, 0)
    assert np.ptp(legend(), axis=-1).max() <= 2  # nothing but the checkerboard
    slide(page, 100)
    assert np.abs(legend()[-2] - (180, 4, 38)).max() < 20


def signed_page() -> str:
    expl = explanation()
    for target in expl.targets:
        target.attribution = target.heatmap - 0.5
    return format_as_page(expl, signed=True)


def fully_drawn(expl: Explanation) -> Array:
    """Return the pixels at full opacity: what is above 0.65 hides the picture."""
    values, _ = shown_values(expl.targets[0], expl.image, make_options())
    alpha = np.minimum(values / 0.65, 1)[..., None]
    mixed = np.asarray(expl.image) * (1 - alpha) + DEFAULT_COLORMAP(values)[..., :3] * 255 * alpha
    return np.rint(mixed).astype(int)[8:-8, 8:-8]


def test_buttons_choose_the_target_by_mouse_and_by_keyboard(open_page: Open) -> None:
    expl = explanation()
    page = open_page(at_full_size(format_as_page(expl)))
    page.get_by_text("tiger").click()
    assert gap(shot(page), drawn(expl, 1)) <= 2
    page.keyboard.press("ArrowDown")
    assert gap(shot(page), drawn(expl, 2)) <= 2
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowUp")
    assert gap(shot(page), drawn(expl, 0)) <= 2
    page.keyboard.press("Enter")  # which sends other forms
    assert gap(shot(page), drawn(expl, 0)) <= 2


def test_all_controls_are_reached_by_the_tab_key_and_show_it(open_page: Open) -> None:
    page = open_page(format_as_page([explanation(), explanation(seed=1)]))
    reached = []
    for _ in range(6):
        page.keyboard.press("Tab")
        focused = page.locator(":focus")
        reached.append((focused.get_attribute("type"), focused.get_attribute("aria-label")))
        assert focused.evaluate("e => getComputedStyle(e).outlineStyle") == "solid"
    assert reached == [
        ("range", "Opacity of the heatmap in percent"),
        ("checkbox", None),
        ("button", "Enlarge"),
        ("radio", "tabby cat (0), probability 0.7000"),
        ("button", "Enlarge"),
        ("radio", "tabby cat (0), probability 0.7000"),
    ]


def test_one_slider_moves_a_whole_gallery_until_it_is_told_not_to(open_page: Open) -> None:
    expls = [explanation(), explanation(seed=1)]
    page = open_page(at_full_size(format_as_page(expls)))
    assert page.locator("input[type=range]:visible").count() == 1
    for k, expl in enumerate(expls):
        assert gap(shot(page, k), drawn(expl)) <= 2
    slide(page, 0)
    for k, expl in enumerate(expls):
        assert gap(shot(page, k), bare(expl)) <= 1
    page.get_by_label("Same for all").uncheck()
    assert page.locator("input[type=range]:visible").count() == 3
    slide(page, 65, place=1)
    assert gap(shot(page, 0), drawn(expls[0])) <= 2
    assert gap(shot(page, 1), bare(expls[1])) <= 1
    assert page.locator("output:visible").all_inner_texts() == ["0 %", "65 %", "0 %"]
    page.get_by_label("Same for all").check()
    assert gap(shot(page, 0), bare(expls[0])) <= 1
    slide(page, 65)
    for k, expl in enumerate(expls):
        assert gap(shot(page, k), drawn(expl)) <= 2


def test_without_scripts_the_overlay_stays_and_buttons_work(open_page: Open) -> None:
    expls = [explanation(), explanation(seed=1)]
    page = open_page(at_full_size(format_as_page(expls)), java_script_enabled=False)
    assert page.locator("input[type=range]:visible").count() == 0
    assert page.get_by_text("Same for all").is_hidden()
    assert page.locator(".eli5-legend").first.is_visible()
    page.locator("label", has_text="lynx").nth(1).click()
    assert gap(shot(page, 0), drawn(expls[0])) <= 2
    assert gap(shot(page, 1), drawn(expls[1], 2)) <= 2
    alone = open_page(at_full_size(format_as_page(expls[0])), java_script_enabled=False)
    assert gap(shot(alone), drawn(expls[0])) <= 2
    assert alone.locator("input[type=range]").is_hidden()


def test_cells_of_a_notebook_do_not_disturb_each_other(open_page: Open) -> None:
    expl = explanation()
    page = open_page(f"<!doctype html><title>A notebook</title>{FULL_SIZE}<body></body>")
    page.evaluate(INSERT, [format_as_html(expl), format_as_html(expl)])
    page.evaluate(INSERT, [format_as_html([expl, expl])])  # a later run
    assert page.locator("input[type=range]:visible").count() == 3
    slide(page, 0)
    page.locator("label", has_text="tiger").nth(1).click()
    page.locator("label", has_text="lynx").nth(3).click()
    expected = [bare(expl), drawn(expl, 1), drawn(expl, 0), drawn(expl, 2)]
    for k, pixels in enumerate(expected):
        assert gap(shot(page, k), pixels) <= 2
    assert page.locator("output:visible").all_inner_texts() == ["0 %", "65 %", "65 %"]


TEXTS = [".eli5-head b", ".eli5-head span", ".eli5-id", ".eli5-target b", ".eli5-description"]
TEXTS += [".eli5-target .eli5-facts > span:last-child", ".eli5-slider output", ".eli5-legend"]


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_pages_are_readable_in_light_and_dark(scheme: str, is_dark: bool, open_page: Open) -> None:
    expl = explanation()
    expl.source, expl.layer = "a.jpg", "conv_3"
    failed = Explanation("x", error="failed")
    page = open_page(format_as_page([expl, explanation(), failed]), color_scheme=scheme)
    for selector in ["h1", ".eli5-failed li", *TEXTS]:
        assert contrast(page.locator(selector).locator("visible=true").first) >= 4.5, selector
    corner = np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))[-1, 0]
    assert (corner < 40) if is_dark else (corner > 240)


@pytest.mark.parametrize(
    "colours", ["background: #fff; color: #222", "background: #111; color: #ddd"]
)
def test_cells_are_readable_on_the_notebooks_own_colours(colours: str, open_page: Open) -> None:
    page = open_page(f'<!doctype html><body style="{colours}">{format_as_html(explanation())}')
    for selector in TEXTS:
        assert contrast(page.locator(selector).first) >= 4.5, selector
    # Controls are no text: a contrast of 3 will do.
    for selector in ("[type=radio]", "[type=range]", ".eli5-bar"):
        assert contrast(page.locator(selector).first) >= 3, selector


@pytest.mark.parametrize("width", [360, 1000])
def test_hostile_names_are_shown_and_nothing_overflows(width: int, open_page: Open) -> None:
    expls = []
    for hostile in [*HOSTILE, "long_" * 40]:
        expl = explanation()
        expl.estimator = expl.method = expl.layer = expl.description = expl.error = hostile
        expl.targets[0].class_name = expl.targets[1].target = hostile
        expls.append(expl)
    strip = explanation(photo(16 * 64, 64))
    html = format_as_page([*expls, strip], title=HOSTILE[0])
    page = open_page(html, width=width)
    assert page.title() == HOSTILE[0]
    assert page.locator("h1").inner_text() == HOSTILE[0]
    assert page.locator(".eli5-error").nth(1).inner_text() == f"Error: {HOSTILE[1]}"
    assert page.evaluate("document.documentElement.scrollWidth") == width
    single = open_page(format_as_page(strip), width=width)
    assert single.evaluate("document.documentElement.scrollWidth") == width
    assert single.locator(".eli5-picture").bounding_box()["height"] >= 32


def test_a_dark_page_prints_dark_on_white_with_a_picture_for_each_class(open_page: Open) -> None:
    expl = explanation()
    page = open_page(format_as_page(expl), color_scheme="dark")
    page.get_by_text("tiger").click()
    page.emulate_media(media="print", color_scheme="dark")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    for selector in ["h1", ".eli5-head b", ".eli5-target b", ".eli5-description", ".eli5-legend"]:
        assert contrast(page.locator(selector).first) >= 4.5, selector
    assert np.asarray(Image.open(io.BytesIO(page.screenshot())).convert("L"))[-1, 0] == 255
    # The chosen class lies over the large picture, each other one over its own.
    assert page.locator(".eli5-layer:visible").count() == 3
    assert page.locator(".eli5-picture:visible").count() == 3
    # Without its background a slider is a dot: what it stands at is there in words.
    assert page.locator("[type=range]").is_hidden()
    assert page.get_by_text("65 %").is_visible()
    lines = "e => getComputedStyle(e).textDecorationLine"
    found = [one.evaluate(lines) for one in page.locator(".eli5-target b").all()]
    assert found == ["none", "underline", "none"]


def test_names_and_numbers_have_room_beside_each_other(open_page: Open) -> None:
    expl = explanation()
    names = [f"score {'x' * length}" for length in range(0, 30, 2)]
    expl.targets = [
        TargetExplanation(k, score=0.1234, class_name="tabby", explained=9.87, explained_name=name)
        for k, name in enumerate(names)
    ]
    page = open_page(format_as_page(expl))
    for name in page.locator(".eli5-target b").all():
        assert name.bounding_box()["height"] < 30

"""The pages in a real browser: by mouse, by keyboard, on a phone, in the dark; and axe-core."""

# The fixtures come from another module, and each test's argument is named like one.
# ruff: noqa: F811

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest

from eli5.demo import SCENE, load_scene
from eli5.server.guard import Rules
from eli5.server.models import ModelSource, ServedModel, load_models
from helpers.browser import (  # noqa: F401
    PATIENCE,
    _never_hangs,
    browser,
    contrast,
    process,
)
from helpers.serving import Running, make_site, photo, saved_series_model, serving, wait_for
from helpers.word_models import texts_model

pytestmark = pytest.mark.filterwarnings("always::UserWarning")

sync_api = pytest.importorskip("playwright.sync_api")

Visit = Callable[..., Any]
PHONE = {"width": 390, "height": 800}


@pytest.fixture
def visit(browser: Any, server: Running) -> Iterator[Visit]:
    """Return a function that opens a page; whatever goes wrong in it or leaves it is an error."""
    troubles: list[str] = []
    contexts: list[Any] = []

    def open_page(
        path: str, at: Running = server, width: int = 1200, height: int = 900, **options: Any
    ) -> Any:
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        contexts[-1].set_default_timeout(PATIENCE)
        contexts[-1].grant_permissions(["clipboard-read", "clipboard-write"])
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: note(request.url, at))
        page.on("dialog", dismiss)
        page.goto(f"{at.address}{path}")
        return page

    def dismiss(dialog: Any) -> None:
        troubles.append(dialog.message)
        dialog.dismiss()

    def note(url: str, at: Running) -> None:
        if not url.startswith((at.address, "data:", "blob:")):
            troubles.append(url)

    yield open_page
    for context in contexts:
        context.close()
    # That the server refuses what it should is told by the browser, too.
    assert [one for one in troubles if not one.startswith("Failed to load resource")] == []


def explained(page: Any) -> Any:
    """Wait until something is explained, and return its card."""
    page.get_by_text("Explained in").wait_for()
    return page.locator("#shown .eli5-card").first


def choose(page: Any, name: str = "cat.png", content: bytes | None = None) -> Any:
    file = {"name": name, "mimeType": "image/png", "buffer": content or SCENE.read_bytes()}
    page.locator("#file").set_input_files(file)
    return explained(page)


def copied(page: Any, button: str) -> str:
    page.get_by_role("button", name=button, exact=True).click()
    page.locator("#copied").get_by_text("Copied").wait_for()
    text: str = page.evaluate("navigator.clipboard.readText()")
    return text


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page, where somebody wants to look at it."""
    folder = os.environ.get("ELI5_SCREENSHOTS")
    if folder:
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=True)


# ---- explain -------------------------------------------------------------------------------------


def test_a_picture_is_sent_and_a_class_is_chosen(visit: Visit) -> None:
    page = visit("/explain")
    card = choose(page, "<b>cat</b>.png")
    assert page.locator("#chosen").text_content() == "b>.png"
    labels = card.locator("label.eli5-target")
    assert labels.count() == 5
    assert card.locator(".eli5-bar").count() == 5
    second = labels.nth(1)
    second.click()
    assert second.locator(".eli5-layer").is_visible()
    assert not labels.nth(0).locator(".eli5-layer").is_visible()
    card.locator("input[type=range]").fill("30")
    assert second.locator(".eli5-layer").evaluate("one => getComputedStyle(one).opacity") == "0.3"
    shot(page, "explain")
    # Another method keeps the class.
    chosen = second.locator("input").get_attribute("aria-label").split(",")[0]
    page.locator("select[name=method]").select_option("LayerCAM")
    page.locator("#shown").get_by_text("LayerCAM").first.wait_for()
    checked = page.locator("#shown input[type=radio]:checked")
    assert checked.get_attribute("aria-label").startswith(chosen)


def test_an_example_and_both_colours(visit: Visit) -> None:
    page = visit("/explain")
    page.get_by_role("button", name="Example scene.png").click()
    explained(page)
    page.get_by_label("Both, in two colours").check()
    page.locator("#shown .eli5-legend").get_by_text("for").first.wait_for()
    page.locator("input[name=class]").fill("star, 0")
    page.get_by_role("button", name="Explain", exact=True).click()
    sync_api.expect(page.locator("#shown label.eli5-target")).to_have_count(2)
    assert "star" in page.locator("#shown label.eli5-target").first.text_content()


def test_a_pasted_and_a_dropped_picture(visit: Visit) -> None:
    page = visit("/explain")
    for event in ("paste", "drop"):
        page.evaluate(
            """async ([event, source]) => {
                const content = await (await fetch(source)).blob();
                const data = new DataTransfer();
                data.items.add(new File([content], `${event}.png`, { type: "image/png" }));
                const options = { clipboardData: data, dataTransfer: data, bubbles: true };
                const Kind = event === "paste" ? ClipboardEvent : DragEvent;
                document.querySelector("#drop").dispatchEvent(new Kind(event, options));
            }""",
            [event, "/api/examples/0"],
        )
        page.locator("#chosen").get_by_text(f"{event}.png").wait_for()
        explained(page)


def test_what_cannot_be_explained_is_told(visit: Visit) -> None:
    page = visit("/explain")
    page.get_by_role("button", name="Explain", exact=True).click()
    page.get_by_role("alert").get_by_text("Choose a picture first.").wait_for()
    choose(page)
    page.locator("input[name=class]").fill("zebra<b>")
    page.get_by_role("button", name="Explain", exact=True).click()
    # A refusal is a line of the stream, and no error of the console.
    page.get_by_role("alert").get_by_text("zebra<b>").wait_for()


def test_a_slow_method_tells_how_far_it_is_and_is_cancelled(visit: Visit, server: Running) -> None:
    page = visit("/explain?example=scene.png")
    explained(page)
    page.get_by_label("Options of the method").fill("n_masks=2000")
    page.locator("select[name=method]").select_option("RISE")
    page.locator("#state").get_by_text("of 2000").wait_for()
    assert page.locator("#state progress").get_attribute("max") == "2000"
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Cancelled.").wait_for()
    wait_for(lambda: server.site.queue.n_taken == 0)


# ---- links and copies ----------------------------------------------------------------------------


def test_a_link_shows_the_same(visit: Visit) -> None:
    page = visit("/explain")
    page.get_by_role("button", name="Example scene.png").click()
    explained(page)
    page.locator("select[name=method]").select_option("HiResCAM")
    page.locator("#shown").get_by_text("HiResCAM").first.wait_for()
    page.locator("input[name=class]").fill("star")
    page.locator("input[name=class]").press("Enter")
    page.locator("#shown label.eli5-target").first.wait_for(state="detached")
    explained(page)
    link = copied(page, "Copy link")
    query = parse_qs(urlsplit(link).query)
    assert query == {"method": ["HiResCAM"], "class": ["star"], "example": ["scene.png"]}
    assert page.url == link
    other = visit(f"/explain?{urlsplit(link).query}")
    explained(other)
    assert other.locator("#shown").inner_text() == page.locator("#shown").inner_text()
    layer = "#shown .eli5-layer"
    assert other.locator(layer).get_attribute("src") == page.locator(layer).get_attribute("src")


def test_a_link_to_a_picture_that_is_not_there_any_more(
    visit: Visit, served_models: dict[str, ServedModel]
) -> None:
    page = visit("/explain")
    choose(page)
    query = urlsplit(copied(page, "Copy link")).query
    with serving(make_site(served_models)) as own:  # whoever runs the same command
        other = visit(f"/explain?{query}", at=own)
        other.get_by_role("alert").get_by_text("not here any more").wait_for()
        assert other.locator("#chosen").text_content() == "cat.png"
        choose(other, content=photo())
        choose(other)
        other.close()


def test_what_is_copied_as_python_gives_the_same_array(
    visit: Visit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "cat.png").write_bytes(SCENE.read_bytes())
    page = visit("/explain")
    choose(page)
    names: dict[str, Any] = {}
    exec(copied(page, "Copy as Python"), names)
    with page.expect_download() as download:
        page.get_by_role("link", name="JSON").click()
    download.value.save_as(tmp_path / "saved.json")
    import eli5

    (saved,) = eli5.load(tmp_path / "saved.json")
    for one, other in zip(saved.targets, names["explanations"][0].targets, strict=True):
        np.testing.assert_allclose(one.attribution, other.attribution, atol=1e-5)
    assert copied(page, "Copy as command").startswith("eli5 explain ")
    assert page.locator("#code").is_visible()


# ---- a place in the picture ----------------------------------------------------------------------


def drag(page: Any, points: list[tuple[float, float]]) -> None:
    """Draw on the picture, between points in shares of it."""
    box = page.locator(".drawing").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=4)
    page.mouse.up()


def test_a_box_is_drawn_for_a_detector(visit: Visit) -> None:
    page = visit("/explain?model=detector&example=scene.png")
    explained(page)
    assert page.locator("#shown .eli5-outline").count() == 2
    assert not page.get_by_role("button", name="Draw a lasso").is_visible()
    masks = load_scene().masks[0]
    rows, columns = (np.flatnonzero(masks.any(axis=axis)) / 128 for axis in (1, 0))
    page.get_by_role("button", name="Draw a box").click()
    drag(page, [(columns[0], rows[0]), (columns[-1], rows[-1])])
    page.locator("#shown label.eli5-target").first.wait_for(state="detached")
    explained(page)
    left, _, _, bottom = map(float, page.locator("input[name=box]").input_value().split(","))
    assert abs(left - 128 * columns[0]) < 3
    assert abs(bottom - 128 * rows[-1]) < 3
    assert "in the box" in page.locator("#shown").inner_text()
    assert "box=" in page.url
    shot(page, "box")
    page.get_by_role("button", name="Clear").click()
    page.locator("#shown label.eli5-target").first.wait_for()
    assert page.locator("input[name=box]").input_value() == ""


def test_a_lasso_is_drawn_for_a_segmenter(visit: Visit) -> None:
    page = visit("/explain?model=segmenter&example=scene.png")
    explained(page)
    page.get_by_role("button", name="Draw a lasso").click()
    drag(page, [(0.2, 0.2), (0.6, 0.25), (0.5, 0.7), (0.25, 0.6)])
    page.locator("#shown label.eli5-target").first.wait_for(state="detached")
    explained(page)
    assert "pixels" in page.locator("#shown").inner_text()
    assert page.get_by_role("link", name="Mask").is_visible()
    shot(page, "lasso")


# ---- texts and series ----------------------------------------------------------------------------


def test_a_series_is_pasted(visit: Visit, tmp_path: Path) -> None:
    served = load_models([ModelSource(str(saved_series_model(tmp_path)))])
    rows = [f"{k},{np.sin(k / 3):.3f},{k % 5}" for k in range(32)]
    with serving(make_site(served)) as own:
        page = visit("/explain", at=own)
        assert not page.locator("#file").is_visible()
        page.locator("textarea[name=series]").fill("\n".join(["time,wave,step", *rows]))
        page.get_by_role("button", name="Explain", exact=True).click()
        card = explained(page)
        assert "wave" in card.locator(".eli5-picture").get_attribute("alt")
        assert not page.locator("#tools").is_visible()
        shot(page, "series")
        other = visit(f"/explain?{urlsplit(page.url).query}", at=own)  # the link has its lines
        explained(other)
        page.close()
        other.close()


def test_a_text_has_coloured_words(visit: Visit, tmp_path: Path) -> None:
    pytest.importorskip("tensorflow", reason="TextVectorization runs on TensorFlow")
    texts_model().save(tmp_path / "reader.keras")
    with serving(make_site(load_models([ModelSource(str(tmp_path / "reader.keras"))]))) as own:
        page = visit("/explain", at=own)
        page.get_by_label("Text", exact=True).fill("<b>not</b> a good film")
        page.get_by_label("Text", exact=True).press("Tab")
        page.get_by_role("button", name="Explain", exact=True).click()
        words = explained(page).locator(".eli5-text .eli5-words").first
        assert words.text_content() == "<b>not</b> a good film"
        assert page.locator("#notes .note").count() == 0  # the description has them
        assert not page.get_by_role("link", name="PNG").is_visible()
        shot(page, "text")
        page.close()


# ---- the other pages -----------------------------------------------------------------------------


def test_methods_are_compared_with_one_opacity(visit: Visit) -> None:
    page = visit("/compare")
    page.locator("input[name=model][value=segmenter]").uncheck()
    choose(page)
    cards = page.locator("#shown .eli5-card")
    assert cards.count() == 9  # three methods by three classes
    page.locator("#shown .eli5-toolbar input[type=range]").fill("20")
    opacities = page.locator("#shown .eli5-layer").evaluate_all(
        "layers => layers.map(one => getComputedStyle(one).opacity)"
    )
    assert set(opacities) == {"0.2"}
    tops = cards.evaluate_all("cards => cards.map(one => one.getBoundingClientRect().top)")
    assert tops[0] == tops[1] == tops[2] != tops[3]  # a row per method
    shot(page, "compare")


def test_two_models_are_compared_on_one_picture(
    visit: Visit, served_models: dict[str, ServedModel]
) -> None:
    two = {name: dataclasses.replace(served_models["model"], name=name) for name in ("one", "two")}
    with serving(make_site(two)) as own:
        page = visit("/compare?method=Grad-CAM&top=1&example=scene.png", at=own)
        explained(page)
        assert page.locator("#shown .eli5-card").count() == 2
        assert page.locator("input[name=model]:checked").count() == 2
        heads = page.locator("#shown .eli5-head b").all_text_contents()
        assert heads == ["one", "two"]
        page.close()


def test_a_click_on_a_layer_explains_there(visit: Visit) -> None:
    page = visit("/layers")
    names = page.locator("#layers button").all_text_contents()
    grids = page.locator("#layers td").all_text_contents()
    assert len(names) == len(grids) > 2
    page.locator("#layers button").first.click()
    page.get_by_role("alert").get_by_text("Choose a picture first").wait_for()
    choose(page)
    page.locator("#layers button").nth(1).click()
    page.locator("#shown .eli5-head").get_by_text(names[1], exact=True).wait_for()
    assert page.locator("#layers button").nth(1).get_attribute("aria-pressed") == "true"
    shot(page, "layers")


def test_a_map_is_graded(visit: Visit) -> None:
    page = visit("/grade?example=scene.png")
    explained(page)
    assert page.locator("#shown .eli5-grade").is_visible()
    assert page.locator("#curves svg[role=img]").is_visible()
    assert page.locator("#curves tbody tr").count() == 2
    shot(page, "grade")


def test_a_picture_of_the_gallery_is_explained(visit: Visit) -> None:
    page = visit("/gallery")
    page.get_by_role("link", name="scene.png").click()
    explained(page)
    assert "/explain" in page.url
    shot(page, "gallery-explained")


# ---- whoever looks -------------------------------------------------------------------------------


def test_by_keyboard_alone(visit: Visit) -> None:
    page = visit("/explain")
    keys = page.keyboard

    def tab_to(selector: str) -> None:
        for _ in range(60):
            keys.press("Tab")
            if page.evaluate("one => document.activeElement.matches(one)", selector):
                style = "getComputedStyle(document.activeElement)"
                assert page.evaluate(f"{style}.outlineStyle !== 'none'")  # the focus is seen
                return
        raise AssertionError(f"{selector} cannot be reached")

    keys.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    keys.press("Enter")
    tab_to("[data-example]")
    keys.press("Enter")
    explained(page)
    tab_to("#shown input[type=radio]")
    keys.press("ArrowDown")
    assert page.locator("#shown label.eli5-target").nth(1).locator(".eli5-layer").is_visible()
    tab_to("#shown input[type=range]")
    keys.press("Home")
    assert page.locator("#shown output").first.text_content() == "0 %"
    tab_to("#copy-link")
    keys.press("Enter")
    page.get_by_text("Copied the link.").wait_for()


@pytest.mark.parametrize("path", ["/explain", "/compare", "/layers", "/grade", "/gallery", "/api"])
def test_anybody_can_use_it(visit: Visit, path: str) -> None:
    axe = pytest.importorskip("axe_playwright_python.base")
    page = visit(f"{path}?example=scene.png&model=model&method=Grad-CAM&top=2")
    if path not in ("/gallery", "/api"):
        explained(page)
    page.evaluate(axe.AXE_SCRIPT)  # by the debugger, whom the page's policy does not bind
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        assert problems(page.evaluate("axe.run({ resultTypes: ['violations'] })")) == []
        assert contrast(page.locator("h1")) > 7
        shot(page, f"{scheme}{path.replace('/', '-')}")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(21, 23, 26)"
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    shot(page, f"phone{path.replace('/', '-')}")


def problems(found: Any) -> list[Any]:
    """Return what axe-core has found, but for what is minor and of the cards of all pages."""
    return [
        (one["id"], one["impact"], one["nodes"][0]["html"][:200])
        for one in found["violations"]
        if one["id"] != "aria-allowed-role"  # a form as a group
    ]


def test_with_a_token(visit: Visit, served_models: dict[str, ServedModel]) -> None:
    token = "a-token-of-24-characters"
    with serving(make_site(served_models), Rules(token=token, cookie="eli5-x")) as own:
        page = visit(f"/explain?token={token}", at=own)
        assert page.url == f"{own.address}/explain"
        choose(page)
        page.close()

"""Texts in a real browser: words in their colours, tabs, tooltips, and scripts of every kind."""

# The fixtures come from another module, and each test's argument is named like one.
# ruff: noqa: F811

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from PIL import Image

from eli5.base import DocWeightedSpans, Explanation
from eli5.formatters.html import format_as_html, format_as_page
from helpers.browser import (  # noqa: F401
    INSERT,
    Open,
    _never_hangs,
    browser,
    contrast,
    open_page,
    process,
)
from helpers.strict_html import HOSTILE
from helpers.texts import REVIEW, negated, of_texts, review, weighted

RED, BLUE = (180, 4, 38), (59, 76, 192)
# The page's own colours, and those of its ink.
PAGES = {"light": ((250, 250, 248), (28, 30, 33)), "dark": ((21, 23, 26), (230, 230, 227))}


def word(page: Any, text: str, tag: str = "b") -> Any:
    found = page.locator(f".eli5-text > .eli5-words >> {tag}").filter(has_text=text)
    return found.locator("visible=true").first


def background(locator: Any) -> Any:
    """Return the colour behind a word: the one that most of its pixels have."""
    taken = Image.open(io.BytesIO(locator.screenshot(animations="disabled"))).convert("RGB")
    colours, counts = np.unique(np.asarray(taken).reshape(-1, 3), axis=0, return_counts=True)
    return colours[counts.argmax()]


def mixed(scheme: str, colour: tuple[int, ...], share: float) -> Any:
    page, ink = map(np.array, PAGES[scheme])
    mark = 0.82 * np.array(colour) + 0.18 * ink
    return page * (1 - 0.57 * share) + mark * 0.57 * share


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_words_have_their_colours_and_stay_readable(scheme: str, open_page: Open) -> None:
    page = open_page(format_as_page(review()), color_scheme=scheme)
    expected = [("great", "b", RED, 1), ("boring", "i", BLUE, 0.5), ("not", "b", RED, 0.25)]
    for text, tag, colour, share in expected:
        found = word(page, text, tag)
        wanted = mixed(scheme, colour, share)
        np.testing.assert_allclose(background(found), wanted, atol=2)
        assert contrast(found) >= 4.5
    # Not by colour alone.
    lines = "e => getComputedStyle(e).textDecorationLine + getComputedStyle(e).textDecorationStyle"
    assert word(page, "boring", "i").evaluate(lines) == "underlinedotted"
    assert word(page, "great").evaluate(lines) == "nonesolid"
    for selector in (".eli5-listed", ".eli5-legend", ".eli5-text > .eli5-words"):
        assert contrast(page.locator(selector).locator("visible=true").first) >= 4.5


def test_the_text_is_shown_with_its_white_space(open_page: Open) -> None:
    code = "def f(x):\n    if x:\n\treturn  x\n\n# <b>end</b> &amp;"
    spans = [(" " * 4, [(10, 14)], 1.0), ("\n\t", [(19, 21)], -1.0)]
    page = open_page(format_as_page(of_texts(DocWeightedSpans(code, spans))))
    shown = page.locator(".eli5-text > .eli5-words")
    assert shown.evaluate("e => e.innerText") == code
    assert shown.evaluate("e => e.textContent") == code
    indent = page.locator(".eli5-text > .eli5-words > b").bounding_box()
    assert indent["width"] > 12
    page.keyboard.press("Control+A")  # what is copied is the text
    assert code in page.evaluate("getSelection().toString()")


def test_the_tooltip_is_the_description_of_a_word(open_page: Open) -> None:
    page = open_page(format_as_page(review()))
    assert word(page, "great").get_attribute("title") == "great +1.000"
    # What a screen reader finds.
    session = page.context.new_cdp_session(page)
    nodes = session.send("Accessibility.getFullAXTree")["nodes"]
    described = [node["description"]["value"] for node in nodes if node.get("description")]
    assert "great +1.000" in described
    assert "boring -0.5000" in described


@pytest.mark.parametrize("scripts", [True, False])
def test_tabs_by_mouse_and_by_keyboard(scripts: bool, open_page: Open) -> None:
    expl = of_texts(*(weighted("one two three", {name: 1.0}) for name in ("one", "two", "three")))
    page = open_page(format_as_page(expl), java_script_enabled=scripts)
    marked = page.locator(".eli5-text > .eli5-words > b").locator("visible=true")
    assert marked.all_inner_texts() == ["one"]
    page.get_by_text("negative").click()
    assert marked.all_inner_texts() == ["two"]
    page.keyboard.press("ArrowDown")
    assert marked.all_inner_texts() == ["three"]
    page.keyboard.press("ArrowRight")
    assert marked.all_inner_texts() == ["one"]
    place = page.locator(".eli5-text").locator("visible=true").bounding_box()
    last = page.locator("label").last.bounding_box()
    assert place["y"] >= last["y"] + last["height"]  # below all tabs, whichever is chosen
    page.keyboard.press("ArrowUp")
    assert page.locator(".eli5-text").locator("visible=true").bounding_box() == place


def test_cells_and_cards_do_not_disturb_each_other(open_page: Open) -> None:
    page = open_page("<!doctype html><title>A notebook</title><body></body>")
    page.evaluate(INSERT, [format_as_html(review()), format_as_html([review(), review()])])
    page.locator("label", has_text="negative").nth(1).click()
    signs = [
        card.locator(".eli5-text > .eli5-words > :text('great')").locator("visible=true")
        for card in page.locator(".eli5-card").all()
    ]
    assert [sign.evaluate("e => e.tagName") for sign in signs] == ["B", "I", "B"]


RTL = "كان الفيلم رائعا"


def test_each_paragraph_has_its_own_direction(open_page: Open) -> None:
    text = weighted(f"{RTL}\nThe end", {"كان": 1.0, "The": 1.0})
    page = open_page(format_as_page(of_texts(text)))
    box = page.locator(".eli5-text > .eli5-words").bounding_box()
    first, second = word(page, "كان").bounding_box(), word(page, "The").bounding_box()
    assert first["x"] + first["width"] == pytest.approx(box["x"] + box["width"], abs=1)
    assert second["x"] == pytest.approx(box["x"], abs=1)


def test_a_mark_within_a_word_does_not_part_its_letters(open_page: Open) -> None:
    """Arabic letters join their neighbours: the word is as wide with a mark in it as without."""
    word_ = "الفيلم"
    widths = []
    for spans in ([], [("##في", [(2, 4)], 1.0)]):
        page = open_page(format_as_page(of_texts(DocWeightedSpans(word_, list(spans)))))
        widths.append(
            page.evaluate(
                """() => { const range = document.createRange();
                range.selectNodeContents(document.querySelector(".eli5-text > .eli5-words"));
                return range.getBoundingClientRect().width; }"""
            )
        )
    assert widths[0] == pytest.approx(widths[1], abs=0.6)


def test_a_family_is_one_picture(open_page: Open) -> None:
    family = "👩‍👩‍👧"
    spans = [("a", [(0, 1)], 1.0), ("b", [(1, 3)], 0.5)]
    page = open_page(format_as_page(of_texts(DocWeightedSpans(family, spans))))
    assert word(page, family).get_attribute("title") == "a +1.000, b +0.5000"
    width = word(page, family).bounding_box()["width"]
    assert width < 30  # three people side by side take twice as much


@pytest.mark.parametrize("width", [360, 1000])
def test_hostile_texts_are_shown_and_nothing_overflows(width: int, open_page: Open) -> None:
    expls = []
    for hostile in [*HOSTILE, "long_" * 80]:
        spans = [(hostile, [(0, len(hostile) // 2)], 1.0), (hostile, [], -1.0)]
        text = DocWeightedSpans(hostile, spans, vec_name=hostile)
        expls.append(of_texts(text, negated(text), names=f"{hostile.split()[0]} b"))
    page = open_page(format_as_page(expls), width=width)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    shown = page.locator(".eli5-text > .eli5-words").locator("visible=true").all()
    assert [one.evaluate("e => e.textContent") for one in shown] == [*HOSTILE, "long_" * 80]
    single = open_page(format_as_page(expls[-1]), width=width)
    assert single.evaluate("document.documentElement.scrollWidth") == width


def long_review(n_words: int) -> Explanation:
    rng = np.random.default_rng(0)
    words = rng.choice(["film", "good", "bad", "plot", "the", "of"], n_words)
    return of_texts(weighted(" ".join(words), {"good": 1.0, "bad": -0.5, "plot": 0.1}))


def test_a_long_text_scrolls_within_its_card_only_in_a_gallery(open_page: Open) -> None:
    expl = long_review(2000)
    alone = open_page(format_as_page(expl))
    assert alone.locator(".eli5-text > .eli5-words").first.bounding_box()["height"] > 1000
    gallery = open_page(format_as_page([expl, review()]))
    text = gallery.locator(".eli5-text > .eli5-words").first
    assert text.bounding_box()["height"] <= 320
    text.focus()
    gallery.keyboard.press("End")
    for _ in range(50):  # it scrolls smoothly
        if text.evaluate("e => e.scrollTop") > 100:
            return
        gallery.wait_for_timeout(50)
    pytest.fail("The text does not scroll")


def test_forced_colours_leave_lines(open_page: Open) -> None:
    page = open_page(format_as_page(review()), forced_colors="active")
    lines = "e => getComputedStyle(e).textDecorationStyle + getComputedStyle(e).textDecorationLine"
    assert word(page, "great").evaluate(lines) == "solidunderline"
    assert word(page, "boring", "i").evaluate(lines) == "dottedunderline"
    assert REVIEW.splitlines()[0] in page.locator("body").inner_text()

"""A gallery in a real browser: filtered, sorted, enlarged, and on paper."""

# The fixtures come from another module, and each test's argument is named like one.
# ruff: noqa: F811

from __future__ import annotations

from typing import Any

import pytest

from eli5.base import Explanation, Grade, TargetExplanation
from eli5.formatters.html import format_as_page
from helpers.browser import (  # noqa: F401
    Open,
    _never_hangs,
    browser,
    contrast,
    open_page,
    process,
)
from helpers.pages import explanation
from helpers.photos import photo

# Name, class, probability and grade of each.
CARDS: list[tuple[str, str, float | None, Any]] = [
    ("b10.jpg", "cat", 0.5, 3),
    ("b9.jpg", "dog", 0.75, None),
    ("a.jpg", "cat", None, 10),
    ("c.jpg", "dog", 0.125, 2.5),
]


@pytest.fixture(scope="module")
def html() -> str:
    cards = []
    for seed, (source, name, proba, grade) in enumerate(CARDS):
        expl = explanation(photo(300, 200, seed=seed), seed=seed)
        expl.source, expl.targets[0].class_name, expl.targets[0].proba = source, name, proba
        expl.targets[0].grade = None if grade is None else Grade(grade, "weak")
        cards.append(expl)
    failed = Explanation("net", error="It is no picture.", source="broken.jpg")
    return format_as_page([*cards, failed])


def shown(page: Any) -> list[str]:
    heads = page.locator(".eli5-card:visible .eli5-head b")
    return [head.inner_text() for head in heads.all()]


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("name", ["a.jpg", "b9.jpg", "b10.jpg", "c.jpg"]),
        ("probability", ["b9.jpg", "b10.jpg", "c.jpg", "a.jpg"]),
        ("grade", ["a.jpg", "b10.jpg", "c.jpg", "b9.jpg"]),
    ],
)
def test_it_is_sorted(open_page: Open, html: str, order: str, names: list[str]) -> None:
    page = open_page(html)
    assert shown(page) == [name for name, *_ in CARDS]
    page.get_by_label("Sorted by").select_option(order)
    assert shown(page) == names
    page.get_by_label("Sorted by").select_option("place")
    assert shown(page) == [name for name, *_ in CARDS]


def test_it_is_filtered_by_class(open_page: Open, html: str) -> None:
    page = open_page(html)
    count = page.locator(".eli5-count")
    page.locator(".eli5-class").select_option("dog (0)")
    assert shown(page) == ["b9.jpg", "c.jpg"]
    assert count.inner_text() == "2 of 4 explanations"
    page.locator(".eli5-class").select_option("all")
    assert count.inner_text() == "4 explanations"
    assert len(shown(page)) == 4


def test_without_scripts_it_shows_all_and_no_controls(open_page: Open, html: str) -> None:
    page = open_page(html, java_script_enabled=False)
    assert len(shown(page)) == 4
    assert not page.locator("select:visible, .eli5-enlarge:visible").count()


def test_a_click_or_a_key_enlarges_and_shrinks(open_page: Open, html: str) -> None:
    page = open_page(html)
    picture = page.locator(".eli5-picture").nth(1)
    small = picture.bounding_box()["width"]
    picture.click()
    large = picture.bounding_box()["width"]
    assert large > 2 * small
    layer = page.locator(".eli5-card").nth(1).locator(".eli5-layer:visible")
    assert layer.bounding_box() == picture.bounding_box()
    picture.click()
    assert picture.bounding_box()["width"] == small
    button = page.locator(".eli5-enlarge").nth(1)
    button.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    button.press("Escape")
    assert button.get_attribute("aria-pressed") == "false"
    assert picture.bounding_box()["width"] == small


@pytest.mark.parametrize("width", [390, 1200])
def test_it_fits_the_screen(open_page: Open, html: str, width: int) -> None:
    page = open_page(html, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_paper_is_white_and_has_a_picture_for_each_class(open_page: Open, html: str) -> None:
    page = open_page(html, color_scheme="dark", width=720)
    page.emulate_media(media="print")
    colours = "(({backgroundColor: a, color: b}) => [a, b])(getComputedStyle(document.body))"
    assert page.evaluate(colours) == ["rgb(255, 255, 255)", "rgb(0, 0, 0)"]
    card = page.locator(".eli5-card").first
    assert card.locator(".eli5-layer:visible").count() == 1
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert card.locator(".eli5-layer:visible").count() == 3
    assert not page.locator("[type=range]:visible, select:visible, button:visible").count()
    assert page.get_by_text("65 %").first.is_visible()
    borders = [
        one.evaluate("one => getComputedStyle(one).borderTopWidth")
        for one in card.locator("[type=radio]").all()
    ]
    assert borders[0] != borders[1] == borders[2]
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert card.locator(".eli5-layer:visible").count() == 1


def test_no_card_is_cut_by_the_edge_of_a_page(open_page: Open) -> None:
    targets = [TargetExplanation(k, class_name=f"class {k}") for k in range(3)]
    cards = [Explanation(f"net {k}", targets=targets) for k in range(30)]
    page = open_page(format_as_page(cards))
    page.emulate_media(media="print")
    inside = page.evaluate(
        "[...document.querySelectorAll('.eli5-card')].map(c => getComputedStyle(c).breakInside)"
    )
    assert set(inside) == {"avoid"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_what_failed_can_be_read(open_page: Open, html: str, scheme: str) -> None:
    page = open_page(html, color_scheme=scheme)
    assert contrast(page.locator(".eli5-failed li")) >= 4.5
    assert contrast(page.locator(".eli5-choice").first) >= 4.5

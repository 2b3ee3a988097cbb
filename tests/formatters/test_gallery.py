"""The page of many explanations: what stands once, what failed, and what it can be arranged by."""

from __future__ import annotations

from typing import Any

import pytest

from eli5.base import DocWeightedSpans, Explanation, Grade, TargetExplanation, WeightedSpans
from eli5.formatters.html import format_as_html, format_as_page
from helpers.pages import explanation
from helpers.photos import photo
from helpers.strict_html import HOSTILE, Page


def card(source: str | None, name: str = "cat", proba: float | None = 0.5, **fields: Any) -> Any:
    expl = explanation(photo(30, 20))
    expl.source = source
    expl.targets = expl.targets[:1]
    expl.targets[0].class_name, expl.targets[0].proba = name, proba
    for field, value in fields.items():
        setattr(expl, field, value)
    return expl


def cards(page: Page) -> list[Any]:
    return page.attributes_of("form", "eli5-card")


def test_a_card_is_headed_by_its_source_and_facts_of_all_stand_once() -> None:
    page = Page(format_as_html([card("a.jpg"), card("b.jpg", layer="conv_3")]))
    assert page.is_harmless()
    for once in ("method Grad-CAM", "my_net", "a.jpg", "layer conv_9", "layer conv_3"):
        assert page.text.count(once) == 1
    assert page.text.index("method Grad-CAM") < page.text.index("a.jpg")
    assert [one["data-name"] for one in cards(page)] == ["a.jpg", "b.jpg"]


def test_what_failed_is_listed_with_its_reason() -> None:
    broken = Explanation("net", error="It is no picture.", source="broken.jpg")
    page = Page(format_as_html([card("a.jpg"), broken]))
    assert len(cards(page)) == 1
    assert "1 explanation\n" in page.text
    assert "1 could not be explained" in page.text
    assert "broken.jpg: It is no picture." in page.text


def test_an_error_beside_heatmaps_stays_on_its_card() -> None:
    page = Page(format_as_html([card("a.jpg"), card("b.jpg", error="Doubtful.")]))
    assert len(cards(page)) == 2
    assert "Error: Doubtful." in page.text
    assert "could not be explained" not in page.text


def test_it_is_arranged_by_that_in_which_cards_differ() -> None:
    def options(*explanations: Explanation) -> str:
        page = Page(format_as_html(explanations))
        return page.text[page.text.find("Class") : page.text.find("explanations")]

    different = options(card("a"), card("b", "dog", 0.25))
    assert "Class allcat (0)dog (0)" in different
    assert "placenameprobability" in different
    assert "grade" not in different
    alike = [card(None), card(None)]
    assert Page(format_as_html(alike)).attributes_of("select") == []


def test_a_grade_is_one_to_sort_by() -> None:
    graded = [card("a"), card("b"), card("c")]
    for expl, value in zip(graded, (0.25, 1, None), strict=True):
        expl.targets[0].grade = Grade(value, "weak" if value else "not gradable")
    page = Page(format_as_html(graded))
    assert [one.get("data-grade") for one in cards(page)] == ["0.25", "1", None]
    assert "placenamegrade" in page.text.replace("probability", "")


@pytest.mark.parametrize("hostile", HOSTILE)
def test_names_change_nothing(hostile: str) -> None:
    one, other = card(hostile, hostile), card("b")
    one.targets[0].grade = Grade(0.5, hostile, {hostile: 1.0}, hostile, 3, hostile)
    failed = Explanation(hostile, error=hostile, source=hostile)
    page = Page(format_as_page([one, other, failed]))
    assert page.is_harmless()
    assert cards(page)[0]["data-class"] == f"{hostile} (0)"
    assert page.text.count(hostile) >= 4


@pytest.mark.parametrize("noisy", [False, True])
def test_a_page_of_500_is_below_20_mb(noisy: bool) -> None:
    different = [explanation(photo(640, 480, seed=k), noisy=noisy, seed=k) for k in range(4)]
    for expl in different:
        expl.targets = expl.targets[:1]
    # As many as share the page decide how small each becomes: four of them are measured.
    whole, few = len(format_as_page(different * 125)), len(format_as_page(different[:2]))
    assert whole + few < 20e6


def test_a_mixed_page_has_both_legends() -> None:
    spans = WeightedSpans([DocWeightedSpans("not great", [("not", [(0, 3)], -0.5)])])
    text = Explanation("reader", targets=[TargetExplanation(1, weighted_spans=spans)])
    page = Page(format_as_page([card("a.jpg"), text]))
    assert page.is_harmless()
    assert "Opacity" in page.text
    assert "Words" in page.text

"""The complete document."""

from __future__ import annotations

import base64
import hashlib
import re

import pytest

from eli5.base import Explanation
from eli5.formatters.html import format_as_html, format_as_page
from helpers.pages import explanation
from helpers.photos import photo
from helpers.strict_html import Page


@pytest.fixture
def expl() -> Explanation:
    return explanation(photo(30, 20))


def test_a_complete_document(expl: Explanation) -> None:
    html = format_as_page(expl, "My title")
    assert html.startswith('<!doctype html>\n<html lang="en">')
    page = Page(html)
    assert page.is_harmless()
    metas = page.attributes_of("meta")
    assert {"charset": "utf-8"} in metas
    assert {"name": "color-scheme", "content": "light dark"} in metas
    assert page.text.split().count("title") == 2
    assert format_as_html(expl, include_styles=False) in html


def test_the_policy_allows_the_one_script_and_no_request(expl: Explanation) -> None:
    page = Page(format_as_page(expl))
    (policy,) = [
        str(found["content"])
        for found in page.attributes_of("meta")
        if found.get("http-equiv") == "Content-Security-Policy"
    ]
    (script,) = page.scripts
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": "'unsafe-inline'",
        "script-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def test_several_explanations_share_styles_and_script(expl: Explanation) -> None:
    error = Explanation("other", error="failed")
    html = format_as_page(iter([expl, error, expl]), "Three")
    page = Page(html)
    assert len(page.attributes_of("style")) == len(page.scripts) == 1
    assert html.count("--eli5-opacity: 0.65") == 1
    assert len(page.attributes_of("form", "eli5-card")) == 2
    assert page.text.count("my_net") == 1
    assert "other: failed" in page.text


def test_nothing_to_show(expl: Explanation) -> None:
    page = Page(format_as_page([], "None"))
    assert page.is_harmless()
    assert page.attributes_of("form") == []
    assert "No explanations" in page.text


@pytest.mark.parametrize("noisy", [False, True])
@pytest.mark.parametrize("size", [(224, 224), (640, 480), (16 * 96, 96)])
def test_a_page_of_100_explanations_is_below_20_mb(size: tuple[int, int], noisy: bool) -> None:
    different = [explanation(photo(*size, seed=k), noisy=noisy, seed=k) for k in range(4)]
    # What 25 pages of 4 would take is no measure: the more there are, the smaller each becomes.
    html = format_as_page(different * 25)
    assert len(re.findall("data:image", html)) == 100 * 4 + 1
    assert len(html.encode()) < (18e6 if noisy else 14e6)


def test_a_page_of_one_photo_keeps_its_detail() -> None:
    (picture,) = Page(format_as_page(explanation(photo(1200, 900)))).pictures("eli5-picture")
    assert picture.size == (1200, 900)

"""The page of a training in a real browser."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eli5.callbacks.loggers.folder import FolderLogger
from helpers.browser import PATIENCE, _never_hangs, browser, process  # noqa: F401
from helpers.logged_epochs import epoch

N_EPOCHS = 9


@pytest.fixture(scope="module")
def timeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    logger = FolderLogger(tmp_path_factory.mktemp("training"))
    for step in range(N_EPOCHS):
        logger.log(epoch(step, n_images=4))
    assert logger.page is not None
    return logger.page


@pytest.fixture(params=["light", "dark"])
def page(timeline: Path, request: pytest.FixtureRequest, browser: Any) -> Iterator[Any]:  # noqa: F811
    """Open the page; a message in the console is an error, and so is a request that leaves."""
    troubles: list[str] = []
    context = browser.new_context(
        viewport={"width": 900, "height": 700}, color_scheme=request.param
    )
    context.set_default_timeout(PATIENCE)
    page = context.new_page()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("request", lambda one: note(one.url))

    def note(url: str) -> None:
        if not url.startswith(timeline.parent.as_uri()):
            troubles.append(url)

    page.goto(timeline.as_uri())
    yield page
    context.close()
    assert troubles == []


def left(page: Any, selector: str, nth: int = 0) -> float:
    return float(page.locator(selector).nth(nth).bounding_box()["x"])


def wait_for(page: Any, condition: str) -> None:
    """Wait until it is so; Playwright's own way is forbidden on this page, as it is an `eval`."""
    deadline = time.monotonic() + PATIENCE / 1000
    while not page.evaluate(condition):
        assert time.monotonic() < deadline
        page.wait_for_timeout(20)


def test_what_is_in_sight_is_shown(page: Any) -> None:
    wait_for(
        page,
        "[...document.querySelectorAll('th img, td:nth-child(2) img')].slice(0, 4)"
        ".every((image) => image.complete && image.naturalWidth === 200)",
    )
    assert page.locator("td img").count() == N_EPOCHS * 4 * 2
    assert page.locator("td img").first.bounding_box()["width"] == 176


def test_the_rows_heads_stay_in_sight(page: Any) -> None:
    assert left(page, "#epoch-9") > 900
    page.get_by_role("link", name="latest: epoch 9").click()
    wait_for(page, "document.querySelector('main').scrollLeft > 0")
    assert 0 < left(page, "#epoch-9") < 900
    assert left(page, "tbody th") == 0
    top = page.locator("#epoch-9").bounding_box()["y"]
    page.locator("main").evaluate("(main) => main.scrollTo(main.scrollLeft, 500)")
    assert page.locator("#epoch-9").bounding_box()["y"] == top
    assert page.locator("tbody th").nth(0).bounding_box()["y"] < top


def test_it_is_read_with_the_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "A"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.tagName") == "MAIN"
    page.keyboard.press("ArrowRight")
    wait_for(page, "document.querySelector('main').scrollLeft > 0")


def test_it_takes_the_theme(page: Any) -> None:
    is_dark = page.evaluate("matchMedia('(prefers-color-scheme: dark)').matches")
    colours = page.evaluate(
        "[getComputedStyle(document.querySelector('thead th')).backgroundColor,"
        " getComputedStyle(document.body).color]"
    )
    background, text = (sum(map(int, colour[4:-1].split(","))) for colour in colours)
    assert (background < 150, text > 600) == (is_dark, is_dark)

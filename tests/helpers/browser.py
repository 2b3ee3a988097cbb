"""A real browser for tests: Chromium, without a window and without a network."""

from __future__ import annotations

import io
import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

Open = Callable[..., Any]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# Neither the machine's screen nor its fonts are to decide about a pixel.
OPTIONS = ["--no-sandbox", "--force-color-profile=srgb", "--disable-lcd-text"]
OPTIONS += ["--disable-gpu", "--disable-dev-shm-usage"]
PATIENCE = 10_000  # milliseconds for whatever Playwright waits for
LONGEST = 30  # seconds for one test


# Shows each pixel of the pictures as one pixel of the screen. It is part of the page from the
# start: Playwright's `add_style_tag` waits for ever, without any timeout, where scripts are off.
FULL_SIZE = """<style>
.eli5-explanation .eli5-card { --eli5-stage: 120px !important; }
.eli5-explanation.eli5-gallery .eli5-card { border: 0 !important; }
</style>"""


# Puts cells into a page as JupyterLab does: a script in `innerHTML` runs only when it is made anew.
INSERT = """(cells) => cells.forEach((html) => {
  const cell = document.body.appendChild(document.createElement("div"));
  cell.innerHTML = html;
  for (const old of cell.querySelectorAll("script")) {
    const script = document.createElement("script");
    script.textContent = old.textContent;
    old.replaceWith(script);
  }
})"""


def missing(what: str) -> None:
    """Skip where a developer lacks something, but never where changes are accepted."""
    if os.environ.get("CI"):
        pytest.fail(f"{what} is missing, and with CI set the browser tests must run")
    pytest.skip(f"{what} is missing")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("The package playwright")
    paths = [path for path in map(shutil.which, BROWSERS) if path]
    if not paths:
        missing("Chromium")
    with sync_playwright() as playwright:
        launch = playwright.chromium.launch
        running = launch(executable_path=paths[0], args=OPTIONS, timeout=2 * PATIENCE)
        try:
            yield running
        finally:
            running.close()


@pytest.fixture(scope="module")
def process(browser: Any) -> int:
    """Return the id of the browser's process."""
    found = browser.new_browser_cdp_session().send("SystemInfo.getProcessInfo")["processInfo"]
    (number,) = [one["id"] for one in found if one["type"] == "browser"]
    return int(number)


@pytest.fixture(autouse=True)
def _never_hangs(process: int) -> Iterator[None]:
    """End the browser if a test takes too long: then whatever waits for it raises.

    Not all that Playwright waits for has a timeout.
    """
    watchdog = threading.Timer(LONGEST, os.kill, (process, signal.SIGKILL))
    watchdog.daemon = True
    watchdog.start()
    yield
    watchdog.cancel()


@pytest.fixture
def open_page(browser: Any, tmp_path: Path) -> Iterator[Open]:
    """Return a function that opens a page; whatever goes wrong in it or leaves it is an error."""
    troubles: list[str] = []
    contexts: list[Any] = []

    def open_html(html: str, *, width: int = 1000, height: int = 800, **options: Any) -> Any:
        path = tmp_path / f"{len(contexts)}.html"
        path.write_text(html, encoding="utf-8")
        contexts.append(browser.new_context(viewport={"width": width, "height": height}, **options))
        contexts[-1].set_default_timeout(PATIENCE)
        page = contexts[-1].new_page()
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("request", lambda request: note(request.url))
        page.on("dialog", lambda dialog: dismiss(dialog))

        def note(url: str) -> None:
            if url != path.as_uri() and not url.startswith("data:"):
                troubles.append(url)

        def dismiss(dialog: Any) -> None:
            troubles.append(dialog.message)
            dialog.dismiss()

        page.goto(path.as_uri())
        page.on("framenavigated", lambda frame: troubles.append(frame.url))
        page.route("**/*", lambda route: route.abort())
        return page

    try:
        yield open_html
    finally:
        for context in contexts:
            context.close()
    assert troubles == []


def contrast(locator: Any) -> float:
    """Return the contrast between the ink of a text and what is behind it, as WCAG defines it."""
    taken = Image.open(io.BytesIO(locator.screenshot(animations="disabled")))
    levels = np.asarray(taken.convert("RGB")) / 255
    linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
    luminance = linear @ [0.2126, 0.7152, 0.0722]
    return float((luminance.max() + 0.05) / (luminance.min() + 0.05))

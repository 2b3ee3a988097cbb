"""How large a page of 100 explanations is, and how long Chromium takes to open it.

Run it with ``PYTHONPATH=src:tests python benchmarks/opening.py``; it prints both numbers.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from eli5.formatters.html import format_as_page
from helpers.browser import BROWSERS, OPTIONS, PATIENCE
from helpers.pages import explanation
from helpers.photos import photo

RUNS = 3
MOST_MEGABYTES, MOST_SECONDS = 20.0, 2.0

# All in view is decoded, and two frames later it is on the screen.
IS_SHOWN = """() => Promise.all([...document.images].filter((image) => {
  const box = image.getBoundingClientRect();
  return box.width && box.top < innerHeight;
}).map((image) => image.decode())).then(() => new Promise((done) =>
  requestAnimationFrame(() => requestAnimationFrame(done))))"""


def main() -> None:
    """Print size and time for heatmaps of a layer and for noisy ones, against what is promised."""
    from playwright.sync_api import sync_playwright

    path = next(found for found in map(shutil.which, BROWSERS) if found)
    with sync_playwright() as playwright, tempfile.TemporaryDirectory() as folder:
        browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
        try:
            for noisy in (False, True):
                page = Path(folder, f"{noisy}.html")
                page.write_text(hundred(noisy), encoding="utf-8")
                report("per-pixel noise" if noisy else "heatmaps of 7x7", page, browser)
        finally:
            browser.close()


def hundred(noisy: bool) -> str:
    """Return a page of 100 explanations of 224x224 photos with three targets each."""
    one_each = (explanation(photo(224, 224, seed=k), noisy=noisy, seed=k) for k in range(100))
    return format_as_page(one_each)


def report(name: str, path: Path, browser: Any) -> None:
    """Print the size of a page and the median of the times that it takes to open."""
    seconds = sorted(opening(path, browser) for _ in range(RUNS))[RUNS // 2]
    megabytes = path.stat().st_size / 1e6
    sys.stdout.write(
        f"100 explanations, {name}: {megabytes:.1f} MB (below {MOST_MEGABYTES:g}), "
        f"opens in {seconds:.2f} s (below {MOST_SECONDS:g})\n"
    )


def opening(path: Path, browser: Any) -> float:
    """Return the seconds until the part of a page that is in view is on the screen."""
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.set_default_timeout(PATIENCE)
    began = time.perf_counter()
    page.goto(path.as_uri())
    page.evaluate(IS_SHOWN)
    seconds = time.perf_counter() - began
    page.close()
    return seconds


if __name__ == "__main__":
    main()

"""The built site: what the search finds, what its pages hold, and that they load nothing else.

`make docs` builds it, strictly, and runs these; the tests of the package need no MkDocs.
"""

from __future__ import annotations

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import eli5
import eli5.bulk
import eli5.callbacks
import eli5.metrics
from eli5.keras import METHODS, gradcam
from eli5.keras import explain_prediction as documented
from helpers.browser import PATIENCE, browser  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"
PAGES = sorted(SITE.rglob("*.html"))

# What a page loads: sources of elements, styles and scripts, but not what a link leads to.
LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\bsrc=["']?([^"'\s>]+)"""
    r"""|<link\b[^>]*?\bhref=["']?([^"'\s>]+)"""
)
OUTSIDE = ("http:", "https:", "//")


def test_there_is_a_site() -> None:
    assert len(PAGES) > 25, "build it: make docs"


# ---- nothing is loaded from outside --------------------------------------------------------------


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(SITE).as_posix())
def test_a_page_names_nothing_outside_to_load(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    loaded = [a or b for a, b in LOADED.findall(text)]
    assert loaded
    assert not [one for one in loaded if one.startswith(OUTSIDE)]
    assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", text)


@pytest.mark.parametrize("sheet", sorted(SITE.rglob("*.css")), ids=lambda sheet: sheet.name)
def test_a_sheet_of_styles_names_nothing_outside(sheet: Path) -> None:
    text = sheet.read_text(encoding="utf-8")
    assert not re.search(r"""(?:url\(|@import)\s*["']?(?:https?:)?//""", text)


def test_no_page_measures_its_readers_or_names_a_host_of_packages() -> None:
    text = " ".join(page.read_text(encoding="utf-8") for page in PAGES)
    assert not re.search(r"google-analytics|googletagmanager|gtag\(|fonts\.g|pypi\.|/simple/", text)


# ---- what the search finds -----------------------------------------------------------------------


@functools.cache
def index() -> list[dict[str, str]]:
    entries: list[dict[str, str]] = json.loads(
        (SITE / "search" / "search_index.json").read_text(encoding="utf-8")
    )["docs"]
    return entries


def words_of(entry: dict[str, str]) -> set[str]:
    """Return the words of a section, cut as the index cuts them."""
    text = re.sub(r"<[^>]+>", " ", entry["title"] + " " + entry["text"])
    separator = json.loads((SITE / "search" / "search_index.json").read_text(encoding="utf-8"))[
        "config"
    ]["separator"]
    return {word.lower() for word in re.split(separator, text) if word}


@pytest.mark.parametrize(
    "word", ["fusion", "grid", "warm_up", "KERAS_BACKEND", "top_targets", "looks", "n_masks"]
)
def test_the_index_has_a_word(word: str) -> None:
    assert any(word.lower() in words_of(entry) for entry in index())


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    """Serve the site on this machine."""
    handler = functools.partial(Quiet, directory=str(SITE))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/"
    server.shutdown()
    server.server_close()


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files and writes no log."""

    def log_message(self, *_: Any) -> None:
        return


def test_a_reader_finds_words_and_nothing_leaves_the_site(browser: Any, address: str) -> None:  # noqa: F811
    page = browser.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for name in ("index.html", "reference/methods.html", "tutorials/text.html", "scores.html"):
        page.goto(address + name)
        page.wait_for_load_state("networkidle")
    for word in ("fusion", "grid", "warm_up", "KERAS_BACKEND"):
        page.goto(f"{address}index.html?q={word}")  # typing might come before the page listens
        page.wait_for_selector(".md-search-result__item mark", state="attached")
        marked = page.locator(".md-search-result__item mark").all_inner_texts()
        assert word.lower() in {mark.lower() for mark in marked}
    page.close()
    assert len(asked) > 10
    assert not [url for url in asked if not url.startswith((address, "data:", "blob:"))]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(
    "name", ["looks-wrong.html", "reference/methods.html", "tutorials/choosing.html"]
)
def test_a_page_fits_a_phone(browser: Any, address: str, name: str, scheme: Any) -> None:  # noqa: F811
    page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme=scheme)
    page.goto(address + name)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    shade = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (shade == "rgb(255, 255, 255)") == (scheme == "light")
    page.close()


# ---- what the reference has ----------------------------------------------------------------------


@functools.cache
def anchors() -> set[str]:
    pages = (SITE / "reference").glob("*.html")
    text = " ".join(page.read_text(encoding="utf-8") for page in pages)
    return set(re.findall(r'id="?([\w.]+)"?', text))


@pytest.mark.parametrize(
    "name",
    [
        *(f"eli5.{name}" for name in eli5.__all__),
        *(f"eli5.bulk.{name}" for name in eli5.bulk.__all__),
        *(f"eli5.callbacks.{name}" for name in eli5.callbacks.__all__),
        *(f"eli5.keras.gradcam.{name}" for name in gradcam.__all__),
        *(f"eli5.keras.explain_prediction.{name}" for name in documented.__all__),
        *(f"eli5.metrics.{name}" for name in eli5.metrics.__all__ if name != "METRICS"),
        "eli5.keras.target_layers",
        "eli5.keras.forget",
    ],
)
def test_the_reference_has_each_public_name(name: str) -> None:
    assert name in anchors()


@pytest.mark.parametrize("name", METHODS)
def test_the_reference_has_each_method_with_its_options(name: str) -> None:
    function = METHODS[name].function
    assert f"{function.__module__}.{function.__qualname__}" in anchors()
    text = (SITE / "reference" / "methods.html").read_text(encoding="utf-8")
    (row,) = re.findall(rf"<tr>\s*<td><a [^>]*>{re.escape(name)}</a></td>.*?</tr>", text, re.DOTALL)
    for option, default in METHODS[name].own_options.items():
        shown = f"{option}={default!r}"
        assert shown.replace("'", "&#x27;") in row or shown in row


def test_each_notebook_is_a_tutorial_with_its_pictures() -> None:
    for notebook in (ROOT / "examples").glob("*.ipynb"):
        page = SITE / "tutorials" / f"{notebook.stem}.html"
        pictures = re.findall(r'<img[^>]*src="([^"]+)"', page.read_text(encoding="utf-8"))
        assert pictures
        assert all((page.parent / name).is_file() for name in pictures)


def test_no_source_link_is_left_to_lead_nowhere() -> None:
    for page in PAGES:
        links = re.findall(r'<a [^>]*href="([^"#:]+)[#"]', page.read_text(encoding="utf-8"))
        for link in links:
            assert (page.parent / link).exists() or page.name == "404.html", (page, link)

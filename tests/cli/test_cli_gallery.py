"""``index.html`` and the pages after it."""

from __future__ import annotations

import html
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eli5 import Explanation, TargetExplanation
from eli5.cli import output
from eli5.cli.output import Gallery

CARDS = 10


@pytest.fixture(autouse=True)
def _shorter_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "CARDS", CARDS)


def explained(number: int, methods: int = 1, size: tuple[int, int] = (8, 6)) -> list[Explanation]:
    heatmap = np.full((2, 2), 0.5, "float32")
    return [
        Explanation(
            "<model>",
            description=f"Method {k}.",
            method=f"Method {k}",
            targets=[TargetExplanation(number, heatmap=heatmap)],
            image=Image.new("RGB", size, (number % 256, 0, 0)),
        )
        for k in range(methods)
    ]


def fill(folder: Path, n_pictures: int, methods: int = 1) -> dict[str, str]:
    """Write a gallery, and return its pages by their names."""
    made = Gallery(folder, n_pictures, methods)
    for number in range(n_pictures):
        made.add(f"picture-{number}.png", explained(number, methods))
    return {path.name: path.read_text(encoding="utf-8") for path in made.finish()}


def shown(page: str) -> list[int]:
    """Return the pictures on a page, in their order and each once."""
    return list(dict.fromkeys(map(int, re.findall(r"picture-(\d+)\.png", page))))


def links(page: str) -> dict[str, str]:
    return dict(re.findall(r'<a href="([^"]*)">([^<]*)</a>', page))


def text_of_links(page: str) -> str:
    above, below = re.findall(r"<nav[^>]*>(.*)</nav>", page)
    assert above == below
    assert page.index("<nav") < page.index("<form") <= page.rindex("<form") < page.rindex("<nav")
    return html.unescape(re.sub("<[^>]*>", "", above))


def test_what_fits_on_one_page_is_one_page(tmp_path: Path) -> None:
    pages = fill(tmp_path, CARDS)
    assert list(pages) == ["index.html"]
    assert shown(pages["index.html"]) == list(range(CARDS))
    assert "<title>What &lt;model&gt; looked at</title>" in pages["index.html"]
    assert "<nav" not in pages["index.html"]


def test_more_pages_are_equally_long_and_linked(tmp_path: Path) -> None:
    pages = fill(tmp_path, 2 * CARDS + 1)
    assert list(pages) == ["index.html", "index-2.html", "index-3.html"]
    first, second, third = pages.values()
    assert [shown(page) for page in (first, second, third)] == [
        list(range(7)),
        list(range(7, 14)),
        list(range(14, 21)),
    ]
    assert text_of_links(first) == "Pictures 1–7 · 8–14 · 15–21"
    assert links(first) == {"index-2.html": "8–14", "index-3.html": "15–21"}
    assert text_of_links(second) == "All pages · Previous · Pictures 8–14 · Next"
    assert links(second) == {"index.html": "Previous", "index-3.html": "Next"}
    assert text_of_links(third) == "All pages · Previous · Pictures 15–21"
    assert "<title>What &lt;model&gt; looked at, page 3</title>" in third
    assert all(page.endswith("</html>\n") for page in pages.values())


def test_several_heatmaps_per_picture_make_shorter_pages(tmp_path: Path) -> None:
    pages = fill(tmp_path, 8, methods=2)
    assert [shown(page) for page in pages.values()] == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert len(fill(tmp_path, 2, methods=CARDS + 1)) == 2  # a picture at the least


def test_a_page_is_written_when_the_next_begins(tmp_path: Path) -> None:
    made = Gallery(tmp_path, 2 * CARDS, 1)
    for number in range(CARDS):
        made.add(f"picture-{number}.png", explained(number))
    assert list(tmp_path.iterdir()) == []
    made.add(f"picture-{CARDS}.png", explained(CARDS))
    assert [path.name for path in tmp_path.iterdir()] == ["index.html"]
    assert len(made.waiting) == 1  # and no more is kept
    # Now the run ends early: the page that the first links to is there.
    assert [path.name for path in made.finish()] == ["index.html", "index-2.html"]
    page = (tmp_path / "index-2.html").read_text(encoding="utf-8")
    assert text_of_links(page) == f"All pages · Previous · Pictures {CARDS + 1}–{CARDS + 1}"


def test_names_are_escaped(tmp_path: Path) -> None:
    made = Gallery(tmp_path, 1, 1)
    made.add("<script>alert('🦊')</script>&.png", explained(0))
    made.finish()
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "&lt;script&gt;alert(&#39;🦊&#39;)&lt;/script&gt;&amp;.png" in page
    assert page.count("<script") == 1  # the page's own


def test_what_failed_is_listed_on_the_page_of_its_neighbours(tmp_path: Path) -> None:
    made = Gallery(tmp_path, 3, 1)
    made.add_failed("bad.png", "It is <no> picture.")
    assert made.finish() == []  # a page of nothing else would show nothing
    made.add("picture-1.png", explained(1))
    (page,) = made.finish()
    text = page.read_text(encoding="utf-8")
    assert "<title>What &lt;model&gt; looked at</title>" in text
    assert "<bdi>bad.png</bdi>: It is &lt;no&gt; picture." in text
    assert "1 could not be explained" in text


def test_nothing_is_no_page(tmp_path: Path) -> None:
    assert Gallery(tmp_path, 5, 1).finish() == []
    assert list(tmp_path.iterdir()) == []


def test_pages_of_an_earlier_run_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "CARDS", 2)
    fill(tmp_path, 7)
    (tmp_path / "index-of-photos.html").touch()
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.html", "index-2.html", "index-3.html", "index-4.html", "index-of-photos.html")
    }
    fill(tmp_path, 4)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("index.html", "index-2.html", "index-of-photos.html")
    }


def test_pictures_are_kept_no_larger_than_they_are_shown(tmp_path: Path) -> None:
    made = Gallery(tmp_path, CARDS, 2)
    original = explained(0, methods=2, size=(3000, 2000))
    made.add("picture-0.png", original)
    ((one, other),) = made.waiting
    assert one.image is other.image
    assert one.image.width * one.image.height <= 1600 * 1600
    assert one.image.width / one.image.height == pytest.approx(1.5, abs=0.01)
    assert original[0].image.size == (3000, 2000)
    assert original[0].description == "Method 0."


def test_a_picture_with_a_palette_is_shrunk_in_its_colours() -> None:
    picture = Image.new("P", (4000, 4000))
    picture.putpalette([0, 0, 0, 255, 255, 255])
    picture.paste(1, (2000, 0, 4000, 4000))
    small = np.asarray(output.shrunk(picture, 100).convert("RGB"))
    assert small.shape == (400, 400, 3)
    assert small[:, :190].max() == 0
    assert small[:, 210:].min() == 255

"""``index.html``: all overlays to look at, so many on a page that a browser stays quick."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation

CARDS = 100  # on a page; such a page has less than 20 MB
_AREA = 16_000_000  # pixels of all pictures of a page, about what it shows of them
_LARGEST = 1600 * 1600

_INDEX = "index.html"
Link = tuple[str, str]  # a text, and the page behind it; empty where there is none


class Gallery:
    """Writes the pages one after the other and keeps in memory what goes on one of them.

    Parameters
    ----------
    folder : Path
        Where ``index.html`` is written; the next pages are ``index-2.html`` and so on.
    n_pictures : int
        How many there will be, at most.
    per_picture : int
        How many cards there are of each picture.
    what : str
        What the pictures are called; they may be texts.
    """

    def __init__(
        self, folder: Path, n_pictures: int, per_picture: int, what: str = "pictures"
    ) -> None:
        self.folder = folder
        self.what = what.capitalize()
        most = max(CARDS // per_picture, 1)  # pictures on a page
        self.per_page = math.ceil(n_pictures / math.ceil(n_pictures / most))  # and no short rest
        self.sizes: list[int] = []  # pictures on the pages that are written
        self.waiting: list[list[Explanation]] = []

    def add(self, name: str, explanations: Sequence[Explanation]) -> None:
        """Take in what there is of one picture; a page is written when the next one begins."""
        if len(self.waiting) == self.per_page:
            self._write(is_last=False)
        image = explanations[0].image
        shown = None if image is None else _shrunk(image, self.per_page)
        cards = [replace(one, image=shown) for one in explanations]
        for one in cards:
            one.description = f"{one.description or ''}\n{name}"
        self.waiting.append(cards)

    def finish(self) -> list[Path]:
        """Write what is left, and links to all pages on the first; return the pages."""
        if self.waiting:
            self._write(is_last=True)
        pages = [self._path(k) for k in range(len(self.sizes))]
        if len(pages) > 1:
            # When the first page was written, nobody knew how many there would be.
            self._replace_links(pages[0], self._neighbours(0, is_last=False), self._all_pages())
        for old in self.folder.glob("index-*.html"):
            if re.fullmatch(r"index-\d+\.html", old.name) and old not in pages and pages:
                old.unlink()  # of an earlier run with more pictures
        return pages

    def _write(self, *, is_last: bool) -> None:
        from eli5.formatters.html import format_as_linked_page

        number = len(self.sizes)
        title = f"What {self.waiting[0][0].estimator} looked at"
        title = f"{title}, page {number + 1}" if number else title
        explanations = [expl for per_picture in self.waiting for expl in per_picture]
        self.sizes.append(len(self.waiting))
        self.waiting = []
        links = self._neighbours(number, is_last=is_last) if number or not is_last else []
        page = format_as_linked_page(explanations, title, links)
        write_atomically(self._path(number), page.encode())

    def _replace_links(self, path: Path, old: Sequence[Link], new: Sequence[Link]) -> None:
        from eli5.formatters.jinja import render

        page = path.read_text(encoding="utf-8")
        page = page.replace(render("links.html", links=old), render("links.html", links=new))
        write_atomically(path, page.encode())

    def _path(self, number: int) -> Path:
        return self.folder / (f"index-{number + 1}.html" if number else _INDEX)

    def _neighbours(self, number: int, *, is_last: bool) -> list[Link]:
        links = [("All pages", _INDEX), self._link(number - 1, "Previous")] if number else []
        links.append((f"{self.what} {self._range(number)}", ""))
        return links if is_last else [*links, self._link(number + 1, "Next")]

    def _all_pages(self) -> list[Link]:
        first = f"{self.what} {self._range(0)}", ""
        return [first, *(self._link(k, self._range(k)) for k in range(1, len(self.sizes)))]

    def _link(self, number: int, text: str) -> Link:
        return text, self._path(number).name

    def _range(self, number: int) -> str:
        before = sum(self.sizes[:number])
        return f"{before + 1}–{before + self.sizes[number]}"


def _shrunk(image: Image, n_pictures: int) -> Image:
    """Return a picture as large as a page of so many shows it."""
    from eli5.formatters.overlay.heatmap import LANCZOS
    from eli5.formatters.overlay.picture import to_rgba

    area = min(_AREA / n_pictures, _LARGEST)
    scale = math.sqrt(area / (image.width * image.height))
    if scale >= 1:
        return image
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return to_rgba(image).resize(size, LANCZOS)  # which palettes could not be

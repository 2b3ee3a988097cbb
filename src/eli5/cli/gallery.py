"""``index.html``: all overlays to look at, so many on a page that a browser stays quick."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation

__all__ = ["CARDS", "Gallery"]

CARDS = 100  # on a page; such a page has less than 20 MB
_AREA = 16_000_000  # pixels of all pictures of a page, about what it shows of them
_LARGEST = 1600 * 1600

_INDEX = "index.html"
_NAVIGATION = (
    '<nav aria-label="Pages" style="margin: 16px 0; font: 14px/1.6 system-ui, sans-serif">{}</nav>'
)


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
        self.waiting.append([_named(expl, name, shown) for expl in explanations])

    def finish(self) -> list[Path]:
        """Write what is left, and links to all pages on the first; return the pages."""
        if self.waiting:
            self._write(is_last=True)
        pages = [self._path(k) for k in range(len(self.sizes))]
        if len(pages) > 1:
            index = pages[0].read_text(encoding="utf-8")
            links = _NAVIGATION.format(self._links())
            pattern = re.escape(_NAVIGATION).replace(r"\{\}", ".*?")
            index = re.sub(pattern, lambda _: links, index)
            write_atomically(pages[0], index.encode())
        for old in self.folder.glob("index-*.html"):
            if re.fullmatch(r"index-\d+\.html", old.name) and old not in pages and pages:
                old.unlink()  # of an earlier run with more pictures
        return pages

    def _write(self, *, is_last: bool) -> None:
        from eli5.formatters.html import format_as_page

        number = len(self.sizes)
        title = f"What {self.waiting[0][0].estimator} looked at"
        page = format_as_page(
            [expl for explanations in self.waiting for expl in explanations],
            title=f"{title}, page {number + 1}" if number else title,
        )
        self.sizes.append(len(self.waiting))
        self.waiting = []
        if number or not is_last:
            navigation = _NAVIGATION.format(self._neighbours(number, is_last))
            page = page.replace("</h1>", f"</h1>\n{navigation}", 1)
            page = page.replace("</main>", f"{navigation}\n</main>", 1)
        write_atomically(self._path(number), page.encode())

    def _path(self, number: int) -> Path:
        return self.folder / (f"index-{number + 1}.html" if number else _INDEX)

    def _neighbours(self, number: int, is_last: bool) -> str:
        parts = [
            f'<a href="{_INDEX}">All pages</a>' if number else "",
            self._link(number - 1, "Previous") if number else "",
            f"{self.what} {self._range(number)}",
            "" if is_last else self._link(number + 1, "Next"),
        ]
        return " · ".join(part for part in parts if part)

    def _links(self) -> str:
        links = [self._link(k, self._range(k)) for k in range(1, len(self.sizes))]
        return " · ".join([f"{self.what} {self._range(0)}", *links])

    def _link(self, number: int, text: str) -> str:
        return f'<a href="{self._path(number).name}">{escape(text)}</a>'

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


def _named(expl: Explanation, name: str, image: Image | None) -> Explanation:
    return replace(expl, image=image, description=f"{expl.description or ''}\n{name}")

"""``--out``: one explanation in one file, or a folder of overlays, lines of JSON and pages."""

from __future__ import annotations

import errno
import itertools
import math
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.cli.console import UserError, wrong_argument
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.loading.files import RECORDS
from eli5.saving.atomic_write import write_atomically
from eli5.saving.folder_lock import append_whole, open_locked

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.base import Explanation

PICTURE_ENDINGS = (*PICTURE_FORMATS, ".html")
TEXT_ENDINGS = (".html", ".json", ".npz", ".txt")  # a text has no picture


def file_or_folder(out: str | Path | None) -> tuple[Path | None, Path | None]:
    """Return the file that ``--out`` names, or the folder, which is checked."""
    if out is None:
        return None, None
    separators = (os.sep, os.altsep or os.sep)
    if not (os.path.isdir(out) or str(out).endswith(separators)) and Path(out).suffix:
        return Path(out), None
    check_folder(Path(out))
    return None, Path(out)


# ---- a file --------------------------------------------------------------------------------------


def check_output(
    path: Path, sources: Iterable[str | Path | None], endings: Sequence[str] = PICTURE_ENDINGS
) -> None:
    """Check that a file with one of the `endings` can be written, and is none of the `sources`."""
    folder, ending = path.parent, path.suffix.lower()
    if ending not in endings:
        page = path.with_suffix(".html")
        advice = f". A text has no picture; {page} would be a page"
        expected = f"a file that ends in one of {', '.join(endings)}"
        raise wrong_argument("--out", path, expected, advice if ending in PICTURE_FORMATS else "")
    if not folder.is_dir():
        advice = f". Make the folder {folder} first"
        raise wrong_argument("--out", path, "a file in a folder that exists", advice)
    if not os.access(folder, os.W_OK):
        expected = "a file in a folder that may be written to"
        raise wrong_argument("--out", path, expected, " (permission denied)")
    if path.is_dir():
        raise wrong_argument("--out", path, "a file", ", which is a folder")
    if path.exists() and not os.access(path, os.W_OK):
        raise wrong_argument("--out", path, "a file that may be written to", " (permission denied)")
    if any(_is_same(path, source) for source in sources if source is not None):
        expected = "another file than those that are read"
        raise wrong_argument("--out", path, expected, ", which would be overwritten")


def _is_same(path: Path, source: str | Path) -> bool:
    return path.exists() and os.path.exists(source) and path.samefile(source)


def write_output(
    explanations: Sequence[Any], path: Path, title: str, look: dict[str, Any] | None = None
) -> None:
    """Write one explanation, or several where the format holds them; the title is a page's."""
    ending = path.suffix.lower()
    try:
        if ending in (".json", ".npz"):
            explanations[0].save(path)
        else:
            write_atomically(path, _content(explanations, ending, title, look=look))
    except OSError as error:
        raise wrong_argument("--out", path, "a file that can be written", f": {error}") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _content(
    explanations: Sequence[Any],
    ending: str,
    title: str = "",
    name: str = "--out",
    look: dict[str, Any] | None = None,
) -> bytes:
    # Each loads what it needs; matplotlib and Keras are slow to load.
    if ending == ".txt":
        from eli5.formatters.text import format_as_text

        return "".join(f"{format_as_text(expl)}\n\n" for expl in explanations).encode()
    shown: Any = explanations if len(explanations) > 1 else explanations[0]
    if ending == ".html":
        from eli5.formatters.html import format_as_page

        return format_as_page(shown, title=title, **look or {}).encode()
    return format_as_picture_file(shown, ending, name, **look or {})


# ---- a folder ------------------------------------------------------------------------------------


_INDEX = "index.html"
# What a folder holds beside the overlays; on some disks the case of letters does not tell apart.
_PAGES = re.compile(rf"index(-\d+)?\.html|{re.escape(RECORDS)}", re.IGNORECASE)


def check_folder(folder: Path, records: str = RECORDS) -> None:
    """Check that a folder can be written to and holds nothing but results of this command.

    They are known by a file of the name `records`.
    """
    existing = next(one for one in [folder, *folder.absolute().parents] if os.path.exists(one))
    if not existing.is_dir():
        raise wrong_argument("--out", folder, "a folder", f", but {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        reason = f", but {existing} may not (permission denied)"
        raise wrong_argument("--out", folder, "a folder that may be written to", reason)
    if existing == folder and not _is_ours(folder, records):
        expected = "a new or empty folder, or one that this command has made"
        advice = f"Take a folder in it: --out {folder / 'explained'}"
        raise wrong_argument("--out", folder, expected, f", which holds other files. {advice}")
    if existing == folder and (wrong := next(_folders_in_the_way(folder), None)):
        expected = "a folder in which pages and lines can be written"
        raise wrong_argument("--out", folder, expected, f", but {wrong} is a folder")


def check_sources(folder: Path, sources: Iterable[str]) -> None:
    """Check that no page or line takes the place of what is read."""
    pages = [folder / name for name in _names_in(folder) if _PAGES.fullmatch(name)]
    for source in sources:
        if any(_is_same(page, source) for page in pages):
            expected = "a folder without what is read"
            reason = f", where {source} would be overwritten"
            raise wrong_argument("--out", folder, expected, reason)


def _folders_in_the_way(folder: Path) -> Iterator[Path]:
    pages = (folder / name for name in sorted(_names_in(folder)) if _PAGES.fullmatch(name))
    return filter(Path.is_dir, pages)


def _names_in(folder: Path) -> list[str]:
    return os.listdir(folder) if folder.is_dir() else []


def _is_ours(folder: Path, records: str) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:  # nobody can tell
        return False
    return records in names or all(name.startswith(".") for name in names)


# What is in the way of one overlay; anything else, such as a full disk, is in the way of all.
_IN_THE_WAY = (errno.EEXIST, errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.ENAMETOOLONG)


class OutputFolder:
    """Writes one result after the other, and keeps other runs out of its folder until `release`.

    See `Gallery` for the pages. UserError if another run has the folder, or it cannot be made.
    """

    def __init__(
        self,
        folder: Path,
        n_inputs: int,
        cards_per_input: int,
        noun: str,
        look: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self.look = folder, look
        self.gallery = Gallery(folder, n_inputs, cards_per_input, noun, look)
        self.has_begun = False
        self.pages: list[Path] = []
        self.n_overlays = 0
        absolute = folder.absolute()
        self.made = [one for one in [absolute, *absolute.parents] if not one.exists()]
        with self._disk():
            folder.mkdir(parents=True, exist_ok=True)
            try:
                # First of all there is what tells that the folder holds results.
                self.records = open_locked(folder / RECORDS)
            except BlockingIOError as error:
                expected = "a folder that no other run works on"
                reason = ", on which one is at work right now"
                raise wrong_argument("--out", folder, expected, reason) from error

    def release(self) -> None:
        """Let other runs in; of a folder to which nothing was written, nothing is left."""
        if self.records.closed:
            return
        with self.records:
            is_empty = not self.has_begun and not os.fstat(self.records.fileno()).st_size
            if is_empty and os.listdir(self.folder) == [RECORDS]:
                (self.folder / RECORDS).unlink()
                with suppress(OSError):  # another run may have put something there meanwhile
                    for folder in self.made:
                        folder.rmdir()

    def add(
        self,
        title: str,
        overlay: Path | None,
        explanations: Sequence[Explanation],
        records: Sequence[str],
    ) -> str:
        """Write all there is of one input, or return why its overlay cannot be drawn or written."""
        if overlay is not None:
            try:
                ending = overlay.suffix.lower()
                content = _content(explanations, ending, name="the overlay", look=self.look)
            except ValueError as error:  # its format may not hold so many pixels
                return str(error)
            self.write_records([])  # an earlier run's lines go before its overlays
            if problem := self._write_overlay(self.folder / overlay, content):
                return problem
            self.n_overlays += 1
        self.write_records(records)
        with self._disk():
            self.gallery.add(title, explanations)
        return ""

    def add_failed(self, title: str, problem: str, records: Sequence[str]) -> None:
        """Write what there is of an input that could not be explained."""
        self.write_records(records)
        with self._disk():
            self.gallery.add_failed(title, problem)

    def _write_overlay(self, path: Path, content: bytes) -> str:
        with self._disk():
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_atomically(path, content)
            except OSError as error:
                if error.errno not in _IN_THE_WAY:
                    raise
                reason = f"Received: {path}: {error.strerror}"
                return f"Expected its overlay to be a file that can be written. {reason}"
        return ""

    def write_records(self, records: Sequence[str]) -> None:
        """Write lines, such as of an input that could not be explained: all of them, or none."""
        with self._disk():
            if not self.has_begun:
                self.records.truncate(0)
            self.has_begun = True
            append_whole(self.records, "".join(f"{record}\n" for record in records).encode("ascii"))

    def finish(self) -> None:
        """Write the last page."""
        with self._disk():
            self.pages = self.gallery.finish()

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            expected = "a folder that can be written to"
            raise wrong_argument("--out", self.folder, expected, f": {error}") from error


def name_overlays(paths: Sequence[str], base: Path) -> list[Path]:
    """Give each picture's overlay a name relative to `base`, which all pictures lie in.

    It is the picture's, where that names a format that can be written; else ``.png`` takes the
    place of the ending, or follows it where the name is taken, in upper or lower case.
    """
    sources = [_beside_pages(Path(os.path.abspath(path)).relative_to(base)) for path in paths]
    taken = {str(folder).casefold() for source in sources for folder in source.parents}
    names: dict[int, Path] = {}
    # Those first that keep their name, or another's new name might take it.
    for k in sorted(range(len(sources)), key=lambda k: not _is_writable(sources[k])):
        names[k] = next(name for name in _names(sources[k]) if str(name).casefold() not in taken)
        taken.add(str(names[k]).casefold())
    return [names[k] for k in sorted(names)]


def _beside_pages(source: Path) -> Path:
    """Return another name for what lies in a folder that is called as a page is."""
    first, *rest = source.parts
    return Path(f"{first}.d", *rest) if rest and _PAGES.fullmatch(first) else source


def _is_writable(source: Path) -> bool:
    return source.suffix.lower() in PICTURE_FORMATS


def _names(source: Path) -> Iterator[Path]:
    yield source if _is_writable(source) else source.with_suffix(".png")
    yield source.with_name(f"{source.name}.png")
    yield from (source.with_name(f"{source.name}-{k}.png") for k in itertools.count(2))


# ---- the pages of a folder -----------------------------------------------------------------------

CARDS = 500  # on a page of ``index.html``; such a page has less than 20 MB
_AREA = 16_000_000  # pixels of all pictures of a page, about what it shows of them
_LARGEST = 1600 * 1600
Link = tuple[str, str]  # a text, and the page behind it; empty where there is none


class Gallery:
    """Writes ``index.html``, ``index-2.html`` and so on; in memory is what goes on one of them."""

    def __init__(
        self,
        folder: Path,
        n_pictures: int,
        per_picture: int,
        what: str = "pictures",
        look: dict[str, Any] | None = None,
    ) -> None:
        self.folder, self.look = folder, look
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
        shown = None if image is None else shrunk(image, self.per_page)
        self.waiting.append([replace(one, image=shown, source=name) for one in explanations])

    def add_failed(self, name: str, problem: str) -> None:
        """Take in why one of them could not be explained, to be listed on the others' page."""
        from eli5.base import Explanation

        self.add(name, [Explanation("", error=problem)])

    def finish(self) -> list[Path]:
        """Write what is left, and links to all pages on the first; return the pages."""
        from eli5.formatters.jinja import render

        if self.sizes or any(not one.error for per_picture in self.waiting for one in per_picture):
            self._write(is_last=True)
        pages = [self._path(k) for k in range(len(self.sizes))]
        if len(pages) > 1:
            # When the first page was written, nobody knew how many there would be.
            old_links = render("links.html", links=self._neighbours(0, is_last=False))
            links = render("links.html", links=self._all_pages())
            page = pages[0].read_text(encoding="utf-8").replace(old_links, links)
            write_atomically(pages[0], page.encode())
        for old in self.folder.glob("index-*.html"):
            if _PAGES.fullmatch(old.name) and old not in pages and pages:
                old.unlink()  # of an earlier run with more pictures
        return pages

    def _write(self, *, is_last: bool) -> None:
        from eli5.formatters.html import format_as_linked_page

        number = len(self.sizes)
        explanations = [expl for per_picture in self.waiting for expl in per_picture]
        names = filter(None, (expl.estimator for expl in explanations))
        title = f"What {next(names, 'the model')} looked at"
        title = f"{title}, page {number + 1}" if number else title
        self.sizes.append(len(self.waiting))
        self.waiting = []
        links = self._neighbours(number, is_last=is_last) if number or not is_last else []
        page = format_as_linked_page(explanations, title, links, self.look)
        write_atomically(self._path(number), page.encode())

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


def shrunk(image: Image, n_pictures: int) -> Image:
    """Return a picture as large as a page of so many shows it."""
    from eli5.formatters.overlay.heatmap import LANCZOS
    from eli5.formatters.overlay.picture import to_rgba

    area = min(_AREA / n_pictures, _LARGEST)
    scale = math.sqrt(area / (image.width * image.height))
    if scale >= 1:
        return image
    size = max(round(image.width * scale), 1), max(round(image.height * scale), 1)
    return to_rgba(image).resize(size, LANCZOS)  # which palettes could not be

"""``--out``: one explanation in one file, or a folder of overlays, lines of JSON and pages."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.cli.console import UserError, wrong_argument
from eli5.cli.gallery import Gallery
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.loading.files import RECORDS
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from eli5.base import Explanation

PICTURE_ENDINGS = (*PICTURE_FORMATS, ".html")
TEXT_ENDINGS = (".html", ".json", ".npz", ".txt")  # a text has no picture


def file_or_folder(out: str | Path | None) -> tuple[Path | None, Path | None]:
    """Return the file that ``--out`` names, or the folder, which is checked.

    A folder that exists is meant, and what ends in a slash or has no ending.
    """
    if out is None:
        return None, None
    separators = (os.sep, os.altsep or os.sep)
    is_folder = os.path.isdir(out) or str(out).endswith(separators) or not Path(out).suffix
    if not is_folder:
        return Path(out), None
    check_folder(Path(out))
    return None, Path(out)


# ---- a file --------------------------------------------------------------------------------------


def check_output(
    path: Path, sources: Iterable[str | Path | None], endings: Sequence[str] = PICTURE_ENDINGS
) -> None:
    """Check that a file can be written, without writing it.

    Parameters
    ----------
    path : Path
        The file to write; its ending says the format.
    sources : iterable of paths
        What it must not overwrite.
    endings : sequence of str
        The formats that can be written.

    Raises
    ------
    UserError
        If the ending is of no known format, the folder cannot be written to, or `path` is a folder
        or one of the sources.
    """
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
    if any(_is_same(path, source) for source in sources if source is not None):
        expected = "another file than those that are read"
        raise wrong_argument("--out", path, expected, ", which would be overwritten")


def _is_same(path: Path, source: str | Path) -> bool:
    return path.exists() and os.path.exists(source) and path.samefile(source)


def write_output(explanations: Sequence[Any], path: Path, title: str) -> None:
    """Write one explanation, or several where the format holds them; an old file is replaced.

    The title is that of a page. UserError if it cannot be written; nothing is left behind then.
    """
    ending = path.suffix.lower()
    try:
        if ending in (".json", ".npz"):
            explanations[0].save(path)
        else:
            write_atomically(path, _content(explanations, ending, title))
    except OSError as error:
        raise wrong_argument("--out", path, "a file that can be written", f": {error}") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _content(explanations: Sequence[Any], ending: str, title: str) -> bytes:
    # Each loads what it needs; matplotlib and Keras are slow to load.
    if ending == ".txt":
        from eli5.formatters.text import format_as_text

        return "".join(f"{format_as_text(expl)}\n\n" for expl in explanations).encode()
    shown: Any = explanations if len(explanations) > 1 else explanations[0]
    if ending == ".html":
        from eli5.formatters.html import format_as_page

        return format_as_page(shown, title=title).encode()
    return format_as_picture_file(shown, ending, name="--out")


# ---- a folder ------------------------------------------------------------------------------------


def check_folder(folder: Path) -> None:
    """Check that a folder can take the results, without making it.

    UserError if it is a file, may not be written to, or holds anything but results of this command.
    """
    existing = next(one for one in [folder, *folder.absolute().parents] if os.path.exists(one))
    if not existing.is_dir():
        raise wrong_argument("--out", folder, "a folder", f", but {existing} is a file")
    if not os.access(existing, os.W_OK | os.X_OK):
        reason = f", but {existing} may not (permission denied)"
        raise wrong_argument("--out", folder, "a folder that may be written to", reason)
    if existing == folder and not _is_ours(folder):
        expected = "a new or empty folder, or one that this command has made"
        advice = f"Take a folder in it: --out {folder / 'explained'}"
        raise wrong_argument("--out", folder, expected, f", which holds other files. {advice}")


def _is_ours(folder: Path) -> bool:
    try:
        names = os.listdir(folder)
    except OSError:  # nobody can tell
        return False
    return RECORDS in names or all(name.startswith(".") for name in names)


class OutputFolder:
    """Writes one result after the other; nothing is made before the first.

    See `check_folder` for the folder, and `eli5.cli.gallery.Gallery` for the rest.
    """

    def __init__(self, folder: Path, n_inputs: int, cards_per_input: int, noun: str) -> None:
        self.folder = folder
        self.gallery = Gallery(folder, n_inputs, cards_per_input, noun)
        self.has_begun = False
        self.pages: list[Path] = []
        self.n_overlays = 0

    def add(
        self,
        title: str,
        overlay: Path | None,
        explanations: Sequence[Explanation],
        records: Sequence[str],
    ) -> str:
        """Write all there is of one input: overlay, lines, and a part of a page with its title.

        Returns why the overlay cannot be drawn and nothing is written, or nothing. UserError if the
        disk cannot be written to.
        """
        if overlay is not None:
            # The overlays of several methods are one picture.
            shown: Any = explanations if len(explanations) > 1 else explanations[0]
            try:
                content = format_as_picture_file(shown, overlay.suffix.lower(), name="the overlay")
            except ValueError as error:  # its format may not hold so many pixels
                return str(error)
            self._write_overlay(self.folder / overlay, content)
        self.write_records(records)
        with self._disk():
            self.gallery.add(title, explanations)
        return ""

    def write_records(self, records: Sequence[str]) -> None:
        """Write lines, such as of an input that could not be explained."""
        with self._disk():
            self.folder.mkdir(parents=True, exist_ok=True)
            path, mode = self.folder / RECORDS, "a" if self.has_begun else "w"
            with open(path, mode, encoding="ascii", newline="\n") as file:
                file.writelines(f"{record}\n" for record in records)
            self.has_begun = True

    def finish(self) -> None:
        """Write the last page."""
        with self._disk():
            self.pages = self.gallery.finish()

    def _write_overlay(self, path: Path, content: bytes) -> None:
        self.write_records([])  # first of all what tells that the folder holds results
        with self._disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        self.n_overlays += 1

    @contextmanager
    def _disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            expected = "a folder that can be written to"
            raise wrong_argument("--out", self.folder, expected, f": {error}") from error


def name_overlays(paths: Sequence[str], base: Path) -> list[Path]:
    """Give each picture's overlay a name of its own, below the folder of the results.

    It is the picture's, where that names a format that can be written; else ``.png`` takes the
    place of the ending, or follows it where the name is taken.

    The names are relative to `base`, which all pictures lie in, and none differs from another in
    upper and lower case alone.
    """
    sources = [Path(os.path.abspath(path)).relative_to(base) for path in paths]
    taken = {str(folder).casefold() for source in sources for folder in source.parents}
    names: dict[int, Path] = {}
    # Those first that keep their name, or another's new name might take it.
    for k in sorted(range(len(sources)), key=lambda k: not _is_writable(sources[k])):
        names[k] = next(name for name in _names(sources[k]) if str(name).casefold() not in taken)
        taken.add(str(names[k]).casefold())
    return [names[k] for k in sorted(names)]


def _is_writable(source: Path) -> bool:
    return source.suffix.lower() in PICTURE_FORMATS


def _names(source: Path) -> Iterator[Path]:
    yield source if _is_writable(source) else source.with_suffix(".png")
    yield source.with_name(f"{source.name}.png")
    yield from (source.with_name(f"{source.name}-{k}.png") for k in itertools.count(2))

"""``--out FOLDER``: overlays of pictures, a line of JSON per explanation, and pages of all."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.cli.console import wrong_argument
from eli5.cli.gallery import Gallery
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.loading.files import RECORDS
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from eli5.base import Explanation


def file_or_folder(out: str | Path | None) -> tuple[Path | None, Path | None]:
    """Return the file that ``--out`` names, or the folder, which is checked."""
    folder = None if out is None else as_folder(str(out))
    if folder is not None:
        check_folder(folder)
    return (None if out is None or folder else Path(out)), folder


def as_folder(out: str) -> Path | None:
    """Return the folder that is meant, or None if it is a file.

    A folder that exists is meant, and what ends in a slash or has no ending.
    """
    separators = (os.sep, os.altsep or os.sep)
    is_folder = os.path.isdir(out) or out.endswith(separators) or not Path(out).suffix
    return Path(out) if is_folder else None


def check_folder(folder: Path) -> None:
    """Check that a folder can take the results, without making it.

    Raises
    ------
    UserError
        If it is a file, may not be written to, or holds anything but results of this command, which
        might be overwritten.
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
    if RECORDS in names:
        return _has_records(folder / RECORDS) or names == [RECORDS]
    return all(name.startswith(".") for name in names)


def _has_records(path: Path) -> bool:
    """Tell whether a file begins with a record of this command, and not just bears that name."""
    with contextlib.suppress(OSError, ValueError), open(path, encoding="utf-8") as file:
        record = json.loads(file.readline())
        return isinstance(record, dict) and bool({"path", "source"} & record.keys())
    return False


class OutputFolder:
    """Writes one result after the other; nothing is made before the first.

    Parameters
    ----------
    folder : Path
        See `check_folder`.
    n_inputs : int
        How many pictures or texts there will be, at most.
    cards_per_input : int
        How many cards of the gallery there are of each.
    noun : str
        What they are called: ``"pictures"``.
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
        """Write all there is of one input: overlay, lines, and its part of a page.

        Parameters
        ----------
        title : str
            What it is called on the page.
        overlay : Path, optional
            Relative to the folder; a text has none.
        explanations : sequence of Explanation
            One per method.
        records : sequence of str
            The lines.

        Returns
        -------
        str
            Why the overlay cannot be drawn and nothing is written; empty if it can.

        Raises
        ------
        UserError
            If the disk cannot be written to.
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
        with self._told_of_disk():
            self.gallery.add(title, explanations)
        return ""

    def write_records(self, records: Sequence[str]) -> None:
        """Write lines, such as of an input that could not be explained."""
        with self._told_of_disk():
            self.folder.mkdir(parents=True, exist_ok=True)
            path, mode = self.folder / RECORDS, "a" if self.has_begun else "w"
            with open(path, mode, encoding="ascii", newline="\n") as file:
                file.writelines(f"{record}\n" for record in records)
            self.has_begun = True

    def finish(self) -> None:
        """Write the last page."""
        with self._told_of_disk():
            self.pages = self.gallery.finish()

    def _write_overlay(self, path: Path, content: bytes) -> None:
        self.write_records([])  # first of all what tells that the folder holds results
        with self._told_of_disk():
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(path, content)
        self.n_overlays += 1

    @contextlib.contextmanager
    def _told_of_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            expected = "a folder that can be written to"
            raise wrong_argument("--out", self.folder, expected, f": {error}") from error


def name_overlays(paths: Sequence[str], base: Path) -> list[Path]:
    """Give each picture's overlay a name of its own, below the folder of the results.

    It is the picture's, where that names a format that can be written; else ``.png`` takes the
    place of the ending, or follows it where the name is taken.

    Parameters
    ----------
    paths : sequence of str
    base : Path
        What is above it is left out; see `eli5.cli.image_paths.FoundPictures`.

    Returns
    -------
    list of Path
        Relative; none differs from another in upper and lower case alone.
    """
    sources = [Path(os.path.abspath(path)).relative_to(base) for path in paths]
    taken = {str(folder).casefold() for source in sources for folder in source.parents}
    names: dict[int, Path] = {}
    # Those first that keep their name, or another's new name might take it.
    for k in sorted(range(len(sources)), key=lambda k: not _is_writable(sources[k])):
        names[k] = next(name for name in _names(sources[k]) if str(name).casefold() not in taken)
        taken.add(str(names[k]).casefold())
    return [names[k] for k in range(len(sources))]


def _is_writable(source: Path) -> bool:
    return source.suffix.lower() in PICTURE_FORMATS


def _names(source: Path) -> Iterator[Path]:
    yield source if _is_writable(source) else source.with_suffix(".png")
    yield source.with_name(f"{source.name}.png")
    for number in itertools.count(2):
        yield source.with_name(f"{source.name}-{number}.png")

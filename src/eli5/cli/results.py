"""The folder of results: overlays of pictures, a line of JSON per explanation, the pages."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.cli.console import UserError
from eli5.cli.gallery import Gallery
from eli5.cli.image_paths import RECORDS
from eli5.formatters.picture_file import format_as_picture_file
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["Results"]


class Results:
    """Writes one result after the other; nothing is made before the first.

    Parameters
    ----------
    folder : Path
        See `eli5.cli.destination.check_folder`.
    n_pictures : int
        How many there will be, at most.
    per_picture : int
        How many cards there are of each picture.
    what : str
        What the pictures are called; they may be texts.
    """

    def __init__(self, folder: Path, n_pictures: int, per_picture: int, what: str) -> None:
        self.folder = folder
        self.gallery = Gallery(folder, n_pictures, per_picture, what)
        self.has_begun = False
        self.pages: list[Path] = []
        self.n_overlays = 0

    def add(
        self,
        name: str,
        overlay: Path | None,
        explanations: Sequence[Explanation],
        records: Sequence[str],
    ) -> str:
        """Write all there is of one picture: overlay, lines, and its part of a page.

        Parameters
        ----------
        name : str
            What the picture is called on the page.
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
            problem = self._add_overlay(overlay, explanations)
            if problem:
                return problem
        self._write(records)
        with self._on_disk():
            self.gallery.add(name, explanations)
        return ""

    def _add_overlay(self, overlay: Path, explanations: Sequence[Explanation]) -> str:
        # The overlays of several methods are one picture.
        shown: Any = explanations if len(explanations) > 1 else explanations[0]
        try:
            content = format_as_picture_file(shown, overlay.suffix.lower(), name="the overlay")
        except ValueError as error:  # its format may not hold so many pixels
            return str(error)
        self._write([])  # first of all what tells that the folder holds results
        with self._on_disk():
            target = self.folder / overlay
            target.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(target, content)
        self.n_overlays += 1
        return ""

    def skip(self, records: Sequence[str]) -> None:
        """Write the lines of a picture that could not be explained."""
        self._write(records)

    def finish(self) -> None:
        """Write the last page."""
        with self._on_disk():
            self.pages = self.gallery.finish()

    def _write(self, records: Sequence[str]) -> None:
        with self._on_disk():
            self.folder.mkdir(parents=True, exist_ok=True)
            path, mode = self.folder / RECORDS, "a" if self.has_begun else "w"
            with open(path, mode, encoding="ascii", newline="\n") as file:
                file.writelines(f"{record}\n" for record in records)
            self.has_begun = True

    @contextmanager
    def _on_disk(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise UserError(
                "Expected --out to be a folder that can be written to. Received: "
                f"--out={self.folder}: {error}"
            ) from error

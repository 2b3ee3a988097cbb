"""Write an explanation into the file that the user names: whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.cli.console import UserError
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eli5.base import Explanation

__all__ = ["check_output", "write_output"]

_PAGE = ".html"
_ENDINGS = (*PICTURE_FORMATS, _PAGE)


def check_output(path: Path, sources: Iterable[str | Path | None]) -> None:
    """Check that a file can be written, without writing it.

    Parameters
    ----------
    path : Path
        The file to write; its ending says the format.
    sources : iterable of paths
        What it must not overwrite.

    Raises
    ------
    UserError
        If the ending is of no known format, the folder cannot be written to, or `path` is a folder
        or one of the sources.
    """
    folder = path.parent
    problem = None
    if path.suffix.lower() not in _ENDINGS:
        problem = f"a file that ends in one of {', '.join(_ENDINGS)}", ""
    elif not folder.is_dir():
        problem = "a file in a folder that exists", f". Make the folder {folder} first"
    elif not os.access(folder, os.W_OK):
        problem = "a file in a folder that may be written to", " (permission denied)"
    elif path.is_dir():
        problem = "a file", ", which is a folder"
    elif any(_is_same(path, source) for source in sources if source is not None):
        problem = "another file than those that are read", ", which would be overwritten"
    if problem:
        expected, reason = problem
        raise UserError(f"Expected --out to be {expected}. Received: --out={path}{reason}")


def _is_same(path: Path, source: str | Path) -> bool:
    return path.exists() and os.path.exists(source) and path.samefile(source)


def write_output(expl: Explanation, path: Path, title: str) -> None:
    """Write an explanation; a file that is there already is replaced.

    Parameters
    ----------
    expl : Explanation
        An explanation with an image and heatmaps.
    path : Path
        See `check_output`.
    title : str
        Of the page, where one is written.

    Raises
    ------
    UserError
        If it cannot be written; nothing is left behind then.
    """
    content = _content(expl, path.suffix.lower(), title)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(
            f"Expected --out to be a file that can be written. Received: --out={path}: {error}"
        ) from error


def _content(expl: Explanation, ending: str, title: str) -> bytes:
    if ending == _PAGE:
        from eli5.formatters.html import format_as_page  # loads matplotlib

        return format_as_page(expl, title=title).encode()
    try:
        return format_as_picture_file(expl, ending, name="--out")
    except ValueError as error:
        raise UserError(str(error)) from error

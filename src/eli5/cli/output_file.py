"""``--out FILE``: one explanation in one file, whole or not there at all."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eli5.cli.console import UserError, wrong_argument
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving.atomic_write import write_atomically

PICTURE_ENDINGS = (*PICTURE_FORMATS, ".html")
TEXT_ENDINGS = (".html", ".json", ".npz", ".txt")  # a text has no picture


def check_single_output(
    file: Path,
    names: Sequence[str],
    sources: Iterable[str | Path | None],
    *,
    noun: str = "pictures",
    endings: Sequence[str] = PICTURE_ENDINGS,
) -> None:
    """Check that a file can be written, and that it is for one picture or text.

    Parameters
    ----------
    file, sources, endings
        See `check_output`.
    names : sequence of str
        What is explained.
    noun : str
        What they are called.

    Raises
    ------
    UserError
        If there are several of them, and as `check_output`.
    """
    if len(names) > 1:
        raise UserError(
            f"Expected --out to be a folder for several {noun}: one that exists, a name without "
            f"an ending, or one with a slash at its end. Received: --out={file} for "
            f"{len(names)} {noun}"
        )
    check_output(file, sources, endings)


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
    page = path.with_suffix(".html")
    advice = f". A text has no picture; {page} would be a page" if ending in PICTURE_FORMATS else ""
    is_source = any(_is_same(path, source) for source in sources if source is not None)
    problems = [
        (ending not in endings, f"a file that ends in one of {', '.join(endings)}", advice),
        (
            not folder.is_dir(),
            "a file in a folder that exists",
            f". Make the folder {folder} first",
        ),
        (
            not os.access(folder, os.W_OK),
            "a file in a folder that may be written to",
            " (permission denied)",
        ),
        (path.is_dir(), "a file", ", which is a folder"),
        (is_source, "another file than those that are read", ", which would be overwritten"),
    ]
    for is_wrong, expected, reason in problems:
        if is_wrong:
            raise wrong_argument("--out", path, expected, reason)


def _is_same(path: Path, source: str | Path) -> bool:
    return path.exists() and os.path.exists(source) and path.samefile(source)


def write_output(expl: Any, path: Path, title: str) -> None:
    """Write an explanation; a file that is there already is replaced.

    Parameters
    ----------
    expl : Explanation or list of Explanation
        An explanation, or several where the format holds them.
    path : Path
        See `check_output`.
    title : str
        Of the page, where one is written.

    Raises
    ------
    UserError
        If it cannot be written; nothing is left behind then.
    """
    ending = path.suffix.lower()
    try:
        if ending in (".json", ".npz"):
            expl.save(path)
        else:
            write_atomically(path, _content(expl, ending, title))
    except OSError as error:
        raise wrong_argument("--out", path, "a file that can be written", f": {error}") from error
    except ValueError as error:
        raise UserError(str(error)) from error


def _content(expl: Any, ending: str, title: str) -> bytes:
    # Each loads what it needs; matplotlib and Keras are slow to load.
    if ending == ".html":
        from eli5.formatters.html import format_as_page

        return format_as_page(expl, title=title).encode()
    if ending == ".txt":
        from eli5.formatters.text import format_as_text

        explanations = expl if isinstance(expl, list) else [expl]
        return "".join(f"{format_as_text(one)}\n\n" for one in explanations).encode()
    return format_as_picture_file(expl, ending, name="--out")

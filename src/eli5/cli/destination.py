"""Where ``--out`` leads: one file, whole or not there at all, or a folder of overlays."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eli5.cli.console import UserError
from eli5.cli.image_paths import RECORDS
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eli5.base import Explanation

__all__ = [
    "TEXT_ENDINGS",
    "as_folder",
    "check_file",
    "check_folder",
    "check_output",
    "write_output",
]

_PAGE = ".html"
_ENDINGS = (*PICTURE_FORMATS, _PAGE)
# What a text, which has no picture, can be written as.
TEXT_ENDINGS = (_PAGE, ".json", ".npz", ".txt")


def as_folder(out: str) -> Path | None:
    """Return the folder that is meant, or None if it is a file.

    A folder that exists is meant, and what ends in a slash or has no ending.
    """
    separators = (os.sep, os.altsep or os.sep)
    is_folder = os.path.isdir(out) or out.endswith(separators) or not Path(out).suffix
    return Path(out) if is_folder else None


def check_file(
    file: Path,
    names: Sequence[str],
    sources: Iterable[str | Path | None],
    *,
    what: str = "pictures",
    endings: Sequence[str] = _ENDINGS,
) -> None:
    """Check that a file can be written, and that it is for one picture or text.

    Parameters
    ----------
    file, sources, endings
        See `check_output`.
    names : sequence of str
        What is explained; none of them is overwritten if it is a file.
    what : str
        What they are called.

    Raises
    ------
    UserError
        If there are several of them, and as `check_output`.
    """
    if len(names) > 1:
        raise UserError(
            f"Expected --out to be a folder for several {what}: one that exists, a name without "
            f"an ending, or one with a slash at its end. Received: --out={file} for "
            f"{len(names)} {what}"
        )
    check_output(file, (*sources, *names), endings)


def check_output(
    path: Path, sources: Iterable[str | Path | None], endings: Sequence[str] = _ENDINGS
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
    folder = path.parent
    problem = None
    ending = path.suffix.lower()
    if ending not in endings:
        is_picture = ending in PICTURE_FORMATS
        advice = f". A text has no picture; {path.with_suffix(_PAGE)} would be a page"
        problem = f"a file that ends in one of {', '.join(endings)}", advice if is_picture else ""
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


def write_output(expl: Explanation | list[Explanation], path: Path, title: str) -> None:
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
    content = _content(expl, path.suffix.lower(), title)
    try:
        write_atomically(path, content)
    except OSError as error:
        raise UserError(
            f"Expected --out to be a file that can be written. Received: --out={path}: {error}"
        ) from error


def _content(expl: Any, ending: str, title: str) -> bytes:
    try:
        if ending in _WRITERS:
            return _WRITERS[ending](expl, title)
        return format_as_picture_file(expl, ending, name="--out")
    except ValueError as error:
        raise UserError(str(error)) from error


# Each loads what it needs; matplotlib and Keras are slow to load.
def _page(expl: Any, title: str) -> bytes:
    from eli5.formatters.html import format_as_page

    return format_as_page(expl, title=title).encode()


def _json(expl: Any, _: str) -> bytes:
    from eli5.saving.explanation_file import write_json

    return write_json(expl)


def _npz(expl: Any, _: str) -> bytes:
    from eli5.saving.explanation_file import write_npz

    return write_npz(expl)


def _text(expl: Any, _: str) -> bytes:
    from eli5.formatters.text import format_as_text

    explanations = expl if isinstance(expl, list) else [expl]
    return "".join(f"{format_as_text(one)}\n\n" for one in explanations).encode()


_WRITERS: dict[str, Callable[[Any, str], bytes]] = {
    _PAGE: _page,
    ".json": _json,
    ".npz": _npz,
    ".txt": _text,
}


def check_folder(folder: Path) -> None:
    """Check that a folder can take the results, without making it.

    Raises
    ------
    UserError
        If it is a file, may not be written to, or holds anything but results of this command, which
        might be overwritten.
    """
    problem = None
    existing = next(one for one in [folder, *folder.absolute().parents] if os.path.exists(one))
    if not existing.is_dir():
        problem = "a folder", f", but {existing} is a file"
    elif not os.access(existing, os.W_OK | os.X_OK):
        problem = "a folder that may be written to", f", but {existing} may not (permission denied)"
    elif existing == folder and not _is_ours(folder):
        problem = (
            "a new or empty folder, or one that this command has made",
            f", which holds other files. Take a folder in it: --out {folder / 'explained'}",
        )
    if problem:
        expected, reason = problem
        raise UserError(f"Expected --out to be {expected}. Received: --out={folder}{reason}")


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
    with contextlib.suppress(OSError, ValueError):
        with open(path, encoding="utf-8") as file:
            record = json.loads(file.readline())
        return isinstance(record, dict) and bool({"path", "source"} & record.keys())
    return False

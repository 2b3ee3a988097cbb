"""Where ``--out`` leads: one file, whole or not there at all, or a folder of overlays."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from eli5.cli.console import UserError
from eli5.cli.sources import RECORDS
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.writing import write_atomically

if TYPE_CHECKING:
    from collections.abc import Iterable

    from eli5.base import Explanation

__all__ = ["as_folder", "check_folder", "check_output", "name_overlays", "write_output"]

_PAGE = ".html"
_ENDINGS = (*PICTURE_FORMATS, _PAGE)


def as_folder(out: str) -> Path | None:
    """Return the folder that is meant, or None if it is a file.

    A folder that exists is meant, and what ends in a slash or has no ending.
    """
    separators = (os.sep, os.altsep or os.sep)
    is_folder = os.path.isdir(out) or out.endswith(separators) or not Path(out).suffix
    return Path(out) if is_folder else None


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
        return isinstance(record, dict) and "path" in record
    return False


def name_overlays(paths: Sequence[str], base: Path) -> list[Path]:
    """Give each picture's overlay a name of its own, below the folder of the results.

    It is the picture's, where that names a format that can be written; else ``.png`` takes the
    place of the ending, or follows it where the name is taken.

    Parameters
    ----------
    paths : sequence of str
    base : Path
        What is above it is left out; see `eli5.cli.sources.Found`.

    Returns
    -------
    list of Path
        Relative; none differs from another in upper and lower case alone.
    """
    sources = [Path(os.path.abspath(path)).relative_to(base) for path in paths]
    taken = {str(folder).casefold() for source in sources for folder in source.parents}
    # Those first that keep their name, or another's new name might take it.
    kept = sorted(range(len(sources)), key=lambda k: not _is_writable(sources[k]))
    names: dict[int, Path] = {}
    for k in kept:
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

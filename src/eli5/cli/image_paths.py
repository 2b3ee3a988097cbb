"""Which pictures are meant: files, folders and patterns, in an order that is always the same."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eli5.cli.console import UserError, wrong_argument
from eli5.loading.files import ENDINGS, RECORDS, check_readable


class FoundPictures(NamedTuple):
    """What the arguments stand for.

    The pictures, each once, are in the order of the arguments, and within one by name.
    """

    base: Path  # absolute, that all arguments lie in; results mirror what is below it
    paths: list[str]
    problems: list[str]  # of folders that cannot be read
    results: list[str]  # of this command, folders and pictures: they are not explained


def find_pictures(arguments: Sequence[str], out: Path | None = None) -> FoundPictures:
    """Find the pictures that are meant, without opening them.

    Parameters
    ----------
    arguments : sequence of str
        Each a file, a folder (with all folders in it, but for hidden ones and links), or a pattern
        such as ``photos/**/*.jpg``. What exists under that very name is no pattern.
    out : Path, optional
        The folder that results go to; nothing in it is explained.

    Raises
    ------
    UserError
        If an argument stands for no picture.
    """
    everything = FoundPictures(_common([_base(argument) for argument in arguments]), [], [], [])
    names: dict[str, str] = {}
    for argument in arguments:
        found = FoundPictures(_common([_base(argument)]), [], [], [])
        for path in _find(argument, found):
            (found.results if _is_below(path, out) else found.paths).append(path)
        if not (found.paths or found.problems):
            raise _nothing_found(argument, found.results)
        for path in found.paths:
            names.setdefault(os.path.abspath(path), path)
        everything.problems.extend(found.problems)
        everything.results.extend(found.results)
    if not names:
        raise UserError(*everything.problems)
    return everything._replace(paths=list(names.values()))


def _base(argument: str) -> str:
    """Return the folder that an argument is about, as far as it is no pattern."""
    if os.path.isdir(argument):
        return argument
    folder = os.path.dirname(argument)
    while not os.path.exists(argument) and glob.has_magic(folder):
        folder = os.path.dirname(folder)
    return folder or os.curdir


def _common(folders: Iterable[str]) -> Path:
    try:
        return Path(os.path.commonpath([os.path.abspath(folder) for folder in folders]))
    except ValueError:
        raise UserError("Expected all IMAGES on one drive. Received: several drives") from None


def _find(argument: str, found: FoundPictures) -> Iterator[str]:
    """Yield the pictures of one argument; note in `found` what is none."""
    if os.path.isdir(argument):
        yield from _walk(argument, found)
        return
    if os.path.exists(argument) or not glob.has_magic(argument):
        check_readable(argument, "image")
        yield argument
        return
    for match in sorted(glob.glob(argument, recursive=True)):
        if _is_result(match, found.base):
            found.results.append(match)
        elif os.path.isdir(match):
            yield from _walk(match, found)
        elif _is_picture(match):
            yield match


def _walk(top: str, found: FoundPictures) -> Iterator[str]:
    def note(error: OSError) -> None:
        reason = f", which cannot be read: {error.strerror}"
        problem = wrong_argument("IMAGE", error.filename, "a folder that can be read", reason)
        found.problems.append(str(problem))

    for folder, inner, names in os.walk(top, onerror=note):
        if RECORDS in names:
            found.results.append(folder)
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        shown = sorted(name for name in names if not name.startswith("."))
        yield from filter(_is_picture, (os.path.join(folder, name) for name in shown))


def _is_picture(path: str) -> bool:
    # Not a pipe, which would never end; but a broken link, which is to be told of.
    return path.lower().endswith(ENDINGS) and (os.path.isfile(path) or os.path.islink(path))


def _is_result(path: str, base: Path) -> bool:
    """Tell whether a match of a pattern lies in a folder of results below the pattern's base."""
    inner = Path(os.path.abspath(path)).relative_to(base)
    return any(os.path.exists(base / part / RECORDS) for part in [inner, *inner.parents])


def _is_below(path: str, folder: Path | None) -> bool:
    real = Path(os.path.realpath(path))
    return folder is not None and real.is_relative_to(os.path.realpath(folder))


def _nothing_found(argument: str, results: list[str]) -> UserError:
    if results:
        reason = ", which holds nothing but explanations of some"
        return wrong_argument("IMAGE", argument, "pictures to explain", reason)
    endings = f"one of {', '.join(ENDINGS)}"
    if os.path.isdir(argument):
        reason = f", in which no name ends in {endings}"
        return wrong_argument("IMAGE", argument, "a folder with pictures", reason)
    expected = "a file, a folder, or a pattern that matches some"
    reason = f", which matches no folder and no name that ends in {endings}"
    return wrong_argument("IMAGE", argument, expected, reason)

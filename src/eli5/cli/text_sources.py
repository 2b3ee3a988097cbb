"""Which texts are meant: those on the command line, those in files, or standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from eli5.cli.console import UserError, print_notice, wrong_argument
from eli5.loading.files import check_readable

_STDIN = "-"
# A word that looks like this is a file that is not there, rather than a text.
_FILE_ENDINGS = (
    ".csv", ".htm", ".html", ".json", ".jsonl", ".log", ".md", ".rst", ".text", ".tsv", ".txt",
    ".xml",
)  # fmt: skip
_FILE_BEGINNINGS = ("/", "./", "../", "~", ".\\", "..\\")


class TextSource(NamedTuple):
    """A text, and where it comes from.

    Attributes
    ----------
    name : str
        What it is called: its file, with the number of its line where each is a text.
    text : str
    path : str, optional
        The file.
    """

    name: str
    text: str
    path: str | None = None


def find_texts(arguments: Sequence[str], *, lines: bool) -> list[TextSource]:
    """Read the texts that are meant.

    Parameters
    ----------
    arguments : sequence of str
        Each a file that exists, or a text; ``-``, or nothing at all, for standard input.
    lines : bool
        Whether each line of a file, or of standard input, is a text of its own. Those that are
        blank are none.

    Returns
    -------
    list of TextSource
        In the order of the arguments.

    Raises
    ------
    UserError
        If a file does not exist or is no text in UTF-8, if a text is empty, or if standard input is
        not all that there is.
    """
    # A text may start with a dash, but hardly with one that stands at a letter of its only word.
    unknown = next((one for one in arguments if re.fullmatch(r"--?[^\W\d][\w=-]*", one)), None)
    if unknown is not None:
        raise UserError(
            f"Unknown option: {unknown}. Try: eli5 explain-text --help. To explain a word that "
            f"starts with a dash, put a space before it: ' {unknown}'"
        )
    n_stdin = arguments.count(_STDIN)
    if n_stdin and len(arguments) > 1:
        raise UserError(
            "Expected either texts and files, or - for standard input. Received: both, "
            f"{len(arguments) - n_stdin} and {n_stdin} times -"
        )
    if not arguments or n_stdin:
        return list(_texts("stdin", _read_stdin(), None, lines=lines))
    return [
        source
        for number, argument in enumerate(arguments, 1)
        for source in _find(argument, number, lines=lines)
    ]


def _find(argument: str, number: int, *, lines: bool) -> Iterator[TextSource]:
    if os.path.exists(argument) or lines or _looks_like_a_file(argument):
        check_readable(argument, "text")
        yield from _texts(argument, _read_file(argument), argument, lines=lines)
    else:
        yield from _texts(f"text {number}", argument, None, lines=False)


def _looks_like_a_file(argument: str) -> bool:
    if len(argument.split()) != 1 or argument != argument.strip():
        return False
    return argument.lower().endswith(_FILE_ENDINGS) or argument.startswith(_FILE_BEGINNINGS)


def _read_file(path: str) -> str:
    try:
        return _decoded(Path(path).read_bytes(), path)
    except OSError as error:
        raise wrong_argument("TEXT", path, "a file that can be read", f": {error}") from error


def _read_stdin() -> str:
    if sys.stdin is None:
        raise UserError("Expected TEXT, as there is no standard input. Received: none")
    if sys.stdin.isatty():
        print_notice("Reading a text from the terminal; Ctrl-D on a line of its own ends it.")
    return _decoded(sys.stdin.buffer.read(), _STDIN)


def _decoded(content: bytes, name: str) -> str:
    try:
        text = content.decode("utf-8-sig")
        if "\0" not in text:
            return text.replace("\r\n", "\n")
        reason = "holds bytes that are no text"
    except UnicodeDecodeError as error:
        reason = f"cannot be read as UTF-8: {error.reason} at byte {error.start}"
    raise wrong_argument("TEXT", name, "a text in UTF-8", f", which {reason}")


def _texts(name: str, content: str, path: str | None, *, lines: bool) -> Iterator[TextSource]:
    """Yield what is in a file as one text, or each of its lines."""
    if not content.strip():
        where = _STDIN if name == "stdin" else path or repr(content)
        raise UserError(f"Expected TEXT to hold a text. Received: TEXT={where}, which is empty")
    if not lines:
        yield TextSource(name, content.rstrip("\n"), path)
        return
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield TextSource(f"{name}:{number}", line, path)

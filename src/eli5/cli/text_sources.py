"""Which texts are meant: those on the command line, those in files, or standard input."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from eli5.cli.console import UserError, print_notice, wrong_argument
from eli5.loading.files import read_lines

_STDIN = "-"
# A word that looks like this is a file that is not there, rather than a text.
_FILE_ENDINGS = (
    ".csv", ".htm", ".html", ".json", ".jsonl", ".log", ".md", ".rst", ".text", ".tsv", ".txt",
    ".xml",
)  # fmt: skip
_FILE_BEGINNINGS = ("/", "./", "../", "~", ".\\", "..\\")


class TextSource(NamedTuple):
    """A text, and where it comes from."""

    name: str  # of its file, with the number of its line where each is a text
    text: str
    path: str | None = None  # of the file


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
    sources: list[TextSource] = []
    for number, argument in enumerate(arguments, 1):
        if os.path.exists(argument) or lines or _looks_like_a_file(argument):
            content = "\n".join(read_lines(argument, "text"))
            sources += _texts(argument, content, argument, lines=lines)
        else:
            sources += _texts(f"text {number}", argument, None, lines=False)
    return sources


def _looks_like_a_file(argument: str) -> bool:
    if len(argument.split()) != 1 or argument != argument.strip():
        return False
    return argument.lower().endswith(_FILE_ENDINGS) or argument.startswith(_FILE_BEGINNINGS)


def _read_stdin() -> str:
    if sys.stdin is None:
        raise UserError("Expected TEXT, as there is no standard input. Received: none")
    if sys.stdin.isatty():
        print_notice("Reading a text from the terminal; Ctrl-D on a line of its own ends it.")
    try:
        return sys.stdin.buffer.read().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        reason = f", which cannot be read: {error}"
        raise wrong_argument("TEXT", _STDIN, "a text in UTF-8", reason) from error


def _texts(name: str, content: str, path: str | None, *, lines: bool) -> Iterator[TextSource]:
    """Yield what is in a file as one text, or each of its lines."""
    if not content.strip():
        where = _STDIN if name == "stdin" else path or repr(content)
        raise wrong_argument("TEXT", where, "a text", ", which is empty")
    if not lines:
        yield TextSource(name, content.rstrip("\n"), path)
        return
    for number, line in enumerate(content.split("\n"), 1):
        if line.strip():
            yield TextSource(f"{name}:{number}", line, path)

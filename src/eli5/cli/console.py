"""What the command line says: results on standard output, the rest on standard error."""

from __future__ import annotations

import textwrap

from rich.console import Console
from rich.text import Text

__all__ = ["UserError", "print_error", "print_fact", "print_notice", "print_text", "shortened"]


class UserError(Exception):
    """Something is wrong with what the user asked for; it ends the command without a traceback.

    Parameters
    ----------
    message : str
        What was expected, what came, what to do. Shown in one line, whatever it holds.
    *details : str
        A list of choices, where there is one; each shown in a line below the message.
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.lines = (message, *details)


def shortened(message: str) -> str:
    """Cut off the end of a long message that lists all layers of a model, say."""
    return textwrap.shorten(message, 500, placeholder=" […]")


def print_error(message: str, *details: str) -> None:
    """Print an error, and its details below it."""
    _print_line("eli5: error: ", message, "bold red", stderr=True)
    for detail in details:
        _print_line("  ", detail, "", stderr=True)


def print_notice(message: str) -> None:
    """Print what the user should know but did not ask for."""
    _print_line("eli5: ", message, "bold", stderr=True)


def print_fact(name: str, fact: str, style: str = "") -> None:
    """Print a line of the result: a short name, and the fact."""
    _print_line(f"{name:<7} ", fact, style)


def print_text(text: str) -> None:
    """Print lines that are made for showing."""
    # As Text, so that brackets and colons in a name are no markup; neither wrapped nor cut off.
    Console().print(Text(text), soft_wrap=True)


def _print_line(start: str, text: str, style: str, *, stderr: bool = False) -> None:
    from eli5.formatters.text import one_line  # imports NumPy, which --help need not wait for

    line = Text.assemble((start, style), one_line(text))
    Console(stderr=stderr).print(line, soft_wrap=True)

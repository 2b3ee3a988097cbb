"""What the command line says: results on standard output, the rest on standard error."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.text import Text

from eli5.loading.errors import UserError as UserError  # which all commands need, too
from eli5.loading.errors import shortened as shortened
from eli5.progress import bar_console

# Python's parameters that are arguments here, and those that are options.
_ARGUMENTS = ("image", "model", "photos", "results", "source", "text")
_OPTIONS = (
    "allow_code", "class_column", "classes", "colormap", "cpus_per_worker", "examples", "frame",
    "gpus_per_worker", "host", "imports", "labels", "masks", "metrics", "out", "overlays", "port",
    "preprocess", "ray", "retry_failed", "sets", "shard_size", "time_limit", "vocabulary",
    "weights", "workers",
)  # fmt: skip
_FLAGS = {"classes": "class", "imports": "import"}  # where they are called otherwise
_NAME = "|".join((*_ARGUMENTS, *_OPTIONS))
# In backticks, or before what was received; not within a path.
_PARAMETER = re.compile(rf"`({_NAME})`|(?<![^\s(])({_NAME})=(?:'(\w+)')?")


def as_typed(message: str) -> str:
    """Write an error of the library for whoever typed a command: `` `labels` `` is ``--labels``."""

    def typed(found: re.Match[str]) -> str:
        name = found[1] or found[2]
        flag = (
            name.upper() if name in _ARGUMENTS else f"--{_FLAGS.get(name, name).replace('_', '-')}"
        )
        return flag if found[1] else f"{flag} {found[3]}" if found[3] else f"{flag}="

    message = message.replace("`eli5.explain_prediction`", "eli5 explain-text")
    return _PARAMETER.sub(typed, message)


def wrong_argument(name: str, value: object, expected: str, reason: str = "") -> UserError:
    """Return the error for an argument or option that is none of those that are expected."""
    return UserError(f"Expected {name} to be {expected}. Received: {name}={value}{reason}")


def _console(*, stderr: bool = False) -> Console:
    stream = sys.stderr if stderr else sys.stdout
    # Only the console of a bar can write lines above it.
    return (bar_console() if stream.isatty() else None) or Console(stderr=stderr)


def has_colours() -> bool:
    """Tell whether standard output is a terminal that shows colours, and the user wants them."""
    console = _console()
    return console.is_terminal and console.color_system is not None and not console.no_color


def print_error(message: str, *details: str) -> None:
    """Print an error, and its details below it."""
    _print_line("eli5: error: ", as_typed(message), "bold red", stderr=True)
    for detail in details:
        _print_line("  ", as_typed(detail), "", stderr=True)


def print_notice(*messages: str) -> None:
    """Print what the user should know but did not ask for, a line for each."""
    for message in messages:
        _print_line("eli5: ", as_typed(message), "bold", stderr=True)


def print_fact(name: str, fact: str, style: str = "") -> None:
    """Print a line of the result: a short name, and the fact."""
    _print_line(f"{name:<7} ", fact, style)


def print_text(text: str) -> None:
    """Print lines that are made for showing; they may have colours, if `has_colours` says so."""
    # As Text, so that brackets and colons in a name are no markup; neither wrapped nor cut off.
    shown = Text.from_ansi(text) if "\x1b" in text else Text(text)
    _console().print(shown, soft_wrap=True)


def print_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print cells in columns; only a terminal's width breaks the lines of a cell."""
    from rich.table import Column, Table

    # Folded, for an address that is cut off is of no use.
    columns = [Column(name, overflow="fold") for name in header]
    table = Table(*columns, box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="bold")
    for row in rows:
        table.add_row(*map(Text, row))
    console = Console(width=None if sys.stdout.isatty() else 1000)
    with console.capture() as printed:
        console.print(table)
    print_whole(line.rstrip() for line in printed.get().splitlines())


def print_whole(lines: Iterable[str]) -> None:
    """Print lines for programs, each of them at once."""
    sys.stdout.writelines(f"{line}\n" for line in lines)
    sys.stdout.flush()


def print_json(document: object) -> None:
    """Print one JSON document; in ASCII, whatever letters a name has."""
    print_whole([json.dumps(document, indent=1, allow_nan=False)])


def _print_line(start: str, text: str, style: str, *, stderr: bool = False) -> None:
    # It imports NumPy, which --help need not wait for.
    from eli5.formatters.labels import one_line, without_bidi_controls

    line = Text.assemble((start, style), without_bidi_controls(one_line(text)))
    _console(stderr=stderr).print(line, soft_wrap=True)

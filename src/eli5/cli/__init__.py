"""The command ``eli5``: its subcommands, and how it ends.

Exit codes: 0, 1 if nobody reads the output any more, 2 if something is wrong with what was asked
for (one line on standard error says what), 130 after Ctrl-C.
"""

from __future__ import annotations

import io
import os
import sys

from cyclopts import App, CycloptsError, Parameter

from eli5 import __version__
from eli5.cli.console import UserError, print_error
from eli5.cli.demo import explain_demo
from eli5.cli.explain import EXAMPLES, explain_picture

__all__ = ["app", "main"]

app = App(
    name="eli5",
    version=__version__,
    help="Explain what a Keras model looked at.",
    help_format="markdown",
    default_parameter=Parameter(negative=()),
    suppress_keyboard_interrupt=False,
    # Errors are raised, for `main` to print them in one line.
    exit_on_error=False,
    print_error=False,
    result_action="return_none",
)
app.command(explain_picture, name="explain", help_epilogue=EXAMPLES)
app.command(explain_demo, name="demo")


def main(argv: list[str] | None = None) -> int:
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        The arguments; those of the process if not given.

    Returns
    -------
    int
        The exit code; see above.
    """
    _never_fail_on_a_letter()
    try:
        app(sys.argv[1:] if argv is None else argv)
        sys.stdout.flush()
    except CycloptsError as error:
        print_error(f"{error} Try: eli5 --help")
        return 2
    except UserError as error:
        print_error(*error.lines)
        return 2
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        # Or Python would complain when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    return 0


def _never_fail_on_a_letter() -> None:
    """Write what the terminal's encoding lacks as an escape; a class name may have any letter."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")

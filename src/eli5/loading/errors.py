"""What is wrong with what the user asked for, in words for the user."""

from __future__ import annotations

import re
import textwrap


class UserError(ValueError):
    """Something is wrong with what the user asked for; it ends the command without a traceback.

    The message is shown in one line, whatever it holds; `details`, such as choices, in lines below.
    """

    def __init__(self, message: str, *details: str) -> None:
        super().__init__(message)
        self.lines = (message, *details)


# Keras puts what a layer says into bold letters, between a headline and a list of arguments.
_BOLD = re.compile(r"\x1b\[1m(.*?)\x1b\[0m", re.DOTALL)


def shortened(message: str) -> str:
    """Return what matters of a message, without the end of one that lists all layers, say."""
    bold = _BOLD.search(message)
    return textwrap.shorten(bold[1] if bold else message, 500, placeholder=" […]")

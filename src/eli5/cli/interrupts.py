"""Ctrl-C ends the command at once, but never within a write."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

from eli5.bulk.signals import handled
from eli5.progress import clear

_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as shells have it


@contextmanager
def exit_at_once(clean_up: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Let Ctrl-C end the process at once, with exit code 130; `clean_up` is called before."""

    def end(_: int) -> None:
        try:
            clear()
            clean_up()
        finally:
            os._exit(_INTERRUPTED)

    with handled(end, signal.SIGINT):
        yield


@contextmanager
def exit_between_writes(
    clean_up: Callable[[], None],
) -> Iterator[Callable[[], AbstractContextManager[None]]]:
    """Let Ctrl-C end the process with exit code 130, at once or after what must be whole.

    Yields what makes a context that Ctrl-C waits for. `clean_up` is called before the end.
    """
    is_writing = is_interrupted = False

    def end() -> None:
        nonlocal is_writing
        is_writing = True  # a second Ctrl-C does not break into this
        try:
            clean_up()
        finally:
            os._exit(_INTERRUPTED)

    def interrupt(_: int) -> None:
        nonlocal is_interrupted
        is_interrupted = True
        if not is_writing:
            end()

    @contextmanager
    def write() -> Iterator[None]:
        nonlocal is_writing
        is_writing = True
        try:
            yield
        finally:
            is_writing = False
            if is_interrupted:
                end()

    with handled(interrupt, signal.SIGINT):
        yield write

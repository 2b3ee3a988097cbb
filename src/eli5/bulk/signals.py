"""Ctrl-C and SIGTERM end a run between two batches; a second one ends it at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["stoppable"]


@contextmanager
def stoppable() -> Iterator[Callable[[], int]]:
    """Take the signals that ask a process to end.

    Not as exceptions, which would come up anywhere: inside the backends' native code and callbacks
    they get lost, or crash them.

    Yields
    ------
    callable
        Returns the signal that has been caught, or 0.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0  # only the main thread gets signals
        return
    caught = 0

    def catch(number: int, _: object) -> None:
        nonlocal caught
        if caught:
            os._exit(128 + number)
        caught = number

    # What somebody has decided to ignore, such as the shell for a job in the background, stays so.
    taken = {
        one: before
        for one in (signal.SIGINT, signal.SIGTERM)
        if (before := signal.getsignal(one)) is not signal.SIG_IGN
    }
    for one in taken:
        signal.signal(one, catch)
    try:
        yield lambda: caught
    finally:
        for one, before in taken.items():
            signal.signal(one, before)

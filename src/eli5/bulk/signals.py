"""Ctrl-C and SIGTERM: they end a run between two batches.

Not as exceptions, which would come up anywhere: inside the backends' native code and callbacks they
get lost, or crash them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def stop_between_batches() -> Iterator[Callable[[], int]]:
    """Note Ctrl-C and SIGTERM, and yield what returns the signal that has come, or 0.

    A second one ends the process at once.
    """
    received = 0

    def note(number: int) -> None:
        nonlocal received
        if received:
            os._exit(128 + number)
        received = number

    with handled(note, signal.SIGINT, signal.SIGTERM):
        yield lambda: received


@contextmanager
def handled(handle: Callable[[int], None], *numbers: signal.Signals) -> Iterator[None]:
    """Let a function handle these signals, where that is for us to decide."""
    # Only the main thread gets signals.
    is_main = threading.current_thread() is threading.main_thread()
    before = {number: signal.getsignal(number) for number in numbers} if is_main else {}
    for number, handler in before.items():
        # What somebody has decided to ignore, such as the shell for a job in the background, stays
        # so; and None is what was not set by Python, and could not be put back.
        if handler not in (signal.SIG_IGN, None):
            signal.signal(number, lambda number, _: handle(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            if handler is not None:
                signal.signal(number, handler)

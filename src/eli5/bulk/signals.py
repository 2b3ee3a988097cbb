"""Ctrl-C and SIGTERM: they end a run between two batches, and the command never within a write.

Not as exceptions, which would come up anywhere: inside the backends' native code and callbacks they
get lost, or crash them.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

_INTERRUPTED = 128 + signal.SIGINT  # the exit code, as shells have it


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

    with _handled(note, signal.SIGINT, signal.SIGTERM):
        yield lambda: received


@contextmanager
def exit_at_once() -> Iterator[None]:
    """Let Ctrl-C end the process at once, with exit code 130; there must be nothing to clean up."""
    with _handled(lambda _: os._exit(_INTERRUPTED), signal.SIGINT):
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

    with _handled(interrupt, signal.SIGINT):
        yield write


@contextmanager
def _handled(handle: Callable[[int], None], *numbers: signal.Signals) -> Iterator[None]:
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

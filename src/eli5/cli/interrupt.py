"""Ctrl-C: it ends the process, at once or, while files are written, within none of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager

__all__ = ["ended_between_writes", "ended_by_ctrl_c"]

Whole = Callable[[], AbstractContextManager[None]]


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Let Ctrl-C end the process at once, with exit code 130.

    As an exception it would come up anywhere, and inside the backends' native code and callbacks it
    gets lost or crashes them. Inside, there must be nothing to clean up.
    """
    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield  # somebody has decided otherwise, such as the shell for a job in the background
        return
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@contextmanager
def ended_between_writes(tidy: Callable[[], None]) -> Iterator[Whole]:
    """Let Ctrl-C end the process with exit code 130, at once or after what must be whole.

    Not as an exception, for the reasons of `ended_by_ctrl_c`.

    Parameters
    ----------
    tidy : callable
        What is still to be done before the end, such as writing an index.

    Yields
    ------
    callable
        Makes a context that Ctrl-C waits for.
    """
    is_busy = is_asked = False

    def end() -> None:
        nonlocal is_busy
        is_busy = True  # a second Ctrl-C does not break into this
        try:
            tidy()
        finally:
            os._exit(130)

    def on_interrupt(*_: object) -> None:
        nonlocal is_asked
        is_asked = True
        if not is_busy:
            end()

    @contextmanager
    def whole() -> Iterator[None]:
        nonlocal is_busy
        is_busy = True
        try:
            yield
        finally:
            is_busy = False
            if is_asked:
                end()

    if signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield whole  # somebody has decided otherwise, such as the shell for a job in the background
        return
    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield whole
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)

"""Keep the chatter of libraries off standard error."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["muted_stderr"]


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Drop what the process writes to standard error.

    For as long as TensorFlow is imported: it writes several lines then, past Python and whatever
    the log level.
    """
    try:
        kept = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(sink)

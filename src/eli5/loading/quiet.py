"""Import Keras, and keep the chatter of libraries off standard error."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


def import_keras() -> Any:
    """Return Keras, imported with the backend that is configured and without its chatter."""
    # Level 3 and not 2, because TensorFlow reports a missing GPU as an error.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("absl", "jax", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with muted_stderr():
        import keras
    return keras


@contextmanager
def muted_stderr() -> Iterator[None]:
    """Drop what is written to standard error, also past Python, as by TensorFlow's import."""
    try:
        stderr = os.dup(2)
    except OSError:  # standard error is closed
        yield
        return
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        os.dup2(stderr, 2)
        os.close(stderr)
        os.close(sink)

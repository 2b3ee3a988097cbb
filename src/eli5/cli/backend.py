"""Choose a Keras backend that is installed, and start it without its chatter."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from eli5.cli.console import UserError, print_notice

__all__ = ["choose_backend", "ended_by_ctrl_c", "muted_stderr", "start_keras"]

# Those that give gradients, in the order in which they are tried.
_BACKENDS = ("jax", "torch", "tensorflow")


def start_keras() -> None:
    """Import Keras with a backend that is installed; see `choose_backend`."""
    # Level 3 and not 2, because TensorFlow reports a missing GPU as an error.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in ("absl", "jax", "tensorflow"):
        logging.getLogger(name).setLevel(logging.ERROR)
    if "keras" in sys.modules:
        return  # it has its backend
    choose_backend()
    with muted_stderr():
        import keras  # noqa: F401


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


def _is_installed(name: str) -> bool:
    spec = find_spec(name)
    return spec is not None and spec.origin is not None  # a mere folder of that name has no origin


def choose_backend(is_installed: Callable[[str], bool] = _is_installed) -> None:
    """Keep the configured Keras backend if it can be used, or set another one and say so.

    Parameters
    ----------
    is_installed : callable
        Tells whether a backend's package is installed.

    Raises
    ------
    UserError
        If no backend is installed.
    """
    usable = [name for name in _BACKENDS if is_installed(name)]
    if not usable:
        raise UserError(
            "Expected a Keras backend to be installed. Received: none of "
            f'{", ".join(_BACKENDS)}. Install one: pip install "eli5-keras[jax]" '
            "(or [torch], or [tensorflow])."
        )
    configured = _configured_backend()
    if configured in usable:
        return
    os.environ["KERAS_BACKEND"] = usable[0]
    why = "is not installed" if configured in _BACKENDS else "gives no gradients"
    print_notice(f"The Keras backend {configured!r} {why}; using {usable[0]!r}.")


def _configured_backend() -> str:
    """Read what Keras will read; it must not be imported for it, because that fixes the backend."""
    configured = os.environ.get("KERAS_BACKEND")
    if configured:
        return configured
    folder = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras")
    try:
        return str(json.loads((folder / "keras.json").read_text(encoding="utf-8"))["backend"])
    except (OSError, ValueError, LookupError, TypeError):  # Keras does without a broken file too
        return "tensorflow"

"""Errors of the place that results go to, told from those of the pictures."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from eli5.loading.errors import UserError

__all__ = ["on_disk"]

_AGAIN = "Then run the same command again: it goes on where it has stopped."


@contextmanager
def on_disk(path: str, advice: str = _AGAIN) -> Iterator[None]:
    """Tell a disk that is full from what is wrong with an item, whatever a library raises.

    Parameters
    ----------
    path : str
        What is written.
    advice : str
        What to do once it can be written.

    Raises
    ------
    UserError
        Whatever was raised.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"Expected --out to be a folder that can be written to. Received: {path}: {reason}. "
            f"{advice}".rstrip()
        ) from error

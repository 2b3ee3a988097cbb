"""How large a saved explanation may be: a file of a stranger must not fill the memory."""

from __future__ import annotations

__all__ = ["LARGEST", "LARGEST_TEXT", "check_size"]

LARGEST = 2**30
"""How many bytes all of it may have, unpacked: a picture of 350 million pixels."""

LARGEST_TEXT = 2**27
"""How many bytes of it may be JSON, which takes up to twenty times as much when it is read."""


def check_size(what: str, n_bytes: int, largest: int, advice: str = "") -> None:
    """Raise ValueError for what `eli5.load` would not read, before it is saved."""
    if n_bytes > largest:
        raise ValueError(
            f"Expected {what} to have at most {largest} bytes, to be saved. Received: {n_bytes} "
            f"bytes.{advice}"
        )

"""Strings that a caller gives, one per step or channel, from any kind of sequence."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any

import numpy as np


def listed(values: Any) -> list[Any] | None:
    """Return what is in a list, an array, a column of a table or any iterable; None of all else.

    None also of one string, whose letters are not meant, and of what has no order.
    """
    if hasattr(values, "__array__"):
        values = np.asarray(values)
        return list(values) if values.ndim else None
    if isinstance(values, str | bytes | Mapping | Set) or not isinstance(values, Iterable):
        return None
    return list(values)

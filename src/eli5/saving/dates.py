"""Dates as whole numbers with a unit: just what NumPy keeps of them."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

__all__ = ["to_dates", "unit_of"]

Array = np.ndarray[Any, Any]

_UNIT = re.compile("([1-9][0-9]{0,8})?([YMWDhms]|[munpfa]s)")


def unit_of(array: Array) -> str | None:
    """Return what dates are counted in, such as "D" or "25ms"; None of what holds no dates."""
    if array.dtype.kind != "M" or array.dtype.name == "datetime64":  # which has no unit
        return None
    name, count = np.datetime_data(array.dtype)
    return name if count == 1 else f"{count}{name}"


def to_dates(counts: Array, unit: str) -> Array:
    """Return the dates that so many units after the beginning of 1970 are; of int64 alone.

    Raises
    ------
    ValueError
        If they are other numbers, or if there is no such unit.
    """
    if counts.dtype.name != "int64" or not _UNIT.fullmatch(unit):
        raise ValueError(f"its dates are numbers of {counts.dtype} in units of {unit!r}")
    return counts.astype(f"M8[{unit}]")

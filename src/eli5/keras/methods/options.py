"""Checks of the methods' options."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def whole_number(name: str, value: Any, least: int = 1) -> int:
    """Return the option `value` as an int; raise an error unless it is one, of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"Expected {name} to be a whole number. Received: {name}={value!r}")
    if value < least:
        raise ValueError(f"Expected {name} of at least {least}. Received: {name}={value!r}")
    return int(value)


def positive_or_zero(name: str, value: Any) -> float:
    """Return the option `value` as a float; raise an error unless it is finite and not negative."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"Expected {name} to be a number. Received: {name}={value!r}")
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"Expected {name} of at least 0, and finite. Received: {name}={value!r}")
    return float(value)

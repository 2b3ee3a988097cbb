"""What the objects that say what is asked have in common."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

import numpy as np

from eli5.checks import is_integer, shown, wrong_type, wrong_value


class Asked:
    """Equality by the fields, arrays among them, and a short text."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = zip(self._values(), other._values(), strict=True)
        return all(np.array_equal(one, another) for (_, one), (_, another) in pairs)

    __hash__ = None  # type: ignore[assignment]  # an array has none

    def __repr__(self) -> str:
        given = [f"{name}={shown(value)}" for name, value in self._values() if value is not None]
        return f"{type(self).__name__}({', '.join(given)})"

    def _values(self) -> Iterator[tuple[str, Any]]:
        yield from ((one.name, getattr(self, one.name)) for one in fields(self))  # type: ignore[arg-type]


def check_class(name: str, value: Any) -> None:
    """Raise TypeError or ValueError if it is neither a class id nor the name of a class."""
    if not (is_integer(value) or isinstance(value, str)):
        raise wrong_type(name, value, "a class id, or the name of a class")
    if not isinstance(value, str) and value < 0:
        raise wrong_value(name, value, ">= 0")

"""What is written down of one measured thing."""

from __future__ import annotations

import json
from typing import NamedTuple

MARK = "ROW "  # before a row that one process prints for another: what is measured prints, too


class Row(NamedTuple):
    """One measured thing.

    Attributes
    ----------
    what : str
    value : float or None
        In `unit`; None if it failed.
    low, high : float or None
        Quartiles, or the least and greatest, of what was measured.
    goal : float or None
        The most that it may be; the least where `at_least`. None if it has none.
    unit : str
    at_least : bool
    error : str
        The first line of what was raised, if it failed.
    note : str
    subject, on : str
        Which peer, or which part of the time, and what it was measured on.
    """

    what: str
    value: float | None
    low: float | None
    high: float | None
    goal: float | None = None
    unit: str = "× forward"
    at_least: bool = False
    error: str = ""
    note: str = ""
    subject: str = ""
    on: str = ""

    @property
    def is_met(self) -> bool | None:
        """Whether the goal is reached; None if there is none, or nothing was measured."""
        if self.goal is None or self.value is None:
            return None
        return self.value >= self.goal if self.at_least else self.value <= self.goal


def as_line(row: Row) -> str:
    """Return a row as it is printed."""
    start = f"{row.what:52}"
    if row.value is None:
        return f"{start} fails: {row.error}"
    spread = f"[{row.low:.3f} .. {row.high:.3f}]"
    line = f"{start} {row.value:8.3f} {spread} {row.unit:24}"
    if row.goal is not None:
        line += f" goal {row.goal:g} {'ok' if row.is_met else 'NO'}"
    return f"{line} {row.note}".rstrip()


def encode(row: Row) -> str:
    """Return a row as a line for another process."""
    return MARK + json.dumps(row._asdict())


def decode(output: str) -> list[Row]:
    """Return the rows among what a process printed."""
    lines = [line for line in output.splitlines() if line.startswith(MARK)]
    return [Row(**json.loads(line.removeprefix(MARK))) for line in lines]

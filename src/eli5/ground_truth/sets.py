"""The sets, in one table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from eli5.ground_truth.closed_form import make_hand_set
from eli5.ground_truth.grid import make_grid
from eli5.ground_truth.problem import Problem
from eli5.ground_truth.sequences import make_sequences
from eli5.ground_truth.tasks_8x8 import make_tasks
from eli5.ground_truth.watermark import make_watermark


class ProblemSet(NamedTuple):
    """Problems of one kind.

    Attributes
    ----------
    name : str
    about : str
        In one line for people.
    make : callable
        ``make(seed, n_docs) -> list of Problem``.
    """

    name: str
    about: str
    make: Callable[[int, int], list[Problem]]


_ROWS = (
    ProblemSet(
        "hand-set", "networks whose weights are set by hand, exact for each pixel", make_hand_set
    ),
    ProblemSet("tasks", "tasks of 8 x 8 pixels with suppressors, as in XAI-TRIS", make_tasks),
    ProblemSet("grid", "cells that cannot influence each other, and two objects", make_grid),
    ProblemSet("watermark", "a mark that the model uses by a known share", make_watermark),
    ProblemSet("sequences", "planted tokens in texts, a planted motif in series", make_sequences),
)

SETS: Mapping[str, ProblemSet] = MappingProxyType({row.name: row for row in _ROWS})

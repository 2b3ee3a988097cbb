"""What a comparison of two models says: how far the evidence of each doc has moved."""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from eli5.base import Explanation
from eli5.checks import need, wrong_value
from eli5.formatters.diff_page import format_as_diff_page
from eli5.formatters.diff_report import as_json, as_junit, as_text, change_as_dict
from eli5.saving.atomic_write import write_atomically

TOLERANCE = 0.1
"""How far evidence may move if nothing else is said, see `evidence_distance`: a tenth of the
diagonal of a picture."""

KEPT = 50  # explanations that a diff holds, of each model, if nothing else is said


class Prediction(NamedTuple):
    """What a model takes a doc for, and what it gives the class that is compared.

    Attributes
    ----------
    top : int or str
        The class with the highest output.
    top_name : str or None
    top_score : float or None
        Its probability, or the model's output where that is none.
    score : float or None
        The same of the class that is compared.
    has_evidence : bool
        Whether anything speaks for that class: whether its map is more than zeros.
    """

    top: Any
    top_name: str | None
    top_score: float | None
    score: float | None
    has_evidence: bool = True


@dataclass(eq=False)
class EvidenceChange:
    """How far the evidence of one doc has moved.

    Parameters
    ----------
    number : int
        Of the doc, counted from 0.
    name : str
        What the doc is called.
    target : int or str
        The class that both maps explain.
    class_name : str, optional
    distance : float
        See `evidence_distance`; NaN if there is an `error`.
    before, after : Prediction, optional
        Of the old and of the new model.
    old, new : Explanation, optional
        With the maps; a diff keeps those of the docs that have moved most.
    error : str
        Why the doc could not be explained; empty if it was.
    """

    number: int
    name: str
    target: Any = None
    class_name: str | None = None
    distance: float = float("nan")
    before: Prediction | None = None
    after: Prediction | None = None
    old: Explanation | None = None
    new: Explanation | None = None
    error: str = ""

    @property
    def is_predicted_otherwise(self) -> bool:
        """Whether the two models predict different classes."""
        return (
            self.before is not None
            and self.after is not None
            and (self.before.top != self.after.top)
        )


@dataclass(eq=False, repr=False)
class EvidenceDiff:
    """What has become of the evidence from an old model to a new one.

    Parameters
    ----------
    tolerance : float
        How far the evidence of a doc may move.
    kept : int
        Of how many docs the explanations are held, those that have moved most.
    changes : list of EvidenceChange
        One per doc, in their order.
    old, new, method : str
        The names of the models, and of the method.
    """

    tolerance: float = TOLERANCE
    kept: int = KEPT
    changes: list[EvidenceChange] = field(default_factory=list)
    old: str = ""
    new: str = ""
    method: str = ""
    _held: list[tuple[float, int, EvidenceChange]] = field(default_factory=list, init=False)

    @property
    def distances(self) -> list[float]:
        """How far each doc has moved, in their order."""
        return [one.distance for one in self.changes]

    @property
    def ranked(self) -> list[EvidenceChange]:
        """Those that could be explained, the furthest moved first."""
        known = [one for one in self.changes if not one.error]
        return sorted(known, key=lambda one: -one.distance)

    @property
    def beyond(self) -> list[EvidenceChange]:
        """Those that have moved further than the tolerance, the furthest first."""
        return [one for one in self.ranked if one.distance > self.tolerance]

    @property
    def predicted_otherwise(self) -> list[EvidenceChange]:
        """Those that the two models take for different classes, the furthest moved first."""
        return [one for one in self.ranked if one.is_predicted_otherwise]

    @property
    def failed(self) -> list[EvidenceChange]:
        """Those that could not be explained."""
        return [one for one in self.changes if one.error]

    @property
    def table(self) -> Any:
        """A row per doc as a `pandas.DataFrame`; ModuleNotFoundError without pandas."""
        return need("pandas").DataFrame([change_as_dict(one) for one in self.changes])

    def add(self, change: EvidenceChange) -> None:
        """Take in one more, and let go of the explanations of the one that has moved least."""
        self.changes.append(change)
        if change.old is None or change.new is None:
            return
        self.old = self.old or change.old.estimator
        self.new = self.new or change.new.estimator
        self.method = self.method or change.old.method or ""
        heapq.heappush(self._held, (change.distance, -len(self.changes), change))
        if len(self._held) > self.kept:
            *_, least = heapq.heappop(self._held)
            least.old = least.new = None

    def save(self, path: Any) -> None:
        """Write it to a file: a page (``.html``), JSON (``.json``) or JUnit's XML (``.xml``).

        The page has the docs whose explanations are held, the furthest moved first, with both maps
        side by side. JUnit's file has a test case per doc; those beyond the tolerance fail.

        Raises
        ------
        ValueError
            If the name has another ending.
        """
        formats = {".html": format_as_diff_page, ".json": as_json, ".xml": as_junit}
        ending = Path(path).suffix.lower()
        if ending not in formats:
            raise wrong_value("path", str(path), f"to end in one of {', '.join(formats)}")
        write_atomically(path, formats[ending](self).encode())

    def __repr__(self) -> str:
        """Show how far docs have moved, and the furthest of them."""
        return as_text(self)

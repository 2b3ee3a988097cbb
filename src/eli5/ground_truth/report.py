"""What the benchmark found: rows, a table, text, and files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eli5.checks import expect_choice, need, wrong_value
from eli5.ground_truth.agreement import NUMBERS, in_words
from eli5.ground_truth.problem import Array
from eli5.metrics.comparison import interval
from eli5.saving.atomic_write import write_atomically

# What tells whether a method is worse than another one; the other numbers say how.
_JUDGED = "agreement", "impossible"
_MARGIN = 0.1  # by which it is worse, at least
_CERTAIN = 0.5, 99.5  # percent: ends of the interval in which the difference lies


class Row(NamedTuple):
    """What is known of a method on one problem; see `NUMBERS`.

    Attributes
    ----------
    set, problem, method : str
    agreement, low, high : float or None
        The mean, and the 95 % interval of it, by resampling the docs.
    inside, rank_accuracy, impossible, share_error : float or None
        Means; None where a number is not defined.
    maps, blank : int
        How many maps there were, and how many of them were zeros.
    seconds : float
    reason : str
        Why the method is not applicable here, if it is not.
    values : Mapping
        By number, what it is for each map.
    """

    set: str
    problem: str
    method: str
    agreement: float | None = None
    low: float | None = None
    high: float | None = None
    inside: float | None = None
    rank_accuracy: float | None = None
    impossible: float | None = None
    share_error: float | None = None
    maps: int = 0
    blank: int = 0
    seconds: float = 0.0
    reason: str = ""
    values: Mapping[str, Array] = {}


class Example(NamedTuple):
    """The first doc of a problem, the truth about it, and the maps of it by method."""

    doc: Array
    truth: Array
    about: str
    maps: dict[str, Array]


class Difference(NamedTuple):
    """Where one method is worse than another one, and by how much."""

    set: str
    problem: str
    number: str
    by: float


def make_row(
    set_name: str,
    problem: str,
    method: str,
    numbers: Sequence[Mapping[str, float]],
    n_blank: int,
    seconds: float,
) -> Row:
    """Return the row of what was measured of each map."""
    values = {name: np.array([one[name] for one in numbers]) for name in NUMBERS}
    means: dict[str, Any] = {name.replace(" ", "_"): _mean(found) for name, found in values.items()}
    # Of one doc there is no interval.
    low, high = (None if np.isnan(end) else end for end in interval(values["agreement"]))
    return Row(
        *(set_name, problem, method),
        **means,
        low=low,
        high=high,
        maps=len(numbers),
        blank=n_blank,
        seconds=seconds,
        values=values,
    )


def _mean(values: Array) -> float | None:
    defined = values[~np.isnan(values)]
    return float(defined.mean()) if len(defined) else None


@dataclass(eq=False, repr=False)
class BenchmarkReport:
    """How far methods agree with attributions that are known.

    Parameters
    ----------
    rows : list of Row
        One per problem and method, also of those that are not applicable.
    examples : dict
        By set and problem an `Example`.
    seed, n_docs : int
    backend : str
    """

    rows: list[Row]
    examples: dict[tuple[str, str], Example] = field(default_factory=dict)
    seed: int = 0
    n_docs: int = 0
    backend: str = ""

    @property
    def methods(self) -> list[str]:
        """The methods, those that cannot be right first."""
        return list(dict.fromkeys(row.method for row in self.rows))

    @property
    def sets(self) -> list[str]:
        """The sets."""
        return list(dict.fromkeys(row.set for row in self.rows))

    @property
    def table(self) -> Any:
        """The rows as a `pandas.DataFrame`; ModuleNotFoundError without pandas."""
        names = [name for name in Row._fields if name != "values"]
        return need("pandas").DataFrame([row[: len(names)] for row in self.rows], columns=names)

    def row(self, set_name: str, problem: str, method: str) -> Row:
        """Return one row; KeyError if there is none."""
        for row in self.rows:
            if row[:3] == (set_name, problem, method):
                return row
        raise KeyError((set_name, problem, method))

    def mean(self, method: str, set_name: str | None = None, number: str = "agreement") -> Any:
        """Return the mean over the problems (of a set) where a method is applicable, or None."""
        name = number.replace(" ", "_")
        found = [getattr(row, name) for row in self._of(method, set_name)]
        defined = [one for one in found if one is not None]
        return float(np.mean(defined)) if defined else None

    def worse(self, method: str, than: str) -> list[Difference]:
        """Return where a method is worse than another one, by more than the docs leave open.

        That is where its agreement, or the heat on places where none is possible, is worse by more
        than 0.1 in the mean, and the 99 % interval of the difference, by resampling the docs, does
        not hold 0; the largest difference first. Problems that one of them is not applicable to do
        not count. ValueError if the report has no such method.
        """
        expect_choice("method", method, self.methods)
        expect_choice("than", than, self.methods)
        found = [
            Difference(mine.set, mine.problem, name, by)
            for mine in self._of(method)
            for other in [self.row(mine.set, mine.problem, than)]
            if not mine.reason and not other.reason
            for name in _JUDGED
            if (by := _worse_by(name, mine, other)) > _MARGIN
        ]
        return sorted(found, key=lambda one: -one.by)

    def save(self, path: Any) -> None:
        """Write a page (``.html``) or a document (``.json``).

        Raises
        ------
        ValueError
            If the path has another ending.
        OSError
            If it cannot be written.
        """
        ending = Path(path).suffix.lower()
        if ending == ".json":
            content = json.dumps(self.as_dict(), indent=1, allow_nan=False)
        elif ending == ".html":
            from eli5.ground_truth.page import format_as_benchmark_page

            content = format_as_benchmark_page(self)
        else:
            raise wrong_value("path", str(path), "to end in .html or .json")
        write_atomically(path, content.encode())

    def as_dict(self) -> dict[str, Any]:
        """Return all that was measured, as what JSON can hold; the examples are left out."""
        about = {"seed": self.seed, "n_docs": self.n_docs, "backend": self.backend}
        numbers = {name: number._asdict() for name, number in NUMBERS.items()}
        rows = [{**row._asdict(), "values": _as_lists(row.values)} for row in self.rows]
        return {**about, "numbers": numbers, "rows": rows}

    def _of(self, method: str, set_name: str | None = None) -> Iterator[Row]:
        for row in self.rows:
            if row.method == method and set_name in (None, row.set):
                yield row

    def __repr__(self) -> str:
        """Show the agreement per set, and what is not applicable where."""
        lines = [self.head, *map(self.cells, self.methods)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        table = [
            "  ".join(cell.ljust(n) for cell, n in zip(line, widths, strict=True)).rstrip()
            for line in lines
        ]
        title = "agreement with the known truth: the mean over the problems of a set"
        return "\n".join([title, *table, "", *self.remarks()])

    @property
    def head(self) -> tuple[str, ...]:
        """What the cells of a row are called."""
        return ("method", *self.sets, "impossible", "seconds")

    def cells(self, method: str) -> tuple[str, ...]:
        """Return what is shown of a method: its agreement per set, what is impossible, seconds."""
        seconds = sum(row.seconds for row in self._of(method))
        return (
            method,
            *(self._cell(method, name) for name in self.sets),
            in_words(self.mean(method, None, "impossible"), "{:.0%}"),
            f"{seconds:.1f}",
        )

    def _cell(self, method: str, set_name: str) -> str:
        """Return the mean, with a star if it is of some of the set's problems alone."""
        mean = self.mean(method, set_name)
        if mean is None:
            return "not applicable"
        is_partly = any(row.reason for row in self._of(method, set_name))
        return f"{mean:+.2f}{'*' * is_partly}"

    def remarks(self) -> Iterator[str]:
        """Yield sentences: what is not applicable where, and which maps are blank."""
        reasons: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            if row.reason:
                reasons.setdefault((row.method, row.reason), []).append(row.problem)
        for (method, reason), problems in reasons.items():
            yield f"{method} is not applicable to {', '.join(problems)}: {reason}"
        for row in self.rows:
            if row.blank:
                yield f"{row.method} is blank for {row.blank} of {row.maps} docs of {row.problem}"


def _worse_by(name: str, mine: Row, other: Row) -> float:
    """Return by how much one number is worse in the mean, 0 if it may be chance."""
    sign = 1 if NUMBERS[name].better == "higher" else -1
    differences = sign * (other.values[name] - mine.values[name])
    defined = differences[~np.isnan(differences)]
    if not len(defined):
        return 0.0
    low, _ = interval(defined, ends=_CERTAIN)
    return float(defined.mean()) if low > 0 else 0.0


def _as_lists(values: Mapping[str, Array]) -> dict[str, list[float | None]]:
    return {
        name: [None if np.isnan(one) else float(one) for one in found]
        for name, found in values.items()
    }

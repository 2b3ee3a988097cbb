"""Make the tables of the docs from what `bench.py --json` wrote.

    python benchmarks/report.py [--write docs/performance.md] FILE ...

Without a page they are printed. Of two files with the same row, the later one counts.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from pages import as_table, write_between
from rows import Row

NAMES = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
NOTHING = "–"


class Results(NamedTuple):
    """What was read.

    Attributes
    ----------
    rows : dict of dict of Row
        By case, then by backend and what was measured.
    facts : list of dict
        See `facts.facts`.
    """

    rows: dict[str, dict[tuple[str, str], Row]]
    facts: list[dict[str, Any]]


def main() -> None:
    """Print the tables, or write them into a page between their markers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="the page to write them into")
    options = parser.parse_args()
    for name, text in tables(read(options.files)).items():
        if options.write:
            write_between(options.write, name, text)
        else:
            print(f"{name}\n\n{text}\n")


def read(files: Iterable[Path]) -> Results:
    """Return the rows of all files together."""
    results = Results({}, [])
    for file in files:
        found = json.loads(file.read_text(encoding="utf-8"))
        results.facts.append(found["facts"])
        for entry in found["rows"]:
            row = Row(**{field: entry[field] for field in Row._fields})
            of_case = results.rows.setdefault(entry["case"], {})
            of_case[found["facts"]["backend"], row.what] = row
    return results


def tables(results: Results) -> dict[str, str]:
    """Return the Markdown of each table that there are rows for, by the name of its markers."""
    made = {
        "machine": _machine(results.facts),
        "goals": _goals(results.rows),
        "peers": _peers(results.rows.get("peers", {})),
        "profile": _profile(results.rows.get("profile", {})),
    }
    return {name: text for name, text in made.items() if text}


def _machine(facts: list[dict[str, Any]]) -> str:
    return "\n".join(dict.fromkeys(map(_machine_of, facts)))


def _machine_of(fact: dict[str, Any]) -> str:
    versions = [f"{name} {version}" for name, version in sorted(fact["versions"].items())]
    cores = f"{fact['cores']} cores"
    machine = [fact["cpu"], cores, fact["accelerator"], fact["system"]]
    parts = [*filter(None, machine), f"Python {fact['python']}", *versions]
    return f"- {NAMES[fact['backend']]}: {', '.join(parts)}"


def _goals(cases: dict[str, dict[tuple[str, str], Row]]) -> str:
    """Return what has a goal, one column per backend."""
    rows = {key: row for found in cases.values() for key, row in found.items() if row.goal}
    backends = _backends(rows)
    lines = [
        [what, _goal(row), *(_against_goal(rows.get((backend, what))) for backend in backends)]
        for what, row in {row.what: row for row in rows.values()}.items()
    ]
    head = ["What", "Goal", *(NAMES[backend] for backend in backends)]
    return as_table(head, lines) if lines else ""


def _goal(row: Row) -> str:
    return f"{'≥' if row.at_least else '≤'} {row.goal:g} {row.unit}"


def _against_goal(row: Row | None) -> str:
    if row is None:
        return NOTHING
    return _spread(row) if row.is_met else f"**{_spread(row)}**, not met"


def _spread(row: Row) -> str:
    if row.value is None:
        return _failure(row)
    if row.low == row.high:
        return _number(row.value)
    return f"{_number(row.value)} ({_number(row.low)} … {_number(row.high)})"


def _number(value: float | None) -> str:
    """Return three digits, but no more than two behind the point."""
    if value is None:
        return NOTHING
    size = abs(value)
    return f"{value:z.{2 if size < 10 else 1 if size < 100 else 0}f}"


def _peers(rows: dict[tuple[str, str], Row]) -> str:
    """Return one line per peer and backend."""
    found: dict[tuple[str, str], dict[str, Row]] = {}
    for (backend, _), row in rows.items():
        found.setdefault((backend, row.subject), {})[row.on] = row
    lines = [
        [subject, NAMES[backend], *_peer(of_peer)] for (backend, subject), of_peer in found.items()
    ]
    head = ["", "Backend", "Batch 1", "Batch 8", "Heatmap", "Nested model", "Saturated softmax"]
    return as_table(head, lines) if lines else ""


def _peer(rows: dict[str, Row]) -> list[str]:
    """Return what it costs, and what it found; an error takes the place of either."""
    absent = rows.get("")  # not measured on anything
    costs, findings = ("batch 1", "batch 8"), ("batch 1", "nested model", "saturated softmax")
    return [
        *(_cost(rows.get(on, absent)) for on in costs),
        *(_finding(rows.get(on, absent)) for on in findings),
    ]


def _cost(row: Row | None) -> str:
    if row is None:
        return NOTHING
    return _spread(row) + row.unit.removeprefix("× forward")


def _finding(row: Row | None) -> str:
    if row is None:
        return NOTHING
    return _failure(row) if row.value is None else row.note


def _failure(row: Row) -> str:
    error = re.sub(r"([|`*_<\[])", r"\\\1", row.error)  # it is plain text
    return error if error.startswith("not installed") else f"fails: {error}"


def _profile(rows: dict[tuple[str, str], Row]) -> str:
    """Return one line per part, one column per backend and batch size."""
    backends = _backends(rows)
    sizes = dict.fromkeys(row.on for row in rows.values())
    lines = [
        [part, *(_part(rows.get((b, f"{part}, {on}"))) for b in backends for on in sizes)]
        for part in dict.fromkeys(row.subject for row in rows.values())
    ]
    head = ["Part", *(f"{NAMES[backend]}, {on}" for backend in backends for on in sizes)]
    return as_table(head, lines) if lines else ""


def _part(row: Row | None) -> str:
    return NOTHING if row is None else f"{_number(row.value)} ms ({row.note})"


def _backends(rows: Iterable[tuple[str, str]]) -> list[str]:
    """Return the backends that there are rows of, in the order of `NAMES`."""
    found = {backend for backend, _ in rows}
    return [backend for backend in NAMES if backend in found]


if __name__ == "__main__":
    main()

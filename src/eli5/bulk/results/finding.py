"""Find explanations in whatever holds some: a bulk run, a folder of ``eli5 explain``, or a file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eli5 import limits
from eli5.base import Explanation, Explanations
from eli5.bulk.filesystem import is_remote
from eli5.bulk.results.reading import Start, passes, read
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import RECORDS, check_readable, wrong_argument
from eli5.saving.explanation_file import load

FILES = (".npz", ".json", ".jsonl")

Filters = dict[str, Any]


def find_explanations(
    results: str, filters: Filters, most: int, start: int = 0
) -> tuple[int, list[Explanation]]:
    """Return how many explanations pass the filters, and some of them with their pictures.

    Parameters
    ----------
    results : str
        A folder or URL of a bulk run, a folder of ``eli5 explain``, or a file of explanations.
    filters : dict
        Those of `eli5.bulk.read`, each None where it does not count; all may be left out.
    most, start : int
        How many are returned at most, and how many before them are left out.

    Raises
    ------
    OSError, TypeError, ValueError
        If there are no such results, or they cannot be read.
    """
    filters = dict.fromkeys(("class_name", "ids", "min_probability", "ok")) | filters
    path = Path(results)
    if (path / RECORDS).is_file():
        return _of_lines(path / RECORDS, filters, most, start)
    if path.suffix.lower() == ".jsonl" and not path.is_dir():
        check_readable(path, "results")
        return _of_lines(path, filters, most, start)
    if path.suffix.lower() in FILES and not path.is_dir():
        check_readable(path, "results")
        found = [one for one in Explanations(load(path)) if _passes(one, filters)]
        return len(found), found[start : start + most]
    if not is_remote(results) and not path.is_dir():
        expected = f"a folder of eli5 bulk or eli5 explain, or a file {', '.join(FILES)}"
        reason = "is another file" if path.exists() else "does not exist"
        raise wrong_argument("results", results, expected, f", which {reason}")
    run = read(results, **filters)
    return len(run), list(run[start : start + most])


def _of_lines(path: Path, filters: Filters, most: int, start: int) -> tuple[int, list[Explanation]]:
    """Read lines one by one, as there may be many; pictures only of those that are shown."""
    n_found, shown = 0, []
    for number, line in enumerate(_lines(path), 1):
        try:
            if not _passes(load(line, pictures=False), filters):
                continue
            n_found += 1
            if start < n_found <= start + most:
                shown.append(load(line))
        except ValueError as error:
            reason = shortened(str(error).rpartition("cannot be read: ")[2])
            raise UserError(
                f"Expected {path} to hold lines as `eli5 explain` writes them. Received: line "
                f"{number}: {reason}"
            ) from error
    return n_found, shown


def _lines(path: Path) -> Iterator[str]:
    with limits.open_file(path) as file:
        while line := file.readline(limits.SAVED_JSON_BYTES):
            yield line.decode("utf-8", "surrogatepass")


def _passes(expl: Explanation, filters: Filters) -> bool:
    target = next(iter(expl.targets or ()), None)
    about = (target.target, target.class_name, target.proba) if target else (None, None, None)
    names = {name: set(filters[name]) for name in ("class_name", "ids") if filters[name]}
    start = Start(expl.source or "", not expl.error, 0, *about)
    return passes(start, names, filters["ok"], filters["min_probability"])

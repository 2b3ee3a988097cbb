"""``eli5 gallery``: one page of what was explained before, by a command or from Python."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5 import limits
from eli5.cli.console import (
    UserError,
    print_fact,
    print_notice,
    shortened,
    wrong_argument,
)
from eli5.cli.output import CARDS, check_output
from eli5.loading.files import RECORDS, check_readable
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from eli5.base import Explanation

GALLERY_EXAMPLES = """**Examples**

The results of a bulk run, as explained.html beside its folder:

```
eli5 gallery explained
```

Those that the model takes for a cat or a dog and is sure of:

```
eli5 gallery explained --class cat --class dog --min-probability 0.9 --out sure.html
```

What was saved from Python:

```
eli5 gallery explanations.npz
```
"""


def make_gallery(
    results: str | Path,
    /,
    *,
    out: Annotated[Path | None, Parameter(metavar="PAGE")] = None,
    classes: Annotated[list[str] | None, Parameter(name="--class", metavar="NAME")] = None,
    ids: Annotated[list[str] | None, Parameter(name="--id", metavar="ID")] = None,
    min_probability: Annotated[float | None, Parameter(validator=Number(gte=0, lte=1))] = None,
    ok: Annotated[bool, Parameter(show_default=False)] = False,
    failed: Annotated[bool, Parameter(show_default=False)] = False,
    most: Annotated[int, Parameter(validator=Number(gte=1))] = CARDS,
) -> int:
    """Make a page of what was explained before: sorted, filtered, enlarged and printed there.

    Parameters
    ----------
    results
        The folder or URL of `eli5 bulk`; a folder of `eli5 explain`; or a file of explanations,
        `.npz`, `.json` or `.jsonl`. Pictures that are not in there are read from where they were.
    out
        The page, `.html`. [default: the name of RESULTS, beside it]
    classes
        Those whose first class, the likeliest, is this; may be given several times. A class
        without a name has its number.
    ids
        Those of this picture, by its id or path; may be given several times.
    min_probability
        Those whose first class has at least this probability.
    ok
        Leave out what could not be explained.
    failed
        Only what could not be explained.
    most
        How many the page has at most; 500 are some 10 to 20 MB.
    """
    if ok and failed:
        raise UserError("Expected either --ok or --failed. Received: both")
    page = _page(str(results), out)
    filters = {
        "class_name": classes,
        "ids": ids,
        "min_probability": min_probability,
        "ok": True if ok else False if failed else None,
    }
    try:
        n_found, shown = _chosen(str(results), filters, most)
    except (ImportError, OSError, TypeError, ValueError) as error:
        raise error if isinstance(error, UserError) else UserError(shortened(str(error))) from error
    if not shown:
        raise UserError(f"Expected {results} to hold explanations that are asked for. It has none")
    _write(page, shown)
    if n_found > len(shown):
        print_notice(f"The first {len(shown)} of {n_found} are shown. --most shows more of them.")
    n_failed = sum(bool(expl.error) for expl in shown)
    print_fact("Shown", f"{len(shown) - n_failed} explanations, {n_failed} that failed")
    print_fact("Written", str(page))
    return 0


def _page(results: str, out: Path | None) -> Path:
    """Return where the page goes, after a check."""
    path = out
    if path is None:
        from eli5.bulk.filesystem import file_name, is_remote

        local = Path(file_name(results)) if is_remote(results) else Path(results)
        local = local if local.name else Path(os.path.abspath(local))
        is_file = local.suffix.lower() in _FILES and not local.is_dir()
        path = local.with_suffix(".html") if is_file else local.with_name(f"{local.name}.html")
    if path.suffix.lower() != ".html":
        raise wrong_argument("--out", path, "a page, with a name that ends in .html")
    check_output(path, [results], (".html",))
    return path


_FILES = (".npz", ".json", ".jsonl")

Filters = dict[str, Any]


def _chosen(results: str, filters: Filters, most: int) -> tuple[int, list[Explanation]]:
    """Return how many explanations pass the filters, and the first of them with their pictures."""
    path = Path(results)
    if (path / RECORDS).is_file():
        return _of_lines(path / RECORDS, filters, most)
    if path.suffix.lower() == ".jsonl" and not path.is_dir():
        check_readable(path, "results")
        return _of_lines(path, filters, most)
    if path.suffix.lower() in _FILES and not path.is_dir():
        check_readable(path, "results")
        from eli5 import Explanations, load

        found = [one for one in Explanations(load(path)) if _passes(one, filters)]
        return len(found), found[:most]
    from eli5 import bulk
    from eli5.bulk.filesystem import is_remote

    if not is_remote(results) and not path.is_dir():
        expected = f"a folder of eli5 bulk or eli5 explain, or a file {', '.join(_FILES)}"
        reason = "is another file" if path.exists() else "does not exist"
        raise wrong_argument("RESULTS", results, expected, f", which {reason}")
    read = bulk.read(results, **filters)
    return len(read), list(islice(read, most))


def _of_lines(path: Path, filters: Filters, most: int) -> tuple[int, list[Explanation]]:
    """Read lines one by one, as there may be many; pictures only of those that are shown."""
    from eli5 import load

    n_found, shown = 0, []
    for number, line in enumerate(_lines(path), 1):
        try:
            if not _passes(load(line, pictures=False), filters):
                continue
            n_found += 1
            if n_found <= most:
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
    from eli5.bulk.results.reading import Start, passes

    target = next(iter(expl.targets or ()), None)
    about = (target.target, target.class_name, target.proba) if target else (None, None, None)
    names = {name: set(filters[name]) for name in ("class_name", "ids") if filters[name]}
    start = Start(expl.source or "", not expl.error, 0, *about)
    return passes(start, names, filters["ok"], filters["min_probability"])


def _write(page: Path, shown: Sequence[Explanation]) -> None:
    from eli5.formatters.html import format_as_page

    model = next((expl.estimator for expl in shown if expl.estimator), "the model")
    try:
        write_atomically(page, format_as_page(shown, f"What {model} looked at").encode())
    except OSError as error:
        raise wrong_argument("--out", page, "a file that can be written", f": {error}") from error

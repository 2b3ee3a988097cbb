"""``eli5 gallery``: one page of what was explained before, by a command or from Python."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.console import (
    UserError,
    print_fact,
    print_notice,
    shortened,
    wrong_argument,
)
from eli5.cli.output import CARDS, check_output
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
    from eli5.bulk.results.finding import find_explanations

    page = _page(str(results), out)
    filters = {
        "class_name": classes,
        "ids": ids,
        "min_probability": min_probability,
        "ok": True if ok else False if failed else None,
    }
    try:
        n_found, shown = find_explanations(str(results), filters, most)
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
        from eli5.bulk.results.finding import FILES

        local = Path(file_name(results)) if is_remote(results) else Path(results)
        local = local if local.name else Path(os.path.abspath(local))
        is_file = local.suffix.lower() in FILES and not local.is_dir()
        path = local.with_suffix(".html") if is_file else local.with_name(f"{local.name}.html")
    if path.suffix.lower() != ".html":
        raise wrong_argument("--out", path, "a page, with a name that ends in .html")
    check_output(path, [results], (".html",))
    return path


def _write(page: Path, shown: Sequence[Explanation]) -> None:
    from eli5.formatters.html import format_as_page

    model = next((expl.estimator for expl in shown if expl.estimator), "the model")
    try:
        write_atomically(page, format_as_page(shown, f"What {model} looked at").encode())
    except OSError as error:
        raise wrong_argument("--out", page, "a file that can be written", f": {error}") from error

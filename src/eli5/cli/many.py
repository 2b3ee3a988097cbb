"""Many pictures: explained one after the other, whatever is wrong with some of them."""

from __future__ import annotations

import functools
import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from eli5.cli import files
from eli5.cli.asked import Asked, Ready, make_ready
from eli5.cli.console import UserError, print_error, print_notice, print_text, print_whole
from eli5.cli.interrupt import ended_between_writes, ended_by_ctrl_c
from eli5.cli.output import name_overlays
from eli5.cli.progress import measured
from eli5.cli.report import (
    Tally,
    as_line,
    as_lines,
    as_row,
    collected_warnings,
    print_summary,
    worded,
)
from eli5.cli.results import Results
from eli5.cli.stream import Explained, Item, explained

__all__ = ["explain_many"]


def explain_many(asked: Asked, folder: Path | None) -> int:
    """Explain all pictures that were found.

    Parameters
    ----------
    asked : Asked
    folder : Path, optional
        Where results are written; without it, they are printed.

    Returns
    -------
    int
        The exit code: 1 if a picture could not be explained.

    Raises
    ------
    UserError
        If none can be, because something is wrong with the model or the options.
    """
    _print_what_is_left_out(asked)
    begun = perf_counter()
    with collected_warnings() as counts:
        with ended_by_ctrl_c():
            ready = make_ready(asked)
        tally = Tally(len(asked.found.paths), ready.backend, perf_counter() - begun)
        cards = _cards(asked, ready)
        results = None if folder is None else Results(folder, tally.total, cards)
        _explain(asked, ready, results, tally)
    tally.seconds = perf_counter() - begun - tally.loading
    print_summary(tally, worded(counts), results, on_stderr=asked.as_json)
    return 1 if tally.n_skipped or asked.found.problems else 0


def _print_what_is_left_out(asked: Asked) -> None:
    for problem in asked.found.problems:
        print_error(problem)
    results = asked.found.results
    if results:
        more = f" and {len(results) - 1} more" if len(results) > 1 else ""
        print_notice(f"Left out, as this command has made it: {results[0]}{more}.")


def _cards(asked: Asked, ready: Ready) -> int:
    """Return how much of a page each picture takes: a card per method, for up to three classes."""
    n_targets = len(asked.classes or ()) or asked.options["top_targets"] or 1
    return len(ready.options["methods"]) * math.ceil(n_targets / 3)


def _explain(asked: Asked, ready: Ready, results: Results | None, tally: Tally) -> None:
    """Explain and hand on one picture after the other; count them."""
    import eli5

    names = [] if results is None else name_overlays(asked.found.paths, asked.found.base)
    explain = functools.partial(eli5.explain_predictions, ready.loaded.model, **ready.options)
    # Lines of JSON would break the bar.
    with measured(tally.total, has_bar=not (asked.as_json and sys.stdout.isatty())) as meter:

        def finish() -> None:
            if results is not None:
                results.finish()

        def tidy() -> None:
            meter.stop()
            finish()
            print_notice(f"Stopped after {tally.n_done} of {tally.total} pictures.")

        with ended_between_writes(tidy) as whole:
            try:
                for one in explained(explain, _items(asked, ready, tally), asked.classes):
                    with whole():
                        overlay = names[one.number] if names else None
                        tally.add(_handed_on(one, asked, results, overlay))
                        meter.advance()
            finally:
                with whole():
                    finish()


def _items(asked: Asked, ready: Ready, tally: Tally) -> Iterator[Item]:
    """Read one picture after the other."""
    from eli5.cli.preprocess import picture_to_doc

    for number, path in enumerate(asked.found.paths):
        try:
            picture = files.read_picture(path)
        except UserError as error:
            yield Item(number, problem=error.lines[0])
        else:
            doc, said = picture_to_doc(ready.loaded, picture, asked.preprocess)
            tally.note_input(said)
            yield Item(number, doc, picture)


def _handed_on(
    one: Explained, asked: Asked, results: Results | None, overlay: Path | None
) -> Explained:
    """Write or print what came of one picture; return what came of that."""
    path = asked.found.paths[one.number]
    more = {} if overlay is None else {"overlay": overlay.as_posix()}
    records = as_lines(path, one.explanations, **more)
    if results is not None and overlay is not None and not one.problem:
        name = os.path.relpath(path, asked.found.base)
        one = one._replace(problem=results.add(name, overlay, one.explanations, records))
    if one.problem:
        records = [as_line({"path": path, "error": one.problem})]
        print_error(one.problem if path in one.problem else f"{path}: {one.problem}")
        if results is not None:
            results.skip(records)
    if asked.as_json:
        print_whole(records)
    elif results is None and not one.problem:
        print_text(as_row(path, one.explanations[0]))
    return one

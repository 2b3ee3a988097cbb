"""Many pictures or texts: explained one after the other, whatever is wrong with some of them."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

from eli5.bulk.progress import show_progress
from eli5.bulk.signals import exit_at_once, exit_between_writes
from eli5.cli.console import (
    UserError,
    above_bar,
    print_error,
    print_notice,
    print_text,
    print_whole,
)
from eli5.cli.options import Asked, Ready, make_ready
from eli5.cli.report import (
    Tally,
    as_line,
    as_lines,
    collected_warnings,
    print_summary,
    worded,
)
from eli5.cli.results import Results
from eli5.cli.subject import Job, Steps
from eli5.loading.stream import Explained, Item, explained

__all__ = ["explain_many"]


def explain_many(asked: Asked, job: Job, folder: Path | None) -> int:
    """Explain all pictures or texts of a job.

    Parameters
    ----------
    asked : Asked
    job : Job
    folder : Path, optional
        Where results are written; without it, they are printed.

    Returns
    -------
    int
        The exit code: 1 if one of them could not be explained.

    Raises
    ------
    UserError
        If none can be, because something is wrong with the model or the options.
    """
    _print_what_is_left_out(job)
    begun = perf_counter()
    with collected_warnings() as counts:
        with exit_at_once():
            ready = make_ready(asked)
            steps = job.begin(ready)
        tally = Tally(job.terms, len(job.names), ready.backend, perf_counter() - begun)
        cards, what = _cards(asked, ready), job.terms.several
        results = None if folder is None else Results(folder, tally.total, cards, what)
        _explain(asked, job, steps, results, tally)
    tally.seconds = perf_counter() - begun - tally.loading
    print_summary(tally, worded(counts), results, on_stderr=asked.as_json)
    return 1 if tally.n_skipped or job.problems else 0


def _print_what_is_left_out(job: Job) -> None:
    for problem in job.problems:
        print_error(problem)
    results = job.results
    if results:
        more = f" and {len(results) - 1} more" if len(results) > 1 else ""
        print_notice(f"Left out, as this command has made it: {results[0]}{more}.")


def _cards(asked: Asked, ready: Ready) -> int:
    """Return how much of a page each of them takes: a card per method, for up to three classes."""
    n_targets = len(asked.classes or ()) or asked.options["top_targets"] or 1
    return len(ready.options["methods"]) * math.ceil(n_targets / 3)


def _explain(asked: Asked, job: Job, steps: Steps, results: Results | None, tally: Tally) -> None:
    """Explain and hand on one after the other; count them."""
    overlays = [] if results is None or job.overlays is None else job.overlays()
    what = job.terms.several
    # Lines of JSON would break the bar.
    has_bar = not (asked.as_json and sys.stdout.isatty())
    with (
        show_progress(tally.total, noun=what, has_bar=has_bar, every=10.0) as progress,
        above_bar(progress.console),
    ):

        def finish() -> None:
            if results is not None:
                results.finish()

        def tidy() -> None:
            progress.stop()
            finish()
            print_notice(f"Stopped after {tally.n_done} of {tally.total} {what}.")

        with exit_between_writes(tidy) as whole:
            try:
                for one in explained(steps.explain, _items(job, steps, tally), asked.classes):
                    with whole():
                        overlay = overlays[one.number] if overlays else None
                        tally.add(_handed_on(one, asked, job, results, overlay))
                        progress.advance()
            finally:
                with whole():
                    finish()


def _items(job: Job, steps: Steps, tally: Tally) -> Iterator[Item]:
    """Read one after the other."""
    for number in range(len(job.names)):
        try:
            subject = job.read(number)
        except UserError as error:
            yield Item(number, problem=error.lines[0])
        else:
            prepared = steps.prepare(subject)
            if not prepared.problem:
                tally.note_input(prepared.said)
            yield Item(number, prepared.doc, prepared.beside, prepared.problem)


def _handed_on(
    one: Explained, asked: Asked, job: Job, results: Results | None, overlay: Path | None
) -> Explained:
    """Write or print what came of one of them; return what came of that."""
    name = job.names[one.number]
    known = {job.terms.key: name}
    more = {} if overlay is None else {"overlay": overlay.as_posix()}
    records = as_lines(one.explanations, **known, **more)
    if results is not None and not one.problem:
        title = name if job.base is None else os.path.relpath(name, job.base)
        one = one._replace(problem=results.add(title, overlay, one.explanations, records))
    if one.problem:
        records = [as_line({**known, "error": one.problem})]
        print_error(one.problem if name in one.problem else f"{name}: {one.problem}")
        if results is not None:
            results.skip(records)
    if asked.as_json:
        print_whole(records)
    elif results is None and not one.problem:
        print_text(job.row(name, one.explanations))
    return one

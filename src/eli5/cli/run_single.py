"""One picture or text: explained, and all of it said."""

from __future__ import annotations

from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eli5.bulk.signals import exit_at_once
from eli5.cli.console import (
    UserError,
    has_colours,
    print_fact,
    print_notice,
    print_text,
    print_whole,
)
from eli5.cli.destination import write_output
from eli5.cli.options import Asked, make_ready
from eli5.cli.report import as_lines, collected_warnings, worded
from eli5.cli.subject import Job
from eli5.loading.stream import Item, explained

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["explain_one"]


def explain_one(asked: Asked, job: Job, out: Path | None) -> None:
    """Explain the one picture or text of a job; print the result, and write it to a file.

    Raises
    ------
    UserError
        If anything about it is wrong.
    """
    (name,) = job.names
    with exit_at_once(), collected_warnings() as counts:
        subject = job.read(0)
        begun = perf_counter()
        ready = make_ready(asked)
        steps = job.begin(ready)
        prepared = steps.prepare(subject)
        if prepared.problem:
            raise UserError(prepared.problem)
        loaded = perf_counter()
        # Alone it either can be explained or raises.
        item = Item(0, prepared.doc, prepared.beside)
        (one,) = explained(steps.explain, [item], asked.classes)
        explanations = one.explanations
        done = perf_counter()
    if out is not None:
        shown: Any = explanations if len(explanations) > 1 else explanations[0]
        title = f"What {explanations[0].estimator} looked at in {Path(name).name}"
        write_output(shown, out, title=title)
    notes = worded(counts, known="\n".join(expl.description or "" for expl in explanations))
    if asked.as_json:
        for note in notes:
            print_notice(note)
        print_whole(as_lines(explanations, **{job.terms.key: name}))
        return
    _print_explanations(explanations)
    print_fact("Input", f"{job.label(0, subject)} as {prepared.said}")
    seconds = f"{done - loaded:.2f} s on {ready.backend}, after {loaded - begun:.2f} s of loading"
    print_fact("Time", seconds)
    for note in notes:
        print_fact("Warning", note, "yellow")
    if out is not None:
        print_fact(job.terms.written, str(out))


def _print_explanations(explanations: list[Explanation]) -> None:
    from eli5.formatters.text import format_as_text

    ansi = has_colours()
    for expl in explanations:
        print_text(f"{format_as_text(expl, ansi=ansi)}\n")

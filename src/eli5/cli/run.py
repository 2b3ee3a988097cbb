"""A run of ``eli5 explain`` or ``explain-text``: one picture or text, or many of them."""

from __future__ import annotations

import math
import os
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eli5.cli.console import (
    UserError,
    as_typed,
    has_colours,
    print_error,
    print_fact,
    print_notice,
    print_text,
    print_whole,
)
from eli5.cli.interrupt import ended_between_writes, ended_by_ctrl_c
from eli5.cli.options import ExplainOptions, load_model
from eli5.cli.output_file import write_output
from eli5.cli.output_folder import OutputFolder
from eli5.cli.progress import measured
from eli5.cli.report import (
    RunSummary,
    as_line,
    as_lines,
    as_row,
    collected_warnings,
    print_notices,
    print_summary,
    print_warnings,
    worded,
)
from eli5.loading.stream import StreamItem, StreamResult, explain_stream

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.loading.models import LoadedModel


class Inputs(ABC):
    """What a run explains, pictures or texts, as far as the two differ.

    Attributes
    ----------
    noun, heading, key, output_heading : str
        What they are called: in sentences, in the line that counts them, in lines of JSON; and what
        the line with the file of a single one is called.
    names : sequence of str
        One per input.
    problems, results : sequence of str
        What cannot be looked through, and what was made by this command and is left out.
    base : Path, optional
        The folder from which names on a page start.
    """

    noun: str
    heading: str
    key: str
    output_heading: str
    names: Sequence[str]
    problems: Sequence[str] = ()
    results: Sequence[str] = ()
    base: Path | None = None

    @abstractmethod
    def read(self, number: int) -> Any:
        """Read one of them; UserError if it cannot be read."""

    @abstractmethod
    def label(self, number: int, content: Any) -> str:
        """Name one of them with the size of what was read."""

    @abstractmethod
    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        """Take the model, and the options for `eli5.explain_predictions`, before the first item.

        UserError if the model does not take such inputs.
        """

    @abstractmethod
    def make_item(self, number: int, content: Any) -> tuple[StreamItem, str]:
        """Return what was read as the model takes it, and how it became that."""

    @abstractmethod
    def explain(self, docs: Sequence[Any], metadata: Sequence[Any], targets: Any) -> Any:
        """See `eli5.loading.stream.explain_stream`."""

    def row(self, name: str, explanations: Sequence[Explanation]) -> str:
        """Return what came of one of them in few lines."""
        return as_row(name, explanations[0])

    def overlays(self) -> Sequence[Path]:
        """Return the pictures that a folder of results holds, one per input, or none at all."""
        return ()


def explain_inputs(
    inputs: Inputs,
    options: ExplainOptions,
    model: str,
    weights: Path | None = None,
    *,
    file: Path | None,
    folder: Path | None,
) -> int:
    """Explain all inputs; print the results, and write them to a file or a folder.

    Parameters
    ----------
    inputs : Inputs
    options : ExplainOptions
    model, weights
        See `eli5.loading.models.load`.
    file : Path, optional
        Where the one result is written.
    folder : Path, optional
        Where any number of results are written.

    Returns
    -------
    int
        The exit code: 1 if one of several could not be explained.

    Raises
    ------
    UserError
        If none can be, because something is wrong with the model or the options.
    """

    def start() -> tuple[str, int]:
        """Return the backend, and how many cards of a page an input takes: three classes each."""
        loaded, explain_options = load_model(options, model, weights)
        inputs.use_model(loaded, explain_options)
        import keras

        n_targets = len(options.targets or ()) or options.top or 1
        cards = len(explain_options["methods"]) * math.ceil(n_targets / 3)
        return keras.backend.backend(), cards

    if folder is None and len(inputs.names) == 1 and not inputs.problems:
        _explain_one(inputs, options, start, file)
        return 0
    return _explain_many(inputs, options, start, folder)


def _explain_one(
    inputs: Inputs, options: ExplainOptions, start: Callable[[], tuple[str, int]], file: Path | None
) -> None:
    with ended_by_ctrl_c(), collected_warnings() as counts:
        content = inputs.read(0)
        begun = perf_counter()
        backend, _ = start()
        item, description = inputs.make_item(0, content)
        if item.problem:
            raise UserError(item.problem)
        loaded = perf_counter()
        # Alone it either can be explained or raises.
        (result,) = explain_stream(inputs.explain, [item], classes=options.targets)
        done = perf_counter()
    (name,), explanations = inputs.names, result.explanations
    if file is not None:
        shown: Any = explanations if len(explanations) > 1 else explanations[0]
        title = f"What {explanations[0].estimator} looked at in {Path(name).name}"
        write_output(shown, file, title=title)
    notes = worded(counts, known="\n".join(expl.description or "" for expl in explanations))
    if options.as_json:
        for note in notes:
            print_notice(note)
        print_whole(as_lines(explanations, **{inputs.key: name}))
        return
    _print_explanations(explanations)
    print_fact("Input", f"{inputs.label(0, content)} as {as_typed(description)}")
    seconds = f"{done - loaded:.2f} s on {backend}, after {loaded - begun:.2f} s of loading"
    print_fact("Time", seconds)
    print_warnings(notes)
    if file is not None:
        print_fact(inputs.output_heading, str(file))


def _print_explanations(explanations: Sequence[Explanation]) -> None:
    from eli5.formatters.text import format_as_text

    ansi = has_colours()
    for expl in explanations:
        print_text(f"{format_as_text(expl, ansi=ansi)}\n")


def _explain_many(
    inputs: Inputs,
    options: ExplainOptions,
    start: Callable[[], tuple[str, int]],
    folder: Path | None,
) -> int:
    for problem in inputs.problems:
        print_error(problem)
    if inputs.results:
        first, *others = inputs.results
        more = f" and {len(others)} more" if others else ""
        print_notice(f"Left out, as this command has made it: {first}{more}.")
    begun = perf_counter()
    with collected_warnings() as counts:
        with ended_by_ctrl_c():
            backend, cards = start()
        summary = RunSummary(len(inputs.names), backend, perf_counter() - begun)
        output = None
        if folder is not None:
            output = OutputFolder(folder, summary.total, cards, inputs.noun)
        _explain_all(inputs, options, output, summary)
    summary.seconds = perf_counter() - begun - summary.loading
    if options.as_json:
        print_notices(summary, worded(counts))
    else:
        print_summary(summary, inputs.heading, worded(counts), output)
    return 1 if summary.n_skipped or inputs.problems else 0


def _explain_all(
    inputs: Inputs, options: ExplainOptions, output: OutputFolder | None, summary: RunSummary
) -> None:
    """Explain and hand on one after the other; count them."""
    no_overlays: Sequence[Path | None] = [None] * summary.total
    overlays = no_overlays if output is None else inputs.overlays() or no_overlays
    # Lines of JSON would break the bar.
    has_bar = not (options.as_json and sys.stdout.isatty())
    with measured(summary.total, has_bar=has_bar, what=inputs.noun) as meter:

        def finish() -> None:
            if output is not None:
                output.finish()

        def tidy() -> None:
            meter.stop()
            finish()
            print_notice(f"Stopped after {summary.n_done} of {summary.total} {inputs.noun}.")

        items = _items(inputs, summary)
        with ended_between_writes(tidy) as whole:
            try:
                for result in explain_stream(
                    inputs.explain, items, options.batch_size, options.targets
                ):
                    with whole():
                        overlay = overlays[result.number]
                        summary.add(_hand_on(result, inputs, options, output, overlay))
                        meter.advance()
            finally:
                with whole():
                    finish()


def _items(inputs: Inputs, summary: RunSummary) -> Iterator[StreamItem]:
    """Read one after the other."""
    for number in range(len(inputs.names)):
        try:
            content = inputs.read(number)
        except UserError as error:
            yield StreamItem(number, problem=as_typed(error.lines[0]))
            continue
        item, description = inputs.make_item(number, content)
        if not item.problem:
            summary.note_input(as_typed(description))
        yield item


def _hand_on(
    result: StreamResult,
    inputs: Inputs,
    options: ExplainOptions,
    output: OutputFolder | None,
    overlay: Path | None,
) -> StreamResult:
    """Write or print what came of one of them; return what came of that."""
    name = inputs.names[result.number]
    names = {inputs.key: name, **({} if overlay is None else {"overlay": overlay.as_posix()})}
    records = as_lines(result.explanations, **names)
    if output is not None and not result.problem:
        title = name if inputs.base is None else os.path.relpath(name, inputs.base)
        problem = output.add(title, overlay, result.explanations, records)
        result = result._replace(problem=problem)
    if result.problem:
        records = [as_line({inputs.key: name, "error": result.problem})]
        print_error(result.problem if name in result.problem else f"{name}: {result.problem}")
        if output is not None:
            output.write_records(records)
    if options.as_json:
        print_whole(records)
    elif output is None and not result.problem:
        print_text(inputs.row(name, result.explanations))
    return result

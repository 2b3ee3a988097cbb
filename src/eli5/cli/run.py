"""A run of ``eli5 explain`` or ``explain-text``: one picture or text, or many of them."""

from __future__ import annotations

import math
import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from eli5.bulk.progress import show_progress
from eli5.bulk.signals import exit_at_once, exit_between_writes
from eli5.cli import report
from eli5.cli.console import (
    UserError,
    above_bar,
    as_typed,
    has_colours,
    print_error,
    print_fact,
    print_notice,
    print_text,
    print_whole,
)
from eli5.cli.options import ExplainOptions, load_model
from eli5.cli.output import OutputFolder, check_output, write_output
from eli5.loading.stream import StreamItem, StreamResult, explain_stream

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.loading.models import LoadedModel


class Inputs(ABC):
    """What a run explains, pictures or texts, as far as the two differ."""

    noun: str  # "pictures"
    heading: str  # of the line that counts them
    key: str  # of their names in lines of JSON
    output_heading: str  # of the line that names the file of a single one
    endings: Sequence[str]  # of the files that a single one can be written to
    names: Sequence[str]  # one per input
    files: Sequence[str]  # that are read, and must not be overwritten
    problems: Sequence[str] = ()  # of folders that cannot be looked through
    results: Sequence[str] = ()  # of this command, which are left out

    @abstractmethod
    def read(self, number: int) -> Any:
        """Read one of them; UserError if it cannot be read."""

    @abstractmethod
    def label(self, number: int, content: Any) -> str:
        """Name one of them with the size of what was read."""

    @abstractmethod
    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        """Take model and options before the first item; UserError if the model does not fit."""

    @abstractmethod
    def make_item(self, number: int, content: Any) -> tuple[StreamItem, str]:
        """Return what was read as the model takes it, and how it became that."""

    @abstractmethod
    def explain(self, docs: Sequence[Any], metadata: Sequence[Any], targets: Any) -> Any:
        """See `eli5.loading.stream.explain_stream`."""

    def row(self, name: str, explanations: Sequence[Explanation]) -> str:
        """Say in few lines what came of one of them."""
        return report.as_row(name, explanations[0])

    def title(self, name: str) -> str:
        """Return what one of them is called on a page."""
        return name

    def overlays(self) -> Sequence[Path | None]:
        """Return the picture that a folder of results holds of each, if any."""
        return [None] * len(self.names)


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
    inputs, options
    model, weights
        See `eli5.loading.models.load`.
    file, folder : Path, optional
        Where the one result is written, or any number of them.

    Returns
    -------
    int
        The exit code: 1 if one of several could not be explained.

    Raises
    ------
    UserError
        If the file cannot be written, or if nothing can be explained, because something is wrong
        with the model or the options.
    """
    if file is not None:
        _check_file(file, inputs, options)
        check_output(file, (model, weights, options.labels, *inputs.files), inputs.endings)

    def start() -> str:
        """Get the model ready, and return the backend."""
        inputs.use_model(*load_model(options, model, weights))
        import keras

        return keras.backend.backend()

    if folder is None and len(inputs.names) == 1 and not inputs.problems:
        _explain_one(inputs, options, start, file)
        return 0
    return _explain_many(inputs, options, start, folder)


def _check_file(file: Path, inputs: Inputs, options: ExplainOptions) -> None:
    """Raise UserError if there is more to write than goes into one file."""
    n_inputs, methods = len(inputs.names), options.methods or ()
    if n_inputs > 1:
        raise UserError(
            f"Expected --out to be a folder for several {inputs.noun}: one that exists, a name "
            "without an ending, or one with a slash at its end. Received: "
            f"--out={file} for {n_inputs} {inputs.noun}"
        )
    if len(methods) > 1 and file.suffix.lower() in (".json", ".npz"):
        raise UserError(
            f"Expected one --method for --out {file}, which holds one explanation. Received: "
            f"{', '.join(methods)}. Write an .html or .txt file, or a folder"
        )


def _explain_one(
    inputs: Inputs, options: ExplainOptions, start: Callable[[], str], file: Path | None
) -> None:
    with exit_at_once(), report.collected_warnings() as counts:
        content = inputs.read(0)
        begun = perf_counter()
        backend = start()
        item, conversion = inputs.make_item(0, content)
        if item.problem:
            raise UserError(item.problem)
        loaded = perf_counter()
        # Alone it either can be explained or raises.
        (result,) = explain_stream(inputs.explain, [item], classes=options.targets)
        done = perf_counter()
    (name,), explanations = inputs.names, result.explanations
    if file is not None:
        title = f"What {explanations[0].estimator} looked at in {Path(name).name}"
        write_output(explanations, file, title)
    notes = report.warning_lines(counts, "\n".join(expl.description or "" for expl in explanations))
    if options.as_json:
        for note in notes:
            print_notice(note)
        print_whole(report.as_lines(explanations, {inputs.key: name}))
        return
    from eli5.formatters.text import format_as_text

    for expl in explanations:
        print_text(f"{format_as_text(expl, ansi=has_colours())}\n")
    print_fact("Input", f"{inputs.label(0, content)} as {as_typed(conversion)}")
    time = f"{done - loaded:.2f} s on {backend}, after {loaded - begun:.2f} s of loading"
    print_fact("Time", time)
    report.print_warnings(notes)
    if file is not None:
        print_fact(inputs.output_heading, str(file))


def _explain_many(
    inputs: Inputs, options: ExplainOptions, start: Callable[[], str], folder: Path | None
) -> int:
    _print_left_out(inputs)
    summary, output = report.RunSummary(inputs.heading), None
    begun = perf_counter()
    with report.collected_warnings() as counts:
        with exit_at_once():
            backend = start()
        loaded = perf_counter()
        if folder is not None:
            # A card per method, for up to three classes.
            n_classes = len(options.targets or ()) or options.top or 1
            n_cards = len(options.methods or ("Grad-CAM",)) * math.ceil(n_classes / 3)
            output = OutputFolder(folder, len(inputs.names), n_cards, inputs.noun)
        _explain_all(inputs, options, output, summary)
    seconds, notes = (loaded - begun, perf_counter() - loaded), report.warning_lines(counts)
    summary.print_summary(notes, backend, seconds, output, as_json=options.as_json)
    return 1 if summary.n_skipped or inputs.problems else 0


def _print_left_out(inputs: Inputs) -> None:
    for problem in inputs.problems:
        print_error(problem)
    if inputs.results:
        first, *others = inputs.results
        more = f" and {len(others)} more" if others else ""
        print_notice(f"Left out, as this command has made it: {first}{more}.")


def _explain_all(
    inputs: Inputs, options: ExplainOptions, output: OutputFolder | None, summary: report.RunSummary
) -> None:
    """Explain and hand on one after the other; count them."""
    n_inputs = len(inputs.names)
    overlays = [None] * n_inputs if output is None else inputs.overlays()
    # Lines of JSON would break the bar.
    has_bar = not (options.as_json and sys.stdout.isatty())
    with (
        show_progress(n_inputs, noun=inputs.noun, has_bar=has_bar, every=10.0) as progress,
        above_bar(progress.console),
    ):

        def finish() -> None:
            if output is not None:
                output.finish()

        def tidy() -> None:
            progress.stop()
            finish()
            n_done = summary.n_explained + summary.n_skipped
            print_notice(f"Stopped after {n_done} of {n_inputs} {inputs.noun}.")

        items = _items(inputs, summary)
        stream = explain_stream(inputs.explain, items, options.batch_size, options.targets)
        with exit_between_writes(tidy) as whole:
            try:
                for result in stream:
                    with whole():
                        summary.add(_hand_on(result, inputs, options, output, overlays))
                        progress.advance()
            finally:
                with whole():
                    finish()


def _items(inputs: Inputs, summary: report.RunSummary) -> Iterator[StreamItem]:
    """Read one after the other."""
    for number in range(len(inputs.names)):
        try:
            content = inputs.read(number)
        except UserError as error:
            yield StreamItem(number, problem=as_typed(error.lines[0]))
            continue
        item, conversion = inputs.make_item(number, content)
        if not item.problem:
            summary.conversions[as_typed(conversion)] = None
        yield item


def _hand_on(
    result: StreamResult,
    inputs: Inputs,
    options: ExplainOptions,
    output: OutputFolder | None,
    overlays: Sequence[Path | None],
) -> Sequence[Explanation]:
    """Write or print what came of one of them; return the explanations that there are."""
    name, overlay = inputs.names[result.number], overlays[result.number]
    names = {inputs.key: name, **({} if overlay is None else {"overlay": overlay.as_posix()})}
    records, problem = report.as_lines(result.explanations, names), result.problem
    if output is not None and not problem:
        problem = output.add(inputs.title(name), overlay, result.explanations, records)
    if problem:
        records = [report.as_line({inputs.key: name, "error": problem})]
        print_error(problem if name in problem else f"{name}: {problem}")
        if output is not None:
            output.write_records(records)
    if options.as_json:
        print_whole(records)
    elif output is None and not problem:
        print_text(inputs.row(name, result.explanations))
    return () if problem else result.explanations

"""A run of ``eli5 explain`` or ``explain-text``: its options, and one input or many of them."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any, Protocol

from eli5.cli import report
from eli5.cli.backend import start_keras
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
from eli5.cli.interrupts import exit_at_once, exit_between_writes
from eli5.cli.options import (
    DEFAULT_LOOK,
    ExplainOptions,
    Look,
    ModelOptions,
    check_options,
    check_request,
    read_methods,
    read_options,
)
from eli5.cli.output import OutputFolder, check_output, check_sources, write_output
from eli5.loading import files
from eli5.loading.stream import StreamItem, StreamResult, explain_stream
from eli5.progress import clear, show_progress

if TYPE_CHECKING:
    from eli5.base import Explanation
    from eli5.loading.models import LoadedModel


class Inputs(Protocol):
    """What a run explains, pictures or texts, as far as the two differ."""

    noun: str  # "pictures"
    heading: str  # of the line that counts them
    key: str  # of their names in lines of JSON
    output_heading: str  # of the line that names the file of a single one
    endings: Sequence[str]  # of the files that a single one can be written to
    names: Sequence[str]  # one per input
    titles: Sequence[str]  # what they are called on a page
    files: Sequence[str]  # that are read, and must not be overwritten
    problems: Sequence[str] = ()  # of folders that cannot be looked through
    results: Sequence[str] = ()  # of this command, which are left out
    target: Any = None  # what is asked of each beside classes; see `eli5.explain_prediction`
    overlays: Sequence[Path | None]  # the picture that a folder of results holds of each, if any

    def read(self, number: int) -> Any:
        """Read one of them; UserError if it cannot be read."""

    def label(self, number: int, content: Any) -> str:
        """Name one of them with the size of what was read."""

    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        """Take model and options before the first item; UserError if the model does not fit."""

    def make_item(self, number: int, content: Any) -> tuple[StreamItem, str]:
        """Return what was read as the model takes it, and how it became that."""

    def explain(self, docs: Sequence[Any], metadata: Sequence[Any]) -> Any:
        """See `eli5.loading.stream.explain_stream`."""

    def row(self, name: str, explanations: Sequence[Explanation]) -> str:
        """Say in few lines what came of one of them."""
        return report.as_row(name, explanations[0])


def explain_inputs(
    inputs: Inputs,
    options: ExplainOptions,
    model: str,
    weights: Path | None = None,
    *,
    loading: ModelOptions,
    look: Look = DEFAULT_LOOK,
    file: Path | None,
    folder: Path | None,
) -> int:
    """Explain all inputs, print and write the results; return 1 if more failed than may."""
    loading.warn()
    if file is not None:
        _check_file(file, inputs, options)
        check_output(file, (model, weights, options.labels, *inputs.files), inputs.endings)

    def start() -> str:
        """Get the model ready, and return the backend."""
        inputs.use_model(*load_model(options, model, weights, loading, inputs.target))
        import keras

        return keras.backend.backend()

    if folder is None and len(inputs.names) == 1 and not inputs.problems:
        return _explain_one(inputs, options, start, file, look)
    return _explain_many(inputs, options, start, folder, look)


def load_model(
    options: ExplainOptions,
    model: str,
    weights: Path | None,
    loading: ModelOptions,
    target: Any = None,
) -> tuple[LoadedModel, dict[str, Any]]:
    """Load the model, after a check of the options; return both for `eli5.explain_predictions`."""
    path = options.labels
    labels = None if path is None else files.read_lines(path, "labels", "class name")
    start_keras()
    from eli5.loading import models

    chosen = _options_for_python(options, target)
    typed = options.methods and read_methods(options.methods)
    methods = check_request(typed or None, chosen)
    loaded = models.load(model, weights, **loading.for_python())
    # Lines of JSON would break a bar.
    progress = False if options.as_json and sys.stdout.isatty() else None
    return loaded, {
        **chosen,
        "methods": methods,
        "class_names": models.class_names(loaded, labels),
        "batch_size": options.batch_size,
        "progress": progress,
        "grade": options.grade,
    }


def _options_for_python(options: ExplainOptions, target: Any) -> dict[str, Any]:
    return {
        **check_options(read_options(options.method_options)),
        "layer": options.layer,
        "score": options.score,
        "sign": options.sign,
        "classes": options.classes if target is None else None,
        "target": target,
        "top_targets": options.top,
        "task": options.task,
    }


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
    inputs: Inputs,
    options: ExplainOptions,
    start: Callable[[], str],
    file: Path | None,
    look: Look,
) -> int:
    with exit_at_once(), report.collected_warnings() as counts:
        content = inputs.read(0)
        begun = perf_counter()
        backend = start()
        item, conversion = inputs.make_item(0, content)
        if item.problem:
            raise UserError(item.problem)
        loaded = perf_counter()
        # Alone it either can be explained or raises.
        (result,) = explain_stream(inputs.explain, [item])
        done = perf_counter()
    (name,), explanations = inputs.names, result.explanations
    if file is not None:
        title = f"What {explanations[0].estimator} looked at in {Path(name).name}"
        write_output(explanations, file, title, look.options())
    notes = report.warning_lines(counts, "\n".join(expl.description or "" for expl in explanations))
    if options.as_json:
        print_notice(*notes)
        print_whole(report.as_lines(explanations, {inputs.key: name}))
        return 0
    from eli5.formatters.text import format_as_text

    for expl in explanations:
        print_text(f"{format_as_text(expl, ansi=has_colours())}\n")
    print_fact("Input", f"{inputs.label(0, content)} as {as_typed(conversion)}")
    time = f"{done - loaded:.2f} s on {backend}, after {loaded - begun:.2f} s of loading"
    print_fact("Time", time)
    for note in notes:
        print_fact("Warning", note, "yellow")
    if file is not None:
        print_fact(inputs.output_heading, str(file))
    return 0


def _explain_many(
    inputs: Inputs,
    options: ExplainOptions,
    start: Callable[[], str],
    folder: Path | None,
    look: Look,
) -> int:
    for problem in inputs.problems:
        print_error(problem)
    if inputs.results:
        more = f" and {len(inputs.results) - 1} more" if len(inputs.results) > 1 else ""
        print_notice(f"Left out, as this command has made it: {inputs.results[0]}{more}.")
    summary = report.RunSummary(inputs.heading)
    output = None if folder is None else _open_folder(folder, inputs, options, look)
    release: Callable[[], None] = (lambda: None) if output is None else output.release
    begun = perf_counter()
    try:
        with report.collected_warnings() as counts:
            with exit_at_once(release):
                backend = start()
            loaded = perf_counter()
            _explain_all(inputs, options, output, summary)
    finally:
        release()
    seconds, notes = (loaded - begun, perf_counter() - loaded), report.warning_lines(counts)
    summary.print_summary(notes, backend, seconds, output, as_json=options.as_json)
    return int(summary.n_skipped + len(inputs.problems) > options.allow_failed)


def _open_folder(folder: Path, inputs: Inputs, options: ExplainOptions, look: Look) -> OutputFolder:
    check_sources(folder, inputs.files)
    # A card per method, for up to three classes.
    n_classes = len(inputs.target or options.classes or ()) or options.top or 1
    n_cards = len(options.methods or ("Grad-CAM",)) * math.ceil(n_classes / 3)
    return OutputFolder(folder, len(inputs.names), n_cards, inputs.noun, look.options())


def _explain_all(
    inputs: Inputs, options: ExplainOptions, output: OutputFolder | None, summary: report.RunSummary
) -> None:
    """Explain and hand on one after the other; count them."""
    n_inputs = len(inputs.names)
    overlays = [None] * n_inputs if output is None else inputs.overlays
    # Lines of JSON would break the bar.
    has_bar = not (options.as_json and sys.stdout.isatty())
    with show_progress(n_inputs, noun=inputs.noun, has_bar=has_bar) as progress:

        def finish() -> None:
            if output is not None:
                output.finish()

        def tidy() -> None:
            clear()
            finish()
            if output is not None:
                output.release()
            n_done = summary.n_explained + summary.n_skipped
            print_notice(f"Stopped after {n_done} of {n_inputs} {inputs.noun}.")

        items = _items(inputs, summary)
        stream = explain_stream(inputs.explain, items, options.batch_size)
        with exit_between_writes(tidy) as whole:
            try:
                for result in stream:
                    with whole():
                        summary.add(_hand_on(result, inputs, options, output, overlays))
                        progress.advance()
            except BaseException:
                with whole(), suppress(UserError):  # what went wrong first is what is told
                    finish()
                raise
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
        problem = output.add(inputs.titles[result.number], overlay, result.explanations, records)
    if problem:
        records = [report.as_line({inputs.key: name, "error": problem})]
        print_error(problem if name in problem else f"{name}: {problem}")
        if output is not None:
            output.add_failed(inputs.titles[result.number], problem, records)
    if options.as_json:
        print_whole(records)
    elif output is None and not problem:
        print_text(inputs.row(name, result.explanations))
    return () if problem else result.explanations

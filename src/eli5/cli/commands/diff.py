"""``eli5 diff``: two models, and the pictures whose evidence has moved most between them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli import report
from eli5.cli.commands.explain import FoundPictures, find_pictures
from eli5.cli.console import (
    UserError,
    as_typed,
    print_error,
    print_fact,
    print_notice,
    print_text,
    print_whole,
    shortened,
    wrong_argument,
)
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import (
    DEFAULT_LOOK,
    DEFAULT_MODEL_OPTIONS,
    DEFAULT_OPTIONS,
    ExplainOptions,
    IdOrName,
    Look,
    ModelOptions,
    check_classes,
)
from eli5.cli.output import check_folder, check_output, file_or_folder, shrunk
from eli5.cli.run import load_model
from eli5.loading import files
from eli5.loading.stream import StreamItem, explain_stream
from eli5.progress import show_progress
from eli5.saving.atomic_write import write_atomically

if TYPE_CHECKING:
    from eli5.loading.models import LoadedModel
    from eli5.testing import EvidenceChange, EvidenceDiff

DIFF_EXAMPLES = """**Examples**

The pictures whose evidence has moved most, as a page:

```
eli5 diff old.keras new.keras photos --preprocess unit --out moved.html
```

In CI, with JUnit's XML for its pages; the exit code is 3 if a picture is beyond the tolerance:

```
eli5 diff old.keras new.keras photos --tolerance 0.15 --out junit.xml --out moved.html
```

For the class that a list says of each picture, and a new model with another preprocessing:

```
eli5 diff old.keras new.keras list.csv --class-column label --new-preprocess tf --out report
```
"""

ENDINGS = (".html", ".json", ".xml")
IN_FOLDER = ("index.html", "diff.json", "junit.xml")
BEYOND = 3  # the exit code
_KEPT = 50  # pictures of a page

Preprocess = Literal["tf", "torch", "caffe", "unit", "none"]
Count = Annotated[int, Parameter(metavar="N", validator=Number(gte=0))]


def diff_models(
    old: str | Path,
    new: str | Path,
    images: list[str | Path],
    /,
    *,
    options: ExplainOptions = DEFAULT_OPTIONS,
    class_column: Annotated[str | None, Parameter(metavar="NAME")] = None,
    new_layer: IdOrName | None = None,
    tolerance: Annotated[float, Parameter(validator=Number(gte=0, lte=1))] = 0.1,
    allow_beyond: Count = 0,
    preprocess: Preprocess | None = None,
    new_preprocess: Preprocess | None = None,
    frame: Annotated[int | None, Parameter(metavar="N", validator=Number(gte=0))] = None,
    weights: Path | None = None,
    new_weights: Path | None = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
    look: Look = DEFAULT_LOOK,
    out: Annotated[list[str | Path] | None, Parameter(metavar="PATH")] = None,
) -> int:
    """Compare what two models look at: pictures whose evidence has moved most come first.

    Parameters
    ----------
    old
        A `.keras` or `.h5` file, or the name of a `keras.applications` model.
    new
        Another model of the same classes; its architecture and its input size may differ.
    images
        As for `eli5 explain`; with `--class-column` one list, `.csv` or `.tsv`.
    class_column
        The column of the list that says the class of each picture, by its number or its name.
        [default: the class that OLD predicts]
    new_layer
        The layer of NEW, where `--layer` is that of OLD alone.
    tolerance
        How far the evidence of a picture may move: 0 if both models look at the same places, 1 from
        one corner to the opposite.
    allow_beyond
        Let the exit code be 0 if the evidence of at most so many pictures has moved further.
    preprocess
        See `eli5 explain --help`.
    new_preprocess
        The same for NEW. [default: that of OLD]
    frame
        Which frame of a picture with several is explained, counted from 0. [default: 0]
    weights
        A local weights file, where OLD is a `keras.applications` model.
    new_weights
        The same for NEW.
    out
        Write a page (`.html`), JSON (`.json`) or JUnit's XML (`.xml`), and may be given for each;
        or a folder for all three.
    """
    options.check()
    _check_single(options, class_column)
    for model, own in ((old, weights), (new, new_weights)):
        files.check_model(str(model), own)
    outputs = _find_outputs(out or [])
    look.check(is_drawn=any(path.suffix.lower() == ".html" for path in outputs))
    pictures = _find_pictures(list(map(str, images)), class_column)
    sources = (str(old), str(new), weights, new_weights, options.labels, *pictures.found.paths)
    for path in outputs:
        if path.parent.is_dir():
            check_output(path, sources, ENDINGS)
    loading.warn()
    run = _Run(pictures, options, preprocess, new_preprocess or preprocess, frame, new_layer)
    with exit_at_once(), report.collected_warnings() as counts:
        begun = perf_counter()
        run.load((str(old), weights), (str(new), new_weights), loading, class_column)
        loaded = perf_counter()
        diff = run.compare(tolerance)
        seconds = loaded - begun, perf_counter() - loaded
        for path in outputs:
            _write(diff, path, look)
    _print(diff, options, outputs, seconds, report.warning_lines(counts))
    if len(diff.failed) + len(pictures.found.problems) > options.allow_failed:
        return 1
    return BEYOND if len(diff.beyond) > allow_beyond else 0


def _check_single(options: ExplainOptions, class_column: str | None) -> None:
    """Raise UserError if there would be more than one map of a picture."""
    check_classes(class_=options.classes, top=options.top, class_column=class_column)
    several = {
        "--method": len(options.methods or ()) > 1 and options.methods,
        "--class": len(options.classes or ()) > 1 and options.classes,
        "--top": options.top,
    }
    for name, value in several.items():
        if value:
            raise UserError(
                "Expected one method and one class, whose maps are compared. Received: "
                f"{name} {value}. Run the command once for each"
            )


# ---- what comes out ------------------------------------------------------------------------------


def _find_outputs(out: Sequence[str | Path]) -> list[Path]:
    """Return the files that are to be written, checked as far as that goes before any work."""
    found = []
    for one in out:
        if Path(one).suffix and not os.path.isdir(one):
            path, _ = file_or_folder(one)
            found.append(path or Path(one))
            check_output(found[-1], (), ENDINGS)
            continue
        folder = Path(one)
        if not folder.exists():
            check_folder(folder)
        elif not folder.is_dir() or not (
            IN_FOLDER[1] in (names := os.listdir(folder)) or not names
        ):
            expected = "a new or empty folder, or one that this command has made"
            raise wrong_argument("--out", one, expected, ", which holds other files")
        found.extend(folder / name for name in IN_FOLDER)
    return found


def _write(diff: EvidenceDiff, path: Path, look: Look) -> None:
    from eli5.formatters.diff_page import format_as_diff_page

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix.lower() == ".html":
            write_atomically(path, format_as_diff_page(diff, look.options()).encode())
        else:
            diff.save(path)
    except OSError as error:
        raise wrong_argument("--out", path, "a file that can be written", f": {error}") from error


def _print(
    diff: EvidenceDiff,
    options: ExplainOptions,
    outputs: Sequence[Path],
    seconds: tuple[float, float],
    notes: Sequence[str],
) -> None:
    if options.as_json:
        from eli5.formatters.diff_report import change_as_dict

        rows = [*diff.ranked, *diff.failed]
        print_whole(
            report.as_line(change_as_dict(one) | {"is_beyond": one.distance > diff.tolerance})
            for one in rows
        )
        print_notice(*notes)
        return
    print_text(f"{diff}\n")
    time = (
        f"{seconds[1]:.1f} s for {len(diff.changes)} pictures, after {seconds[0]:.1f} s of loading"
    )
    print_fact("Time", time)
    for note in notes:
        print_fact("Warning", note, "yellow")
    if outputs:
        print_fact("Written", ", ".join(map(str, outputs)))


# ---- what goes in --------------------------------------------------------------------------------


class _Pictures(NamedTuple):
    """The pictures that are meant, and the class that a list says of each."""

    found: FoundPictures
    labels: list[str] | None = None


def _find_pictures(arguments: Sequence[str], class_column: str | None) -> _Pictures:
    if class_column is None:
        found = find_pictures(arguments)
        for problem in found.problems:
            print_error(problem)
        return _Pictures(found)
    if len(arguments) != 1:
        raise UserError(
            f"Expected one list for --class-column: .csv or .tsv. Received: {len(arguments)} IMAGES"
        )
    files.check_readable(arguments[0], "image")
    from eli5.bulk.sources.paths import is_table, list_paths

    if not is_table([arguments[0]]):
        raise wrong_argument("IMAGE", arguments[0], "a .csv or .tsv list for --class-column")
    rows = list(list_paths([arguments[0]], class_column))
    if not rows:
        raise wrong_argument("IMAGE", arguments[0], "a list of pictures", ", which is empty")
    paths, labels = [row[1] for row in rows], [row[2] for row in rows]
    return _Pictures(FoundPictures(Path.cwd(), paths, [], []), labels)


class _Run:
    """Two models, and the pictures that go through both."""

    def __init__(
        self,
        pictures: _Pictures,
        options: ExplainOptions,
        preprocess: str | None,
        new_preprocess: str | None,
        frame: int | None,
        new_layer: int | str | None,
    ) -> None:
        self.pictures, self.options, self.frame = pictures, options, frame
        self.preprocess, self.new_preprocess = preprocess, new_preprocess
        self.new_layer = new_layer

    def load(
        self,
        old: tuple[str, Path | None],
        new: tuple[str, Path | None],
        loading: ModelOptions,
        class_column: str | None,
    ) -> None:
        """Load both models; UserError if they do not go together, or options are none."""
        self.names = old[0], new[0]
        self.old, chosen = load_model(self.options, *old, loading)
        from eli5.loading import models

        self.new = models.load(*new, **loading.for_python())
        (method,), classes = chosen.pop("methods"), chosen.pop("classes") or [None]
        is_asked = classes[0] is not None or class_column is not None
        n_classes = _count_classes(self.old, self.new, is_asked=is_asked)
        name, own = (method, {}) if isinstance(method, str) else method
        del chosen["top_targets"]
        self.explaining = {**chosen, "method": name, **own, "progress": False}
        layer = {} if self.new_layer is None else {"layer": self.new_layer}
        self.explaining_new = {**self.explaining, **layer}
        to_id = partial(
            models.class_of_label,
            names=chosen["class_names"],
            n_classes=n_classes,
            column=class_column or "",
        )
        self.to_id = to_id
        self.class_ = None if classes[0] is None else _class_id(classes[0], chosen, n_classes)

    def compare(self, tolerance: float) -> EvidenceDiff:
        """Compare picture by picture, a batch at a time, and count those that cannot be."""
        from eli5.testing import EvidenceChange, EvidenceDiff

        names = self.pictures.found.paths
        diff = EvidenceDiff(tolerance, _KEPT, old=self.names[0], new=self.names[1])
        has_bar = not self.options.as_json
        with show_progress(len(names), noun="pictures", has_bar=has_bar) as progress:
            stream = explain_stream(self._compare, self._items(), self.options.batch_size)
            for result in stream:
                if result.problem:
                    diff.add(
                        EvidenceChange(result.number, names[result.number], error=result.problem)
                    )
                    print_error(f"{names[result.number]}: {result.problem}")
                else:
                    diff.add(result.explanations[0])  # type: ignore[arg-type]
                progress.advance()
        return diff

    def _items(self) -> Iterator[StreamItem]:
        for number, path in enumerate(self.pictures.found.paths):
            try:
                yield self._item(number, path)
            except UserError as error:
                yield StreamItem(number, problem=as_typed(error.lines[0]))

    def _item(self, number: int, path: str) -> StreamItem:
        from eli5.loading.preprocess import picture_to_doc
        from eli5.testing.evidence_of_batch import Doc

        picture = files.read_picture(path, self.frame)
        old, _ = picture_to_doc(self.old, picture, self.preprocess)
        new, _ = picture_to_doc(self.new, picture, self.new_preprocess)
        target = self._target(number)
        return StreamItem(number, Doc(number, path, old, new, target, shrunk(picture, _KEPT)))

    def _target(self, number: int) -> int | None:
        labels = self.pictures.labels
        return self.class_ if labels is None else self.to_id(labels[number])

    def _compare(self, docs: Sequence[Any], metadata: Sequence[Any]) -> list[list[EvidenceChange]]:
        """Do as `explain_stream` asks of an explanation."""
        from eli5.testing.evidence_of_batch import compare_batch

        models = self.old.model, self.new.model
        changes = compare_batch(*models, docs, self.explaining, self.explaining_new)
        return [[one] for one in changes]


def _count_classes(old: LoadedModel, new: LoadedModel, *, is_asked: bool) -> int:
    """Return how many classes both models have, 0 if nobody knows; UserError if they differ."""
    from eli5.testing.evidence import check_same_classes

    try:
        n_classes = check_same_classes(old.model, new.model, ("OLD", "NEW"))
    except ValueError as error:
        raise UserError(str(error)) from error
    if n_classes is None and is_asked:
        raise UserError(
            "Expected a model with one output for --class or --class-column. Received: OLD, which "
            "has several. Leave it out for the class that OLD predicts"
        )
    return n_classes or 0


def _class_id(asked: Any, options: dict[str, Any], n_classes: int) -> int:
    """Return the class of all pictures by its id; UserError if there is no such class."""
    from eli5.keras.targets.class_names import ids_of, read_class_names

    try:
        (class_id,) = ids_of([asked], read_class_names(options["class_names"]), n_classes)
    except ValueError as error:
        raise UserError(shortened(str(error))) from error
    return class_id

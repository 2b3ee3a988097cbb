"""``eli5 evaluate``: which method is the most faithful, on photos of one's own."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli import report
from eli5.cli.backend import start_keras
from eli5.cli.commands.explain import find_pictures
from eli5.cli.commands.methods import complete_methods
from eli5.cli.console import (
    UserError,
    as_typed,
    print_error,
    print_fact,
    print_text,
    shortened,
    wrong_argument,
)
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import (
    AT_LEAST_ONE,
    DEFAULT_MODEL_OPTIONS,
    AllowFailed,
    ModelOptions,
    check_request,
    read_methods,
)
from eli5.cli.output import check_folder
from eli5.loading import files
from eli5.loading.files import CHUNKS

if TYPE_CHECKING:
    from eli5.loading.models import LoadedModel
    from eli5.metrics import Comparison

EVALUATE_EXAMPLES = """**Examples**

Three methods by four metrics, on all photos of a folder, into a folder with a page:

```
eli5 evaluate model.keras photos --methods Grad-CAM LayerCAM LIME --out evaluated
```

Where the objects are marked, and the true classes known:

```
eli5 evaluate model.keras photos.csv --labels-column species --masks masks --out evaluated
```
"""

_LISTS = (".csv", ".tsv", ".txt")
_COLUMNS = (".csv", ".tsv")


def evaluate_methods(
    model: str | Path,
    photos: list[str | Path],
    /,
    *,
    out: Annotated[Path, Parameter(metavar="DIR")],
    methods: Annotated[
        list[str] | None,
        Parameter(
            name=("--methods", "--method"),
            metavar="NAME[:OPTION=VALUE,…]",
            consume_multiple=True,
            completer=complete_methods,
        ),
    ] = None,
    metrics: Annotated[
        list[str] | None,
        Parameter(name=("--metrics", "--metric"), metavar="NAME", consume_multiple=True),
    ] = None,
    masks: Annotated[Path | None, Parameter(metavar="PATH")] = None,
    labels_column: Annotated[str | None, Parameter(metavar="COLUMN")] = None,
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    frame: Annotated[int | None, Parameter(metavar="N", validator=Number(gte=0))] = None,
    labels: Path | None = None,
    weights: Path | None = None,
    task: Literal["classification", "regression"] | None = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
    seed: Annotated[int, Parameter(validator=Number(gte=0))] = 0,
    examples: Annotated[int, Parameter(validator=Number(gte=0))] = 1,
    batch_size: Annotated[int, AT_LEAST_ONE] = 32,
    allow_failed: AllowFailed = 0,
) -> int:
    """Compare methods on photos of your own, by metrics: which is faithful to the model.

    It can be stopped at any moment: the same command goes on where it was.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model.
    photos
        Pictures, folders and patterns, as `eli5 explain` takes them; or one list of paths, `.txt`,
        `.csv` or `.tsv`.
    out
        A folder, new, empty or of the same comparison: the page `index.html`, all numbers in
        `comparison.json` and `table.csv`, and `chunks.jsonl`, from which a run goes on.
    methods
        The methods, each as `RISE` or with options of its own as `RISE:n_masks=200,cells=6`. `eli5
        methods` lists them. [default: Grad-CAM, LayerCAM and Occlusion]
    metrics
        The metrics, by the names of `eli5.metrics.METRICS`. [default: SRG, single deletion,
        infidelity and complexity, and energy inside where there are masks]
    masks
        Where the objects are: a folder of masks that are called as the photos, but for the ending,
        in which what is not 0 is the object; or a JSON file, from the name of a photo to its boxes
        `[left, top, right, bottom]`, in the photo's own pixels.
    labels_column
        The column of the list, `.csv` or `.tsv`, that says the true class of each photo, by number
        or name: it is the one that is explained and measured. (`eli5 bulk` has `--class-column` for
        any class.) [default: the likeliest class of each photo]
    preprocess
        How pixels become the model's input; see `eli5 explain --help`.
    frame
        Which frame of a picture with several, counted from 0. [default: 0]
    labels
        A text file of class names: line i, counted from 0, names class i.
    weights
        A local weights file, for a `keras.applications` model.
    task
        What the model's outputs are, where it does not tell.
    seed
        Of all that is drawn at random: the same seed, the same numbers.
    examples
        How many photos the page shows at either end, of each method and metric.
    batch_size
        How many pictures, or variants of one, the model sees at once.
    allow_failed
        Let the exit code be 0 if at most so many photos failed.
    """
    files.check_model(str(model), weights)
    check_folder(out, CHUNKS)
    found = find_photos(list(map(str, photos)), labels_column, out)
    loading.warn()
    with exit_at_once(), report.collected_warnings() as counts, _as_user_errors():
        start_keras()
        run = _Run(found, str(model), weights, loading, preprocess, frame, labels)
        comparison = run.compare(
            out, methods, metrics, masks, seed=seed, examples=examples, task=task, batch=batch_size
        )
    print_text(str(comparison))
    n_failed = len(run.unreadable) + len({one.number for one in comparison.failures if one.method})
    print_fact("Photos", f"{len(found.paths) - n_failed} measured, {n_failed} failed")
    for note in report.warning_lines(counts):
        print_fact("Warning", note, "yellow")
    print_fact("Written", f"{out / 'index.html'}, comparison.json, table.csv")
    return int(n_failed > allow_failed)


class FoundPhotos(NamedTuple):
    """What the arguments stand for: paths, names, the class of each as typed, and their folder."""

    paths: list[str]
    names: list[str]
    labels: list[str] | None
    base: Path


def find_photos(arguments: list[str], column: str | None, out: Path) -> FoundPhotos:
    """Find the photos, without opening them; UserError if there are none."""
    is_list = len(arguments) == 1 and arguments[0].lower().endswith(_LISTS)
    if is_list and not os.path.isdir(arguments[0]):
        return _of_list(arguments[0], column)
    if column is not None:
        raise UserError(
            "Expected a .csv or .tsv list of photos for --labels-column. Received: "
            f"{' '.join(arguments)} with --labels-column={column}"
        )
    found = find_pictures(arguments, out)
    for problem in found.problems:
        print_error(problem)
    names = [os.path.relpath(path, found.base) for path in found.paths]
    return FoundPhotos(found.paths, names, None, found.base)


def _of_list(file: str, column: str | None) -> FoundPhotos:
    from eli5.bulk.sources.paths import list_paths

    files.check_readable(file, "photos")
    if column is not None and not file.lower().endswith(_COLUMNS):
        expected = "a .csv or .tsv list, which has columns, for --labels-column"
        raise wrong_argument("PHOTOS", file, expected, f" with --labels-column={column}")
    try:
        entries = list(list_paths([file], column or ""))
    except UserError as error:
        text = error.lines[0].replace("`class_column`", "--labels-column")
        raise UserError(text.replace("class_column=", "--labels-column=")) from error
    if not entries:
        raise wrong_argument("PHOTOS", file, "a list of photos", ", which names none")
    labels = None if column is None else [entry[2] for entry in entries]
    base = Path(os.path.abspath(file)).parent
    names, paths = ([entry[k] for entry in entries] for k in (0, 1))
    return FoundPhotos(paths, names, labels, base)


@contextmanager
def _as_user_errors() -> Iterator[None]:
    """Raise what the library says of wrong options, docs and folders as the user's errors."""
    try:
        yield
    except UserError:
        raise
    except (ImportError, TypeError, ValueError, OSError) as error:
        raise UserError(as_typed(shortened(str(error)))) from error


class _Run:
    """The model and the photos, read one after the other as they are asked for."""

    def __init__(
        self,
        found: FoundPhotos,
        model: str,
        weights: Path | None,
        loading: ModelOptions,
        preprocess: str | None,
        frame: int | None,
        labels: Path | None,
    ) -> None:
        from eli5.loading import models

        names = None if labels is None else files.read_lines(labels, "labels", "class name")
        self.found, self.preprocess, self.frame = found, preprocess, frame
        self.loaded: LoadedModel = models.load(model, weights, **loading.for_python())
        self.class_names = models.class_names(self.loaded, names)
        self.unreadable: list[str] = []

    def compare(
        self,
        out: Path,
        methods: list[str] | None,
        metrics: list[str] | None,
        masks: Path | None,
        *,
        seed: int,
        examples: int,
        task: str | None,
        batch: int,
    ) -> Comparison:
        from eli5.loading.masks import open_masks
        from eli5.metrics.comparison.request import make_request
        from eli5.metrics.comparison.side_by_side import compare_entries

        asked = check_request(read_methods(methods or _METHODS), {})
        about = {"batch_size": batch, **({} if task is None else {"task": task})}
        request = make_request(
            asked, metrics, about, has_masks=masks is not None, seed=seed, examples=examples
        )
        names = {"class_names": self.class_names}
        named = {name: {**options, **names} for name, options in request.methods.items()}
        find_mask = None if masks is None else open_masks(masks, self.found.base)
        entries = self._entries(find_mask)
        return compare_entries(
            self.loaded.model,
            entries,
            request._replace(methods=named),
            _CHUNK,
            out,
            len(self.found.paths),
        )

    def _entries(self, find_mask: Any) -> Iterator[Any]:
        """Read the photos; one that cannot be read is told of and left out."""
        for number in range(len(self.found.paths)):
            try:
                entry = self._entry(number, find_mask)
            except UserError as error:
                self.unreadable.append(self.found.paths[number])
                print_error(as_typed(error.lines[0]))
                continue
            yield entry

    def _entry(self, number: int, find_mask: Any) -> Any:
        from eli5.loading.preprocess import picture_to_doc
        from eli5.metrics.comparison.run import Entry

        path = self.found.paths[number]
        picture = files.read_picture(path, self.frame)
        doc, _ = picture_to_doc(self.loaded, picture, self.preprocess)
        mask = None if find_mask is None else find_mask(path, picture.size, _size_of(doc))
        picture.thumbnail(_SHOWN)
        return Entry(
            doc, self.found.names[number], self._class_id(number), mask, {"images": picture}
        )

    def _class_id(self, number: int) -> int | None:
        if self.found.labels is None:
            return None
        label = self.found.labels[number].strip()
        if re.fullmatch(r"\d+(\.0*)?", label):  # a column of numbers with gaps is one of floats
            return int(label.partition(".")[0])
        from eli5.keras.targets.class_names import ids_of, read_class_names

        n_classes = int(self.loaded.model.output_shape[-1])
        try:
            (class_id,) = ids_of([label], read_class_names(self.class_names), n_classes)
        except ValueError as error:
            raise UserError(
                f"Expected a class id or name in --labels-column. Received: {label!r} of "
                f"{self.found.paths[number]}. {error}"
            ) from error
        return class_id


_METHODS = ("Grad-CAM", "LayerCAM", "Occlusion")
_CHUNK = 32  # photos in memory
_SHOWN = (448, 448)  # pixels of each of them; the page shows no more


def _size_of(doc: Any) -> tuple[int, int]:
    """Return width and height of a picture's doc, whose channels may be first, or none."""
    is_first = doc.ndim == 4 and doc.shape[-1] not in (1, 3, 4)
    height, width = doc.shape[2:4] if is_first else doc.shape[1:3]
    return int(width), int(height)

"""``eli5 explain``: one model, one or many pictures."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, NamedTuple

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5 import limits
from eli5.cli.console import UserError, wrong_argument
from eli5.cli.options import (
    DEFAULT_LOOK,
    DEFAULT_MODEL_OPTIONS,
    DEFAULT_OPTIONS,
    ExplainOptions,
    Look,
    ModelOptions,
)
from eli5.cli.output import PICTURE_ENDINGS, file_or_folder, name_overlays
from eli5.cli.run import Inputs, explain_inputs
from eli5.cli.targets import DEFAULT_TARGETS, TargetOptions
from eli5.loading import files
from eli5.loading.files import ENDINGS, RECORDS, check_readable
from eli5.loading.stream import StreamItem

if TYPE_CHECKING:
    from PIL.Image import Image

    from eli5.loading.models import LoadedModel

EXAMPLES = """**Examples**

The three likeliest classes, with ImageNet weights that Keras downloads:

```
eli5 explain MobileNetV2 cat.jpg --top 3 --out cat.png
```

Two classes of a model of your own, as a page:

```
eli5 explain model.keras cat.jpg --preprocess unit --class 0 --class 7 --out cat.html
```

All pictures in a folder by two methods, into a folder with a gallery, index.html:

```
eli5 explain model.keras photos --method Grad-CAM --method LayerCAM --out explained
```

The class that a segmenter predicts at a pixel, and class 12 wherever it predicts it:

```
eli5 explain segmenter.keras street.jpg --pixel 120,64 --region 12 --out street.html
```

What a detector says of a box, and why it has none of class 3 in another:

```
eli5 explain detector.keras street.jpg --box 10,10,50,35 --out street.html
eli5 explain detector.keras street.jpg --missing 2,2,12,12 --class 0
```

By 500 random masks, in other colours; and a model with the layers that my_layers.py registers:

```
eli5 explain model.keras cat.jpg --method RISE:n_masks=500 --colormap magma --out cat.png
eli5 explain model.keras cat.jpg --import my_layers
```

For a script, a line of JSON per picture:

```
eli5 explain model.keras "photos/**/*.jpg" --json | jq -r '[.path, .targets[0].target] | @tsv'
```
"""


def explain_pictures(
    model: str | Path,
    images: list[str | Path],
    /,
    *,
    options: ExplainOptions = DEFAULT_OPTIONS,
    asked: TargetOptions = DEFAULT_TARGETS,
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    frame: Annotated[int | None, Parameter(metavar="N", validator=Number(gte=0))] = None,
    weights: Path | None = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
    look: Look = DEFAULT_LOOK,
    out: Annotated[str | Path | None, Parameter(metavar="PATH")] = None,
) -> int:
    """Explain what a classifier, a segmenter or a detector looked at in pictures.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model such as MobileNetV2,
        which brings its ImageNet weights, preprocessing and class names.
    images
        Pictures of any kind and size, folders with pictures, or patterns such as
        `"photos/**/*.jpg"`. Each picture is stretched to the model's input.
    preprocess
        How pixels become the model's input: scaled to [-1, 1] (`tf`) or to [0, 1] (`unit`), by
        ImageNet's mean and deviation (`torch`, RGB) or its mean alone (`caffe`, BGR), or 0 to 255
        as they are (`none`). Needed for a file whose model does not start with a Rescaling or
        Normalization layer.
    frame
        Which frame of a GIF, TIFF or another picture with several is explained, counted from 0.
        [default: 0]
    weights
        A local weights file, for a `keras.applications` model.
    out
        Write the overlay of one picture to this file: `.png`, `.jpg`, `.webp`, or a page as
        `.html`. Or a folder for any number of them, new, empty or of an earlier run: an overlay per
        picture, the gallery `index.html`, and `explanations.jsonl`.
    """
    options.check()
    asked.check(options.classes, options.top)
    files.check_model(str(model), weights)
    file, folder = file_or_folder(out)
    is_picture = file is not None and file.suffix not in (".json", ".npz", ".txt")
    look.check(is_drawn=folder is not None or is_picture)
    found = find_pictures(list(map(str, images)), folder)
    inputs = _Pictures(found, preprocess, frame, asked, options.classes)
    return explain_inputs(
        inputs,
        options,
        str(model),
        weights,
        loading=loading,
        look=look,
        file=file,
        folder=folder,
    )


class _Pictures(Inputs):
    """Pictures as what is explained; see `eli5.loading.preprocess` for how they are fed."""

    noun, heading, key, output_heading = "pictures", "Images", "path", "Overlay"
    endings = PICTURE_ENDINGS

    def __init__(
        self,
        found: FoundPictures,
        preprocess: str | None,
        frame: int | None,
        asked: TargetOptions,
        classes: Sequence[Any] | None,
    ) -> None:
        self.names = self.files = found.paths
        self.problems, self.results = found.problems, found.results
        self.preprocess, self.frame = preprocess, frame
        self.asked, self.classes, self.target = asked, classes, asked.for_check()
        self.titles = [os.path.relpath(path, found.base) for path in found.paths]
        self.overlays = name_overlays(found.paths, found.base)

    def read(self, number: int) -> Image:
        return files.read_picture(self.names[number], self.frame)

    def label(self, number: int, content: Image) -> str:
        return f"{self.names[number]} ({content.width}x{content.height})"

    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        self.loaded, self.options = loaded, options

    def make_item(self, number: int, content: Image) -> tuple[StreamItem, str]:
        from eli5.loading.preprocess import picture_size, picture_to_doc

        doc, description = picture_to_doc(self.loaded, content, self.preprocess)
        target = None
        if self.asked.is_given:
            size = picture_size(self.loaded, content)
            target = self.asked.for_model(self.classes, content, size)
        return StreamItem(number, doc, (content, target)), description

    def explain(self, docs: Sequence[Any], metadata: Sequence[Any]) -> Any:
        import eli5

        images, targets = zip(*metadata, strict=True)
        options = self.options | ({"target": targets} if self.asked.is_given else {})
        return eli5.explain_predictions(self.loaded.model, docs, images=images, **options)


# ---- which pictures are meant --------------------------------------------------------------------


class FoundPictures(NamedTuple):
    """What the arguments stand for."""

    base: Path  # absolute, that all arguments lie in; results mirror what is below it
    paths: list[str]  # each once, in the order of the arguments, and within one by name
    problems: list[str]  # of folders that cannot be read
    results: list[str]  # of this command, folders and pictures: they are not explained


def find_pictures(arguments: Sequence[str], out: Path | None = None) -> FoundPictures:
    """Find the pictures that are meant, without opening them; nothing in `out` is one.

    An argument is a file, a folder (with all folders in it, but for hidden ones and links), or a
    pattern such as ``photos/**/*.jpg``. What exists under that very name is no pattern. UserError
    if an argument stands for no picture.
    """
    everything = FoundPictures(_base(arguments), [], [], [])
    names: dict[str, str] = {}
    for argument in arguments:
        found = FoundPictures(_base([argument]), [], [], [])
        for path in _find(argument, found):
            (found.results if _is_below(path, out) else found.paths).append(path)
        if not (found.paths or found.problems):
            raise _nothing_found(argument, found.results)
        for path in found.paths:
            names.setdefault(os.path.abspath(path), path)
        everything.problems.extend(found.problems)
        everything.results.extend(found.results)
    if not names:
        raise UserError(*everything.problems)
    return everything._replace(paths=list(names.values()))


def _base(arguments: Sequence[str]) -> Path:
    """Return the folder that all arguments lie in, as far as they are no patterns."""
    folders = []
    for argument in arguments:
        folder = argument if os.path.isdir(argument) else os.path.dirname(argument)
        while not os.path.exists(argument) and glob.has_magic(folder):
            folder = os.path.dirname(folder)
        folders.append(os.path.abspath(folder))
    try:
        return Path(os.path.commonpath(folders))
    except ValueError:
        raise UserError("Expected all IMAGES on one drive. Received: several drives") from None


def _find(argument: str, found: FoundPictures) -> Iterator[str]:
    """Yield the pictures of one argument; note in `found` what is none."""
    if os.path.isdir(argument):
        yield from _walk(argument, found)
        return
    if os.path.exists(argument) or not glob.has_magic(argument):
        check_readable(argument, "image")
        yield argument
        return
    for match in _matches(argument, found):
        if _is_result(match, found.base):
            found.results.append(match)
        elif os.path.isdir(match):
            yield from _walk(match, found)
        elif match.lower().endswith(ENDINGS):
            yield match


# Of a pattern: any folders, however deep.
_ANY_DEPTH = re.compile(rf"(?:^|(?<=[{re.escape(os.sep)}/]))(?:\*\*(?:[{re.escape(os.sep)}/]+|$))+")


def _matches(pattern: str, found: FoundPictures) -> Iterator[str]:
    """Yield what matches a pattern, by name.

    `glob` alone would follow links for ``**``, and two that lead back go round for ever.
    """
    head, *tail = _ANY_DEPTH.split(pattern, maxsplit=1)
    if not tail:
        yield from sorted(glob.glob(pattern))
        return
    for top in sorted(glob.glob(head)) if head else [os.curdir]:
        for folder, _ in _folders(top, found):
            inner = os.path.join(folder, "") if head else os.path.join(folder, "")[2:]
            yield from _matches(glob.escape(inner) + (tail[0] or "*"), found)


def _walk(top: str, found: FoundPictures) -> Iterator[str]:
    for folder, names in _folders(top, found):
        shown = sorted(name for name in names if not name.startswith("."))
        # A pipe, too, and a link to nothing: it is told of when it is read.
        yield from (os.path.join(folder, one) for one in shown if one.lower().endswith(ENDINGS))


def _folders(top: str, found: FoundPictures) -> Iterator[tuple[str, list[str]]]:
    """Yield a folder and all in it, each with the names of its files; no links, nor hidden ones."""

    def note(error: OSError) -> None:
        add(error.filename, "a folder that can be read", f"which cannot be read: {error.strerror}")

    def add(folder: str, expected: str, reason: str) -> None:
        problem = str(wrong_argument("IMAGE", folder, expected, f", {reason}"))
        if problem not in found.problems:  # a pattern may come by more than once
            found.problems.append(problem)

    for folder, inner, names in os.walk(top, onerror=note):
        if RECORDS in names:
            found.results.append(folder)
            inner.clear()
            continue
        if len(Path(folder).parts) - len(Path(top).parts) > limits.FOLDER_LEVELS:
            expected = f"a folder with at most {limits.FOLDER_LEVELS} levels of folders"
            add(folder, expected, "which is too deep to be looked into")
            inner.clear()
            continue
        inner[:] = sorted(name for name in inner if not name.startswith("."))
        yield folder, names


def _is_result(path: str, base: Path) -> bool:
    """Tell whether a match of a pattern lies in a folder of results below the pattern's base."""
    inner = Path(os.path.abspath(path)).relative_to(base)
    return any(os.path.isfile(base / part / RECORDS) for part in [inner, *inner.parents])


def _is_below(path: str, folder: Path | None) -> bool:
    real = Path(os.path.realpath(path))
    return folder is not None and real.is_relative_to(os.path.realpath(folder))


def _nothing_found(argument: str, results: list[str]) -> UserError:
    endings = f"one of {', '.join(ENDINGS)}"
    if results:
        expected, reason = "pictures to explain", "which holds nothing but explanations of some"
    elif os.path.isdir(argument):
        expected, reason = "a folder with pictures", f"in which no name ends in {endings}"
    else:
        expected = "a file, a folder, or a pattern that matches some"
        reason = f"which matches no folder and no name that ends in {endings}"
    return wrong_argument("IMAGE", argument, expected, f", {reason}")

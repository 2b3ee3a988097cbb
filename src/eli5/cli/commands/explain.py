"""``eli5 explain``: one model, one or many pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.commands.methods import complete_methods
from eli5.cli.destination import as_folder, check_file, check_folder
from eli5.cli.image_paths import find_pictures
from eli5.cli.options import Asked, checked_classes
from eli5.cli.pictures import picture_job
from eli5.cli.run_batch import explain_many
from eli5.cli.run_single import explain_one
from eli5.loading import files

__all__ = ["EXAMPLES", "explain_pictures"]

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

For a script, a line of JSON per picture:

```
eli5 explain model.keras "photos/**/*.jpg" --json | jq -r '[.path, .targets[0].target] | @tsv'
```
"""

_AtLeastOne = Number(gte=1)


def explain_pictures(
    model: str | Path,
    images: list[str | Path],
    /,
    *,
    classes: Annotated[list[int] | None, Parameter(name="--class", metavar="ID")] = None,
    top: Annotated[int | None, Parameter(validator=_AtLeastOne)] = None,
    methods: Annotated[
        list[str] | None, Parameter(name="--method", metavar="NAME", completer=complete_methods)
    ] = None,
    layer: int | str | None = None,
    score: Literal["auto", "output", "logit"] = "auto",
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    labels: Path | None = None,
    weights: Path | None = None,
    batch_size: Annotated[int, Parameter(validator=_AtLeastOne)] = 8,
    out: Annotated[str | Path | None, Parameter(metavar="PATH")] = None,
    as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False,
) -> int:
    """Explain what a classifier looked at in pictures.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model such as MobileNetV2,
        which brings its ImageNet weights, preprocessing and class names.
    images
        Pictures of any kind and size, folders with pictures, or patterns such as
        `"photos/**/*.jpg"`. Each picture is stretched to the model's input.
    classes
        Explain this class; may be given several times. [default: the likeliest class]
    top
        Explain this many classes, the likeliest first.
    methods
        Explain by this method; may be given several times. `eli5 methods` lists them.
        [default: Grad-CAM]
    layer
        Name or index of the layer that is explained; the name with its path, as `base/conv`, where
        it is nested. `eli5 layers` lists them. [default: the last with a feature map]
    score
        What is explained: the class score before the final softmax or sigmoid (`logit`), the
        model's output (`output`), or the former where there is one (`auto`).
    preprocess
        How pixels become the model's input: scaled to [-1, 1] (`tf`) or to [0, 1] (`unit`), by
        ImageNet's mean and deviation (`torch`, RGB) or its mean alone (`caffe`, BGR), or 0 to 255
        as they are (`none`). Needed for a file whose model does not start with a Rescaling or
        Normalization layer.
    labels
        A text file of class names: line i, counted from 0, names class i.
    weights
        A local weights file, for a `keras.applications` model.
    batch_size
        How many pictures, or variants of one, the model sees at once. So many pictures are in
        memory.
    out
        Write the overlay of one picture to this file: `.png`, `.jpg`, `.webp`, or a page as
        `.html`. Or a folder for any number of them, new, empty or of an earlier run: an overlay per
        picture, the gallery `index.html`, and `explanations.jsonl`.
    as_json
        Print a line of JSON per picture and method, and nothing else.
    """
    classes = checked_classes(classes, top)
    files.check_model(str(model), weights)
    folder = None if out is None else as_folder(str(out))
    if folder is not None:
        check_folder(folder)
    found = find_pictures(list(map(str, images)), folder)
    file = Path(out) if out is not None and folder is None else None
    if file is not None:
        check_file(file, found.paths, (str(model), labels, weights))
    asked = Asked(
        model=str(model),
        classes=classes,
        methods=methods or ["Grad-CAM"],
        options={"layer": layer, "score": score, "top_targets": top},
        labels=labels,
        weights=weights,
        batch_size=batch_size,
        as_json=as_json,
    )
    job = picture_job(found, preprocess)
    if folder is None and len(found.paths) == 1 and not found.problems:
        explain_one(asked, job, file)
        return 0
    return explain_many(asked, job, folder)

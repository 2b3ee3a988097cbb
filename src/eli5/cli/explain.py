"""``eli5 explain``: one model, one picture."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli import files
from eli5.cli.backend import ended_by_ctrl_c, start_keras
from eli5.cli.console import UserError, print_fact, print_text, shortened
from eli5.cli.output import check_output, write_output

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["EXAMPLES", "explain_picture"]

EXAMPLES = """**Examples**

The three likeliest classes, with ImageNet weights that Keras downloads:

```
eli5 explain MobileNetV2 cat.jpg --top 3 --out cat.png
```

Two classes of a model of your own, as a page:

```
eli5 explain model.keras cat.jpg --preprocess unit --class 0 --class 7 --out cat.html
```
"""


def explain_picture(
    model: str,
    image: Path,
    /,
    *,
    classes: Annotated[list[int] | None, Parameter(name="--class")] = None,
    top: Annotated[int | None, Parameter(validator=Number(gte=1))] = None,
    layer: int | str | None = None,
    score: Literal["auto", "output", "logit"] = "auto",
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    labels: Path | None = None,
    weights: Path | None = None,
    out: Path | None = None,
) -> None:
    """Explain what a classifier looked at in a picture (Grad-CAM).

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model such as MobileNetV2,
        which brings its ImageNet weights, preprocessing and class names.
    image
        A picture of any kind and size. It is stretched to the model's input.
    classes
        Explain this class; may be given several times. [default: the likeliest class]
    top
        Explain this many classes, the likeliest first.
    layer
        Name or index of the layer that is explained; the name with its path, as `base/conv`, where
        it is nested. [default: the last with a feature map]
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
    out
        Write the overlay to this file: `.png`, `.jpg`, `.webp`, or a page as `.html`.
    """
    if classes and top:
        raise UserError(
            f"Expected either --class or --top. Received: both, --class={classes} and --top={top}"
        )
    if out is not None:
        check_output(out, sources=(model, image, labels, weights))
    files.check_model(model, weights)
    with ended_by_ctrl_c(), _collected_warnings() as notes:
        names = None if labels is None else files.read_labels(labels)
        picture = files.read_picture(image)
        begun = perf_counter()
        start_keras()
        import keras

        from eli5.cli import models
        from eli5.cli.preprocess import picture_to_doc

        loaded = models.load(model, weights)
        doc, said = picture_to_doc(loaded, picture, preprocess)
        names = models.class_names(loaded, names)
        options = {"layer": layer, "score": score, "top_targets": top, "class_names": names}
        ready = perf_counter()
        expl = _explain_classes(loaded.model, doc, classes, image=picture, **options)
        done = perf_counter()
    if out is not None:
        write_output(expl, out, title=f"What {expl.estimator} looked at in {image.name}")
    _print_explanation(expl)
    print_fact("Input", f"{image} ({picture.width}x{picture.height}) as {said}")
    backend = keras.backend.backend()
    print_fact("Time", f"{done - ready:.2f} s on {backend}, after {ready - begun:.2f} s of loading")
    for note in notes:
        if note in (expl.description or ""):
            continue  # printed above
        print_fact("Warning", note, "yellow")
    if out is not None:
        print_fact("Overlay", str(out))


@contextmanager
def _collected_warnings() -> Iterator[list[str]]:
    """Collect the warnings that are for users; a developer's would only bury them."""
    notes: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        yield notes
        notes.extend(str(warning.message) for warning in caught)


def _explain_classes(
    model: Any, doc: Any, classes: list[int] | None, **options: Any
) -> Explanation:
    from eli5.keras.explain_prediction import explain_classes

    # A class that is asked for twice is explained once.
    targets = list(dict.fromkeys(classes)) if classes else None
    try:
        return explain_classes(model, doc, targets, **options)
    except (TypeError, ValueError) as error:  # it says what does not fit this model
        raise UserError(shortened(str(error))) from error


def _print_explanation(expl: Explanation) -> None:
    from eli5.formatters.text import format_as_text

    print_text(f"{format_as_text(expl)}\n")

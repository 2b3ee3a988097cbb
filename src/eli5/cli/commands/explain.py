"""``eli5 explain``: one model, one or many pictures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter

from eli5.cli.image_paths import FoundPictures, find_pictures
from eli5.cli.options import ExplainOptions
from eli5.cli.output import PICTURE_ENDINGS, file_or_folder, name_overlays
from eli5.cli.run import Inputs, explain_inputs
from eli5.loading import files
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

For a script, a line of JSON per picture:

```
eli5 explain model.keras "photos/**/*.jpg" --json | jq -r '[.path, .targets[0].target] | @tsv'
```
"""

_DEFAULTS = ExplainOptions()


def explain_pictures(
    model: str | Path,
    images: list[str | Path],
    /,
    *,
    options: ExplainOptions = _DEFAULTS,
    preprocess: Literal["tf", "torch", "caffe", "unit", "none"] | None = None,
    weights: Path | None = None,
    out: Annotated[str | Path | None, Parameter(metavar="PATH")] = None,
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
    preprocess
        How pixels become the model's input: scaled to [-1, 1] (`tf`) or to [0, 1] (`unit`), by
        ImageNet's mean and deviation (`torch`, RGB) or its mean alone (`caffe`, BGR), or 0 to 255
        as they are (`none`). Needed for a file whose model does not start with a Rescaling or
        Normalization layer.
    weights
        A local weights file, for a `keras.applications` model.
    out
        Write the overlay of one picture to this file: `.png`, `.jpg`, `.webp`, or a page as
        `.html`. Or a folder for any number of them, new, empty or of an earlier run: an overlay per
        picture, the gallery `index.html`, and `explanations.jsonl`.
    """
    options.check()
    files.check_model(str(model), weights)
    file, folder = file_or_folder(out)
    inputs = _Pictures(find_pictures(list(map(str, images)), folder), preprocess)
    return explain_inputs(inputs, options, str(model), weights, file=file, folder=folder)


class _Pictures(Inputs):
    """Pictures as what is explained; see `eli5.loading.preprocess` for how they are fed."""

    noun, heading, key, output_heading = "pictures", "Images", "path", "Overlay"
    endings = PICTURE_ENDINGS

    def __init__(self, found: FoundPictures, preprocess: str | None) -> None:
        self.names = self.files = found.paths
        self.problems, self.results = found.problems, found.results
        self.base, self.preprocess = found.base, preprocess

    def read(self, number: int) -> Image:
        return files.read_picture(self.names[number])

    def label(self, number: int, content: Image) -> str:
        return f"{self.names[number]} ({content.width}x{content.height})"

    def use_model(self, loaded: LoadedModel, options: dict[str, Any]) -> None:
        self.loaded, self.options = loaded, options

    def make_item(self, number: int, content: Image) -> tuple[StreamItem, str]:
        from eli5.loading.preprocess import picture_to_doc

        doc, description = picture_to_doc(self.loaded, content, self.preprocess)
        return StreamItem(number, doc, content), description

    def explain(self, docs: Sequence[Any], metadata: Sequence[Any], targets: Any) -> Any:
        import eli5

        return eli5.explain_predictions(
            self.loaded.model, docs, images=metadata, targets=targets, **self.options
        )

    def title(self, name: str) -> str:
        return os.path.relpath(name, self.base)

    def overlays(self) -> Sequence[Path]:
        return name_overlays(self.names, self.base)

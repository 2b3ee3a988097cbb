"""``eli5 layers``: the layers of a model that can be explained."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

from eli5.bulk.signals import exit_at_once
from eli5.cli.backend import start_keras
from eli5.cli.console import UserError, print_notice, print_table, print_text, shortened
from eli5.cli.report import collected_warnings, worded
from eli5.loading import files

__all__ = ["LAYER_EXAMPLES", "list_layers"]

LAYER_EXAMPLES = """**Examples**

```
eli5 layers model.keras
eli5 layers ResNet50 --weights resnet50.weights.h5
eli5 layers any_size.keras --image photo.jpg
```
"""


def list_layers(
    model: str | Path, /, *, weights: Path | None = None, image: Path | None = None
) -> None:
    """List the layers that can be explained, in the order in which the model runs them.

    Each with the size of its heatmap, and a mark at the one that is taken without `--layer`.

    Parameters
    ----------
    model
        A `.keras` or `.h5` file, or the name of a `keras.applications` model.
    weights
        A local weights file, for a `keras.applications` model.
    image
        A picture; needed where the model takes any size, for the sizes of the heatmaps.
    """
    files.check_model(str(model), weights)
    with exit_at_once(), collected_warnings() as counts:
        picture = None if image is None else files.read_picture(image)
        start_keras()
        from eli5.keras import target_layers
        from eli5.loading import models
        from eli5.loading.preprocess import noise_doc

        loaded = models.load(str(model), weights)
        try:
            part = _behind_strings(loaded.model)
            doc = noise_doc(part, picture)
            layers = target_layers(part, doc)
        except (TypeError, ValueError) as error:
            raise UserError(shortened(str(error))) from error
        chosen, why_not = _chosen(part, doc)
        if not layers:
            raise UserError(why_not)
    print_table(("", "Layer", "Grid"), _rows(layers, chosen))
    for note in worded(counts):
        print_notice(note)
    if chosen is None:
        print_notice(f"No layer is taken by itself. {why_not}")
    else:
        print_text("\n* is explained if no --layer is given")


def _behind_strings(model: Any) -> Any:
    """Return what is explained of a model that takes strings: the part that takes their ids."""
    from eli5.keras.text.split_model import split_model

    takes_strings = [str(one.dtype) for one in getattr(model, "inputs", None) or []] == ["string"]
    return split_model(model).behind if takes_strings else model


def _chosen(model: Any, doc: Any) -> tuple[tuple[str, int] | None, str]:
    """Return which call of which layer is taken by itself, or why there is none."""
    from eli5.keras.pipeline.plan import prepare

    try:
        site = prepare(model, doc).sites[0]
    except (TypeError, ValueError) as error:
        return None, shortened(str(error))
    return (site.path, site.nth), ""


def _rows(layers: Any, chosen: tuple[str, int] | None) -> list[tuple[str, str, str]]:
    n_calls = Counter(layer.name for layer in layers)
    return [
        (
            "*" if (layer.name, layer.nth) == chosen else " ",
            layer.name + (f" (call {layer.nth})" if n_calls[layer.name] > 1 else ""),
            "x".join(map(str, layer.grid)),
        )
        for layer in layers
    ]

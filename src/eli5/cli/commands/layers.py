"""``eli5 layers``: the layers of a model that can be explained."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.cli.backend import start_keras
from eli5.cli.console import (
    UserError,
    print_json,
    print_notice,
    print_table,
    print_text,
    shortened,
)
from eli5.cli.interrupts import exit_at_once
from eli5.cli.options import DEFAULT_MODEL_OPTIONS, AsJson, ModelOptions
from eli5.cli.report import collected_warnings, warning_lines
from eli5.loading import files

if TYPE_CHECKING:
    import keras
    from PIL.Image import Image

LAYER_EXAMPLES = """**Examples**

```
eli5 layers model.keras
eli5 layers ResNet50 --weights resnet50.weights.h5
eli5 layers any_size.keras --image photo.jpg
eli5 layers model.keras --json | jq -r '.layers[] | select(.is_default) | .name'
```
"""


def list_layers(
    model: str | Path,
    /,
    *,
    weights: Path | None = None,
    loading: ModelOptions = DEFAULT_MODEL_OPTIONS,
    image: Path | None = None,
    as_json: AsJson = False,
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
    as_json
        Print one JSON document, and nothing else.
    """
    files.check_model(str(model), weights)
    loading.warn()
    with exit_at_once(), collected_warnings() as counts:
        picture = None if image is None else files.read_picture(image)
        start_keras()
        from eli5.loading import models

        loaded = models.load(str(model), weights, **loading.for_python())
        found = _find_layers(loaded.model, picture)
    if as_json:
        print_json(_as_dict(found))
        print_notice(*warning_lines(counts))
        return
    _print_layers(found.layers, found.default)
    print_notice(*warning_lines(counts))
    if found.default is None:
        print_notice(f"No layer is taken by itself. {found.why_none}")
    else:
        print_text("\n* is explained if no --layer is given")


class _Found(NamedTuple):
    """The layers of a model that can be explained."""

    model: str
    layers: Sequence[Any]
    default: tuple[str, int] | None  # name and call
    why_none: str


def _find_layers(model: keras.Model, picture: Image | None) -> _Found:
    from eli5.keras import target_layers
    from eli5.keras.inputs.model_inputs import UnsupportedDocError

    try:
        part = _behind_tokenizer(model)
        doc = _sample(part, picture)
        layers = target_layers(part, doc)
    except UnsupportedDocError as error:  # a row of numbers, of which no layer keeps the order
        raise UserError(
            "Expected a model with a layer that gives a feature map of shape (..., channels), "
            f"such as a convolution. Received: model {part.name!r}, of whose layers none keeps "
            "the order of the row of numbers that it takes"
        ) from error
    except (TypeError, ValueError) as error:
        raise UserError(shortened(str(error))) from error
    default, why_none = _default_layer(part, doc)
    if not layers:
        raise UserError(why_none)
    return _Found(part.name, layers, default, why_none)


def _as_dict(found: _Found) -> dict[str, Any]:
    layers = [
        {
            "name": one.name,
            "call": one.nth,
            "grid": list(one.grid),
            "is_default": (one.name, one.nth) == found.default,
        }
        for one in found.layers
    ]
    return {"model": found.model, "layers": layers, "why_no_default": found.why_none or None}


def _print_layers(layers: Sequence[Any], default: tuple[str, int] | None) -> None:
    n_calls = Counter(layer.name for layer in layers)
    rows = []
    for layer in layers:
        mark = "*" if (layer.name, layer.nth) == default else " "
        call = f" (call {layer.nth})" if n_calls[layer.name] > 1 else ""
        rows.append((mark, f"{layer.name}{call}", "x".join(map(str, layer.grid))))
    print_table(("", "Layer", "Grid"), rows)


def _behind_tokenizer(model: keras.Model) -> keras.Model:
    """Return what is explained of a model that takes strings: the part that takes their ids."""
    from eli5.keras.text.text_vectorization import split_model

    takes_strings = [str(one.dtype) for one in getattr(model, "inputs", None) or []] == ["string"]
    return split_model(model).ids_model if takes_strings else model


def _sample(model: keras.Model, picture: Image | None) -> Any:
    """Return a doc of the picture, or else of noise: zeros may have no gradient, or be padding."""
    import keras
    import numpy as np

    from eli5.keras.inputs.model_inputs import blank_doc
    from eli5.loading.models import LoadedModel
    from eli5.loading.preprocess import picture_to_doc

    if picture is not None:
        return picture_to_doc(LoadedModel(model), picture, "unit")[0]
    try:
        zeros = blank_doc(model)
    except ValueError as error:
        raise UserError(
            f"Expected --image, because model {model.name!r} takes pictures of any size. Received: "
            "none. Name a picture: --image photo.jpg"
        ) from error
    rng = np.random.default_rng(0)
    return keras.tree.map_structure(lambda x: (1 + rng.random(x.shape)).astype(x.dtype), zeros)


def _default_layer(model: keras.Model, doc: Any) -> tuple[tuple[str, int] | None, str]:
    """Return which call of which layer is taken by itself, or why there is none."""
    from eli5.keras.inputs.sample import read_sample
    from eli5.keras.pipeline.make_plan import make_plan
    from eli5.keras.pipeline.request import make_request

    try:
        site = make_plan(make_request(), [read_sample(model, doc)]).sites[0]
    except (TypeError, ValueError) as error:
        return None, shortened(str(error))
    return (site.path, site.nth), ""

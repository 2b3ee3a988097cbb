"""The models that are served, and what is known of each before anybody asks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import keras
from PIL import Image

from eli5.demo import SCENE
from eli5.explain import explain_prediction
from eli5.formatters.html import format_as_html
from eli5.keras import target_layers
from eli5.keras.inputs.sample import read_sample
from eli5.keras.pipeline import trial
from eli5.keras.targets.class_names import name_of, read_class_names
from eli5.keras.text.subword_tokenizer import tokenizer_of
from eli5.loading import files
from eli5.loading.errors import UserError, shortened
from eli5.loading.models import LoadedModel, class_names, load
from eli5.loading.preprocess import picture_to_doc
from eli5.targets import Box, Pixel

_MOST_NAMED = 2000  # classes that a page offers by name

# What a page calls the kinds of input.
_INPUTS = {"image": "picture", "text": "text", "series": "series"}


class ModelSource(NamedTuple):
    """A model as it was asked for.

    Attributes
    ----------
    model : str
        A file, or the name of a ``keras.applications`` model.
    labels : Path, optional
        A file of class names.
    preprocess : str, optional
        How pixels become the model's input.
    imports : sequence of str
        Modules that register layers.
    """

    model: str
    labels: Path | None = None
    preprocess: str | None = None
    imports: Sequence[str] = ()


@dataclass(frozen=True)
class ServedModel:
    """A model that is served.

    Attributes
    ----------
    name : str
        What clients call it.
    source : ModelSource
    loaded : LoadedModel
    class_names : Any
        As `eli5.explain_prediction` takes them.
    input : {"picture", "text", "series"}
    asks : {"classes", "pixels", "boxes"}
        What can be asked of it: what a classifier, a segmenter or a detector has.
    n_classes : int
    layers : list of dict
        Those that can be explained, with their grids, and which is taken by itself.
    """

    name: str
    source: ModelSource
    loaded: LoadedModel
    class_names: Any
    input: str
    asks: str
    n_classes: int
    layers: list[dict[str, Any]]

    @property
    def model(self) -> keras.Model:
        """The model itself."""
        return self.loaded.model

    def about(self) -> dict[str, Any]:
        """Return what a client may know of it."""
        names = read_class_names(self.class_names)
        n_named = 0 if names is None else min(self.n_classes, _MOST_NAMED)
        return {
            "name": self.name,
            "input": self.input,
            "asks": self.asks,
            "n_classes": self.n_classes,
            "classes": [name_of(names, k) or str(k) for k in range(n_named)],
        }


def load_models(sources: Sequence[ModelSource]) -> dict[str, ServedModel]:
    """Load the models and look at each; UserError if one cannot be served."""
    served: dict[str, ServedModel] = {}
    for source in sources:
        name = _free_name(source.model, served)
        served[name] = _serve(name, source)
    return served


def _free_name(model: str, taken: Any) -> str:
    stem = Path(model).stem if files.is_model_file(model) else model
    names = (stem, *(f"{stem}-{k}" for k in range(2, len(taken) + 3)))
    return next(name for name in names if name not in taken)


def _serve(name: str, source: ModelSource) -> ServedModel:
    files.check_model(source.model, None)
    labels = None if source.labels is None else _read_labels(source.labels)
    loaded = load(source.model, None, imports=source.imports)
    try:
        doc, part, sent = _trial(loaded, source)
        names = class_names(loaded, labels)
        asks, n_classes = _find_asks(part, doc, names)
        layers = _list_layers(part, doc)
    except UserError:
        raise
    except (TypeError, ValueError) as error:
        raise UserError(f"{shortened(str(error))} (model={source.model})") from error
    return ServedModel(name, source, loaded, names, sent, asks, n_classes, layers)


def _read_labels(path: Path) -> list[str]:
    return files.read_lines(path, "labels", "class name")


def _trial(loaded: LoadedModel, source: ModelSource) -> tuple[Any, keras.Model, str]:
    """Return a doc, the part of the model that takes it, and what clients send of such docs."""
    model = loaded.model
    if trial.takes_strings(model):
        part = trial.behind_tokenizer(model)
        return trial.noise_doc(part), part, "text"
    if tokenizer_of(model) is not None:
        return "a", model, "text"
    try:
        doc = trial.noise_doc(model)
    except ValueError:  # it takes any size: of pictures, or else that is told now
        return picture_to_doc(loaded, demo_picture(), source.preprocess)[0], model, "picture"
    sent = _INPUTS[read_sample(model, doc).kind.name]
    if sent == "text":
        raise UserError(
            "Expected a model that takes texts itself, with a TextVectorization or a preprocessor. "
            f"Received: model={source.model}, which takes token ids"
        )
    if sent == "picture":
        doc = picture_to_doc(loaded, demo_picture(), source.preprocess)[0]
    return doc, model, sent


def demo_picture() -> Image.Image:
    """Return the picture that comes with the package."""
    return files.read_picture(SCENE)


def _find_asks(model: keras.Model, doc: Any, names: Any) -> tuple[str, int]:
    """Return what can be asked of a model, by asking; TypeError or ValueError if nothing can."""
    problem: Exception | None = None
    for asks, options in _ASKS.items():
        try:
            return asks, trial.count_targets(model, doc, class_names=names, **options)
        except (TypeError, ValueError) as error:
            problem = problem or error
    raise problem or ValueError("Expected a model that can be explained.")


_ASKS: dict[str, dict[str, Any]] = {
    "classes": {},
    "pixels": {"target": Pixel(0, 0)},
    "boxes": {"target": Box((0, 0, 1, 1), format="rel_xyxy")},
}


def _list_layers(model: keras.Model, doc: Any) -> list[dict[str, Any]]:
    try:
        found = target_layers(model, doc)
    except (TypeError, ValueError):  # there is none with a map, as in front of a row of numbers
        return []
    try:
        default = trial.default_layer(model, doc)
    except (TypeError, ValueError):
        default = None
    return [
        {
            "name": one.name,
            "call": one.nth,
            "grid": list(one.grid),
            "is_default": (one.name, one.nth) == default,
        }
        for one in found
    ]


def warm_up(served: ServedModel) -> None:
    """Compile, and load what draws, so that the first explanation is as fast as the second."""
    if served.input != "picture" or served.asks != "classes":
        return
    picture = demo_picture()
    doc, _ = picture_to_doc(served.loaded, picture, served.source.preprocess)
    top = min(served.n_classes, 5)
    options: dict[str, Any] = {"methods": ["Grad-CAM"], "top_targets": top, "image": picture}
    format_as_html(explain_prediction(served.model, doc, **options))

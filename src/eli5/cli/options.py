"""The options that ``eli5 explain`` and ``explain-text`` share, and the model loaded for them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from cyclopts import Parameter
from cyclopts.validators import Number

from eli5.cli.backend import start_keras
from eli5.cli.commands.methods import complete_methods
from eli5.cli.console import UserError, shortened
from eli5.loading import files

if TYPE_CHECKING:
    from eli5.loading.models import LoadedModel

AtLeastOne = Parameter(validator=Number(gte=1))


@Parameter(name="*")  # the command line has its fields as options, and not the object
@dataclass(frozen=True, kw_only=True)
class ExplainOptions:
    """What is explained of each picture or text, and how.

    Parameters
    ----------
    classes
        Explain this class; may be given several times. [default: the likeliest class]
    top
        Explain this many classes, the likeliest first.
    methods
        Explain by this method; may be given several times. `eli5 methods` lists them.
        [default: Grad-CAM]
    layer
        Name or index of the layer that is explained; the name with its path, as `base/conv`, where
        it is nested. `eli5 layers` lists them. [default: the last with a map over the picture, or
        over the tokens]
    score
        What is explained: the class score before the final softmax or sigmoid (`logit`), the
        model's output (`output`), or the former where there is one (`auto`).
    labels
        A text file of class names: line i, counted from 0, names class i.
    batch_size
        How many pictures or texts, or variants of one, the model sees at once. So many are in
        memory.
    as_json
        Print a line of JSON per picture or text and method, and nothing else.
    """

    classes: Annotated[list[int] | None, Parameter(name="--class", metavar="ID")] = None
    top: Annotated[int | None, AtLeastOne] = None
    methods: Annotated[
        list[str] | None, Parameter(name="--method", metavar="NAME", completer=complete_methods)
    ] = None
    layer: int | str | None = None
    score: Literal["auto", "output", "logit"] = "auto"
    labels: Path | None = None
    batch_size: Annotated[int, AtLeastOne] = 8
    as_json: Annotated[bool, Parameter(name="--json", show_default=False)] = False

    @property
    def targets(self) -> list[int] | None:
        """The classes, each once."""
        return list(dict.fromkeys(self.classes)) if self.classes else None

    def check(self) -> None:
        """Raise UserError if classes and their number are both asked for."""
        if self.classes and self.top:
            raise UserError(
                "Expected either --class or --top. Received: both, "
                f"--class={self.classes} and --top={self.top}"
            )


def load_model(
    options: ExplainOptions, model: str, weights: Path | None
) -> tuple[LoadedModel, dict[str, Any]]:
    """Start Keras, check the options, and then load the model, which may take long.

    Returns the model, and the options as `eli5.explain_predictions` takes them; UserError if one of
    them is wrong, or if the model cannot be loaded.
    """
    path = options.labels
    labels = None if path is None else files.read_lines(path, "labels", "class name")
    start_keras()
    from eli5.keras.methods.lookup import find_method
    from eli5.keras.pipeline.request import make_request
    from eli5.loading import models

    chosen: dict[str, Any] = {
        "layer": options.layer,
        "score": options.score,
        "top_targets": options.top,
    }
    try:
        names = [find_method(name).name for name in options.methods or ["Grad-CAM"]]
        methods = list(dict.fromkeys(names))
        make_request(targets=options.targets, methods=methods, **chosen)
    except (TypeError, ValueError) as error:
        raise UserError(shortened(str(error))) from error
    loaded = models.load(model, weights)
    return loaded, {
        **chosen,
        "methods": methods,
        "class_names": models.class_names(loaded, labels),
        "batch_size": options.batch_size,
    }

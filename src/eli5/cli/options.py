"""What ``eli5 explain`` and ``explain-text`` are asked for, and their model, ready for use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.cli.backend import start_keras
from eli5.cli.console import UserError, shortened
from eli5.loading import files

if TYPE_CHECKING:
    from eli5.loading.models import Loaded

__all__ = ["Asked", "Ready", "checked_classes", "make_ready"]


class Asked(NamedTuple):
    """The arguments; see `eli5.cli.commands.explain.explain_pictures`.

    Attributes
    ----------
    options : dict
        As `eli5.explain_predictions` takes them.
    """

    model: str
    classes: list[int] | None
    methods: list[str]
    options: dict[str, Any]
    labels: Path | None
    weights: Path | None
    batch_size: int
    as_json: bool


class Ready(NamedTuple):
    """The model, and all options that the methods take.

    Attributes
    ----------
    loaded : eli5.loading.models.Loaded
    options : dict
        Those that were asked for, with ``methods`` and ``class_names``.
    backend : str
    """

    loaded: Loaded
    options: dict[str, Any]
    backend: str


def checked_classes(classes: list[int] | None, top: int | None) -> list[int] | None:
    """Return the classes, each once; UserError if their number is asked for as well."""
    if classes and top:
        raise UserError(
            f"Expected either --class or --top. Received: both, --class={classes} and --top={top}"
        )
    return list(dict.fromkeys(classes)) if classes else None


def make_ready(asked: Asked) -> Ready:
    """Start Keras, check the options, and then load the model, which may take long.

    Raises
    ------
    UserError
        If an option is wrong, or the model cannot be loaded.
    """
    names = (
        None if asked.labels is None else files.read_lines(asked.labels, "--labels", "class name")
    )
    start_keras()
    import keras
    from eli5.loading import models

    methods = _methods(asked)
    loaded = models.load(asked.model, asked.weights)
    class_names = models.class_names(loaded, names)
    options = {
        **asked.options,
        "methods": methods,
        "class_names": class_names,
        "batch_size": asked.batch_size,
    }
    return Ready(loaded, options, keras.backend.backend())


def _methods(asked: Asked) -> list[str]:
    """Return the methods' proper names, each once, if they go with the other options."""
    from eli5.keras.methods.lookup import find_method
    from eli5.keras.pipeline.request import make_request

    try:
        methods = list(dict.fromkeys(find_method(name).name for name in asked.methods))
        make_request(targets=asked.classes, methods=methods, **asked.options)
    except (TypeError, ValueError) as error:
        raise UserError(shortened(str(error))) from error
    return methods

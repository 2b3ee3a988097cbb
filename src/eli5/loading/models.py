"""Get the model: from a file, or one of ``keras.applications`` by its name."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import os
import re
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.keras.targets.class_names import ids_of, read_class_names
from eli5.loading.errors import UserError, shortened
from eli5.loading.files import MODEL_OR_NAME, is_model_file, wrong_argument
from eli5.loading.model_file import check_file, check_outputs, limited_weights
from eli5.loading.quiet import muted_stderr


class LoadedModel(NamedTuple):
    """A model, and what is known of it beyond the model itself."""

    model: keras.Model
    # Its module in keras.applications, with `preprocess_input` and `decode_predictions`.
    family: Any = None


def load(
    model: str, weights: Path | None, *, imports: Iterable[str] = (), allow_code: bool = False
) -> LoadedModel:
    """Load a model file without running code from it, or build an application by its name.

    Parameters
    ----------
    model : str
        Case, ``_`` and ``-`` do not matter in the name of an application.
    weights : Path, optional
        Of an application; its ImageNet weights if not given.
    imports : iterable of str
        Modules that are imported before, as they register layers with Keras.
    allow_code : bool
        Whether a file may run code of its own.

    Raises
    ------
    UserError
        If there is no such application or module, or if file or weights cannot be had.
    """
    import_modules(imports, allow_code=allow_code)
    if not is_model_file(model):
        return _application(model, weights)
    return LoadedModel(_from_file(model, allow_code=allow_code))


def import_modules(names: Iterable[str], *, allow_code: bool = False) -> None:
    """Import modules from where Python looks for them, or the current folder."""
    names = list(names)
    folder = os.getcwd()
    # A file that may have code of its own may name modules, too.
    if (names or allow_code) and folder not in sys.path:
        sys.path.append(folder)
    for name in names:
        try:
            importlib.import_module(name)
        except Exception as error:  # whatever a module raises
            file = os.path.join(folder, *name.split(".")) + ".py"
            raise UserError(
                "Expected `imports` to name modules that can be imported. Received: "
                f"imports={name}: {type(error).__name__}: {error}. A module of this name may lie "
                f"in {file}, or in a folder of PYTHONPATH"
            ) from error


def class_names(
    loaded: LoadedModel, labels: list[str] | None
) -> list[str] | Callable[[int], str | None] | None:
    """Return the names of the classes: the labels given, else an application's own, else None.

    Warns if the labels are not as many as the classes, which then are named as far as they go, or
    if the application's cannot be had.
    """
    if labels is None:
        return None if loaded.family is None else _imagenet_names(loaded.family)
    shape = loaded.model.output_shape
    n_labels = 1 if len(labels) == 2 and shape[-1:] == (1,) else len(labels)  # one unit for two
    if isinstance(shape, tuple) and shape[-1] != n_labels:
        warnings.warn(
            f"The labels are {len(labels)} and the model's classes {shape[-1]}: they may belong to "
            "another model.",
            stacklevel=2,
        )
        return dict(enumerate(labels)).get
    return labels


def class_of_label(label: str | None, names: Any, n_classes: int, column: str) -> int:
    """Return the class that a cell of a list says, by its id or name; UserError if it is none."""
    label = (label or "").strip()
    if re.fullmatch(r"\d+(\.0*)?", label):  # a column of numbers with gaps is one of floats
        return int(label.partition(".")[0])
    try:
        (class_id,) = ids_of([label], read_class_names(names), n_classes)
    except ValueError as error:
        raise UserError(
            f"Expected a class id or name in the column {column!r} (`class_column`). Received: "
            f"{label!r}. {error}"
        ) from error
    return class_id


# What to do where Keras's message speaks of what cannot be done with a file's name alone.
_ADVICE = {
    **dict.fromkeys(
        ("`Lambda` layer", "holds or loads code"), " If you trust the file, give `allow_code`."
    ),
    **dict.fromkeys(
        ("Could not locate", "Unknown layer"),
        " Name the module that registers it with Keras as `imports`.",
    ),
    "requires TensorFlow": (
        " It is needed beside any Keras backend: pip install tensorflow-cpu, or tensorflow."
    ),
}


def _from_file(path: str, *, allow_code: bool) -> keras.Model:
    try:
        # An .h5 file imports TensorFlow, where it is installed.
        with muted_stderr(), limited_weights(check_file(path, allow_code=allow_code)):
            model = keras.saving.load_model(path, compile=False, safe_mode=not allow_code)
        check_outputs(model)
        return model
    # Keras raises whatever comes to it from a broken file.
    except Exception as error:
        reason = _reason(error)
        advice = next((advice for mark, advice in _ADVICE.items() if mark in reason), "")
        reason = f": {reason}.{advice}"
        raise wrong_argument("model", path, "a model that Keras can load", reason) from error


def _application(name: str, weights: Path | None) -> LoadedModel:
    names = {_plain(one): one for one in _application_names()}
    if _plain(name) not in names:
        close = [names[one] for one in difflib.get_close_matches(_plain(name), names, n=5)]
        known = f"Names: {', '.join(names.values())}."
        advice = f"Did you mean {', '.join(close)}?" if close else known
        raise wrong_argument("model", name, MODEL_OR_NAME, f". {advice}")
    constructor = getattr(keras.applications, names[_plain(name)])
    # Not every family's public module holds its constructors, so the defining module's name tells.
    family = getattr(keras.applications, constructor.__module__.rpartition(".")[2])
    return LoadedModel(_built(constructor, weights), family)


def _application_names() -> list[str]:
    return [name for name in dir(keras.applications) if name[0].isupper()]


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _built(constructor: Callable[..., keras.Model], weights: Path | None) -> keras.Model:
    name = constructor.__name__
    # Keras raises no narrower type when a download fails, or for a broken file.
    try:
        with _downloads_on_stderr():
            model = constructor(weights="imagenet" if weights is None else None)
        if weights is not None:
            if is_model_file(str(weights)):
                check_file(str(weights))
            model.load_weights(weights)
    except Exception as error:
        reason = _reason(error)
        if weights is not None:
            expected = f"a file with weights of the whole {name}"
            raise wrong_argument("weights", weights, expected, f": {reason}") from error
        raise UserError(
            f"Expected the ImageNet weights of {name} to be at hand or within reach. Received: "
            f"{reason}. Give a local file as `weights`."
        ) from error
    if weights is not None and name.startswith("EfficientNetB"):
        warnings.warn(
            f"With its ImageNet weights, Keras builds one more scaling into {name} than with a "
            "weights file. If these are the ImageNet weights, the scores are off: put the file "
            "into ~/.keras/models instead and leave `weights` out.",
            stacklevel=2,
        )
    return model


def _imagenet_names(family: Any) -> list[str] | None:
    # Scores that are the ids tell which name belongs to which class.
    ids = np.arange(1000, dtype="float64")
    try:
        with _downloads_on_stderr():
            (decoded,) = family.decode_predictions(ids[np.newaxis], top=len(ids))
    except Exception as error:  # Keras raises no narrower type when a download fails
        warnings.warn(
            f"The names of the classes cannot be had: {_reason(error)}. Give names as `labels`.",
            stacklevel=2,
        )
        return None
    names = {int(score): name for _, name, score in decoded}
    return [names[i] for i in range(len(ids))]


@contextlib.contextmanager
def _downloads_on_stderr() -> Iterator[None]:
    """Keep Keras's progress bars out of the result; only a terminal shows them well."""
    with contextlib.redirect_stdout(sys.stderr if sys.stderr.isatty() else io.StringIO()):
        yield


def _reason(error: Exception) -> str:
    """Return what matters of Keras's message, which may quote the whole configuration around it."""
    message = str(error).rpartition("Exception encountered: ")[2]
    cause = re.split("Full object config:|List of objects that could not", message)[0].strip()
    return shortened(cause or type(error).__name__).rstrip(".")

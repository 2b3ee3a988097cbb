"""What `eli5.bulk.explain` is asked for, checked and put into plain values."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from eli5.bulk.checks import (
    check_flags,
    check_numbers,
    check_paths,
    check_renamed,
    check_text,
)
from eli5.bulk.executors.threads import available_cores
from eli5.bulk.job import Job
from eli5.bulk.results.rows import DTYPES
from eli5.loading import files
from eli5.loading.errors import shortened
from eli5.loading.quiet import import_keras

__all__ = ["make_job"]


def make_job(
    model: str | os.PathLike[str],
    *,
    method: str | Sequence[str] = "Grad-CAM",
    top: int = 1,
    layer: int | str | None = None,
    score: str = "auto",
    preprocess: str | None = None,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    overlays: bool = False,
    batch_size: int = 32,
    dtype: str = "float32",
    **more: Any,
) -> Job:
    """Check what is asked for; see `eli5.bulk.explain`. Keras is started, but no model loaded."""
    check_numbers(top=top, batch_size=batch_size)
    check_flags(overlays=overlays)
    check_text(preprocess=preprocess)
    check_paths(**({} if weights is None else {"weights": weights}))
    check_renamed(more)
    if not isinstance(model, str | os.PathLike):
        raise TypeError(
            "Expected `model` to be a file, or the name of a keras.applications model, because "
            f"other processes load it. Received: a {type(model).__name__}. Save it first: "
            'model.save("model.keras")'
        )
    if dtype not in DTYPES:
        raise ValueError(f"Expected `dtype` to be one of {DTYPES}. Received: dtype={dtype!r}")
    local = None if weights is None else Path(weights)
    files.check_model(os.fspath(model), local)
    names = _listed("method", method, "a method's name, or a list of them")
    plain = _plain({"layer": layer, "score": score, "top_targets": top, **more})
    backend = import_keras().backend.backend()
    _check_preprocess(preprocess)
    return Job(
        os.path.abspath(model) if files.is_model_file(os.fspath(model)) else os.fspath(model),
        None if local is None else os.path.abspath(local),
        _methods(names, plain),
        plain,
        preprocess,
        _labels(labels),
        overlays,
        dtype,
        batch_size,
        min(4, available_cores()),
        backend,
    )


def _check_preprocess(preprocess: str | None) -> None:
    from eli5.loading.preprocess import MODES

    if preprocess is not None and preprocess not in MODES:
        raise ValueError(
            f"Expected `preprocess` to be None or one of {', '.join(MODES)}. Received: "
            f"preprocess={preprocess!r}"
        )


def _methods(names: list[str], options: dict[str, Any]) -> list[str]:
    """Return the methods' proper names, each once, if they go with the options."""
    from eli5.keras.methods.lookup import find_method
    from eli5.keras.pipeline.request import make_request

    methods = list(dict.fromkeys(find_method(name).name for name in names))
    try:
        make_request(methods=methods, **options)
    except (TypeError, ValueError) as error:
        kind = TypeError if isinstance(error, TypeError) else ValueError
        raise kind(shortened(str(error))) from error
    return methods


def _plain(options: dict[str, Any]) -> dict[str, Any]:
    """Return options that come out of JSON as they went in."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(options, allow_nan=False))
    except (TypeError, ValueError) as error:
        raise TypeError(
            "Expected options that are numbers, strings, or lists or dicts of them, because they "
            f"go to other processes. Received: {options}"
        ) from error
    return plain


def _labels(labels: Any) -> list[str] | None:
    if labels is None:
        return None
    if isinstance(labels, str | os.PathLike):
        return files.read_lines(Path(labels), "--labels", "class name")
    return _listed("labels", labels, "a file or a list of names")


def _listed(name: str, value: Any, what: str) -> list[str]:
    if isinstance(value, str):
        return [value]
    listed = list(value) if isinstance(value, Iterable) else [value]
    if not all(isinstance(one, str) for one in listed):
        raise TypeError(f"Expected `{name}` to be {what}. Received: {name}={value!r}")
    return listed

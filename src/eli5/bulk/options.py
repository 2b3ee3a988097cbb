"""What `eli5.bulk.explain` is given, checked and put into plain values."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from eli5 import checks
from eli5.bulk.executors.pool import available_cores
from eli5.bulk.job import Job
from eli5.bulk.results.parts import DTYPES
from eli5.bulk.shard_sizes import Granularity, granularity
from eli5.loading import files
from eli5.loading.errors import shortened
from eli5.loading.quiet import import_keras

_LARGEST_SHARD = 1_000_000  # its ids are in memory while the source is listed
# What `eli5.explain_predictions` calls otherwise, or what is not to be had, in bulk.
_RENAMED = {
    "top_targets": "give `top`",
    "methods": "give `method`, which may be a list",
    "class_names": "give `labels`",
    "targets": "give `top`; single classes cannot be chosen",
    "classes": "give `top`; single classes cannot be chosen",
    "images": "the pictures come from the source",
}


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
    time_limit: float = 60.0,
    dtype: str = "float32",
    **more: Any,
) -> Job:
    """Check what a job is made of; see `eli5.bulk.explain`.

    Keras is started, but no model loaded.
    """
    checks.expect_integer("top", top, least=1)
    checks.expect_integer("batch_size", batch_size, least=1)
    if checks.expect_number("time_limit", time_limit, least=0) == 0:
        raise checks.wrong_value("time_limit", time_limit, "> 0")
    checks.expect_flag("overlays", overlays)
    checks.expect_choice("dtype", dtype, DTYPES)
    _check_renamed(more)
    name, weights_path = _check_model(model, weights)
    plain = _plain({"layer": layer, "score": score, "top_targets": top, **more})
    names = [method] if isinstance(method, str) else method
    names = checks.expect_list("method", names, _is_text, "a method's name, or a list of them")
    backend = import_keras().backend.backend()
    from eli5.loading.preprocess import MODES  # it needs Keras

    if preprocess is not None:
        checks.expect_choice("preprocess", preprocess, MODES, also=" or None")
    methods, labels, threads = _methods(names, plain), _labels(labels), min(4, available_cores())
    ours = (overlays, dtype, batch_size, threads, backend, time_limit)
    return Job(name, weights_path, methods, plain, preprocess, labels, *ours)


def sizes_of(job: Job) -> Granularity:
    """Return what sizes of shards go with a job."""
    from eli5.keras.methods.lookup import find_method

    is_item_by_item = any(find_method(name).is_black_box for name in job.methods)
    copies = job.options.get("n_samples") or 1
    return granularity(job.batch_size, copies, is_item_by_item=is_item_by_item)


def expect_shard_size(value: Any) -> int | None:
    """Return how many items a shard has; TypeError or ValueError if it cannot have so many."""
    if value is None:
        return None
    if checks.expect_integer("shard_size", value, least=1) > _LARGEST_SHARD:
        raise checks.wrong_value("shard_size", value, f"<= {_LARGEST_SHARD}")
    return int(value)


def expect_path(name: str, value: Any) -> str:
    """Return a path in text; TypeError if it is none."""
    return os.fspath(checks.expect_type(name, value, (str, os.PathLike), "a string or a path"))


def _check_renamed(options: dict[str, Any]) -> None:
    for name in _RENAMED.keys() & options:
        received = f"Received: {name}={options[name]!r}"
        raise TypeError(f"Expected no `{name}` for a bulk run: {_RENAMED[name]}. {received}")


def _check_model(model: Any, weights: Any) -> tuple[str, str | None]:
    expected = "a file, or the name of a keras.applications model, as other processes load it"
    advice = 'Save it first: model.save("model.keras")'
    name = os.fspath(checks.expect_type("model", model, (str, os.PathLike), expected, advice))
    local = None if weights is None else expect_path("weights", weights)
    files.check_model(name, None if local is None else Path(local))
    return (
        os.path.abspath(name) if files.is_model_file(name) else name,
        None if local is None else os.path.abspath(local),
    )


def _methods(names: Sequence[str], options: dict[str, Any]) -> list[str]:
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
        expected = "numbers, strings, or lists or dicts of them, as they go to other processes"
        raise checks.wrong_type("options", options, expected) from error
    return plain


def _labels(labels: Any) -> list[str] | None:
    if labels is None:
        return None
    if isinstance(labels, str | os.PathLike):
        return files.read_lines(Path(labels), "labels", "class name")
    return checks.expect_list("labels", labels, _is_text, "a file or a list of names")


def _is_text(value: Any) -> bool:
    return isinstance(value, str)

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
    "targets": "give `classes` for all pictures, or `class_column` for each",
    "images": "the pictures come from the source",
    "target": "parts have no place in the picture; call eli5.explain_predictions, batch by batch",
    "detector": "it goes with `target`, which bulk runs do not take",
}


def make_job(
    model: str | os.PathLike[str],
    *,
    method: str | Sequence[Any] = "Grad-CAM",
    top: int | None = None,
    classes: Sequence[int | str] | None = None,
    class_column: str | None = None,
    layer: int | str | None = None,
    score: str = "auto",
    preprocess: str | None = None,
    labels: str | os.PathLike[str] | Sequence[str] | None = None,
    weights: str | os.PathLike[str] | None = None,
    overlays: bool = False,
    colormap: str | None = None,
    signed: bool = False,
    frame: int | None = None,
    imports: Sequence[str] = (),
    allow_code: bool = False,
    batch_size: int = 32,
    time_limit: float = 60.0,
    dtype: str = "float32",
    grade: bool = False,
    **more: Any,
) -> Job:
    """Check what a job is made of; see `eli5.bulk.explain`.

    Keras is started, but no model loaded.
    """
    _check_classes(top=top, classes=classes, class_column=class_column)
    if frame is not None:
        checks.expect_integer("frame", frame, least=0)
    checks.expect_flag("allow_code", allow_code)
    imports = checks.expect_list("imports", imports, _is_text, "names of modules")
    checks.expect_integer("batch_size", batch_size, least=1)
    if checks.expect_number("time_limit", time_limit, least=0) == 0:
        raise checks.wrong_value("time_limit", time_limit, "> 0")
    checks.expect_flag("overlays", overlays)
    checks.expect_flag("grade", grade)
    checks.expect_choice("dtype", dtype, DTYPES)
    _check_renamed(more)
    name, weights_path = _check_model(model, weights)
    likeliest = None if classes or class_column else top or 1
    chosen = {"top_targets": likeliest} if classes is None else {"classes": list(classes)}
    plain = _plain({"layer": layer, "score": score, **chosen, **more})
    names = [method] if isinstance(method, str) or _is_pair(method) else method
    expected = "a method's name, or a list of them"
    names = checks.expect_list("method", names, lambda x: _is_text(x) or _is_pair(x), expected)
    backend = import_keras().backend.backend()
    from eli5.loading.preprocess import MODES  # it needs Keras

    if preprocess is not None:
        checks.expect_choice("preprocess", preprocess, MODES, also=" or None")
    methods, labels, threads = _methods(names, plain), _labels(labels), min(4, available_cores())
    look = _look(colormap, signed)
    ours = (overlays, dtype, batch_size, threads, backend, time_limit)
    new = (methods, class_column, frame, list(imports), allow_code, look)
    about = (name, weights_path, list(methods), plain, preprocess, labels)
    return Job(*about, *ours, *new, grade=grade)


def sizes_of(job: Job) -> Granularity:
    """Return what sizes of shards go with a job."""
    from eli5.keras.methods.lookup import find_method

    is_item_by_item = job.grade or any(find_method(name).is_black_box for name in job.methods)
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
        received = f"Received: {name}={checks.shown(options[name])}"
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


def _check_classes(
    top: int | None, classes: Sequence[int | str] | None, class_column: str | None
) -> None:
    given = {"top": top, "classes": classes, "class_column": class_column}
    found = [f"{name}={value!r}" for name, value in given.items() if value is not None]
    if len(found) > 1:
        raise ValueError(
            "Expected one of `top`, `classes` and `class_column`. Received: " + " and ".join(found)
        )
    if top is not None:
        checks.expect_integer("top", top, least=1)
    expected = "the name of a column of the source, or None"
    checks.expect_type("class_column", class_column, str | None, expected)


def _look(colormap: str | None, signed: bool) -> dict[str, Any]:
    look: dict[str, Any] = {} if colormap is None else {"colormap": colormap}
    if signed is not False:
        look["signed"] = signed
    if look:
        from eli5.formatters.overlay.options import make_options  # it loads matplotlib

        make_options(**look)
    return look


def _is_pair(value: Any) -> bool:
    is_two = isinstance(value, tuple | list) and len(value) == 2
    return is_two and isinstance(value[0], str) and isinstance(value[1], dict)


def _methods(names: Sequence[Any], options: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the methods' proper names, and options of their own, if they go with the others."""
    from eli5.keras.methods.lookup import find_method
    from eli5.keras.pipeline.request import make_request

    methods: dict[str, dict[str, Any]] = {}
    for pair in names:
        name, own = pair if _is_pair(pair) else (pair, {})
        name = find_method(name).name
        if methods.setdefault(name, _plain(own)) != own:
            raise ValueError(
                f"Expected each method with one set of options. Received: {name} with "
                f"{methods[name]} and {own}"
            )
    try:
        make_request(methods=list(methods.items()), **options)
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

"""What is computed of each item, and the fingerprint that tells one job from another."""

from __future__ import annotations

import hashlib
import json
from contextlib import suppress
from importlib import metadata
from typing import Any, NamedTuple

from eli5.loading.files import is_model_file

_DISTRIBUTIONS = {
    "jax": ("jax", "jaxlib"),
    "tensorflow": ("tensorflow", "tensorflow-cpu"),
    "torch": ("torch",),
}


class Job(NamedTuple):
    """All that a worker must know, in plain values: it goes to other processes and machines."""

    model: str  # a path, or the name of an application
    weights: str | None
    methods: list[str]
    options: dict[str, Any]  # further ones of `eli5.explain_predictions`
    preprocess: str | None  # see `eli5.loading.preprocess`
    labels: list[str] | None  # see `eli5.loading.models.class_names`
    overlays: bool
    dtype: str  # of the heatmaps in the parts
    batch_size: int  # pictures that the model sees at once
    threads: int  # that decode
    backend: str
    time_limit: float = 60.0  # seconds for each picture to be read and decoded
    method_options: dict[str, dict[str, Any]] = {}  # of single methods  # noqa: RUF012
    class_column: str | None = None  # of the source, which says what is explained of each item
    frame: int | None = None  # of pictures with several
    imports: list[str] = []  # modules that register layers  # noqa: RUF012
    allow_code: bool = False  # whether the model file may run some
    look: dict[str, Any] = {}  # of overlays; see `eli5.format_as_image`  # noqa: RUF012
    grade: bool = False  # whether each map is graded


def ingredients(job: Job) -> dict[str, Any]:
    """Return all that results depend on, by name; the model and its weights by their bytes."""
    names = (
        "methods", "method_options", "options", "preprocess", "labels", "class_column", "frame",
        "imports", "overlays", "look", "dtype", "grade",
    )  # fmt: skip
    return {
        "model": _digest(job.model) if is_model_file(job.model) else job.model,
        "weights": None if job.weights is None else _digest(job.weights),
        **{name: getattr(job, name) for name in names},
        "versions": _versions(job.backend),
    }


def fingerprint(values: Any) -> str:
    """Return a hash of plain values."""
    text = json.dumps(values, sort_keys=True, allow_nan=False)
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def _digest(path: str) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _versions(backend: str) -> dict[str, str]:
    """Return the versions of what computes, without importing any of it."""
    from eli5 import __version__

    versions = {"eli5": __version__, "backend": backend}
    for name in ("keras", "numpy", "pillow", *_DISTRIBUTIONS.get(backend, ())):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions

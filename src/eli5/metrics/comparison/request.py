"""What is to be compared: methods, metrics, and what is said of docs and model; all is checked."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import keras
import numpy as np

from eli5.checks import (
    did_you_mean,
    expect_choice,
    expect_integer,
    expect_type,
    listed,
    wrong_type,
    wrong_value,
)
from eli5.keras import engine
from eli5.keras.methods.lookup import find_method
from eli5.metrics.cases import ABOUT
from eli5.metrics.result import Metric
from eli5.metrics.table import METRICS

_DEFAULT = ("SRG", "Single deletion", "Infidelity", "Complexity")
PER_DOC = ("tokens", "images")  # what is said of each doc, and not of all


class Request(NamedTuple):
    """What is to be compared.

    Attributes
    ----------
    methods : dict
        By name, the options of an explanation with each method.
    metrics : list of Metric
    about : dict
        What is said of all docs and of the model; see `eli5.metrics.deletion`.
    seed : int
    progress : bool, optional
        See `eli5.explain_prediction`.
    examples : int
        How many docs are kept at either end, of each method and metric.
    """

    methods: dict[str, dict[str, Any]]
    metrics: list[Metric]
    about: dict[str, Any]
    seed: int = 0
    progress: bool | None = None
    examples: int = 1

    def settings(self, model: keras.Model, **more: Any) -> dict[str, Any]:
        """Return all that the numbers depend on besides the docs, as JSON has it."""
        return {
            "model": fingerprint(model),
            "methods": as_settings(self.methods),
            "metrics": [row.name for row in self.metrics],
            "seed": self.seed,
            "options": as_settings(self.about),
            "examples": self.examples,
            **more,
        }


def make_request(
    methods: Any,
    metrics: Any,
    about: Mapping[str, Any],
    *,
    has_masks: bool,
    seed: Any = 0,
    progress: bool | None = None,
    examples: Any = 1,
) -> Request:
    """Check what is asked for; see `eli5.compare`."""
    asked, rows = read_methods(methods), read_metrics(metrics, has_masks=has_masks)
    check_about(about)
    of_all = {name: value for name, value in about.items() if name not in PER_DOC}
    seed = expect_integer("seed", seed, least=0)
    return Request(
        asked, rows, of_all, seed, progress, expect_integer("examples", examples, least=0)
    )


def read_methods(methods: Any) -> dict[str, dict[str, Any]]:
    """Return, by name, the options of an explanation with each method; see `eli5.compare`."""
    if isinstance(methods, Mapping):
        one = "a mapping, such as {'method': 'RISE', 'n_masks': 200}"
        asked = {
            str(name): dict(expect_type(f"methods[{name!r}]", options, Mapping, one))
            for name, options in methods.items()
        }
        for options in asked.values():
            find_method(options.get("method", "Grad-CAM"))
    else:
        items = listed(methods)
        if items is None:
            raise wrong_type("methods", methods, "a list of methods, or a mapping to their options")
        asked = _read_list(items)
    if not asked:
        raise wrong_value("methods", methods, "to name at least one method")
    return asked


def _read_list(items: list[Any]) -> dict[str, dict[str, Any]]:
    """Name methods as they are called, each of them once; two formulas may be called alike."""
    asked: dict[str, dict[str, Any]] = {}
    for one in items:
        is_pair = isinstance(one, tuple) and len(one) == 2 and isinstance(one[1], Mapping)
        method, options = one if is_pair else (one, {})
        told = [f"{key}={value}" for key, value in options.items()]
        name = ", ".join([find_method(method).name, *told])
        own = {"method": method, **options}
        if asked.get(name, own) != own:
            raise ValueError(
                f"Expected methods with different names. Received: {name!r} twice. Name them "
                f"yourself: methods={{'one': {{'method': ...}}, 'other': {{'method': ...}}}}"
            )
        asked[name] = own
    return asked


def read_metrics(metrics: Any, *, has_masks: bool) -> list[Metric]:
    """Return the metrics of these names, in any case, each once; see `eli5.compare`."""
    names = [*_DEFAULT, *(["Energy inside"] if has_masks else [])]
    if metrics is not None:
        names = listed(metrics) or []
    if not names:
        raise wrong_value("metrics", metrics, "to be a list of names from eli5.metrics.METRICS")
    known = {_folded(name): row for name, row in METRICS.items()}
    for name in names:
        if _folded(name) not in known:
            expect_choice("metrics", name, list(METRICS))
    rows = list({row.name: row for row in (known[_folded(name)] for name in names)}.values())
    missing = [row.name for row in rows if "masks" in row.needs and not has_masks]
    if missing:
        raise ValueError(f"Expected `masks` for {', '.join(missing)}. Received: masks=None")
    return rows


def _folded(name: Any) -> str:
    return str(name).casefold().replace("_", " ").replace("-", " ")


def check_about(about: Mapping[str, Any]) -> None:
    """Raise TypeError if an option says nothing of docs or model."""
    known = [name for name in ABOUT if name != "score"]
    for name, value in about.items():
        if name not in known:
            raise TypeError(
                f"Expected one of {', '.join(known)}. Received: {name}={value!r}. "
                f"{did_you_mean(name, known) or 'Options of a method are given with it.'}"
            )


# ---- what a run is known by ----------------------------------------------------------------------


def fingerprint(model: keras.Model) -> str:
    """Return a hash of a model's weights, their names and shapes, and what its layers are."""
    digest = hashlib.sha256(model.name.encode())
    kinds = (
        f"{type(part).__name__} {getattr(getattr(part, 'activation', None), '__name__', '')}"
        for part in engine.parts_of(model)
    )
    digest.update("\n".join(sorted(kinds)).encode())
    for weight in model.weights:
        values = np.ascontiguousarray(keras.ops.convert_to_numpy(weight.value))
        digest.update(f"{weight.path} {values.shape} {values.dtype}".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()[:16]


def as_settings(value: Any) -> Any:
    """Return a value as JSON has it; a function by its name, an array by its checksum."""
    if isinstance(value, Mapping):
        return {str(key): as_settings(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [as_settings(one) for one in value]
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype} {zlib.crc32(value.tobytes())}"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, np.generic):
        return value.item()
    name = getattr(value, "__qualname__", None) or getattr(value, "name", type(value).__name__)
    code = getattr(value, "__code__", None)
    if code is None:
        return name
    # Two functions without a name are not the same; what is within one has no lasting text.
    constants = [one for one in code.co_consts if isinstance(one, int | float | str | None)]
    return f"{name} {zlib.crc32(code.co_code + repr((constants, code.co_names)).encode())}"

"""A comparison, or a part of one, as JSON: what a file holds, and how it is read back.

Numbers are written so that they come back to the bit; NaN is null. The explanations of examples are
documents as `eli5.save` writes them.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5 import limits
from eli5.base import Explanation
from eli5.checks import shown
from eli5.metrics.comparison.curves import CurveSums
from eli5.metrics.comparison.examples import Example
from eli5.metrics.comparison.part import Failure, Part
from eli5.metrics.result import Array, MetricResult
from eli5.metrics.table import METRICS
from eli5.saving.document import check_json, refuse_large_json
from eli5.saving.explanation_file import load, write_json

if TYPE_CHECKING:
    from eli5.metrics.comparison.result import Comparison

VERSION = 1
_KIND = "eli5 comparison"
_ABOUT = ("score", "baseline", "perturbation", "passes", "explanations", "seed", "labels")

Record = dict[str, Any]


# ---- written -------------------------------------------------------------------------------------


def as_file(comparison: Comparison) -> bytes:
    """Return what ``comparison.json`` holds; ValueError if it is larger than what is read."""
    about = {"kind": _KIND, "version": VERSION, "model": comparison.model, "seed": comparison.seed}
    text = to_text({**about, **_contents(comparison)})
    check_json(text)
    return text


def as_record(part: Part) -> Record:
    """Return a part as JSON has it."""
    return {"n": part.n, "checksum": part.checksum, **_contents(part)}


def to_text(record: Record) -> bytes:
    """Return a line of JSON."""
    return json.dumps(record, allow_nan=False, ensure_ascii=False).encode(
        "utf-8", "backslashreplace"
    )


def _contents(of: Comparison | Part) -> Record:
    return {
        "results": [[*key, _result(one)] for key, one in of.results.items()],
        "seconds": [[*key, seconds] for key, seconds in of.seconds.items()],
        "mean_curves": [[*key, _sums(one)] for key, one in of.mean_curves.items()],
        "examples": _examples(of.examples),
        "failures": [list(one) for one in of.failures],
        "n_failed": [[*key, n] for key, n in of.n_failed.items()],
    }


def _result(result: MetricResult) -> Record:
    curves = [{name: _numbers(one) for name, one in of.items()} for of in result.curves]
    own = {name: getattr(result, name) for name in _ABOUT}
    targets = [one if one is None or isinstance(one, str) else int(one) for one in result.targets]
    return {"values": _numbers(result.values), "targets": targets, "curves": curves, **own}


def _sums(one: CurveSums) -> Record:
    columns = {"sums": one.sums, "squares": one.squares, "counts": one.counts}
    named = {
        what: {name: _numbers(values) for name, values in of.items()}
        for what, of in columns.items()
    }
    return {"x": _numbers(one.x), "labels": one.labels, **named}


def _numbers(values: Array) -> list[Any]:
    numbers = np.asarray(values, "float64").ravel().tolist()
    return [one if math.isfinite(one) else None if math.isnan(one) else str(one) for one in numbers]


def _examples(examples: list[Example]) -> Record:
    """Return examples, and each of their explanations once."""
    maps = {(one.method, one.number): one.explanation for one in examples}
    places = {key: k for k, key in enumerate(maps)}
    rows = [[*one[:-1], places[one.method, one.number]] for one in examples]
    return {"rows": rows, "explanations": [json.loads(write_json(one)) for one in maps.values()]}


# ---- read ----------------------------------------------------------------------------------------


def read_file(path: str | PathLike[str]) -> dict[str, Any]:
    """Return the fields of a `Comparison` that `as_file` wrote; see `Comparison.load`."""
    with limits.open_file(path) as file:
        content = limits.read_bounded(file, limits.SAVED_BYTES)
    try:
        refuse_large_json(content)
        return _fields(json.loads(content))
    except ImportError:
        raise
    except Exception as error:  # a damaged file makes the readers raise whatever comes to them
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(
            "Expected a file as Comparison.save writes .json. Received: "
            f"path={shown(str(path))}, which cannot be read: {reason}"
        ) from error


def _fields(record: Record) -> dict[str, Any]:
    if record.get("kind") != _KIND or record.get("version") != VERSION:
        raise ValueError(
            f"it is no comparison of version {VERSION}, but of kind {record.get('kind')!r} and "
            f"version {record.get('version')!r}"
        )
    part = from_record({"n": 0, "checksum": 0, **record})._asdict()
    del part["n"], part["checksum"]
    return part | {"seed": int(record["seed"]), "model": str(record["model"])}


def from_record(record: Record) -> Part:
    """Return the part of a record; of anything else, raise an error of any type."""
    return Part(
        int(record["n"]),
        int(record["checksum"]),
        {_key(row): _read_result(row[1], row[2]) for row in record["results"]},
        {_key(row): float(row[2]) for row in record["seconds"]},
        {_key(row): _read_sums(row[2]) for row in record["mean_curves"]},
        _read_examples(record["examples"]),
        [Failure(int(row[0]), *map(str, row[1:])) for row in record["failures"]],
        {_key(row): int(row[2]) for row in record["n_failed"]},
    )


def _key(row: list[Any]) -> tuple[str, str]:
    return str(row[0]), str(row[1])


def _read_result(metric: str, record: Record) -> MetricResult:
    row = METRICS[metric]
    return MetricResult(
        metric,
        _array(record["values"]),
        row.better,
        row.unit,
        curves=[{name: _array(one) for name, one in of.items()} for of in record["curves"]],
        targets=list(record["targets"]),
        **{name: record[name] for name in _ABOUT},
    )


def _read_sums(record: Record) -> CurveSums:
    named: list[dict[str, Array]] = [
        {name: _array(values) for name, values in record[what].items()}
        for what in ("sums", "squares", "counts")
    ]
    return CurveSums(_array(record["x"]), list(map(str, record["labels"])), *named)


def _array(values: list[Any]) -> Array:
    return np.array([math.nan if one is None else float(one) for one in values], "float64")


def _read_examples(record: Mapping[str, Any]) -> list[Example]:
    maps = [load(json.dumps(one)) for one in record["explanations"]]
    if not all(isinstance(one, Explanation) for one in maps):
        raise ValueError("one of its examples is no explanation")
    return [
        Example(str(m), str(k), int(number), str(name), float(value), bool(best), maps[int(place)])
        for m, k, number, name, value, best, place in record["rows"]
    ]

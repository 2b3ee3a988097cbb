"""Turn the values of an explanation into what JSON can hold, and back into equal ones.

What JSON knows is written as it is. Anything else becomes an object whose key ``"$"`` tells its
kind: ``{"$": "tuple", "items": [1, 2]}``. docs/formats.md lists the kinds.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Callable, Iterable
from dataclasses import MISSING, fields, replace
from functools import singledispatch
from types import NoneType
from typing import Any, NoReturn

import numpy as np

from eli5.base import DocWeightedSpans, Series, TargetExplanation, WeightedSpans
from eli5.saving.dates import to_dates, unit_of
from eli5.saving.spans import listed_spans, tupled_spans

__all__ = ["DTYPES", "decode", "decode_fields", "encode", "encode_fields"]

Array = np.ndarray[Any, Any]
PutArray = Callable[[str, Array], dict[str, Any]]
GetArray = Callable[[dict[str, Any]], Array]

_SIZES = {"float": (16, 32, 64), "int": (8, 16, 32, 64), "uint": (8, 16, 32, 64)}
DTYPES = ("bool", *(f"{kind}{size}" for kind, sizes in _SIZES.items() for size in sizes))
"""The names of the dtypes that an array may have."""

# Reading takes up to four of Python's calls a level, and Python allows a thousand in all.
_DEEPEST = 100

_LONGEST = 2000  # bits of an integer; Python refuses to write, or read, one of some thousands

_NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_CONTAINERS: dict[type, str] = {
    TargetExplanation: "target",
    WeightedSpans: "weighted_spans",
    DocWeightedSpans: "doc_weighted_spans",
    Series: "series",
}

# Two half characters; one after the other, JSON's escapes for them mean one whole character.
_HALVES = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def encode_fields(container: Any, put_array: PutArray, where: str = "") -> dict[str, Any]:
    """Encode the fields of an explanation or a target; those that are ``None`` are left out.

    Parameters
    ----------
    container : Explanation, or what may be in one
    put_array : callable ``(where, array) -> dict``
        Keeps an array, whose dtype is one of `DTYPES`, and returns what stands for it.
    where : str
        What stands before the names of the fields, such as ``"targets[0]."``.

    Returns
    -------
    dict
        What JSON can hold, by the names of the fields.

    Raises
    ------
    TypeError
        If a field holds what cannot be kept; the message names it.
    ValueError
        If a field is nested too deep, or holds itself.
    """
    document, needed = {}, _needed(type(container))
    for field in fields(container):
        value, name = getattr(container, field.name), field.name
        # What must be given is written even so, and a file without it is known as broken.
        if value is not None or name in needed:
            document[name] = _encode_field(value, f"{where}{name}", put_array)
    return document


def _encode_field(value: Any, where: str, put_array: PutArray) -> Any:
    if _is_deeper(value, _DEEPEST):
        raise ValueError(
            f"Expected {where} to be nested at most {_DEEPEST} levels deep, to be saved. Received: "
            "a value with more levels, or one that holds itself. Set it to None."
        )
    return encode(value, where, put_array)


def _is_deeper(value: Any, n_levels: int) -> bool:
    return any(n_levels == 0 or _is_deeper(one, n_levels - 1) for one in _inside(value))


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return (*value, *value.values())
    if isinstance(value, tuple(_CONTAINERS)):
        return vars(value).values()
    return value if isinstance(value, list | tuple) else ()


def _needed(kind: type) -> list[str]:
    return [field.name for field in fields(kind) if field.default is MISSING]


@singledispatch
def encode(value: Any, where: str, put_array: PutArray) -> Any:
    """Encode one value, which is at `where`; see `encode_fields`."""
    _refuse(value, where)


def _refuse(value: Any, where: str, kind: str = "") -> NoReturn:
    raise TypeError(
        f"Expected {where} to be None, a number, str, bytes, list, tuple, dict, container of "
        "eli5.base or NumPy array of numbers or dates, to be saved. Received: a value of type "
        f"{type(value).__name__}{kind or _dtype(value)}. Set it to None, or to values of these "
        "types."
    )


def _dtype(value: Any) -> str:
    return f" of {value.dtype}" if isinstance(value, np.ndarray) else ""


@encode.register(NoneType)
def _(value: None, where: str, put_array: PutArray) -> None:
    return None


@encode.register(bool)
@encode.register(np.bool_)
def _(value: Any, where: str, put_array: PutArray) -> bool:
    return bool(value)


@encode.register(int)
@encode.register(np.integer)
def _(value: Any, where: str, put_array: PutArray) -> int:
    number = int(value)
    if number.bit_length() > _LONGEST:
        _refuse(value, where, " of thousands of bits")
    return number


@encode.register(float)
@encode.register(np.floating)
def _(value: Any, where: str, put_array: PutArray) -> Any:
    number = float(value)
    if not math.isfinite(value):
        return {"$": "float", "value": str(number)}
    if number != value:  # a longdouble can have more digits, or be larger
        _refuse(value, where)
    return number


@encode.register(str)
def _(value: str, where: str, put_array: PutArray) -> Any:
    if _HALVES.search(value):
        return {"$": "str", "code_points": [ord(c) for c in value]}
    return value


@encode.register(bytes)
def _(value: bytes, where: str, put_array: PutArray) -> Any:
    return {"$": "bytes", "base64": base64.b64encode(value).decode()}


@encode.register(np.ndarray)
def _(value: Array, where: str, put_array: PutArray) -> Any:
    if isinstance(value, np.ma.MaskedArray):  # a mask would be lost
        _refuse(value, where)
    if value.dtype.name in DTYPES:
        return put_array(where, value)
    unit = unit_of(value)
    if unit is None:
        _refuse(value, where)
    return {"$": "dates", "unit": unit, "since_1970": put_array(where, value.astype(np.int64))}


@encode.register(list)
@encode.register(tuple)
def _(value: Any, where: str, put_array: PutArray) -> Any:
    if type(value) not in (list, tuple):  # a namedtuple, say, would come back as another type
        _refuse(value, where)
    items = [encode(item, f"{where}[{i}]", put_array) for i, item in enumerate(value)]
    return items if isinstance(value, list) else {"$": "tuple", "items": items}


@encode.register(dict)
def _(value: dict[Any, Any], where: str, put_array: PutArray) -> Any:
    items = [encode(item, f"{where}[{key!r}]", put_array) for key, item in value.items()]
    keys = [encode(key, f"a key of {where}", put_array) for key in value]
    if "$" not in value and all(isinstance(key, str) for key in keys):
        return dict(zip(keys, items, strict=True))
    return {"$": "dict", "items": [list(pair) for pair in zip(keys, items, strict=True)]}


@encode.register(TargetExplanation)
@encode.register(WeightedSpans)
@encode.register(DocWeightedSpans)
@encode.register(Series)
def _(value: Any, where: str, put_array: PutArray) -> Any:
    kind = next(kind for container, kind in _CONTAINERS.items() if isinstance(value, container))
    if isinstance(value, DocWeightedSpans):
        value = replace(value, spans=listed_spans(value.spans, f"{where}.spans"))
    return {"$": kind, **encode_fields(value, put_array, f"{where}.")}


def decode_fields(kind: type, document: dict[str, Any], get_array: GetArray) -> Any:
    """Make an explanation or a target of what `encode_fields` gave.

    Raises
    ------
    ValueError
        If a key is missing, or unknown.
    Exception
        Of any type, where `document` is otherwise not what `encode_fields` gave.
    """
    names = [field.name for field in fields(kind)]
    for name in _needed(kind):
        if name not in document:
            raise ValueError(f"its {kind.__name__} has no key {name!r}")
    if unknown := [name for name in document if name not in names]:
        raise ValueError(f"its {kind.__name__} has the unknown key {unknown[0]!r}")
    return kind(**{name: decode(document.get(name), get_array) for name in names})


def decode(value: Any, get_array: GetArray) -> Any:
    """Give back the value that `encode` was given, or one equal to it."""
    if isinstance(value, list):
        return [decode(item, get_array) for item in value]
    if not isinstance(value, dict):
        return value
    if "$" not in value:
        return {key: decode(item, get_array) for key, item in value.items()}
    return _DECODERS[value["$"]](value, get_array)


def _decode_dict(document: dict[str, Any], get_array: GetArray) -> dict[Any, Any]:
    return {decode(k, get_array): decode(v, get_array) for k, v in document["items"]}


def _decode_container(document: dict[str, Any], get_array: GetArray) -> Any:
    container = next(one for one, kind in _CONTAINERS.items() if kind == document["$"])
    inner = {name: value for name, value in document.items() if name != "$"}
    decoded = decode_fields(container, inner, get_array)
    if isinstance(decoded, DocWeightedSpans):
        decoded.spans = tupled_spans(decoded.spans)
    return decoded


_DECODERS: dict[str, Callable[[dict[str, Any], GetArray], Any]] = {
    "array": lambda document, get_array: get_array(document),
    "bytes": lambda document, _: base64.b64decode(document["base64"], validate=True),
    "dates": lambda document, get_array: to_dates(
        get_array(document["since_1970"]), document["unit"]
    ),
    "dict": _decode_dict,
    "float": lambda document, _: _NOT_FINITE[document["value"]],
    "str": lambda document, _: "".join(map(chr, document["code_points"])),
    "tuple": lambda document, get_array: tuple(decode(document["items"], get_array)),
    **dict.fromkeys(_CONTAINERS.values(), _decode_container),
}

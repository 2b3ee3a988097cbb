"""The document that every saved explanation has: its schema's version, who saved it, its fields.

What JSON knows is written as it is. Anything else becomes an object whose key ``"$"`` tells its
kind: ``{"$": "tuple", "items": [1, 2]}``. docs/formats.md lists the keys and the kinds.
"""

from __future__ import annotations

import json
import math
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import fields, replace
from functools import partial
from typing import Any

import numpy as np

from eli5 import __version__, base
from eli5.checks import wrong_type, wrong_value
from eli5.formatters.as_dict import SCHEMA_VERSION

# A file of a stranger must not fill the memory; JSON takes up to twenty times its size when read.
LARGEST = 2**30
LARGEST_JSON = 2**27
"""How many bytes an explanation may have, unpacked, and how many of them may be JSON."""

DTYPES = [np.dtype(code).name for code in "?bhiqBHIQefd"]
"""The names of the dtypes that an array may have: bool, ints and floats of 8 to 64 bits."""

# NumPy divides by the number, so "0s" in a file could end the process.
_DATE_UNIT = re.compile("([1-9][0-9]{0,8})?([YMWDhms]|[munpfa]s)")

_CONTAINERS: dict[str, type] = {
    "target": base.TargetExplanation,
    "weighted_spans": base.WeightedSpans,
    "doc_weighted_spans": base.DocWeightedSpans,
    "series": base.Series,
}

Array = np.ndarray[Any, Any]
Entry = dict[str, Any]  # what stands in the document for an array, a picture, another value
Put = Callable[[str, Array, bool], Entry]
"""Keeps an array, given where it is in the explanation and whether it is a picture's pixels."""
Get = Callable[[Entry], Array]
"""Gives the array back."""


def to_json(expl: base.Explanation, put: Put, **options: Any) -> bytes:
    """Write an explanation as JSON, in UTF-8; `options` are those of `json.dumps`.

    TypeError or ValueError if a field, which the message names, holds what cannot be kept.
    """
    keras: Any = sys.modules.get("keras")  # nothing is imported
    saved_with = {"eli5": __version__}
    if hasattr(keras, "config"):
        saved_with |= {"keras": keras.__version__, "backend": keras.config.backend()}
    document = {"version": SCHEMA_VERSION, "saved_with": saved_with}
    document |= _encode_fields(expl, "", put)
    # UTF-8 has no half characters, as an odd file name may bring them; JSON has an escape for them,
    # which this happens to be.
    text = json.dumps(document, allow_nan=False, **options).encode("utf-8", "backslashreplace")
    check_size("the explanation's JSON", len(text), LARGEST_JSON)
    return text


def check_size(what: str, n_bytes: int, largest: int) -> None:
    """Raise ValueError for what `eli5.load` would not read, before it is saved."""
    if n_bytes > largest:
        raise ValueError(
            f"Expected {what} to have at most {largest} bytes, to be saved. Received: {n_bytes} "
            "bytes. Make the picture smaller; arrays take less room in .npz than in .json."
        )


def _encode_fields(container: Any, where: str, put: Put) -> Entry:
    document = {}
    for field in fields(container):
        value = getattr(container, field.name)
        if value is not None or field.default is not None:  # what is left out is None again
            document[field.name] = _encode(value, f"{where}{field.name}", put)
    return document


def _encode(value: Any, where: str, put: Put) -> Any:
    """Make of one value, which is at `where` in the explanation, what JSON can hold."""
    if isinstance(value, np.number | np.bool_):
        value = value.item()
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {"$": "float", "value": str(value)}
    if isinstance(value, bytes):
        return {"$": "bytes", "base64": b64encode(value).decode()}
    if type(value) is np.ndarray and value.dtype.name in DTYPES:
        return _encode_array(value, where, put)
    if type(value) is np.ndarray and value.dtype.name.startswith("datetime64["):
        numbers = _encode_array(value.astype(np.int64), where, put)
        return {"$": "dates", "unit": value.dtype.name[11:-1], "since_1970": numbers}
    return (_encode_image if base.is_picture(value) else _encode_container)(value, where, put)


def _encode_array(array: Array, where: str, put: Put) -> Entry:
    kind = {"$": "array", "dtype": array.dtype.name, "shape": list(array.shape)}
    return {**kind, **put(where, array, False)}


def _encode_container(value: Any, where: str, put: Put) -> Any:
    if type(value) in (list, tuple):  # a namedtuple, say, would come back as another type
        items = [_encode(item, f"{where}[{i}]", put) for i, item in enumerate(value)]
        return items if isinstance(value, list) else {"$": "tuple", "items": items}
    if isinstance(value, dict):
        items = [_encode(item, f"{where}[{key!r}]", put) for key, item in value.items()]
        if "$" not in value and all(isinstance(key, str) for key in value):
            return dict(zip(value, items, strict=True))
        keys = [_encode(key, f"a key of {where}", put) for key in value]
        return {"$": "dict", "items": [*map(list, zip(keys, items, strict=True))]}
    if isinstance(value, base.DocWeightedSpans):
        value = replace(value, spans=_listed_spans(value.spans, f"{where}.spans"))
    for name, kind in _CONTAINERS.items():
        if isinstance(value, kind):
            return {"$": name, **_encode_fields(value, f"{where}.", put)}
    kinds = "str, bytes, list, tuple, dict, container of eli5.base or array of numbers or dates"
    raise wrong_type(where, value, f"None, a number, {kinds}, to be saved", "Set it to None")


def _listed_spans(spans: Any, where: str) -> list[Any]:
    """Turn tuples into lists: a text has thousands, and as such each takes three times the room."""
    with suppress(TypeError, ValueError):  # of other values
        listed = [[token, [*map(list, offsets)], weight] for token, offsets, weight in spans]
        if _tupled_spans(listed) == spans:
            return listed
    raise wrong_type(where, spans, "a list of tuples (token, [(start, end), ...], weight)")


def _tupled_spans(spans: Any) -> list[Any]:
    return [(token, [(a, b) for a, b in offsets], weight) for token, offsets, weight in spans]


def _encode_image(image: Any, where: str, put: Put) -> Entry:
    """Encode what shows of a picture; no other metadata, such as where a photo was taken."""
    pixels = np.asarray(image)
    if not pixels.size:
        raise wrong_value(f"{where}.size", image.size, "to be of a picture with pixels")
    check_size(where, pixels.nbytes, LARGEST)
    looks = _encode(base.looks(image), f"{where}.info", put)
    return {"$": "image", **looks, **put(where, pixels, True)}


def from_json(text: bytes, get: Get) -> base.Explanation:
    """Read the explanation of what `to_json` gave; of anything else, raise an error of any type."""
    if len(text) > LARGEST_JSON:
        raise ValueError(f"its JSON is larger than {LARGEST_JSON} bytes")
    # Read twice, as a newer version may have what the decoders of this one cannot read.
    document = json.loads(text)
    if document["version"] not in range(1, SCHEMA_VERSION + 1):  # each version only added kinds
        raise ValueError(
            f"it is of version {document['version']!r} of the schema, saved with "
            f"{document.get('saved_with')}; eli5 {__version__} knows versions 1 to "
            f"{SCHEMA_VERSION}. Install a newer eli5-keras"
        )
    decoders = DECODERS | {"array": get, "image": partial(_decode_image, get)}
    document = json.loads(text, object_hook=lambda e: decoders[e["$"]](e) if "$" in e else e)
    del document["version"], document["saved_with"]
    return base.Explanation(**document)


def _decode_dates(entry: Entry) -> Array:
    numbers, unit = entry["since_1970"], entry["unit"]
    if numbers.dtype.name != "int64" or not _DATE_UNIT.fullmatch(unit):
        raise ValueError(f"its dates are numbers of {numbers.dtype} in units of {unit!r}")
    return numbers.astype(f"M8[{unit}]")


def _decode_container(entry: Entry) -> Any:
    if "spans" in entry:
        entry["spans"] = _tupled_spans(entry["spans"])
    return _CONTAINERS[entry.pop("$")](**entry)


DECODERS: dict[str, Callable[[Entry], Any]] = {
    "bytes": lambda entry: b64decode(entry["base64"], validate=True),
    "dates": _decode_dates,
    "dict": lambda entry: dict(entry["items"]),
    "float": lambda entry: float(entry["value"]),
    "str": lambda entry: "".join(map(chr, entry["code_points"])),  # of earlier versions
    "tuple": lambda entry: tuple(entry["items"]),
    **dict.fromkeys(_CONTAINERS, _decode_container),
}


def _decode_image(get: Get, entry: Entry) -> Any:
    from PIL import Image

    mode, size = entry["mode"], (entry["width"], entry["height"])
    if math.prod(size) * len(Image.new(mode, (1, 1)).tobytes()) > LARGEST:
        raise ValueError(f"its picture has the size {size}")
    pixels = get(entry).tobytes()
    # A byte of its own for each pixel of mode "1", where Pillow has a bit.
    image = Image.frombytes(mode, size, pixels, "raw", "1;8" if mode == "1" else mode)
    if "palette" in entry:
        image.putpalette(entry["palette"], entry["palette_mode"])
    # Of the types that Pillow has there, or drawing would fail.
    info = {
        k: v for k, v in entry.items() if k in base.LOOKS and isinstance(v, int | bytes | tuple)
    }
    image.info.update(info)
    return image

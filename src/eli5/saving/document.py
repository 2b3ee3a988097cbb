"""The document of a saved explanation, or of several: what stands in a file, and how it is read.

It has its schema's version, who saved it, and the fields, or those of each in a list. What JSON
knows is written as it is. Anything else becomes an object whose key ``"$"`` tells its kind:
``{"$": "tuple", "items": [1, 2]}``. docs/formats.md has them all.
"""

from __future__ import annotations

import json
import math
import re
import sys
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields, replace
from functools import partial
from typing import Any

import numpy as np

from eli5 import __version__, base, limits
from eli5.base import Explanation, Explanations
from eli5.checks import wrong_type, wrong_value
from eli5.formatters.as_dict import SCHEMA_VERSION
from eli5.formatters.explanation_fields import check_single
from eli5.targets import LOCATED

# The names of the dtypes that an array may have: bool, ints and floats of 8 to 64 bits.
DTYPES = [np.dtype(code).name for code in "?bhiqBHIQefd"]

# NumPy divides by the number, so "0s" in a file could end the process.
_DATE_UNIT = re.compile("([1-9][0-9]{0,8})?([YMWDhms]|[munpfa]s)")

_CONTAINERS: dict[str, type] = {
    "target": base.TargetExplanation,
    "weighted_spans": base.WeightedSpans,
    "doc_weighted_spans": base.DocWeightedSpans,
    "series": base.Series,
    "grade": base.Grade,
}

Array = np.ndarray[Any, Any]
Entry = dict[str, Any]  # what stands in the document for an array, a picture, another value
# Keeps an array, given where it is in the explanation and whether it is a picture's pixels.
Put = Callable[[str, Array, bool], Entry]
Get = Callable[[Entry], Array]  # gives the array back


def to_json(expl: Explanation | Explanations, put: Put, **options: Any) -> bytes:
    """Write one or several explanations as JSON, in UTF-8; `options` are those of `json.dumps`."""
    keras: Any = sys.modules.get("keras")  # nothing is imported
    saved_with = {"eli5": __version__}
    if hasattr(keras, "config"):
        saved_with |= {"keras": keras.__version__, "backend": keras.config.backend()}
    document = {"version": SCHEMA_VERSION, "saved_with": saved_with}
    if isinstance(expl, Explanation):
        document |= _encode_fields(expl, "", put)
    else:
        names = (f"explanations[{k}]." for k in range(len(expl)))
        listed = [_encode_fields(one, name, put) for one, name in zip(expl, names, strict=True)]
        document["explanations"] = listed
    # UTF-8 has no half characters, as an odd file name may bring them; JSON has an escape for them,
    # which this happens to be.
    text = json.dumps(document, allow_nan=False, **options).encode("utf-8", "backslashreplace")
    check_json(text)
    return text


def check_json(text: bytes) -> None:
    """Raise ValueError for JSON that `eli5.load` would not read, before it is saved."""
    for size, most, unit in json_sizes(text):
        check_size("the explanation's JSON", size, most, unit)


def json_sizes(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield how much of something is in a document, how much may be, and what it is.

    Marks within strings count as well.
    """
    yield len(text), limits.SAVED_JSON_BYTES, "bytes"
    yield text.count(b"[") + text.count(b"{"), limits.SAVED_JSON_LISTS, "lists and objects"
    yield text.count(b","), limits.SAVED_JSON_ITEMS, "items"


def check_size(what: str, size: int, most: int, unit: str = "bytes") -> None:
    """Raise ValueError for what `eli5.load` would not read, before it is saved."""
    if size > most:
        raise ValueError(
            f"Expected {what} to have at most {most} {unit}, to be saved. Received: {size} {unit}. "
            "Make the picture smaller; arrays take less room in .npz than in .json."
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
        if len(value) > limits.SAVED_KEYS:
            expected = f"to have at most {limits.SAVED_KEYS} keys that are no strings, to be saved"
            raise wrong_value(where, value, expected, "Make them strings")
        keys = [_encode(key, f"a key of {where}", put) for key in value]
        return {"$": "dict", "items": [*map(list, zip(keys, items, strict=True))]}
    if isinstance(value, base.Placement):
        return {"$": "placement", **json.loads(json.dumps(asdict(value)))}
    if isinstance(value, base.DocWeightedSpans):
        value = replace(value, spans=_listed_spans(value.spans, f"{where}.spans"))
    for name, kind in (_CONTAINERS | LOCATED).items():
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
    check_size(where, pixels.nbytes, limits.SAVED_BYTES)
    looks = _encode(base.looks(image), f"{where}.info", put)
    return {"$": "image", **looks, **put(where, pixels, True)}


def from_json(text: bytes, get: Get) -> Explanation | Explanations:
    """Read what `to_json` wrote; of anything else, raise an error of any type."""
    refuse_large_json(text)
    # Read twice, as a newer version may have what the decoders of this one cannot read.
    _check_version(json.loads(text))
    decoders = DECODERS | {"array": get, "image": partial(_decode_image, get)}
    document = json.loads(text, object_hook=lambda e: decoders[e["$"]](e) if "$" in e else e)
    del document["version"], document["saved_with"]
    if "explanations" in document:
        (listed,) = document.values()
        return Explanations(Explanation(**one) for one in listed)
    expl = Explanation(**document)
    check_single(expl)
    return expl


def refuse_large_json(text: bytes) -> None:
    """Raise ValueError for JSON that is more than is read, before it is parsed."""
    for size, most, unit in json_sizes(text):
        if size > most:
            raise ValueError(f"its JSON has {size} {unit}, and at most {most} are read")


def _check_version(document: Entry) -> None:
    """Raise ValueError for a document of a version that this one does not know."""
    if document["version"] not in range(1, SCHEMA_VERSION + 1):  # each version only added kinds
        raise ValueError(
            f"it is of version {document['version']!r} of the schema, saved with "
            f"{document.get('saved_with')}; eli5 {__version__} knows versions 1 to "
            f"{SCHEMA_VERSION}. Install a newer eli5-keras"
        )


def _decode_dict(entry: Entry) -> dict[Any, Any]:
    if len(entry["items"]) > limits.SAVED_KEYS:
        raise ValueError(f"one of its dicts has more than {limits.SAVED_KEYS} keys")
    return dict(entry["items"])


def _decode_dates(entry: Entry) -> Array:
    numbers, unit = entry["since_1970"], entry["unit"]
    if numbers.dtype.name != "int64" or not _DATE_UNIT.fullmatch(unit):
        raise ValueError(f"its dates are numbers of {numbers.dtype} in units of {unit!r}")
    return numbers.astype(f"M8[{unit}]")


def _decode_container(entry: Entry) -> Any:
    if "spans" in entry:
        entry["spans"] = _tupled_spans(entry["spans"])
    return (_CONTAINERS | LOCATED)[entry.pop("$")](**entry)


def decode_placement(entry: Entry) -> Any:
    """Make a placement of what JSON has of it; the entry is used up."""
    entry.pop("$", None)
    seen = tuple((float(low), float(high)) for low, high in entry.pop("seen"))
    return base.Placement(seen=seen, **{name: tuple(values) for name, values in entry.items()})


DECODERS: dict[str, Callable[[Entry], Any]] = {
    "bytes": lambda entry: b64decode(entry["base64"], validate=True),
    "dates": _decode_dates,
    "dict": _decode_dict,
    "float": lambda entry: float(entry["value"]),
    "placement": decode_placement,
    "str": lambda entry: "".join(map(chr, entry["code_points"])),  # of earlier versions
    "tuple": lambda entry: tuple(entry["items"]),
    **dict.fromkeys((*_CONTAINERS, *LOCATED), _decode_container),
}


def _decode_image(get: Get, entry: Entry) -> Any:
    from PIL import Image

    mode, size = entry["mode"], (entry["width"], entry["height"])
    if math.prod(size) * len(Image.new(mode, (1, 1)).tobytes()) > limits.SAVED_BYTES:
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


# --- records: what `eli5.format_as_dict` gives, turned back --------------------------------------

_FIELDS = tuple(field.name for field in fields(Explanation))


def from_record(record: Entry, *, pictures: bool = True) -> Explanation:
    """Make an explanation of what `eli5.format_as_dict` gives, such as in explanations.jsonl.

    NaN and the infinities are NaN in arrays and ``None`` elsewhere, and what was no plain value is
    its text. Of anything else, an error of any type is raised.

    If `pictures`, the picture is read from the file that the record names, which must be on this
    machine; if that cannot be read, the description says why.
    """
    source = record.get("source") or record.get("path")
    if "version" not in record:  # what could not be explained has a name and an error alone
        expl = Explanation("", error=record["error"], source=source)
    else:
        _check_version(record)
        expl = Explanation(**{name: record[name] for name in _FIELDS if name in record})
        expl.source, expl.image = source, None
        expl.targets = [_target(one) for one in record.get("targets") or ()]
        expl.series = _series(record["series"]) if "series" in record else None
        if pictures and "image" in record and source:
            add_picture(expl, source)
    check_single(expl)
    return expl


def add_picture(expl: Explanation, path: str) -> None:
    """Read the picture of an explanation from its file, or say why it is missing."""
    from eli5.loading.files import read_picture

    try:
        expl.image = read_picture(path)
    except (OSError, ValueError) as error:
        expl.description = f"{expl.description or ''} The picture is missing. {error}".strip()


def _target(record: Entry) -> base.TargetExplanation:
    target = base.TargetExplanation(**record)
    target.heatmap, target.attribution = map(_map, (target.heatmap, target.attribution))
    if record.get("placement"):
        target.placement = decode_placement({**record["placement"]})
    if record.get("region"):
        target.region = _located({**record["region"]})
    if target.grade is not None:
        target.grade = base.Grade(**record["grade"])
    if target.weighted_spans is not None:
        texts = [
            base.DocWeightedSpans(**one) for one in target.weighted_spans["docs_weighted_spans"]
        ]
        for text in texts:
            text.spans = _tupled_spans(text.spans)
        target.weighted_spans = base.WeightedSpans(texts, target.weighted_spans.get("other"))
    return target


def _located(record: Entry) -> Any:
    kind = LOCATED[record.pop("kind")]
    if "mask" in record:
        record["mask"] = np.array(record["mask"], bool)
    return kind(**record)


def _map(values: Any) -> Any:
    return None if values is None else np.array(values, np.float32)  # whose None is NaN


def _series(record: Entry) -> base.Series:
    time = record.get("time")
    if time is not None:
        is_dates = any(isinstance(one, str) for one in time)
        # NumPy finds the unit that the dates are written in.
        time = np.array(["NaT" if one is None else one for one in time] if is_dates else time)
        time = time.astype("M8" if is_dates else float)
    return base.Series(np.array(record["values"], float), time, record.get("channel_names"))

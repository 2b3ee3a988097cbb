"""Save an explanation to a file, and load it again; docs/formats.md tells of the formats.

Every file that is read back has one document: its schema's version, who saved it, and the fields.
What JSON knows is written as it is. Anything else becomes an object whose key ``"$"`` tells its
kind: ``{"$": "tuple", "items": [1, 2]}``.
"""

from __future__ import annotations

import io
import json
import math
import os
import re
import sys
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, fields, replace
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np

from eli5 import __version__, base, limits
from eli5.base import Explanation
from eli5.checks import as_float, expect_type, wrong_type, wrong_value
from eli5.formatters.as_dict import SCHEMA_VERSION
from eli5.formatters.explanation_fields import check_single
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving.atomic_write import write_atomically

# By how many bytes a pixel takes. So the PNG of an RGB picture is that picture, and one of a mode
# that PNG does not know, such as CMYK, keeps its bytes nonetheless.
_PNG_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_DOCUMENT = "explanation.json"
_SIMPLE = re.compile(r"[\w.\[\]]+", re.ASCII)

# The names of the dtypes that an array may have: bool, ints and floats of 8 to 64 bits.
DTYPES = [np.dtype(code).name for code in "?bhiqBHIQefd"]

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
# Keeps an array, given where it is in the explanation and whether it is a picture's pixels.
Put = Callable[[str, Array, bool], Entry]
Get = Callable[[Entry], Array]  # gives the array back


def save(expl: Explanation, path: str | os.PathLike[str]) -> None:
    """Save an explanation to a file; the ending of its name, in any case, says the format.

    ``.png``, ``.jpg``, ``.jpeg`` and ``.webp`` are the overlay, as `eli5.format_as_image` draws it;
    ``.html`` is a page in one piece, as `eli5.formatters.html.format_as_page` writes it. ``.json``
    has all of the explanation, about 20 bytes per value of a heatmap; ``.npz`` has the same in less
    room, and `numpy.load` reads the arrays. `eli5.load` reads these two.

    Parameters
    ----------
    expl : Explanation
    path : str or path
        Written whole or not at all; see `eli5.saving.atomic_write.write_atomically`.

    Raises
    ------
    TypeError
        If `expl` is no Explanation, or a text that is to be a picture; for ``.json`` and ``.npz``
        if a field holds what cannot be kept, which the message names.
    ValueError
        If the ending is unknown, if there is nothing to draw, or if it is too large for the format
        or for `load`.
    """
    check_single(expl)
    ending = _ending(path, (*PICTURE_FORMATS, *_WRITERS))
    write = _WRITERS.get(ending)
    write_atomically(path, write(expl) if write else format_as_picture_file(expl, ending))


def load(path: str | os.PathLike[str]) -> Explanation:
    """Load an explanation that was saved as ``.json`` or ``.npz``.

    Nothing in the file is run, so a file of a stranger does no harm; but it may be wrong.

    Parameters
    ----------
    path : str or path
        A file that `save` wrote, with this version of eli5 or an older one.

    Returns
    -------
    Explanation
        Equal to the one that was saved, but that NumPy's numbers outside of arrays are Python's.

    Raises
    ------
    ValueError
        If the ending is another one, the file is damaged or was not saved by eli5, it is of a newer
        version, or it is too large; see docs/security.md.
    OSError
        If there is no such file, or it is a folder, a pipe or a device.
    """
    ending = _ending(path, _READERS, "Pictures and pages cannot be read back.")
    with limits.open_file(path) as file:
        return _read(file, ending, path)


def _read(file: IO[bytes], ending: str, path: str | os.PathLike[str]) -> Explanation:
    try:
        return _READERS[ending](limits.read_bounded(file, limits.SAVED_BYTES))
    except ImportError:
        raise  # the picture needs Pillow
    # A damaged file makes zipfile, json, NumPy and Pillow raise whatever comes to them.
    except Exception as error:
        reason = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
        raise ValueError(
            f"Expected a file as Explanation.save writes {ending}. Received: path={str(path)!r}, "
            f"which cannot be read: {reason}."
        ) from error


def _ending(path: str | os.PathLike[str], endings: Iterable[str], advice: str = "") -> str:
    expect_type("path", path, str | os.PathLike, "a string or a path")
    ending = Path(path).suffix.lower()
    if ending not in endings:
        raise wrong_value("path", str(path), f"to end in one of {', '.join(endings)}", advice)
    return ending


def _write_page(expl: Explanation) -> bytes:
    from eli5.formatters.html import format_as_page  # loads matplotlib

    return format_as_page(expl).encode()


def _write_json(expl: Explanation) -> bytes:
    sizes = [0]

    def put(where: str, array: Array, is_picture: bool) -> Entry:
        if not is_picture:
            return _listed(array)
        sizes.append(array.nbytes)
        _check_size("the explanation's pictures", sum(sizes), limits.SAVED_BYTES)
        return _packed(array)

    return _to_json(expl, put, ensure_ascii=False)


def _packed(array: Array) -> Entry:
    from PIL import Image

    height, width = array.shape[:2]
    mode = _PNG_MODES[array.nbytes // (height * width)]
    buffer = io.BytesIO()
    Image.frombytes(mode, (width, height), array.tobytes()).save(buffer, "PNG")
    return {"png": b64encode(buffer.getvalue()).decode()}


def _listed(array: Array) -> Entry:
    values, is_odd = array.astype(object), ~np.isfinite(array)
    values[is_odd] = array[is_odd].astype(str)  # "nan", "inf" or "-inf", which NumPy reads
    return {"values": values.tolist()}


def _read_json(content: bytes) -> Explanation:
    room = limits.SAVED_BYTES

    def get(entry: Entry) -> Array:
        nonlocal room
        if "png" not in entry:
            return _from_lists(entry)
        from PIL.PngImagePlugin import PngImageFile

        # Image.open would warn of a large picture, or refuse it; how large it may be is known here.
        with PngImageFile(io.BytesIO(b64decode(entry["png"], validate=True))) as picture:
            if picture.size != (entry["width"], entry["height"]):  # before it is unpacked
                raise ValueError(f"its PNG has the size {picture.size}")
            room -= math.prod(picture.size) * len(picture.getbands())
            if room < 0:
                most = limits.in_words(limits.SAVED_BYTES)
                raise ValueError(f"its pictures unpack to more than {most}")
            return np.asarray(picture)

    return _from_json(content, get)


def _from_lists(entry: Entry) -> Array:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"one of its arrays is of dtype {entry['dtype']!r}")
    with np.errstate(over="raise"):  # of numbers that its dtype does not have
        return np.array(entry["values"], entry["dtype"]).reshape(entry["shape"])


def _write_npz(expl: Explanation) -> bytes:
    arrays: dict[str, Any] = {}

    def put(where: str, array: Array, is_picture: bool) -> Entry:
        # Named as in Python, unless the key of a dict would make that a name for no file.
        name = where if _SIMPLE.fullmatch(where) else f"array_{len(arrays)}"
        arrays[name] = array
        return {"member": name}

    text = _to_json(expl, put, indent=1)
    scores = [np.nan if one.score is None else as_float(one.score) for one in expl.targets or ()]
    arrays["scores"] = np.array(scores, float)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        # An entry made by hand has no date, so that the same is written as the same bytes.
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text, zipfile.ZIP_DEFLATED)
        size = sum(member.file_size for member in archive.infolist())
    _check_size("the explanation", size, limits.SAVED_BYTES)
    _check_size("the explanation", len(arrays), limits.SAVED_MEMBERS, "arrays")
    return buffer.getvalue()


def _read_npz(content: bytes) -> Explanation:
    # Each makes an object, before anything can be asked of the archive.
    n_members = content.count(b"PK\1\2")
    if n_members > limits.SAVED_MEMBERS + 1:
        raise ValueError(f"it has {n_members} members, and at most {limits.SAVED_MEMBERS} are read")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        size = sum(member.file_size for member in archive.infolist())
        if size > limits.SAVED_BYTES:
            most = limits.in_words(limits.SAVED_BYTES)
            raise ValueError(f"it unpacks to {size} bytes, and at most {most} are read")

        # Each is taken once, or a small file could ask for one large array many times. Only as many
        # bytes as it says are unpacked; of other kinds of compression Python would unpack all.
        def unpacked(name: str) -> bytes:
            member = members.pop(name)
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                raise ValueError(f"its {name} is packed in another way than NumPy does")
            return archive.open(member).read(member.file_size)

        def get(entry: Entry) -> Array:
            file = io.BytesIO(unpacked(f"{entry['member']}.npy"))
            array = np.lib.format.read_array(file, allow_pickle=False)
            if array.dtype.name not in DTYPES:
                raise ValueError(f"one of its arrays is not of numbers, but of {array.dtype}")
            return array

        return _from_json(unpacked(_DOCUMENT), get)


# --- the document --------------------------------------------------------------------------------


def _to_json(expl: Explanation, put: Put, **options: Any) -> bytes:
    """Write an explanation as JSON, in UTF-8; `options` are those of `json.dumps`."""
    keras: Any = sys.modules.get("keras")  # nothing is imported
    saved_with = {"eli5": __version__}
    if hasattr(keras, "config"):
        saved_with |= {"keras": keras.__version__, "backend": keras.config.backend()}
    document = {"version": SCHEMA_VERSION, "saved_with": saved_with}
    document |= _encode_fields(expl, "", put)
    # UTF-8 has no half characters, as an odd file name may bring them; JSON has an escape for them,
    # which this happens to be.
    text = json.dumps(document, allow_nan=False, **options).encode("utf-8", "backslashreplace")
    for size, most, unit in _json_sizes(text):
        _check_size("the explanation's JSON", size, most, unit)
    return text


def _json_sizes(text: bytes) -> Iterator[tuple[int, int, str]]:
    """Yield how much of something is in a document, how much may be, and what it is.

    Marks within strings count as well.
    """
    yield len(text), limits.SAVED_JSON_BYTES, "bytes"
    yield text.count(b"[") + text.count(b"{"), limits.SAVED_JSON_LISTS, "lists and objects"
    yield text.count(b","), limits.SAVED_JSON_ITEMS, "items"


def _check_size(what: str, size: int, most: int, unit: str = "bytes") -> None:
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
    _check_size(where, pixels.nbytes, limits.SAVED_BYTES)
    looks = _encode(base.looks(image), f"{where}.info", put)
    return {"$": "image", **looks, **put(where, pixels, True)}


def _from_json(text: bytes, get: Get) -> Explanation:
    """Read what `_to_json` wrote; of anything else, raise an error of any type."""
    for size, most, unit in _json_sizes(text):
        if size > most:
            raise ValueError(f"its JSON has {size} {unit}, and at most {most} are read")
    # Read twice, as a newer version may have what the decoders of this one cannot read.
    document = json.loads(text)
    if document["version"] not in range(1, SCHEMA_VERSION + 1):  # each version only added kinds
        raise ValueError(
            f"it is of version {document['version']!r} of the schema, saved with "
            f"{document.get('saved_with')}; eli5 {__version__} knows versions 1 to "
            f"{SCHEMA_VERSION}. Install a newer eli5-keras"
        )
    del document  # it takes as much memory as what follows
    decoders = DECODERS | {"array": get, "image": partial(_decode_image, get)}
    document = json.loads(text, object_hook=lambda e: decoders[e["$"]](e) if "$" in e else e)
    del document["version"], document["saved_with"]
    expl = Explanation(**document)
    check_single(expl)
    return expl


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
    return _CONTAINERS[entry.pop("$")](**entry)


def _decode_placement(entry: Entry) -> Any:
    del entry["$"]
    seen = tuple((float(low), float(high)) for low, high in entry.pop("seen"))
    return base.Placement(seen=seen, **{name: tuple(values) for name, values in entry.items()})


DECODERS: dict[str, Callable[[Entry], Any]] = {
    "bytes": lambda entry: b64decode(entry["base64"], validate=True),
    "dates": _decode_dates,
    "dict": _decode_dict,
    "float": lambda entry: float(entry["value"]),
    "placement": _decode_placement,
    "str": lambda entry: "".join(map(chr, entry["code_points"])),  # of earlier versions
    "tuple": lambda entry: tuple(entry["items"]),
    **dict.fromkeys(_CONTAINERS, _decode_container),
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


_WRITERS = {".html": _write_page, ".json": _write_json, ".npz": _write_npz}
_READERS: dict[str, Callable[[bytes], Explanation]] = {
    ".json": _read_json,
    ".npz": _read_npz,
}

"""Save explanations to a file, and load them again; docs/formats.md tells of the formats."""

from __future__ import annotations

import io
import json
import math
import os
import re
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np

from eli5 import limits
from eli5.base import Explanation, Explanations
from eli5.checks import as_float, expect_flag, expect_type, shown, wrong_value
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving.atomic_write import write_atomically
from eli5.saving.document import (
    DTYPES,
    Array,
    Entry,
    Get,
    check_json,
    check_size,
    from_json,
    from_record,
    refuse_large_json,
    to_json,
)

# By how many bytes a pixel takes. So the PNG of an RGB picture is that picture, and one of a mode
# that PNG does not know, such as CMYK, keeps its bytes nonetheless.
_PNG_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_DOCUMENT = "explanation.json"
_SIMPLE = re.compile(r"[\w.\[\]]+", re.ASCII)

Saved = Explanation | Explanations


def save(expl: Explanation | Iterable[Any], path: str | os.PathLike[str]) -> None:
    """Save one or several explanations to a file; the ending of its name says the format.

    ``.png``, ``.jpg``, ``.jpeg`` and ``.webp`` are the overlay, or a sheet of them, as
    `eli5.format_as_image` draws it; ``.html`` is a page in one piece, as `eli5.format_as_page`
    writes it. ``.json`` has all of the explanation, about 20 bytes per value of a heatmap;
    ``.jsonl`` the same in a line for each; ``.npz`` the same in less room, and `numpy.load` reads
    the arrays. `eli5.load` reads these three.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation; or several, as ``methods=`` and `eli5.explain_predictions` give.
    path : str or path
        Its ending may be in any case. Written whole or not at all; see
        `eli5.saving.atomic_write.write_atomically`.

    Raises
    ------
    TypeError
        If `expl` holds anything but explanations, or a text that is to be a picture; for the last
        three if a field holds what cannot be kept, which the message names.
    ValueError
        If the ending is unknown, if there is nothing to draw, or if it is too large for the format
        or for `load`.
    """
    ending = _ending(path, (*PICTURE_FORMATS, *_WRITERS))
    checked = Explanations(expl)
    saved = checked[0] if isinstance(expl, Explanation) else checked
    write = _WRITERS.get(ending)
    write_atomically(path, write(saved) if write else format_as_picture_file(saved, ending))


def load(path: str | os.PathLike[str], *, pictures: bool = True) -> Any:
    """Load what was saved as ``.json``, ``.jsonl`` or ``.npz``.

    Nothing in the file is run, so a file of a stranger does no harm; but it may be wrong.

    Parameters
    ----------
    path : str or path
        A file that `save` wrote, with this version of eli5 or an older one; or lines of JSON as
        ``eli5 explain`` writes them, in ``explanations.jsonl``. Or one such line itself.
    pictures : bool
        Whether the pictures that ``explanations.jsonl`` names are read, from their files on this
        machine. If one cannot be read, the description says why. Of no matter elsewhere.

    Returns
    -------
    Explanation or Explanations
        Equal to what was saved, but that NumPy's numbers outside of arrays are Python's. Of
        ``.jsonl`` always `eli5.Explanations`; those of inputs that could not be explained have an
        ``error`` and a ``source`` alone.

    Raises
    ------
    TypeError
        If `path` or `pictures` is of another type.
    ValueError
        If the ending is another one, the file is damaged or was not saved by eli5, it is of a newer
        version, or it is too large; see docs/security.md.
    OSError
        If there is no such file, or it is a folder, a pipe or a device.
    """
    expect_flag("pictures", pictures)
    if isinstance(path, str) and path.lstrip().startswith("{") and path.rstrip().endswith("}"):
        return _read(io.BytesIO(path.encode(errors="surrogatepass")), ".json", path, pictures)
    ending = _ending(path, _READERS, "Pictures and pages cannot be read back.")
    with limits.open_file(path) as file:
        return _read(file, ending, path, pictures)


def _read(
    file: IO[bytes], ending: str, path: str | os.PathLike[str], pictures: bool
) -> Explanation | Explanations:
    try:
        return _READERS[ending](limits.read_bounded(file, limits.SAVED_BYTES), pictures)
    except ImportError:
        raise  # the picture needs Pillow
    # A damaged file makes zipfile, json, NumPy and Pillow raise whatever comes to them.
    except Exception as error:
        raise ValueError(
            f"Expected a file as eli5.save writes {ending}. Received: path={shown(str(path))}, "
            f"which cannot be read: {_in_words(error)}."
        ) from error


def _in_words(error: Exception) -> str:
    return str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"


def _ending(path: str | os.PathLike[str], endings: Iterable[str], advice: str = "") -> str:
    expect_type("path", path, str | os.PathLike, "a string or a path")
    ending = Path(path).suffix.lower()
    if ending not in endings:
        raise wrong_value("path", str(path), f"to end in one of {', '.join(endings)}", advice)
    return ending


def _write_page(expl: Saved) -> bytes:
    from eli5.formatters.html import format_as_page  # loads matplotlib

    return format_as_page(expl).encode()


def write_json(expl: Saved) -> bytes:
    """Return what `save` writes as ``.json``; see there for errors."""
    sizes = [0]

    def put(where: str, array: Array, is_picture: bool) -> Entry:
        if not is_picture:
            return _listed(array)
        sizes.append(array.nbytes)
        check_size("the explanation's pictures", sum(sizes), limits.SAVED_BYTES)
        return _packed(array)

    return to_json(expl, put, ensure_ascii=False)


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


def _write_lines(expl: Saved) -> bytes:
    text = b"".join(write_json(one) + b"\n" for one in flattened(expl))
    check_json(text)
    return text


def _read_json(content: bytes, pictures: bool) -> Saved:
    return _read_document(content, _picture_reader(), pictures)


def _read_lines(content: bytes, pictures: bool) -> Explanations:
    refuse_large_json(content)
    get, found = _picture_reader(), []
    for number, line in enumerate(content.splitlines(), 1):
        try:
            found += [_read_document(line, get, pictures)] if line.strip() else []
        except ImportError:
            raise
        except Exception as error:
            raise ValueError(f"line {number}: {_in_words(error)}") from error
    return Explanations(found)


def _read_document(text: bytes, get: Get, pictures: bool) -> Saved:
    refuse_large_json(text)
    record = json.loads(text)
    if "saved_with" in record:
        return from_json(text, get)
    return from_record(record, pictures=pictures)


def _picture_reader() -> Get:
    """Return a function that gives the arrays of a document back; it counts what pictures take."""
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

    return get


def _from_lists(entry: Entry) -> Array:
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"one of its arrays is of dtype {entry['dtype']!r}")
    with np.errstate(over="raise"):  # of numbers that its dtype does not have
        return np.array(entry["values"], entry["dtype"]).reshape(entry["shape"])


def _write_npz(expl: Saved) -> bytes:
    arrays: dict[str, Any] = {}

    def put(where: str, array: Array, is_picture: bool) -> Entry:
        # Named as in Python, unless the key of a dict would make that a name for no file.
        name = where if _SIMPLE.fullmatch(where) else f"array_{len(arrays)}"
        arrays[name] = array
        return {"member": name}

    text = to_json(expl, put, indent=1)
    targets = [target for one in flattened(expl) for target in one.targets or ()]
    scores = [np.nan if one.score is None else as_float(one.score) for one in targets]
    arrays["scores"] = np.array(scores, float)
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        # An entry made by hand has no date, so that the same is written as the same bytes.
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text, zipfile.ZIP_DEFLATED)
        size = sum(member.file_size for member in archive.infolist())
    check_size("the explanation", size, limits.SAVED_BYTES)
    check_size("the explanation", len(arrays), limits.SAVED_MEMBERS, "arrays")
    return buffer.getvalue()


def _read_npz(content: bytes, pictures: bool) -> Saved:
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

        return from_json(unpacked(_DOCUMENT), get)


_WRITERS: dict[str, Callable[[Saved], bytes]] = {
    ".html": _write_page,
    ".json": write_json,
    ".jsonl": _write_lines,
    ".npz": _write_npz,
}
_READERS: dict[str, Callable[[bytes, bool], Saved]] = {
    ".json": _read_json,
    ".jsonl": _read_lines,
    ".npz": _read_npz,
}

"""Save an explanation to a file, and load it again; docs/formats.md tells of the formats."""

from __future__ import annotations

import io
import os
import re
import zipfile
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from eli5.base import Explanation, check_single
from eli5.checks import wrong_value
from eli5.formatters.picture_file import PICTURE_FORMATS, format_as_picture_file
from eli5.saving import schema
from eli5.saving.atomic_write import write_atomically
from eli5.saving.schema import DTYPES, Array, Entry, from_json, to_json

# By how many bytes a pixel takes. So the PNG of an RGB picture is that picture, and one of a mode
# that PNG does not know, such as CMYK, keeps its bytes nonetheless.
_PNG_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}

_DOCUMENT = "explanation.json"
_SIMPLE = re.compile(r"[\w.\[\]]+", re.ASCII)


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
        version, or it is too large: more than 1 GiB, unpacked, or more than 128 MiB of JSON.
    """
    ending = _ending(path, _READERS, "Pictures and pages cannot be read back.")
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        # Python makes room for as much as is asked for.
        content = file.read(min(size, schema.LARGEST) + 1)
    try:
        if len(content) > schema.LARGEST:
            raise ValueError(f"it is larger than {schema.LARGEST} bytes")
        return _READERS[ending](content)
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
    ending = Path(path).suffix.lower()
    if ending not in endings:
        raise wrong_value("path", str(path), f"to end in one of {', '.join(endings)}", advice)
    return ending


def _write_page(expl: Explanation) -> bytes:
    from eli5.formatters.html import format_as_page  # loads matplotlib

    return format_as_page(expl).encode()


def write_json(expl: Explanation) -> bytes:
    """Write an explanation as JSON, in UTF-8; see `save`."""
    return to_json(expl, _listed, ensure_ascii=False)


def _listed(where: str, array: Array, is_picture: bool) -> Entry:
    if is_picture:
        return {"png": b64encode(_to_png(array)).decode()}
    values, is_odd = array.astype(object), ~np.isfinite(array)
    values[is_odd] = array[is_odd].astype(str)  # "nan", "inf" or "-inf", which NumPy reads
    return {"values": values.tolist()}


def _to_png(pixels: Array) -> bytes:
    from PIL import Image

    height, width = pixels.shape[:2]
    mode = _PNG_MODES[pixels.nbytes // (height * width)]
    buffer = io.BytesIO()
    Image.frombytes(mode, (width, height), pixels.tobytes()).save(buffer, "PNG")
    return buffer.getvalue()


def _from_lists(entry: Entry) -> Array:
    if "png" in entry:
        return _from_png(entry)
    if entry["dtype"] not in DTYPES:
        raise ValueError(f"one of its arrays is of dtype {entry['dtype']!r}")
    return np.array(entry["values"], entry["dtype"]).reshape(entry["shape"])


def _from_png(entry: Entry) -> Array:
    from PIL.PngImagePlugin import PngImageFile

    # Image.open would warn of a large picture, or refuse it; how large it may be is known here.
    with PngImageFile(io.BytesIO(b64decode(entry["png"], validate=True))) as picture:
        if picture.size != (entry["width"], entry["height"]):  # before it is unpacked
            raise ValueError(f"its PNG has the size {picture.size}")
        return np.asarray(picture)


def write_npz(expl: Explanation) -> bytes:
    """Write an explanation as a compressed archive of NumPy arrays; see `save`."""
    arrays: dict[str, Any] = {}

    def put(where: str, array: Array, is_picture: bool) -> Entry:
        # Named as in Python, unless the key of a dict would make that a name for no file.
        name = where if _SIMPLE.fullmatch(where) else f"array_{len(arrays)}"
        arrays[name] = array
        return {"member": name}

    text = to_json(expl, put, indent=1)
    scores = [getattr(target, "score", None) for target in expl.targets or ()]
    arrays["scores"] = np.array(scores, float)  # NaN for None
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    with zipfile.ZipFile(buffer, "a") as archive:
        # An entry made by hand has no date, so that the same is written as the same bytes.
        archive.writestr(zipfile.ZipInfo(_DOCUMENT), text, zipfile.ZIP_DEFLATED)
        size = sum(member.file_size for member in archive.infolist())
    schema.check_size("the explanation", size, schema.LARGEST)
    return buffer.getvalue()


def _read_npz(content: bytes) -> Explanation:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        size = sum(member.file_size for member in archive.infolist())
        if size > schema.LARGEST:
            raise ValueError(f"it unpacks to {size} bytes, and at most {schema.LARGEST} are read")

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


_WRITERS = {".html": _write_page, ".json": write_json, ".npz": write_npz}
_READERS: dict[str, Callable[[bytes], Explanation]] = {
    ".json": lambda content: from_json(content, _from_lists),
    ".npz": _read_npz,
}

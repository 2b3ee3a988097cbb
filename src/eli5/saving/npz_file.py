"""An explanation as an archive of NumPy arrays, with the document that tells what they are."""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import Any

import numpy as np

from eli5.base import Explanation
from eli5.saving import limits
from eli5.saving.document import from_document, from_text, to_document, to_text
from eli5.saving.values import DTYPES

__all__ = ["read_npz", "write_npz"]

Array = np.ndarray[Any, Any]

_DOCUMENT = "explanation.json"
_PIXELS = "image"
_SIMPLE = re.compile(r"[\w.\[\]]+", re.ASCII)


def write_npz(expl: Explanation) -> bytes:
    """Write an explanation as ``.npz``; see `eli5.saving.explanation_file.save`."""
    arrays: dict[str, Array] = {}

    def put_array(where: str, array: Array) -> dict[str, Any]:
        # Named as in Python, unless the key of a dict would make that a name for no file.
        member = where if _SIMPLE.fullmatch(where) else f"array_{len(arrays)}"
        arrays[member] = array
        return {
            "$": "array",
            "dtype": array.dtype.name,
            "shape": list(array.shape),
            "member": member,
        }

    def put_pixels(pixels: Array) -> dict[str, Any]:
        arrays[_PIXELS] = pixels
        return {"member": _PIXELS}

    document = to_document(expl, put_array, put_pixels)
    arrays["scores"] = np.array([_score(target) for target in expl.targets or ()])
    members = {_DOCUMENT: to_text(document, indent=1)}
    members |= {f"{name}.npy": _to_npy(array) for name, array in arrays.items()}
    limits.check_size("the explanation", sum(map(len, members.values())), limits.LARGEST)
    return _zipped(members)


def _score(target: Any) -> float:
    """Give the score as a number, for who reads the arrays alone."""
    try:
        return float(target.score)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return math.nan


def _to_npy(array: Array) -> bytes:
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, array, version=(1, 0), allow_pickle=False)
    return buffer.getvalue()


def _zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            # An entry made by hand has no date, so that the same is written as the same bytes.
            archive.writestr(zipfile.ZipInfo(name), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def read_npz(content: bytes) -> Explanation:
    """Read what `write_npz` gave; of anything else, raise an error of any type."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        size = sum(info.file_size for info in archive.infolist())
        if size > limits.LARGEST:
            raise ValueError(f"it unpacks to {size} bytes, and at most {limits.LARGEST} are read")

        # Each member is taken once, or a small file could ask for one large array many times.
        def get_array(document: dict[str, Any]) -> Array:
            return _from_npy(_unpacked(archive, entries.pop(f"{document['member']}.npy")))

        def get_pixels(
            document: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]
        ) -> Array:
            pixels = get_array(document)
            if pixels.dtype != dtype or pixels.shape != shape:
                raise ValueError(f"its picture is an array {pixels.shape} of {pixels.dtype}")
            return pixels

        text = _unpacked(archive, entries.pop(_DOCUMENT))
        return from_document(from_text(text), get_array, get_pixels)


def _unpacked(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    """Unpack as many bytes as an entry says, even if there are more in it."""
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise ValueError(f"its {entry.filename} is packed in another way than NumPy does")
    with archive.open(entry) as file:
        return file.read(entry.file_size)


def _from_npy(content: bytes) -> Array:
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("one of its arrays is of another version of NumPy's format")
    shape, _, dtype = np.lib.format.read_array_header_1_0(file)
    # NumPy would make room for what the header says before it looks whether that much is there.
    is_whole = math.prod(shape) * dtype.itemsize == len(content) - file.tell()
    if dtype.name not in DTYPES or not is_whole:
        raise ValueError(f"one of its arrays is cut off, or not of numbers: {shape} of {dtype}")
    file.seek(0)
    return np.lib.format.read_array(file, allow_pickle=False)

"""An explanation as JSON text: arrays are nested lists, the picture is a PNG in base 64."""

from __future__ import annotations

import base64
import io
import math
from typing import Any

import numpy as np

from eli5.base import Explanation
from eli5.saving.document import from_document, from_text, to_document, to_text
from eli5.saving.values import DTYPES

__all__ = ["read_json", "write_json"]

Array = np.ndarray[Any, Any]

# By how many bytes a pixel takes. So the PNG of an RGB picture is that picture, and one of a mode
# that PNG does not know, such as CMYK, keeps its bytes nonetheless.
_PNG_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


def write_json(expl: Explanation) -> bytes:
    """Write an explanation as JSON, in UTF-8; see `eli5.saving.explanation_file.save`."""
    return to_text(to_document(expl, _put_array, _put_pixels), ensure_ascii=False)


def read_json(content: bytes) -> Explanation:
    """Read what `write_json` gave; of anything else, raise an error of any type."""
    return from_document(from_text(content), _get_array, _get_pixels)


def _put_array(where: str, array: Array) -> dict[str, Any]:
    return {
        "$": "array",
        "dtype": array.dtype.name,
        "shape": list(array.shape),
        "values": _plain(array.tolist(), bool(np.isfinite(array).all())),
    }


def _plain(values: Any, is_finite: bool) -> Any:
    """Write what JSON has no number for as a word, which NumPy takes for the number again."""
    if is_finite:
        return values
    if isinstance(values, list):
        return [_plain(value, is_finite) for value in values]
    return values if math.isfinite(values) else str(values)


def _get_array(document: dict[str, Any]) -> Array:
    if document["dtype"] not in DTYPES:
        raise ValueError(f"one of its arrays is of dtype {document['dtype']!r}")
    return np.array(document["values"], document["dtype"]).reshape(document["shape"])


def _put_pixels(pixels: Array) -> dict[str, Any]:
    from PIL import Image

    height, width = pixels.shape[:2]
    mode = _PNG_MODES[pixels.nbytes // (height * width)]
    buffer = io.BytesIO()
    Image.frombytes(mode, (width, height), pixels.tobytes()).save(buffer, "PNG")
    return {"png": base64.b64encode(buffer.getvalue()).decode()}


def _get_pixels(document: dict[str, Any], dtype: np.dtype[Any], shape: tuple[int, ...]) -> Array:
    from PIL.PngImagePlugin import PngImageFile

    content = base64.b64decode(document["png"], validate=True)
    # Image.open would warn of a large picture, or refuse it; how large it may be is known here.
    with PngImageFile(io.BytesIO(content)) as picture:
        if picture.size != (shape[1], shape[0]):  # before that many pixels are unpacked
            raise ValueError(f"its PNG has the size {picture.size}")
        return np.frombuffer(picture.tobytes(), dtype).reshape(shape)

"""What a client sends, as a model takes it: a picture, a text, or a series."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from eli5 import limits
from eli5.loading.errors import UserError
from eli5.loading.files import decode_picture
from eli5.loading.preprocess import picture_size, picture_to_doc
from eli5.server.fields import Asked
from eli5.server.models import ServedModel
from eli5.server.refusal import RefusedError
from eli5.server.uploads import Upload

_TIME = "time"  # what a first column is called that says when each step is


class Document(NamedTuple):
    """A doc, and what is known of it.

    Attributes
    ----------
    doc : Any
        As `eli5.explain_prediction` takes it.
    about : dict
        Its arguments that say more of the doc.
    name : str
        What it is called.
    size : tuple of int, optional
        Of a picture, as it was sent: width and height.
    seen : tuple of int, optional
        Of a picture, as the model sees it.
    """

    doc: Any
    about: dict[str, Any]
    name: str = ""
    size: tuple[int, int] | None = None
    seen: tuple[int, int] | None = None


def read_document(served: ServedModel, asked: Asked) -> Document:
    """Return what was sent as the model takes it; RefusedError if it cannot be read."""
    return _READERS[served.input](served, asked)


def _read_picture(served: ServedModel, asked: Asked) -> Document:
    if asked.picture is None:
        raise _missing(served, "a picture: a file, an example, or the digest of one sent before")
    picture = open_picture(asked.picture)
    try:
        seen = picture_size(served.loaded, picture)
        if seen[0] * seen[1] > limits.SERVED_SHOWN_PIXELS:  # of a model that takes any size
            most = limits.SERVED_SHOWN_PIXELS
            raise RefusedError(413, f"Expected at most {most} pixels for the model {served.name}.")
        doc, _ = picture_to_doc(served.loaded, picture, served.source.preprocess)
    except ValueError as error:
        raise RefusedError(400, str(error)) from error
    return Document(doc, {"image": _shown(picture)}, asked.picture.name, picture.size, seen)


def open_picture(upload: Upload) -> Image.Image:
    """Decode a picture; RefusedError with 415 if it is none, or one that unpacks to too much."""
    try:
        return decode_picture(upload.content, upload.name)
    except UserError as error:
        raise RefusedError(415, str(error)) from error


def _shown(picture: Image.Image) -> Image.Image:
    """Return the picture as it is kept: with no more pixels than can be kept of many."""
    share = limits.SERVED_SHOWN_PIXELS / (picture.width * picture.height)
    if share >= 1:
        return picture
    size = (max(round(side * share**0.5), 1) for side in picture.size)
    plain = picture if picture.mode in ("L", "RGB") else picture.convert("RGB")
    return plain.resize(tuple(size), Image.Resampling.BOX)


def _read_text(served: ServedModel, asked: Asked) -> Document:
    if not asked.text.strip():
        raise _missing(served, "a text")
    return Document(asked.text, {})


def _read_series(served: ServedModel, asked: Asked) -> Document:
    if asked.series is None:
        raise _missing(served, "a series, as CSV")
    values, names = read_table(asked.series)
    about: dict[str, Any] = {}
    if names and names[0].lower() == _TIME:
        about["time"], values, names = values[:, 0], values[:, 1:], names[1:]
    if names:
        about["channel_names"] = names
    return Document(values.astype("float32")[None], about, asked.series.name)


def _missing(served: ServedModel, expected: str) -> RefusedError:
    return RefusedError(400, f"Expected {expected}, for the model {served.name}. Received: none")


def read_table(upload: Upload) -> tuple[np.ndarray[Any, Any], list[str]]:
    """Return the numbers of a CSV file, ``(T, columns)``, and the names in its first line, if any.

    RefusedError if it is no table of numbers, or too large.
    """
    try:
        text = upload.content.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        raise _no_table("which is no text in UTF-8") from None
    head, _, rest = text.partition("\n")
    cells = [one.strip().strip('"') for one in head.split(",")]
    is_named = any(not _NUMBER.fullmatch(one) for one in cells)
    if (text.count("\n") + 1) * len(cells) > limits.SERVED_NUMBERS:
        raise _no_table(f"which has more than {limits.SERVED_NUMBERS} numbers")
    try:
        rows = io.StringIO(rest if is_named else text)
        values = np.loadtxt(rows, delimiter=",", dtype="float64", ndmin=2, comments=None)
    except (ValueError, UserWarning) as error:
        raise _no_table(f"which cannot be read: {error}") from None
    if values.size == 0 or values.shape[1] != len(cells):
        raise _no_table("which has no steps, or not as many cells in each line")
    return values, cells if is_named else []


_NUMBER = re.compile(
    r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf|infinity)", re.IGNORECASE
)


def _no_table(reason: str) -> RefusedError:
    return RefusedError(415, f"Expected a table of numbers, as CSV. Received: one {reason}")


_READERS: dict[str, Callable[[ServedModel, Asked], Document]] = {
    "picture": _read_picture,
    "text": _read_text,
    "series": _read_series,
}

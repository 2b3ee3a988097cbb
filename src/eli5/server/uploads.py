"""Forms that clients send: read in pieces, into memory, and no further than their limits."""

from __future__ import annotations

import hashlib
import re
import threading
from collections import OrderedDict
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from python_multipart.exceptions import FormParserError
from starlette.datastructures import UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from eli5 import limits
from eli5.formatters.labels import one_line, without_bidi_controls
from eli5.server.refusal import RefusedError

_LONGEST_NAME = 120  # characters of a file's name that are shown


class Upload(NamedTuple):
    """A file that a client sent: a name that may be shown, and what is in it."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """What tells it from all others, and finds it again."""
        return hashlib.sha256(self.content).hexdigest()


class Form(NamedTuple):
    """The fields of a form, each with all of its values, and its files."""

    fields: dict[str, list[str]]
    files: dict[str, Upload]


class _InMemory(MultiPartParser):
    """Starlette's parser, but for the disk, to which it would write what is larger than 1 MB."""

    spool_max_size = limits.SERVED_BODY_BYTES + 1


async def read_form(request: Request) -> Form:
    """Return the form of a request; RefusedError if it is none, or too large."""
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "multipart/form-data":
        raise RefusedError(415, "Expected a form, as multipart/form-data.")
    parser = _InMemory(
        request.headers,
        request.stream(),
        max_files=1,
        max_fields=limits.SERVED_FIELDS,
        max_part_size=limits.SERVED_FIELD_BYTES,
    )
    try:
        data = await parser.parse()
    except MultiPartException as error:
        raise RefusedError(400, f"Expected a form that is whole. {error.message}") from None
    except (FormParserError, LookupError, UnicodeError, ValueError):
        raise RefusedError(400, "Expected a form that is whole.") from None
    except ClientDisconnect:
        raise RefusedError(400, "The client went away.") from None
    form = Form({}, {})
    for name, value in data.multi_items():
        if isinstance(value, UploadFile):
            form.files[name] = Upload(shown_name(value.filename), await value.read())
            await value.close()
        else:
            form.fields.setdefault(name, []).append(value)
    return form


def shown_name(name: str | None) -> str:
    """Return a file's name without folders, and without what would mislead whoever reads it."""
    plain = without_bidi_controls(one_line(name or ""))
    base = PurePosixPath(plain.replace("\\", "/")).name
    base = re.sub(r"[\ufffd\u200b-\u200f\u2028\u2029\u2060\ufeff]", "_", base)
    return base[-_LONGEST_NAME:] if base.strip(".") else "upload"


class Kept:
    """The latest of what clients may ask for again, in memory alone, and no more than fits.

    Parameters
    ----------
    n_items, n_bytes : int
        How many are kept, and how large all of them are, at most; None if that does not count.
    """

    def __init__(self, n_items: int | None = None, n_bytes: int | None = None) -> None:
        self._items: OrderedDict[str, tuple[Any, int]] = OrderedDict()
        self._n_items, self._n_bytes = n_items, n_bytes
        self._lock = threading.Lock()

    def put(self, key: str, item: Any, size: int = 0) -> None:
        """Keep one more; the oldest are forgotten."""
        with self._lock:
            self._items[key] = item, size
            self._items.move_to_end(key)
            while self._is_too_much():
                self._items.popitem(last=False)

    def get(self, key: str) -> Any:
        """Return what is kept under a key, or None."""
        with self._lock:
            if key not in self._items:
                return None
            self._items.move_to_end(key)
            return self._items[key][0]

    def _is_too_much(self) -> bool:
        size = sum(size for _, size in self._items.values())
        return (self._n_items is not None and len(self._items) > self._n_items) or (
            self._n_bytes is not None and size > self._n_bytes
        )

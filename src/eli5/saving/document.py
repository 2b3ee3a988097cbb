"""The document that every saved explanation has: its schema's version, who saved it, its fields."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from eli5 import __version__
from eli5.base import Explanation, is_picture
from eli5.formatters.as_dict import SCHEMA_VERSION
from eli5.saving import limits
from eli5.saving.pixels import decode_image, encode_image
from eli5.saving.values import decode_fields, encode_fields

if TYPE_CHECKING:
    from eli5.saving.pixels import GetPixels, PutPixels
    from eli5.saving.values import GetArray, PutArray

__all__ = ["from_document", "from_text", "to_document", "to_text"]


def to_document(expl: Explanation, put_array: PutArray, put_pixels: PutPixels) -> dict[str, Any]:
    """Make of an explanation what JSON can hold; docs/formats.md says what.

    Parameters
    ----------
    expl : Explanation
    put_array : callable
        See `eli5.saving.values.encode_fields`.
    put_pixels : callable
        See `eli5.saving.pixels.encode_image`.

    Raises
    ------
    TypeError, ValueError
        If a field holds what cannot be kept; the message names it.
    """
    document = {"version": SCHEMA_VERSION, "saved_with": _versions()}
    if not is_picture(expl.image):
        return document | encode_fields(expl, put_array)
    document |= encode_fields(replace(expl, image=None), put_array)
    return document | {"image": encode_image(expl.image, put_pixels)}


def to_text(document: dict[str, Any], **options: Any) -> bytes:
    """Write a document as JSON, in UTF-8; `options` are those of `json.dumps`.

    Raises
    ------
    ValueError
        If it is so long that `from_text` would refuse it.
    """
    # UTF-8 has no half characters, as an odd file name may bring them; JSON has an escape for them,
    # which this happens to be.
    text = json.dumps(document, allow_nan=False, **options).encode("utf-8", "backslashreplace")
    advice = " Arrays take less room in .npz, where they are apart from the JSON."
    limits.check_size("the explanation's JSON", len(text), limits.LARGEST_TEXT, advice)
    return text


def from_text(text: bytes) -> Any:
    """Read what `to_text` gave; of anything else, raise an error of any type."""
    if len(text) > limits.LARGEST_TEXT:
        raise ValueError(f"its JSON is larger than {limits.LARGEST_TEXT} bytes")
    return json.loads(text)


def _versions() -> dict[str, str]:
    """Name the versions that may tell where an explanation comes from; nothing is imported."""
    versions = {"eli5": __version__}
    keras: Any = sys.modules.get("keras")
    if hasattr(keras, "__version__") and hasattr(keras, "config"):
        versions |= {"keras": keras.__version__, "backend": keras.config.backend()}
    return versions


def from_document(document: Any, get_array: GetArray, get_pixels: GetPixels) -> Explanation:
    """Make the explanation of what `to_document` gave.

    Raises
    ------
    ValueError
        If the document is of a newer schema.
    Exception
        Of any type, if it is not what `to_document` gave.
    """
    fields = dict(document)
    version = fields.pop("version", None)
    if version is None:
        raise ValueError("it has no 'version'")
    if version not in range(1, SCHEMA_VERSION + 1):  # what is newer only added kinds of values
        raise ValueError(_other_version(version, fields))
    del fields["saved_with"]
    image = fields.get("image")
    if not isinstance(image, dict) or image.get("$") != "image":
        return decode_fields(Explanation, fields, get_array)
    expl = decode_fields(Explanation, fields | {"image": None}, get_array)
    expl.image = decode_image(image, get_pixels)
    return expl


def _other_version(version: Any, fields: dict[str, Any]) -> str:
    saved_with = fields.get("saved_with")
    by = saved_with.get("eli5") if isinstance(saved_with, dict) else "another version"
    return (
        f"it is of version {version!r} of the schema, saved by eli5 {by}, and this is eli5 "
        f"{__version__}, which knows versions 1 to {SCHEMA_VERSION}. Install a newer eli5-keras"
    )

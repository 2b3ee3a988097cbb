"""Format an explanation as a dictionary that can be written as JSON."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from reprlib import repr as short_repr
from typing import Any

import numpy as np

from eli5.base import Explanation, is_picture
from eli5.formatters.explanation_fields import flattened
from eli5.targets import LOCATED

# Of the keys and their types, in the dictionary and in the files that `eli5.saving` writes. Each
# change of them raises it; docs/formats.md says what each version holds.
SCHEMA_VERSION = 5

_KINDS = {kind: name for name, kind in LOCATED.items()}

# Where json.dumps gives up: at some hundred levels, at integers of some thousand bits.
_DEEPEST = 100
_LONGEST = 2000


def format_as_dict(expl: Explanation | Iterable[Any]) -> dict[str, Any]:
    """Format one or several explanations as a dictionary of plain Python values.

    It is made for other programs. `eli5.load` reads back what ``Explanation.save`` writes.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation, with or without targets, a picture or an error; or several.

    Returns
    -------
    dict
        ``version``, the number of the schema, which docs/formats.md documents; then the fields of
        the explanation by their names, those that are ``None`` left out; of several explanations
        ``explanations``, a list of such dictionaries without a version of their own. Heatmaps are
        nested lists, dates are ISO 8601, the picture is ``{"mode": …, "width": …, "height": …}``,
        NaN and the infinities are ``None``, and what JSON cannot hold is its ``str``. So
        ``json.dumps(…, allow_nan=False)`` accepts every result.
    """
    found = flattened(expl, looks_inside=False)  # it can write anything
    listed = [_from_fields(one, ()) for one in found]
    content = listed[0] if isinstance(expl, Explanation) else {"explanations": listed}
    return {"version": SCHEMA_VERSION, **content}


def _from_fields(container: Any, around: tuple[int, ...]) -> dict[str, Any]:
    around = (*around, id(container))
    values = {field.name: getattr(container, field.name) for field in fields(container)}
    return {name: _plain(value, around) for name, value in values.items() if value is not None}


def _plain(value: Any, around: tuple[int, ...]) -> Any:
    """Make a value plain; `around` are the ids of what it is in, as a list may hold itself."""
    if value is None:
        return None
    if len(around) > _DEEPEST or id(value) in around:
        return short_repr(value)
    inside = (*around, id(value))
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value) if int(value).bit_length() <= _LONGEST else hex(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        # Dates as ISO 8601 has them: of those in nanoseconds NumPy's own list has integers.
        listed: Any = value
        if value.dtype.kind == "M":
            listed = np.where(np.isnat(listed), None, np.datetime_as_string(listed))
        return _plain(listed.tolist(), inside)
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item, inside) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item, inside) for key, item in value.items()}
    if type(value) in _KINDS:
        return {"kind": _KINDS[type(value)], **_from_fields(value, around)}
    if is_dataclass(value) and not isinstance(value, type):
        return _from_fields(value, around)
    if is_picture(value):
        return {"mode": value.mode, "width": value.width, "height": value.height}
    return str(value)

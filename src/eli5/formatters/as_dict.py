"""Format an explanation as a dictionary that can be written as JSON."""

from __future__ import annotations

import math
from dataclasses import fields, is_dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.base import check_single, is_picture

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["format_as_dict"]


def format_as_dict(expl: Explanation) -> dict[str, Any]:
    """Format an explanation as a dictionary of plain Python values.

    Parameters
    ----------
    expl : Explanation
        An explanation, with or without targets, a picture or an error.

    Returns
    -------
    dict
        The fields of the explanation by their names, those that are ``None`` left out. Heatmaps
        are nested lists, the picture is ``{"mode": …, "width": …, "height": …}``, NaN and the
        infinities are ``None``, and what JSON cannot hold is its ``str``. So
        ``json.dumps(…, allow_nan=False)`` accepts every result.
    """
    check_single(expl)
    return _from_fields(expl)


def _from_fields(container: Any) -> dict[str, Any]:
    values = {field.name: getattr(container, field.name) for field in fields(container)}
    return {name: _plain(value) for name, value in values.items() if value is not None}


def _plain(value: Any) -> Any:
    if value is None:
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return _from_fields(value)
    if is_picture(value):
        return {"mode": value.mode, "width": value.width, "height": value.height}
    return str(value)

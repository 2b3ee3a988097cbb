"""Format explanations as a table: one row per target, or per token of a text."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eli5.base import Explanation, TargetExplanation
from eli5.formatters.texts.token_rows import TOKEN_TYPES, table_text, token_rows

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["format_as_dataframe"]

_TYPES = {
    "explanation": "int64",
    "estimator": "string",
    "method": "string",
    "layer": "string",
    "target": "Int64",
    "class_name": "string",
    "score": "float64",
    "proba": "float64",
    "peak_x": "float64",
    "peak_y": "float64",
    "area": "float64",
    "error": "string",
}
_IDS = 2**63  # how many integers Int64 has on each side of zero


def format_as_dataframe(
    expl: Explanation | Iterable[Any], *, rows: Literal["targets", "tokens"] = "targets"
) -> pd.DataFrame:
    """Format one or many explanations as a pandas DataFrame: a row per target, or per token.

    Parameters
    ----------
    expl : Explanation or iterable
        An explanation, or several: a list, what `eli5.explain_predictions` yields, or with
        ``methods=`` the lists that it yields.
    rows : {"targets", "tokens"}
        One row per target, or one per target and token of its text.

    Returns
    -------
    pandas.DataFrame
        With ``rows="targets"`` an explanation without targets, such as one with an error, has one
        row, so that none gets lost. The columns, in this order:

        ``explanation`` : int64
            Which explanation, counted from 0.
        ``estimator``, ``method``, ``layer`` : string
            Its fields of these names.
        ``target`` : Int64
            The class id; missing where there is no target. If one is no integer, such as the name
            of a score, the column has the dtype ``object``.
        ``class_name`` : string
            The name of the class; missing where none is known.
        ``score``, ``proba`` : float64
            NaN where there is none, or one that is no number.
        ``peak_x``, ``peak_y`` : float64
            Where the heatmap is highest: the middle of that place, as a share of the image's width
            from the left, and of its height from the top. Of a series, as a share of its steps, and
            of its channels from the first one, which is 0.5 where they share a heatmap. NaN where
            the heatmap is empty or missing.
        ``area`` : float64
            The share of the image or the series, in [0, 1], where the heatmap is at least half as
            high as there: small for one thing that was looked at, large for the whole scene, 0
            where the heatmap is empty. NaN where there is no heatmap that could be drawn.
        ``error`` : string
            Why there is no explanation; missing where there is one.

        With ``rows="tokens"`` only texts have rows. They are in the order of the text, and
        ``frame.groupby(["explanation", "target"])`` takes them apart. The columns are
        ``explanation``, ``method``, ``target`` and ``class_name`` as above, then:

        ``text`` : int64
            Which of the target's texts, counted from 0.
        ``position`` : int64
            Which token of the text, counted from 0; padding is not one.
        ``token`` : string
            As the model sees it.
        ``start``, ``end`` : Int64
            Where it lies in the text, in characters, the end excluded; its first place if there are
            several, missing if it is not in the text.
        ``weight`` : float64
            Its weight, signed where the method is; 0 where it is not finite.

    Raises
    ------
    TypeError
        If `expl` is, or holds, something else.
    ValueError
        If `rows` is unknown.
    ModuleNotFoundError
        If pandas is not installed.
    """
    try:
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Making a DataFrame needs pandas. Install it: pip install 'eli5-keras[dataframe]'"
        ) from error
    if rows not in _ROWS:
        raise ValueError(f"Expected rows to be one of {', '.join(_ROWS)}. Received: rows={rows!r}")
    types, rows_of = _ROWS[rows]
    found = [row for i, one in enumerate(_explanations(expl)) for row in rows_of(i, one)]
    if not all(_is_id(row["target"]) for row in found):
        types = types | {"target": "object"}
    return pd.DataFrame(found, columns=list(types)).astype(types)


def _explanations(expl: Any) -> Iterator[Explanation]:
    if isinstance(expl, Explanation):
        yield expl
    elif isinstance(expl, Iterable) and not isinstance(expl, str | bytes | dict | np.ndarray):
        for one in expl:
            yield from _explanations(one)
    else:
        raise TypeError(
            "Expected an Explanation, or an iterable of them. Received: a value of type "
            f"{type(expl).__name__}"
        )


def _rows(number: int, expl: Explanation) -> Iterator[dict[str, Any]]:
    of_all = {
        "explanation": number,
        "estimator": table_text(expl.estimator),
        "method": table_text(expl.method),
        "layer": table_text(expl.layer),
        "error": table_text(expl.error or None),
    }
    for target in expl.targets or [None]:
        yield of_all | ({"target": None} if target is None else _of_target(target, expl))


def _of_target(target: TargetExplanation, expl: Explanation) -> dict[str, Any]:
    is_text = isinstance(target.target, str)
    return {
        "target": table_text(target.target) if is_text else target.target,
        "class_name": table_text(target.class_name),
        "score": _number(target.score),
        "proba": _number(target.proba),
        **_of_heatmap(_upright(target.heatmap, expl)),
    }


_ROWS: dict[str, tuple[dict[str, str], Callable[[int, Explanation], Iterator[dict[str, Any]]]]] = {
    "targets": (_TYPES, _rows),
    "tokens": (TOKEN_TYPES, token_rows),
}


def _is_id(target: Any) -> bool:
    return target is None or (isinstance(target, int | np.integer) and -_IDS <= int(target) < _IDS)


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return math.nan


def _upright(heatmap: Any, expl: Explanation) -> Any:
    """Turn the heatmap of a series, so that time runs from left to right as on its picture."""
    is_series = expl.series is not None and isinstance(heatmap, np.ndarray)
    return np.atleast_2d(heatmap.T) if is_series and heatmap.ndim in (1, 2) else heatmap


def _of_heatmap(heatmap: Any) -> dict[str, float]:
    """Tell where a heatmap is highest, and how much of it is at least half as high."""
    if not isinstance(heatmap, np.ndarray) or heatmap.ndim not in (2, 3) or not heatmap.size:
        return {}
    flat = np.hstack(list(heatmap)) if heatmap.ndim == 3 else heatmap  # slices are side by side
    highest = flat.max()
    if not highest > 0:
        return {"area": 0.0 if highest == 0 else np.nan}
    row, column = np.unravel_index(np.argmax(flat), flat.shape)
    height, width = flat.shape
    return {
        "peak_x": (column + 0.5) / width,
        "peak_y": (row + 0.5) / height,
        "area": float(np.mean(flat >= highest / 2)),
    }

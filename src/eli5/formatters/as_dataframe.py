"""Format explanations as a table: one row per target, or per token of a text."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from eli5.base import Explanation, TargetExplanation
from eli5.checks import expect_choice, need
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.texts.weighted_text import texts_of, tokens_of
from eli5.placement import lay_out

if TYPE_CHECKING:
    import pandas as pd

_TARGET_TYPES = {
    "explanation": "int64",
    **dict.fromkeys(["estimator", "method", "layer"], "string"),
    "target": "Int64",
    "class_name": "string",
    **dict.fromkeys(["score", "proba", "explained"], "float64"),
    **dict.fromkeys(["explained_name", "sign"], "string"),
    **dict.fromkeys(["peak_x", "peak_y", "area"], "float64"),
    "grade": "float64",
    "verdict": "string",
    "error": "string",
}
_TOKEN_TYPES = {
    "explanation": "int64",
    "method": "string",
    "target": "Int64",
    "class_name": "string",
    **dict.fromkeys(["text", "position"], "int64"),
    "token": "string",
    **dict.fromkeys(["start", "end"], "Int64"),
    "weight": "float64",
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
            NaN where there is none, or one that no float can hold.
        ``explained`` : float64
            The number that the heatmap explains; NaN as above.
        ``explained_name`` : string
            What that is, such as ``log-odds``; missing where it is not known.
        ``sign`` : string
            ``negative`` where what is high speaks against the target, else ``positive``.
        ``peak_x``, ``peak_y`` : float64
            Where the heatmap is highest: the middle of that place, as a share of the image's width
            from the left, and of its height from the top. Of a series, as a share of its steps, and
            of its channels from the first one, which is 0.5 where they share a heatmap. NaN where
            the heatmap is empty or missing.
        ``area`` : float64
            The share of the image or the series, in [0, 1], where the heatmap is at least half as
            high as there: small for one thing that was looked at, large for the whole scene, 0
            where the heatmap is empty. NaN where there is no heatmap that could be drawn.
        ``grade`` : float64
            How far the map can be trusted, in [0, 1], with ``grade=True``; NaN where that is not
            known.
        ``verdict`` : string
            The same in a word, such as ``supported``; missing where there is no grade.
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
        If `expl` is, or holds, something else, a field is of another type, or `rows` is no string.
    ValueError
        If `rows` is unknown.
    ModuleNotFoundError
        If pandas is not installed.
    """
    pd = need("pandas")
    types, rows_of = _ROWS[expect_choice("rows", rows, _ROWS)]
    records = [row for i, one in enumerate(flattened(expl)) for row in rows_of(i, one)]
    # Int64 alone has integers and missing values; a name, or a larger number, does not fit in.
    if not all(_is_id(row["target"]) for row in records):
        types = types | {"target": "object"}
    return pd.DataFrame(records, columns=list(types)).astype(types)


def _target_rows(number: int, expl: Explanation) -> Iterator[dict[str, Any]]:
    of_all = {
        "explanation": number,
        "estimator": _text(expl.estimator),
        "method": _text(expl.method),
        "layer": _text(expl.layer),
        "error": _text(expl.error or None),
    }
    for target in expl.targets or ():
        numbers = {
            name: _number(getattr(target, name)) for name in ("score", "proba", "explained")
        } | {"explained_name": _text(target.explained_name), "sign": target.sign}
        yield (
            of_all
            | _named(target)
            | numbers
            | _of_heatmap(_upright(target, expl))
            | _graded(target)
        )
    if not expl.targets:
        yield of_all | {"target": None}


def _named(target: TargetExplanation) -> dict[str, Any]:
    is_text = isinstance(target.target, str)
    class_id = _text(target.target) if is_text else target.target
    return {"target": class_id, "class_name": _text(target.class_name)}


def _graded(target: TargetExplanation) -> dict[str, Any]:
    grade = target.grade
    return {"grade": grade and _number(grade.value), "verdict": grade and _text(grade.verdict)}


def _token_rows(number: int, expl: Explanation) -> Iterator[dict[str, Any]]:
    of_all = {"explanation": number, "method": _text(expl.method)}
    for target in expl.targets or ():
        for text_number, text in enumerate(texts_of(target)):
            for position, token in enumerate(tokens_of(text)):
                start, end = token.offsets[0] if token.offsets else (None, None)
                of_token = {"token": _text(token.name), "start": start, "end": end}
                which = {"text": text_number, "position": position, "weight": token.weight}
                yield of_all | _named(target) | which | of_token


_ROWS = {"targets": (_TARGET_TYPES, _target_rows), "tokens": (_TOKEN_TYPES, _token_rows)}


def _text(value: Any) -> str | None:
    """Give a text that can be written to a file: half characters, of odd file names, become "?"."""
    return None if value is None else str(value).encode(errors="replace").decode()


def _is_id(target: Any) -> bool:
    return target is None or (isinstance(target, int | np.integer) and -_IDS <= int(target) < _IDS)


def _number(value: Any) -> float:
    try:
        return math.nan if value is None else float(value)
    except OverflowError:  # of an integer that is larger than all floats
        return math.nan


def _upright(target: TargetExplanation, expl: Explanation) -> Any:
    """Return a heatmap as it lies on its picture: the time of a series runs from left to right."""
    heatmap, placement = target.heatmap, target.placement
    if not isinstance(heatmap, np.ndarray):
        return heatmap
    if expl.series is not None and heatmap.ndim in (1, 2):
        return np.atleast_2d(heatmap.T)
    if placement is None or heatmap.ndim != 2 or placement.in_plane().is_stretch(heatmap.shape):
        return heatmap
    return lay_out(heatmap, placement.in_plane())


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

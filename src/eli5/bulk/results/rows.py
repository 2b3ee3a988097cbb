"""From explanations to the rows of a table: one per item, method and target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.bulk.optional_imports import need

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

__all__ = ["DTYPES", "Row", "failed_row", "make_schema", "make_table", "not_finite", "rows_of"]

DTYPES = ("float32", "float16")  # of heatmaps


class Row(NamedTuple):
    """A line of the result; see the table of columns in docs/bulk.md.

    Attributes
    ----------
    id, path : str
    ok : bool
    error : str
        Why there is no explanation; empty if there is one.
    method, layer, description : str, optional
    rank : int, optional
        The target's place in the explanation, from 0.
    class_id, class_name, score, probability : int, str, float, float, optional
    height, width : int, optional
    heatmap : numpy.ndarray, shape (height * width,), optional
        Row by row.
    overlay : str, optional
        The overlay's file, relative to the run's folder.
    """

    id: str
    path: str
    ok: bool
    error: str = ""
    method: str | None = None
    layer: str | None = None
    rank: int | None = None
    class_id: int | None = None
    class_name: str | None = None
    score: float | None = None
    probability: float | None = None
    height: int | None = None
    width: int | None = None
    heatmap: Any = None
    overlay: str | None = None
    description: str | None = None


def rows_of(
    name: str, path: str, explanations: Sequence[Explanation], overlay: str | None, dtype: str
) -> list[Row]:
    """Return the rows of one item, one per method and target.

    Parameters
    ----------
    name, path : str
        The item's.
    explanations : sequence of Explanation
        One per method.
    overlay : str, optional
    dtype : str
        Of the heatmaps, one of `DTYPES`.
    """
    return [
        _row(name, path, expl, rank, target, overlay, dtype)
        for expl in explanations
        for rank, target in enumerate(expl.targets)
    ]


def _row(
    name: str,
    path: str,
    expl: Explanation,
    rank: int,
    target: TargetExplanation,
    overlay: str | None,
    dtype: str,
) -> Row:
    heatmap: Any = target.heatmap
    height, width = heatmap.shape
    return Row(
        name,
        path,
        True,
        method=expl.method,
        layer=expl.layer,
        rank=rank,
        class_id=int(target.target),
        class_name=target.class_name,
        score=target.score,
        probability=target.proba,
        height=height,
        width=width,
        heatmap=heatmap.ravel().astype(dtype),
        overlay=overlay,
        description=expl.description,
    )


def not_finite(explanations: Sequence[Explanation]) -> str:
    """Return why an item's explanations explain nothing, or "" if its scores are numbers."""
    for expl in explanations:
        for target in expl.targets:
            values = [target.score, *([] if target.proba is None else [target.proba])]
            if not all(map(math.isfinite, values)):
                return (
                    "Expected a model whose outputs for it are finite. Received: score="
                    f"{target.score:g} for class {target.target}. Look for what is not finite in "
                    "the model's weights, or for values too large in its input."
                )
    return ""


def failed_row(name: str, path: str, error: str) -> Row:
    """Return the one row of an item that could not be explained."""
    return Row(name, path, False, error)


def make_schema(dtype: str) -> Any:
    """Return the columns of a part and their types, as a `pyarrow.Schema`."""
    pa = need("pyarrow")
    values = {"float32": pa.float32(), "float16": pa.float16()}[dtype]
    types = {
        "id": pa.string(),
        "path": pa.string(),
        "ok": pa.bool_(),
        "error": pa.string(),
        "method": pa.string(),
        "layer": pa.string(),
        "rank": pa.int32(),
        "class_id": pa.int32(),
        "class_name": pa.string(),
        "score": pa.float32(),
        "probability": pa.float32(),
        "height": pa.int32(),
        "width": pa.int32(),
        "heatmap": pa.list_(values),
        "overlay": pa.string(),
        "description": pa.string(),
    }
    return pa.schema(types.items())


def make_table(rows: Sequence[Row], schema: Any) -> Any:
    """Return rows as a `pyarrow.Table`."""
    pa = need("pyarrow")
    columns = zip(*rows, strict=True)
    arrays = [_array(column, field.type) for field, column in zip(schema, columns, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)


def _array(column: Sequence[Any], kind: Any) -> Any:
    pa = need("pyarrow")
    if pa.types.is_list(kind):
        return _heatmaps(column, kind)
    if pa.types.is_string(kind):
        # A file's name may be no text in any encoding.
        column = [one and one.encode(errors="backslashreplace").decode() for one in column]
    return pa.array(column, kind)


def _heatmaps(heatmaps: Sequence[Any], kind: Any) -> Any:
    """Return arrays as one array of lists, without going through Python's numbers."""
    import numpy as np

    pa = need("pyarrow")
    lengths = [0 if heatmap is None else len(heatmap) for heatmap in heatmaps]
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype("int32")
    present = [heatmap for heatmap in heatmaps if heatmap is not None]
    dtype = kind.value_type.to_pandas_dtype()
    values = np.concatenate(present) if present else np.empty(0, dtype)
    missing = pa.array([heatmap is None for heatmap in heatmaps])
    return pa.ListArray.from_arrays(
        pa.array(offsets), pa.array(values, kind.value_type), mask=missing
    )

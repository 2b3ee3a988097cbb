"""From explanations to the rows of a table: one per item, method and target."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, get_type_hints

from eli5.bulk.optional_imports import need

if TYPE_CHECKING:
    from eli5.base import Explanation

DTYPES = ("float32", "float16")  # of heatmaps

# Of the columns of a part; a heatmap is a list of its own.
_ARROW_TYPES = {
    bool: "bool",
    str: "string",
    str | None: "string",
    int | None: "int32",
    float | None: "float32",
}


class Row(NamedTuple):
    """A line of the result; see the table of columns in docs/bulk.md."""

    id: str
    path: str
    ok: bool
    error: str = ""  # why there is no explanation
    method: str | None = None
    layer: str | None = None
    rank: int | None = None  # of the target in the explanation, from 0
    class_id: int | None = None
    class_name: str | None = None
    score: float | None = None
    probability: float | None = None
    height: int | None = None
    width: int | None = None
    heatmap: Any = None  # an array of shape (height * width,), row by row
    overlay: str | None = None  # its file, relative to the run's folder
    description: str | None = None


def rows_of(
    name: str, path: str, explanations: Sequence[Explanation], overlay: str | None, dtype: str
) -> list[Row]:
    """Return the rows of one item, one per method and target; `name` is its id."""
    rows = []
    for expl in explanations:
        for rank, target in enumerate(expl.targets):
            heatmap: Any = target.heatmap
            row = Row(
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
                height=heatmap.shape[0],
                width=heatmap.shape[1],
                heatmap=heatmap.ravel().astype(dtype),
                overlay=overlay,
                description=expl.description,
            )
            rows.append(row)
    return rows


def not_finite(explanations: Sequence[Explanation]) -> str:
    """Return why an item's explanations explain nothing, or "" if its scores are numbers."""
    for target in (target for expl in explanations for target in expl.targets):
        if not (math.isfinite(target.score) and math.isfinite(target.proba or 0.0)):
            return (
                "Expected a model whose outputs for it are finite. Received: score="
                f"{target.score:g} for class {target.target}. Look for what is not finite in the "
                "model's weights, or for values too large in its input."
            )
    return ""


def failed_row(name: str, path: str, error: str) -> Row:
    """Return the one row of an item that could not be explained."""
    return Row(name, path, False, error)


def make_schema(dtype: str) -> Any:
    """Return the columns of a part and their types, as a `pyarrow.Schema`."""
    pa = need("pyarrow")
    types = get_type_hints(Row)
    names = {name: _ARROW_TYPES.get(kind) for name, kind in types.items()}
    heatmap = pa.list_(pa.type_for_alias(dtype))
    return pa.schema((name, pa.type_for_alias(t) if t else heatmap) for name, t in names.items())


def make_table(rows: Sequence[Row], schema: Any) -> Any:
    """Return rows as a `pyarrow.Table`."""
    pa = need("pyarrow")
    columns = zip(schema, zip(*rows, strict=True), strict=True)
    return pa.Table.from_arrays(
        [pa.array(list(map(_text, column)), field.type) for field, column in columns], schema=schema
    )


def _text(value: Any) -> Any:
    # A file's name may be no text in any encoding.
    return value.encode(errors="backslashreplace").decode() if isinstance(value, str) else value

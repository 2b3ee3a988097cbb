"""The page of a training: one row per image, method and target, one column per explained epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.formatters.jinja import render
from eli5.formatters.labels import target_label, target_name
from eli5.formatters.sheet import is_wide

if TYPE_CHECKING:
    from eli5.callbacks.epoch import Cell, Epoch

Key = tuple[int, str, int]
"""Which row: image, method, rank of the target."""


class Column(NamedTuple):
    """What the page shows of one epoch; the pictures themselves need not be kept.

    Attributes
    ----------
    number : int
        From 1.
    logs : dict
        Loss and metrics.
    cells : dict of dict
        The values that ``templates/timeline.html`` shows of each overlay.
    """

    number: int
    logs: Mapping[str, float]
    cells: Mapping[Key, Mapping[str, Any]]


def format_as_timeline(
    epoch: Epoch, row_heads: Mapping[Key, Mapping[str, Any]], columns: Sequence[Column]
) -> str:
    """Format a training as a page that works from a file, and without any script.

    Parameters
    ----------
    epoch : Epoch
        The last one, for what is the same in all.
    row_heads : dict of dict
        In the order of the rows; see `row_head`.
    columns : sequence of Column
        From left to right.
    """
    layers = dict.fromkeys(str(e.layer) for one in epoch.explanations for e in one if e.layer)
    return render(
        "timeline.html",
        title=f"What “{epoch.explanations[0][0].estimator}” looked at while it was trained",
        methods=[str(expl.method) for expl in epoch.explanations[0]],
        layers=list(layers),
        rows=row_heads,
        columns=columns,
    )


def column_of(epoch: Epoch, sources: Mapping[Key, str]) -> Column:
    """Return an epoch's column; `sources` are the addresses of its pictures, from the page."""
    cells = {key_of(cell): _cell(cell, epoch.number, sources[key_of(cell)]) for cell in epoch.cells}
    return Column(epoch.number, epoch.logs, cells)


def key_of(cell: Cell) -> Key:
    """Return the row that an overlay belongs to."""
    return cell.image, cell.method, cell.rank


def row_head(cell: Cell, source: str, n_methods: int) -> dict[str, Any]:
    """Return what stands at the left of a row: the picture, and what is explained in the row."""
    lines = [f"Image {cell.image + 1}"]
    lines += [str(cell.expl.method)] * (n_methods > 1)
    lines += [f"Target {cell.rank + 1}"] * (len(cell.expl.targets) > 1)
    return {"picture": _picture(cell, source), "lines": lines}


def _cell(cell: Cell, epoch: int, source: str) -> dict[str, Any]:
    heatmap = cell.target.heatmap
    return {
        "picture": _picture(cell, source),
        "alt": (
            f"Image {cell.image + 1} at epoch {epoch}: {cell.expl.method} heatmap of "
            f"{target_label(cell.target)}, laid over the picture"
        ),
        "name": target_name(cell.target),
        "score": cell.target.score,
        "is_empty": heatmap is not None and not heatmap.any(),
        "why_empty": cell.expl.description or "",
    }


def _picture(cell: Cell, source: str) -> dict[str, Any]:
    return {"src": source, "size": cell.overlay.size, "is_wide": is_wide(cell.overlay)}

"""The page of a training: one row per image, method and target, one column per explained epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.formatters.jinja import render
from eli5.formatters.labels import number, one_line, target_label, target_name
from eli5.formatters.sheet import is_wide

if TYPE_CHECKING:
    from eli5.callbacks.epoch import Cell, Epoch

Data = Mapping[str, Any]
"""What ``templates/timeline.html`` shows, by the names that stand there."""

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
        Of each overlay.
    """

    number: int
    logs: Mapping[str, float]
    cells: Mapping[Key, Data]


def format_as_timeline(
    epoch: Epoch, row_heads: Mapping[Key, Data], columns: Sequence[Column]
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


def row_head(cell: Cell, source: str, n_methods: int) -> Data:
    """Return what stands at the left of a row: the picture, and what is explained in the row."""
    lines = [f"Image {cell.image + 1}"]
    lines += [str(cell.expl.method)] * (n_methods > 1)
    lines += [f"Target {cell.rank + 1}"] * (len(cell.expl.targets) > 1)
    return {"picture": _picture(cell, source, ""), "lines": lines}


# Each epoch writes the cells of all before it anew, so their texts are made once, here.
def _cell(cell: Cell, epoch: int, source: str) -> Data:
    heatmap, description = cell.target.heatmap, cell.expl.description or ""
    alt = (
        f"Image {cell.image + 1} at epoch {epoch}: {cell.expl.method} heatmap of "
        f"{target_label(cell.target)}, laid over the picture"
    )
    return {
        "picture": _picture(cell, source, one_line(alt)),
        "name": target_name(cell.target),
        "score": number(cell.target.score),
        "is_empty": heatmap is not None and not heatmap.any(),
        "why_empty": one_line(description),
    }


def _picture(cell: Cell, source: str, alt: str) -> Data:
    width, height = cell.overlay.size
    shape = {"width": width, "height": height, "is_wide": is_wide(cell.overlay)}
    return {"src": source, "alt": alt, **shape}

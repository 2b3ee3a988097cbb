"""The page of a training: one row per image, method and target, one column per explained epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, NamedTuple

from eli5.formatters.sheet import is_wide
from eli5.formatters.text import number, one_line, target_label, target_name

if TYPE_CHECKING:
    from eli5.callbacks.epoch import Cell, Epoch

__all__ = ["Column", "Key", "column_of", "format_as_timeline", "key_of", "row_head"]

Key = tuple[int, str, int]
"""Which row: image, method, rank of the target."""

# Text takes the colour of the theme, lines are half-transparent grey, and what stays in place while
# the rest scrolls hides it behind the theme's own background. The pictures lie in files beside the
# page: within it, each epoch would write those of all epochs before it anew.
_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src 'self' file:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
body {{ margin: 0; height: 100vh; display: flex; flex-direction: column;
  font: 14px/1.45 system-ui, sans-serif; }}
header {{ padding: 16px 24px 12px; }}
h1 {{ margin: 0 0 4px; font-size: 22px; line-height: 1.3; overflow-wrap: anywhere; }}
header p {{ margin: 0 0 4px; max-width: 100ch; }}
main {{ flex: 1; min-height: 320px; overflow: auto; }}
table {{ border-collapse: separate; border-spacing: 0; padding: 0 24px 24px 0; }}
th, td {{ padding: 8px; text-align: left; vertical-align: top;
  border-bottom: 1px solid rgba(127, 127, 127, 0.3); font-weight: normal; }}
thead th {{ position: sticky; top: 0; z-index: 1; background: Canvas; vertical-align: bottom; }}
th:first-child {{ position: sticky; left: 0; z-index: 1; padding-left: 24px; background: Canvas;
  border-right: 1px solid rgba(127, 127, 127, 0.3); width: 88px; min-width: 88px; }}
thead th:first-child {{ z-index: 2; }}
img {{ display: block; max-width: 176px; height: auto; margin: 0 0 4px; border-radius: 3px; }}
th img {{ max-width: 88px; }}
img.wide {{ max-width: min(640px, 80vw); }}
th span, td span {{ display: block; overflow-wrap: anywhere; }}
td {{ font-variant-numeric: tabular-nums; }}
.name {{ font-weight: 600; }}
.note {{ font-style: italic; }}
dl {{ display: grid; grid-template-columns: auto auto; justify-content: start; gap: 0 8px;
  margin: 2px 0 0; font-size: 12px; font-variant-numeric: tabular-nums; }}
dt, dd {{ margin: 0; }}
dt {{ opacity: 0.75; }}
</style>
</head>
<body>
<header>
<h1>{title}</h1>
<p>{facts}</p>
<p>Under each picture: the target that it explains, and the model's output for it.</p>
</header>
<main tabindex="0" aria-label="Timeline">
<table>
<thead>
<tr><th scope="col">Image</th>
{heads}</tr>
</thead>
<tbody>
{rows}
</tbody>
</table>
</main>
</body>
</html>
"""


class Column(NamedTuple):
    """One epoch, as HTML; the pictures themselves need not be kept.

    Attributes
    ----------
    number : int
        From 1.
    head : str
    cells : dict of str
    """

    number: int
    head: str
    cells: Mapping[Key, str]


def format_as_timeline(
    epoch: Epoch, row_heads: Mapping[Key, str], columns: Sequence[Column]
) -> str:
    """Format a training as a page that works from a file, and without any script.

    Parameters
    ----------
    epoch : Epoch
        The last one, for what is the same in all.
    row_heads : dict of str
        In the order of the rows; see `row_head`.
    columns : sequence of Column
        From left to right.
    """
    rows = (
        f"<tr>{head}\n{''.join(column.cells.get(key, '<td></td>') for column in columns)}</tr>"
        for key, head in row_heads.items()
    )
    return _PAGE.format(
        title=_text(f"What “{epoch.explanations[0][0].estimator}” looked at while it was trained"),
        facts=_facts(epoch, columns),
        heads="".join(
            f'<th scope="col" id="epoch-{column.number}">{column.head}</th>\n' for column in columns
        ),
        rows="\n".join(rows),
    )


def _facts(epoch: Epoch, columns: Sequence[Column]) -> str:
    methods = ", ".join(str(expl.method) for expl in epoch.explanations[0])
    layers = dict.fromkeys(str(e.layer) for one in epoch.explanations for e in one if e.layer)
    last = columns[-1].number
    facts = [
        f"<b>{_text(methods)}</b>",
        f"layer <bdi>{_text(', '.join(layers))}</bdi>" if layers else "",
        f'<a href="#epoch-{last}">latest: epoch {last}</a>',
    ]
    return " · ".join(fact for fact in facts if fact)


def column_of(epoch: Epoch, sources: Mapping[Key, str]) -> Column:
    """Return an epoch's column; `sources` are the addresses of its pictures, from the page."""
    logs = "".join(f"<dt>{_text(k)}</dt><dd>{number(v)}</dd>" for k, v in epoch.logs.items())
    head = f'<span class="name">Epoch {epoch.number}</span><dl>{logs}</dl>'
    cells = {key_of(cell): _cell(cell, epoch.number, sources[key_of(cell)]) for cell in epoch.cells}
    return Column(epoch.number, head, cells)


def key_of(cell: Cell) -> Key:
    """Return the row that an overlay belongs to."""
    return cell.image, cell.method, cell.rank


def row_head(cell: Cell, source: str, n_methods: int) -> str:
    """Return what stands at the left of a row: the picture, and what is explained in the row."""
    what = [f"Image {cell.image + 1}"]
    what += [str(cell.expl.method)] * (n_methods > 1)
    what += [f"Target {cell.rank + 1}"] * (len(cell.expl.targets) > 1)
    spans = "".join(f"<span>{_text(line)}</span>" for line in what)
    return f'<th scope="row">{_picture(cell, "", source)}{spans}</th>'


def _cell(cell: Cell, epoch: int, source: str) -> str:
    alt = (
        f"Image {cell.image + 1} at epoch {epoch}: {cell.expl.method} heatmap of "
        f"{target_label(cell.target)}, laid over the picture"
    )
    return (
        f"<td>{_picture(cell, alt, source)}"
        f'<span class="name"><bdi>{_text(target_name(cell.target))}</bdi></span>'
        f"<span>{number(cell.target.score)}</span>{_note(cell)}</td>"
    )


def _note(cell: Cell) -> str:
    """Say of a heatmap without heat that it is so, and in a tooltip why."""
    heatmap = cell.target.heatmap
    if heatmap is None or heatmap.any():
        return ""
    return f'<span class="note" title="{_text(cell.expl.description or "")}">empty heatmap</span>'


def _picture(cell: Cell, alt: str, source: str) -> str:
    width, height = cell.overlay.size
    kind = ' class="wide"' if is_wide(cell.overlay) else ""
    return (
        f'<img{kind} alt="{_text(alt)}" src="{_text(source)}" width="{width}" height="{height}" '
        'loading="lazy">'
    )


def _text(text: object) -> str:
    return escape(one_line(text), quote=True)

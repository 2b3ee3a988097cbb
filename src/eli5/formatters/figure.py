"""Make a figure of pyplot whose axes are as large as the pictures that they are for."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["BAR", "PAD", "new_axes", "picture_inches"]

# In inches. All is set here and not left to matplotlib, whose layouts overlook such colour bars.
BAR, PAD = 0.12, 0.08
_LABELS, _MARGIN = 0.8, 0.12
_LINE = 0.2
_ALONE, _AMONG_OTHERS, _LEAST = 4.8, 3.2, 0.5
_MOST_COLUMNS = 4


def picture_inches(width: int, height: int, count: int) -> tuple[float, float]:
    """Give the width and height in a figure, in inches, of each of so many pictures."""
    longer = (_ALONE if count == 1 else _AMONG_OTHERS) * (2 if width > 2 * height else 1)
    scale = longer / max(width, height)
    return max(scale * width, _LEAST), max(scale * height, _LEAST)


def new_axes(
    count: int,
    inches: tuple[float, float],
    colorbar: bool,
    n_title_lines: int,
    beside: tuple[float, float] = (0.0, 0.0),
) -> list[Axes]:
    """Make axes in a new figure.

    Parameters
    ----------
    count : int
        How many pairs of axes; at most four stand in a row, or one if they are wide.
    inches : tuple of float
        The width and height of each.
    colorbar : bool
        Whether there is to be room for colour bars.
    n_title_lines : int
        For how many lines above each there is to be room.
    beside : tuple of float
        How much room there is to be at the left of each and below it, in inches.

    Returns
    -------
    list of matplotlib.axes.Axes
    """
    from matplotlib import pyplot as plt  # where it is needed: it looks for a screen

    (width, height), (at_left, below) = inches, beside
    most = 1 if width > 2 * height else _MOST_COLUMNS
    columns = math.ceil(count / math.ceil(count / most))
    rows = math.ceil(count / columns)
    slot = width + (PAD + BAR if colorbar else 0)
    right, above = (_LABELS if colorbar else _MARGIN), _LINE * n_title_lines + 2 * _MARGIN
    cell = at_left + slot + right, above + height + below
    total = _MARGIN + columns * cell[0], _MARGIN + rows * cell[1]
    figure, grid = plt.subplots(rows, columns, squeeze=False, figsize=total, layout="none")
    figure.subplots_adjust(
        left=(_MARGIN + at_left) / total[0],
        right=1 - right / total[0],
        bottom=(_MARGIN + below) / total[1],
        top=1 - above / total[1],
        wspace=(at_left + right) / slot,
        hspace=(above + below) / height,
    )
    for ax in grid.flat[count:]:
        ax.remove()
    return list(grid.flat[:count])

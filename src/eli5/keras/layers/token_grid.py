"""The grid that a transformer's tokens lie on."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from eli5.checks import is_integer, wrong_type, wrong_value

Shape = tuple[int, ...]

# Class, distillation and register tokens that may stand before the patches.
_MAX_PREFIX = 8


def infer_grid(n_tokens: int, size: Shape, maps: Sequence[Shape] = ()) -> Shape | None:
    """Return the grid that tokens lie on, row by row, or None if nothing fits.

    One of the `maps` that the model made (a patch embedding's is among them if it is a layer), or
    the one that cuts a picture of this size into equal squares; with the fewest other tokens, of
    which 8 at most come before the patches.
    """
    for prefix in range(_MAX_PREFIX + 1):
        fitting = [grid for grid in maps if math.prod(grid) == n_tokens - prefix]
        if fitting:
            return fitting[-1]
    squares = (_equal_squares(n_tokens - prefix, size) for prefix in range(_MAX_PREFIX + 1))
    return next(filter(None, squares), None)


def _equal_squares(n_patches: int, size: Shape) -> Shape | None:
    if len(size) != 2 or n_patches < 2:
        return None
    height, width = size
    for rows in range(1, n_patches + 1):
        columns, rest = divmod(n_patches, rows)
        fits = rest == 0 and height % rows == 0 and width % columns == 0
        if fits and height // rows == width // columns:
            return rows, columns
    return None


def check_grid(grid: Any) -> Shape | None:
    """Return a grid as a tuple, or None.

    TypeError if it is neither None nor a list of integers, ValueError if these are not two or three
    that are positive.
    """
    if grid is None:
        return None
    if not (isinstance(grid, tuple | list) and all(map(is_integer, grid))):
        raise wrong_type("grid", grid, "(height, width) in tokens")
    if len(grid) not in (2, 3) or min(grid) < 1:
        raise wrong_value("grid", grid, "to be (height, width) in tokens")
    return tuple(map(int, grid))

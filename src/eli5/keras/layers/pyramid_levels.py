"""The layers of a feature pyramid that a detector's boxes come from.

The candidates of most detectors lie on grids: so many for each cell of each level. Their number
tells which grids these are; on each the layer is taken that is the last from which both classes and
boxes come, and not place by place: in front of the heads. A box of one level has no gradient at the
others, so that a map over all levels is one over those that it comes from.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

from eli5.keras.engine import Site
from eli5.keras.layers.model_head import grid_of

Grid = tuple[int, ...]
# ``count(candidates, sites) -> (n_sites, 2)``: at how many places of each site what some candidates
# say of classes, and of boxes, has a gradient.
Count = Callable[[tuple[int, ...], Sequence[Site]], Sequence[Sequence[int]]]

_MOST_PER_CELL = 32  # candidates
_COARSE = 8  # the least stride of a level of a detector whose candidates lie on no grid


def pyramid_levels(
    sites: Sequence[Site], n_candidates: int, size: Grid, count: Count
) -> list[Site]:
    """Return the layers that boxes come from, the finest first; empty if there are none.

    Parameters
    ----------
    sites : sequence of Site
        Those that may be chosen, the last that runs first.
    n_candidates : int
        How many boxes there are, before selection. Where they lie on no grid, as the queries of a
        transformer do, the last layer of each grid counts that has a stride of 8 at least.
    size : tuple of int
        Of the picture.
    count : callable
    """
    sites = [site for site in sites if _is_like(grid_of(site), size)]
    grids = sorted({grid_of(site) for site in sites}, key=math.prod, reverse=True)
    levels = _levels_of(n_candidates, grids)
    if not levels:
        coarse = [grid for grid in grids if max(size) >= _COARSE * max(grid)]
        levels = [_Level(grid, (0, 1, 2), 3) for grid in coarse]
    candidates = tuple(dict.fromkeys(one for level in levels for one in level.candidates))
    possible = [site for site in sites if any(grid_of(site) == level.grid for level in levels)]
    counts = count(candidates, possible) if possible else []
    pairs = list(zip(possible, counts, strict=True))
    found = (
        _last([pair for pair in pairs if grid_of(pair[0]) == level.grid], level.n_here)
        for level in levels
    )
    return [site for site in found if site is not None]


class _Level(NamedTuple):
    """A grid that candidates lie on."""

    grid: Grid
    candidates: tuple[int, ...]  # some that tell which layers they come from
    n_here: int  # how many of all those of all levels lie on this grid


def _is_like(grid: Grid, size: Grid) -> bool:
    """Tell whether a grid has the proportions of the picture, but for what rounding leaves open."""
    if len(grid) != len(size):
        return False
    stride = max(size) / max(grid)
    return all(abs(cells - axis / stride) < 1 for cells, axis in zip(grid, size, strict=True))


def _levels_of(n_candidates: int, grids: list[Grid]) -> list[_Level]:
    """Return the grids, in a row, whose cells have so many candidates; none if no row would do.

    Of several rows it is the one with the fewest per cell.
    """
    found = []
    for start, stop in itertools.combinations(range(len(grids) + 1), 2):
        cells = sum(map(math.prod, grids[start:stop]))
        if n_candidates and n_candidates % cells == 0:
            found.append((n_candidates // cells, start, stop))
    if not found or min(found)[0] > _MOST_PER_CELL:
        return []
    per_cell, start, stop = min(found)
    return _in_order(grids[start:stop], per_cell)


def _in_order(grids: list[Grid], per_cell: int) -> list[_Level]:
    """Return levels, each with the candidates in its middle.

    Whether the finest or the coarsest comes first among the candidates is not known: for both.
    """
    spans: list[dict[Grid, range]] = []
    for order in (grids, grids[::-1]):
        ends = itertools.accumulate((per_cell * math.prod(grid) for grid in order), initial=0)
        spans.append(
            {grid: range(*pair) for grid, pair in zip(order, itertools.pairwise(ends), strict=True)}
        )
    middles = {
        grid: tuple(span[grid][_middle(grid) * per_cell + per_cell // 2] for span in spans)
        for grid in grids
    }
    chosen = {one for pair in middles.values() for one in pair}
    return [
        _Level(grid, middles[grid], max(len(chosen.intersection(span[grid])) for span in spans))
        for grid in grids
    ]


def _middle(grid: Grid) -> int:
    """Return the number of the cell in the middle of a grid."""
    cell = 0
    for axis in grid:
        cell = cell * axis + axis // 2
    return cell


def _last(found: Sequence[tuple[Site, Sequence[int]]], n: int) -> Site | None:
    """Return the last layer in front of the heads; else the last that classes come from."""
    # At the head's own output a candidate has a gradient at one place.
    beyond = [(site, counts) for site, counts in found if counts[0] > n]
    shared = [site for site, counts in beyond if counts[1] > n]
    some = [site for site, counts in found if counts[0]]
    return next(iter(shared or [site for site, _ in beyond] or some), None)

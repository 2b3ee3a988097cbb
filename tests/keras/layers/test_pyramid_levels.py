"""Which layers a detector's boxes come from: told from their number and from gradients."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from eli5.keras.engine import Site
from eli5.keras.layers.pyramid_levels import pyramid_levels

Grid = tuple[int, int]
SIZE = (64, 96)


def at(path: str, grid: Grid) -> Site:
    return Site(None, 0, path, shape=(1, *grid, 8))


SITES = [
    at("scores", (4, 6)),
    at("tower of classes", (4, 6)),
    at("p4", (4, 6)),
    at("scores", (8, 12)),
    at("p3", (8, 12)),
    at("attention", (16, 6)),
    at("stem", (32, 48)),
]
# At how many places they react to (classes, boxes).
REACTIONS = {
    "scores": (1, 0),
    "tower of classes": (9, 0),
    "p3": (25, 25),
    "p4": (25, 25),
    "stem": (300, 300),
    "attention": (9, 9),
}


def names(n_candidates: int, sites: Sequence[Site] = SITES) -> list[tuple[str, tuple[int, ...]]]:
    def count(candidates: tuple[int, ...], some: Sequence[Site]) -> list[tuple[int, int]]:
        return [REACTIONS[site.path] for site in some]

    return [(one.path, one.shape[1:3]) for one in pyramid_levels(sites, n_candidates, SIZE, count)]


@pytest.mark.parametrize("per_cell", [1, 2, 9])
def test_levels_are_those_whose_cells_have_the_candidates(per_cell: int) -> None:
    assert names(per_cell * (8 * 12 + 4 * 6)) == [("p3", (8, 12)), ("p4", (4, 6))]
    assert names(per_cell * 4 * 6) == [("p4", (4, 6))]


def test_queries_lie_on_no_grid() -> None:
    for n in (0, 7, 301):
        assert names(n) == [("p3", (8, 12)), ("p4", (4, 6))]


def test_without_a_layer_that_both_come_from_classes_count() -> None:
    assert names(24, SITES[:2]) == [("tower of classes", (4, 6))]
    assert names(24, SITES[:1]) == [("scores", (4, 6))]
    assert names(24, []) == []

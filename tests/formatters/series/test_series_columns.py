"""How many steps share few columns, against loops; and the parts that lines are cut into."""

from __future__ import annotations

import numpy as np
import pytest

from eli5.formatters.series import columns as series_columns
from eli5.formatters.series.columns import (
    Trace,
    cell_edges,
    extremes,
    furthest,
    polylines,
    share_out,
    trace,
)
from helpers.series_cases import Array

RNG = np.random.default_rng(0)
TIMES = {
    "even": np.arange(50.0),
    "uneven": np.sort(RNG.random(50)) * 7 - 3,
    "in groups": np.repeat(np.arange(10.0), 5),
    "with a pause": np.concatenate([np.arange(25.0), 1000 + np.arange(25.0)]),
}


@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
def test_cells_begin_and_end_between_the_steps(time: Array) -> None:
    edges = cell_edges(time)
    assert (np.diff(edges) >= 0).all()
    np.testing.assert_allclose(edges[1:-1], [(time[k] + time[k + 1]) / 2 for k in range(49)])
    assert edges[0] < time[0]
    assert edges[-1] > time[-1]


@pytest.mark.parametrize("time", [np.array([3.0]), np.zeros(4), np.full(2, 1e20)])
def test_steps_at_one_time_have_some_room(time: Array) -> None:
    edges = cell_edges(time)
    assert edges[0] < time[0] < edges[-1]


@pytest.mark.parametrize("count", [1, 7, 50, 333])
@pytest.mark.parametrize("time", TIMES.values(), ids=TIMES)
def test_each_step_is_in_a_column_and_each_column_has_its_own(time: Array, count: int) -> None:
    edges = cell_edges(time)
    width = (edges[-1] - edges[0]) / count
    for column, (start, stop) in enumerate(zip(*share_out(time, edges, count), strict=True)):
        left, right = edges[0] + column * width, edges[0] + (column + 1) * width
        inside = np.flatnonzero((left <= time) & (time < right))
        if inside.size:
            assert [*range(start, stop)] == inside.tolist()
        else:
            assert stop == start + 1
            assert edges[start] - 1e-9 <= (left + right) / 2 <= edges[stop] + 1e-9


@pytest.mark.parametrize("many", [10**9, 1], ids=["few values", "many values"])
def test_extremes_of_columns(many: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(series_columns, "_MANY", many)
    values = np.random.default_rng(1).normal(size=(60, 3))
    values[values < 0.5] = np.nan
    values[5], values[17, 0] = np.inf, -np.inf
    columns = share_out(np.arange(60.0), cell_edges(np.arange(60.0)), 13)
    low, high = extremes(values, columns)
    assert np.isnan(low).sum() == np.isnan(high).sum() > 0
    for column, channel in np.ndindex(13, 3):
        part = values[columns.starts[column] : columns.stops[column], channel]
        finite = part[np.isfinite(part)]
        if finite.size:
            assert low[column, channel] == finite.min()
            assert high[column, channel] == finite.max()
        else:
            assert np.isnan([low[column, channel], high[column, channel]]).all()


def test_of_two_extremes_the_one_further_from_the_centre() -> None:
    low, high = np.array([-3.0, 0.0, 1.0]), np.array([2.0, 0.5, 1.0])
    np.testing.assert_array_equal(furthest(low, high), [-3, 0.5, 1])
    np.testing.assert_array_equal(furthest(low, high, 1.0), [-3, 0, 1])


def test_a_short_line_has_all_its_points() -> None:
    time, values = TIMES["uneven"], RNG.normal(size=50)
    values[7] = np.inf
    line = trace(values, time, cell_edges(time), 200)
    np.testing.assert_array_equal(line.x, time)
    np.testing.assert_array_equal(line.y, np.where(np.isfinite(values), values, np.nan))
    assert (np.diff(line.column) >= 0).all()


def test_a_long_line_covers_the_values_of_each_column() -> None:
    time = np.arange(10_000.0)
    values = RNG.normal(size=10_000)
    values[4_000:4_200] = np.nan
    values[5_001] = 30.0  # a single step stays to be seen
    line = trace(values, time, cell_edges(time), 100)
    assert len(line.y) == 200
    for column, part in enumerate(values.reshape(100, 100)):
        ends = line.y[line.column == column]
        if np.isnan(part).all():
            assert np.isnan(ends).all()
        else:
            np.testing.assert_array_equal(ends, [np.nanmin(part), np.nanmax(part)])
    assert np.nanmax(line.y) == 30.0


def test_a_line_is_cut_where_its_colour_changes_and_at_gaps() -> None:
    y = np.array([0.0, 2.0, 4.0, np.nan, 1.0, np.nan, 3.0, 5.0])
    line = Trace(np.arange(8.0), y, np.arange(8))
    parts = polylines(line, np.array([1, 1, 7, 7, 7, 7, 3, 3]))
    assert [(points.tolist(), level) for points, level in parts] == [
        ([[0, 0], [1, 2], [1.5, 3]], 1),  # half the way to the next
        ([[1.5, 3], [2, 4]], 7),
        ([[4, 1]], 7),  # alone
        ([[6, 3], [7, 5]], 3),
    ]


def test_the_parts_of_a_line_make_up_all_of_it() -> None:
    y = RNG.normal(size=300)
    y[RNG.random(300) < 0.2] = np.nan
    line = Trace(np.arange(300.0), y, np.arange(300))
    parts = polylines(line, RNG.integers(0, 3, 300))
    length = sum(np.ptp(points[:, 0]) for points, _ in parts)
    assert length == (np.isfinite(y[1:]) & np.isfinite(y[:-1])).sum()
    points = np.concatenate([points for points, _ in parts])
    assert {*map(tuple, points)} >= {(x, v) for x, v in enumerate(y) if np.isfinite(v)}

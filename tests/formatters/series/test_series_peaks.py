"""Peaks in words, and what tables, texts and callbacks say of series."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import eli5
from eli5.base import Explanation, Series, TargetExplanation
from eli5.formatters.series.timeline import (
    checked_series,
    find_peaks,
    peaks_in_words,
    time_in_words,
)
from helpers.series_cases import Array, block, of_series, waves

DATE = np.datetime64("2026-02-28")


def words(expl: Explanation, **options: Any) -> str:
    return peaks_in_words(expl, expl.targets[0], **options)


def slow_peaks(heatmap: Array) -> list[list[int]]:
    """Walk along each channel."""
    found = []
    for channel in range(heatmap.shape[1]):
        start = None
        for step in range(len(heatmap) + 1):
            is_high = step < len(heatmap) and heatmap[step, channel] >= heatmap.max() / 2
            if is_high and start is None:
                start = step
            if not is_high and start is not None:
                height = heatmap[start:step, channel].max()
                found.append((-height, start, step - 1, channel))
                start = None
    return [peak for _, *peak in sorted(found)]


@pytest.mark.parametrize("shape", [(1, 1), (50, 1), (40, 3)])
def test_peaks_are_where_it_is_at_least_half_as_high(shape: tuple[int, int]) -> None:
    heatmap = np.random.default_rng(0).random(shape).round(1)
    wanted = slow_peaks(heatmap)
    assert [list(peak) for peak in find_peaks(heatmap, 100)] == wanted
    assert [list(peak) for peak in find_peaks(heatmap, 2)] == wanted[:2]


@pytest.mark.parametrize(
    ("time", "told"),
    [
        (None, "20 to 24"),
        (np.arange(100), "20 to 24"),
        (np.arange(100) / 10, "2 to 2.4"),
        (np.arange(100, dtype="float32") / 30, "0.667 to 0.8"),
        (1e6 + np.arange(100) / 100, "1000000.2 to 1000000.24"),
        (np.arange(100) / 1e6 - 3e-5, "-1e-05 to -6e-06"),
        (DATE + np.arange(100), "2026-03-20 to 2026-03-24"),
        (DATE + np.arange(100).astype("m8[h]"), "2026-02-28 20:00 to 2026-03-01 00:00"),
        (DATE + 250 * np.arange(100).astype("m8[ms]"), "2026-02-28 00:00:05.000 to 2026-02-28"),
        (np.full(100, 3.5), "3.5"),
    ],
)
def test_times_are_as_fine_as_the_steps(time: Any, told: str) -> None:
    expl = of_series(waves(100, 1), block(100, slice(20, 25)), time=time)
    assert words(expl).startswith(told)


def test_a_single_step_is_one_time() -> None:
    assert words(of_series(waves(9, 1), block(9, 4), time=np.arange(9) / 2)) == "2"


def test_a_short_heatmap_is_told_in_the_time_of_the_series() -> None:
    # The second of four places is steps 25 to 49; to half its height it slopes to its borders.
    assert words(of_series(waves(100, 1), block(4, 1))) == "25 to 49"


def test_channels_are_named_where_each_has_its_own_heatmap() -> None:
    heatmap = block((50, 3), (slice(10, 20), 2)) + block((50, 3), (30, 0)) * 0.9
    named = of_series(waves(50, 3), heatmap, channel_names=["x", "y", "z"])
    assert words(named) == "10 to 19 in z, 30 in x"
    assert words(named, most=1) == "10 to 19 in z"
    assert words(of_series(waves(50, 3), heatmap)) == "10 to 19 in channel 2, 30 in channel 0"
    assert words(of_series(waves(50, 3), heatmap[:, 2])) == "10 to 19"
    assert words(of_series(waves(50, 1), heatmap[:, 2:])) == "10 to 19"
    blank = of_series(waves(50, 3), heatmap, channel_names=["x", "y", " "])
    assert words(blank, most=1) == "10 to 19 in channel 2"


@pytest.mark.parametrize(
    "expl",
    [
        of_series(waves(4, 1), block(4)),
        of_series(waves(4, 1), None),
        of_series(waves(4, 1), np.array([0.0, 2.0])),
        of_series(waves(4, 1), block(4, 1), time=np.arange(3)),
        of_series("no series", block(4, 1)),
        Explanation("net", targets=[TargetExplanation(0, heatmap=block(4, 1))]),
    ],
)
def test_where_there_is_no_peak_there_is_nothing_to_say(expl: Explanation) -> None:
    assert words(expl) == ""
    assert "Peak" not in eli5.format_as_text(expl)


def test_a_date_is_told_in_full_where_steps_need_it() -> None:
    time = np.array(["2026-01-01T00:00:00.000001", "2026-01-02"], "M8[us]")
    timeline = checked_series(Series(waves(2, 1), time))
    assert time_in_words(timeline, 0) == "2026-01-01 00:00:00.000001"


def test_the_text_has_a_column_for_peaks() -> None:
    heatmap = block((50, 2), (slice(10, 20), 1))
    expl = of_series(waves(50, 2), heatmap, block(50), channel_names=["x", "a\nb\x1b"])
    assert eli5.format_as_text(expl).splitlines()[3:] == [
        "Class        Score  Peak",
        "kind 0 (0)   1.500  10 to 19 in a b\ufffd",
        "kind 1 (1)  0.5000",
    ]


@pytest.mark.parametrize(
    ("heatmap", "peak", "area"),
    [
        (block(10, 2), (0.25, 0.5), 0.1),
        (block((40, 4), (30, 3)), (30.5 / 40, 3.5 / 4), 1 / 160),
        (block((40, 4)), (np.nan, np.nan), 0.0),
    ],
)
def test_in_a_table_time_runs_from_left_to_right(heatmap: Array, peak: Any, area: float) -> None:
    pytest.importorskip("pandas")
    row = eli5.format_as_dataframe(of_series(waves(40, 4), heatmap)).iloc[0]
    np.testing.assert_allclose([row["peak_x"], row["peak_y"], row["area"]], [*peak, area])

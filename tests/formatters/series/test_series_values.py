"""What a series and its heatmaps are to be, and how a heatmap is brought to the series' length."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eli5.base import Series
from eli5.formatters.html import format_as_html
from eli5.formatters.image import format_as_image
from eli5.formatters.plot import plot
from eli5.formatters.series.timeline import checked_series, series_heatmap, stretched
from helpers.series_cases import Array, block, of_series, waves

DAYS = np.datetime64("2026-01-30") + np.arange(4)


def slowly_stretched(values: Array, n_steps: int) -> list[float]:
    """Interpolate step by step between the middles of the two nearest places."""
    length = n_steps / len(values)  # of a place, in steps
    found = []
    for step in range(n_steps):
        place = (step + 0.5) / length - 0.5
        left = min(max(int(np.floor(place)), 0), len(values) - 1)
        right = min(left + 1, len(values) - 1)
        share = min(max(place - left, 0), 1)
        found.append((1 - share) * values[left] + share * values[right])
    return found


@pytest.mark.parametrize(("n_places", "n_steps"), [(1, 7), (3, 7), (4, 8), (6, 7), (5, 500)])
def test_places_are_stretched_linearly_with_their_middles_aligned(
    n_places: int, n_steps: int
) -> None:
    values = np.random.default_rng(0).random(n_places)
    np.testing.assert_allclose(stretched(values, n_steps), slowly_stretched(values, n_steps))


def test_stretching_keeps_the_middle_of_a_place_and_mirrors() -> None:
    values = np.array([0.0, 1.0, 0.0, 0.5])
    longer = stretched(values, 12)
    np.testing.assert_allclose(longer[1::3], values)  # the middle step of three
    np.testing.assert_allclose(stretched(values[::-1], 12), longer[::-1])


def test_nearest_places_are_blocks() -> None:
    values = np.array([0.2, 1.0, 0.4])
    np.testing.assert_array_equal(stretched(values, 6, is_linear=False), np.repeat(values, 2))


def test_of_more_places_than_steps_the_furthest_from_zero_counts() -> None:
    values = np.array([0.1, -0.5, 0.2, 0.0, 0.3, -0.3])
    np.testing.assert_array_equal(stretched(values, 3), [-0.5, 0.2, 0.3])
    assert stretched(values, 6) is values


def test_a_heatmap_of_both_axes_stays_as_it_is() -> None:
    timeline = checked_series(Series(waves(5, 3)))
    heatmap = block((5, 3), (2, 1))
    assert series_heatmap(heatmap, timeline) is heatmap
    # Also where there are as many steps as places: rank 1 is for all channels.
    assert series_heatmap(block(5, 2), timeline).shape == (5, 1)


def test_a_sound_series() -> None:
    timeline = checked_series(Series(waves(4, 2), DAYS, ["a", "b"]))
    assert timeline.is_dated
    np.testing.assert_array_equal(np.diff(timeline.x), 1)  # days
    assert timeline.names == ["a", "b"]
    plain = checked_series(Series(np.zeros((3, 1), bool)))
    np.testing.assert_array_equal(plain.x, [0, 1, 2])
    assert not plain.has_time
    checked_series(Series(np.zeros((3, 1)), np.array([1, 1, 2], "uint8")))


@pytest.mark.parametrize("unit", ["Y", "M", "D", "h", "s", "ms", "us", "ns"])
def test_dates_of_any_precision(unit: str) -> None:
    time = np.array(["2024-01-01", "2025-01-01", "2025-01-01", "2026-01-01"], f"M8[{unit}]")
    places = checked_series(Series(waves(4, 1), time)).x
    np.testing.assert_array_equal(places, [19723, 20089, 20089, 20454])  # days since 1970


NOT_SOUND: list[tuple[dict[str, Any], type[Exception], str]] = [
    ({"values": [[1.0]]}, TypeError, r"`series.values` to be a NumPy array.*of type list"),
    ({"values": np.array([["1"]])}, TypeError, r"`series.values` to be .*dtype='<U1'"),
    ({"values": np.ones((2, 1), complex)}, TypeError, "`series.values` to be .*dtype complex128>"),
    ({"values": np.ones(4)}, ValueError, r"shape \(T, F\).*shape=\(4,\)\. One channel"),
    ({"values": np.ones((1, 4, 2))}, ValueError, r"series.values.shape=\(1, 4, 2\)"),
    ({"values": np.ones((0, 2))}, ValueError, r"not to be empty.*shape=\(0, 2\)"),
    ({"values": np.ones((4, 0))}, ValueError, r"not to be empty.*shape=\(4, 0\)"),
    ({"time": [0, 1, 2, 3]}, TypeError, "`series.time` to be .*of type list"),
    ({"time": DAYS - DAYS[0]}, TypeError, r"timedelta64.*time / np\.timedelta64\(1, 's'\)"),
    ({"time": np.arange(5)}, ValueError, r"time` of shape \(4,\).*time\.shape=\(5,\)"),
    ({"time": np.arange(4.0)[:, None]}, ValueError, r"time\.shape=\(4, 1\)"),
    ({"time": np.array([0, np.nan, 2, 3])}, ValueError, r"Received: series\.time\[1\]=nan"),
    ({"time": np.array([0, 1, 2, np.inf])}, ValueError, r"Received: series\.time\[3\]=inf"),
    ({"time": np.array([DAYS[0], "NaT", *DAYS[:2]], "M8")}, ValueError, r"time\[1\]=NaT"),
    ({"time": np.array([0, 2, 1, 3])}, ValueError, r"time\[1\]=2, series\.time\[2\]=1\. Sort"),
    ({"time": DAYS[::-1]}, ValueError, r"time\[0\]=2026-02-02, series.time\[1\]=2026-02-01"),
    ({"time": DAYS.astype("M8[Y]") + 9000}, ValueError, "years 1 to 9999.*from 11026"),
    ({"channel_names": "ab"}, TypeError, "channel_names` to be a list of str. Received: .*='ab'"),
    ({"channel_names": ["a", 2]}, TypeError, r"list of str. Received: 2 \(of type int\)"),
    ({"channel_names": ["a"]}, ValueError, "channel_names` to have 2 names.*Received: .*=.'a'"),
]


@pytest.mark.parametrize("form", [format_as_image, plot, format_as_html])
@pytest.mark.parametrize(("fields", "error", "message"), NOT_SOUND)
def test_a_series_that_is_not_sound(
    form: Any, fields: dict[str, Any], error: type[Exception], message: str
) -> None:
    expl = of_series(waves(4, 2), block(4, 1))
    for name, value in fields.items():
        setattr(expl.series, name, value)
    with pytest.raises(error, match=message):
        form(expl)


def test_something_else_than_a_series() -> None:
    expl = of_series(waves(4, 2), block(4, 1))
    expl.series = expl.series.values
    with pytest.raises(TypeError, match=r"expl\.series` to be an eli5\.base\.Series(.|\n)*ndarray"):
        format_as_image(expl)


@pytest.mark.parametrize("form", [format_as_image, plot, format_as_html])
@pytest.mark.parametrize(
    ("heatmap", "error", "message"),
    [
        ([0.0, 1.0], TypeError, "heatmap` to be a NumPy array of numbers. Received: .* type list"),
        (np.array(["1"]), TypeError, "heatmap` to be a NumPy array.*dtype='<U1'"),
        (np.zeros((2, 4)), ValueError, r"\(t,\).*or \(4, 2\) like the series.*shape=\(2, 4\)"),
        (np.zeros((1, 4, 2)), ValueError, r"heatmap\.shape=\(1, 4, 2\)\. .*without batch axis"),
        (np.zeros(0), ValueError, r"heatmap\.shape=\(0,\)"),
        (np.array([0, 1.5]), ValueError, r"heatmap` to be in \[0, 1\]\. Received: .* 0\.0 to 1\.5"),
        (np.array([0, np.nan]), ValueError, r"heatmap` to be in \[0, 1\]"),
    ],
)
def test_a_heatmap_that_does_not_fit(
    form: Any, heatmap: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        form(of_series(waves(4, 2), heatmap))


@pytest.mark.parametrize("form", [format_as_image, plot])
def test_an_attribution_that_cannot_be_drawn(form: Any) -> None:
    expl = of_series(waves(4, 2), block(4, 1))
    expl.targets[0].attribution = np.array([1.0, np.inf])
    with pytest.raises(ValueError, match=r"attribution` to be finite.*from 1.0 to inf"):
        form(expl, signed=True)
    expl.targets[0].attribution = None
    with pytest.raises(ValueError, match="attribution=None for the target 0"):
        form(expl, signed=True)

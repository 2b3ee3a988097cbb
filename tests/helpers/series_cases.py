"""Explanations of series that are made by hand, and odd ones for hypothesis."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from eli5.base import Explanation, Series, TargetExplanation
from helpers.strict_html import HOSTILE

Array = np.ndarray[Any, Any]


def of_series(values: Any, *heatmaps: Any, **fields: Any) -> Explanation:
    """Return an explanation of a series whose attributions are twice its heatmaps."""
    series = Series(values, fields.pop("time", None), fields.pop("channel_names", None))
    targets = [
        TargetExplanation(
            k,
            score=1.5 - k,
            heatmap=heatmap,
            class_name=f"kind {k}",
            attribution=None if heatmap is None else 2 * np.asarray(heatmap, "float32"),
        )
        for k, heatmap in enumerate(heatmaps)
    ]
    return Explanation("net", method="Grad-CAM", series=series, targets=targets, **fields)


def waves(n_steps: int, n_channels: int) -> Array:
    """Return sine waves, each channel with its own frequency and range."""
    steps, channels = np.mgrid[:n_steps, :n_channels]
    return (channels + 1) * np.sin(2 * np.pi * (channels + 2) * steps / n_steps)


def block(shape: int | tuple[int, ...], *places: Any) -> Array:
    """Return a heatmap that is 1 at some places and 0 elsewhere."""
    heatmap = np.zeros(shape, np.float32)
    for place in places:
        heatmap[place] = 1
    return heatmap


def frame(chart: Any) -> tuple[int, int, int, int]:
    """Return left, right, top and bottom of the frame of a drawn chart, a Pillow image."""
    pixels = np.asarray(chart.convert("L"))
    is_grey = pixels == 191
    columns = np.flatnonzero(is_grey[20:150].mean(axis=0) > 0.8)
    # Behind the frame there is nothing up to the colour bar; at its left there is a line.
    is_end = [
        column > 600 and (pixels[20:300, column + 3 : column + 9] == 255).all()
        for column in columns
    ]
    left, right = columns[0], columns[is_end.index(True)]
    rows = np.flatnonzero(is_grey[:, left:right].mean(axis=1) > 0.8)  # also those between panels
    return int(left), int(right), int(rows[0]), int(rows[-1])


# ---- for hypothesis ------------------------------------------------------------------------------

KINDS = [np.float32, np.float64, np.float16, np.int8, np.uint64, np.bool_]
NAMES = st.text(st.characters(), max_size=20) | st.sampled_from(HOSTILE)
PARTS = arrays(np.float32, st.integers(1, 30), elements=st.floats(0, 1, width=32))


@st.composite
def times(draw: st.DrawFn, n_steps: int) -> Array | None:
    """Draw a time that runs forwards: equal, close, far, early and late, or none."""
    kind = draw(st.sampled_from(["none", "float", "int", "date"]))
    if kind == "none":
        return None
    if kind == "float":
        numbers = st.floats(-1e30, 1e30) | st.floats(0, 1) | st.just(1e9)
        return np.sort(draw(arrays(np.float64, n_steps, elements=numbers)))
    numbers = st.integers(-700_000, 700_000) | st.just(7)  # days, from the year 107 on
    whole = np.sort(draw(arrays(np.int64, n_steps, elements=numbers)))
    if kind == "int":
        return whole
    unit = draw(st.sampled_from(["D", "h", "s", "ms", "us", "ns"]))
    return np.array("2024-02-29", f"M8[{unit}]") + whole.astype(f"m8[{unit}]")


@st.composite
def series_explanations(draw: st.DrawFn) -> Explanation:
    """Draw any explanation of a series that can be drawn."""
    n_steps = draw(st.integers(1, 40))
    n_channels = draw(st.sampled_from([1, 1, 2, 3, 8, 9, 30]))
    shape = n_steps, n_channels
    values = draw(arrays(st.sampled_from(KINDS), shape) | st.just(np.full(shape, np.nan)))
    both = arrays(np.float32, shape, elements=st.floats(0, 1, width=32))
    heatmaps = draw(st.lists(PARTS | both, min_size=1, max_size=2))
    names = draw(st.none() | st.lists(NAMES, min_size=n_channels, max_size=n_channels))
    return of_series(values, *heatmaps, time=draw(times(n_steps)), channel_names=names)

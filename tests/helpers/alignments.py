"""Where a target layer's cells lie in the input, found out in two ways."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from eli5.keras.engine import Alignment
from eli5.keras.inputs.sample import read_sample
from eli5.keras.layers.cell_positions import Located, locate, place_axes
from eli5.keras.layers.measured_alignment import measure_alignment
from eli5.keras.pipeline.make_plan import make_plan
from eli5.keras.pipeline.request import make_request


def followed_and_measured(model: keras.Model, doc: Any, **options: Any) -> list[Located]:
    """Return where the cells of the target layer lie, found out in both ways."""
    sample = read_sample(model, doc)
    plan = make_plan(make_request(**options), [sample])
    (found,) = plan.located
    explained = sample.kind.input_site(sample, plan.trace, is_needed=True)

    def measure(position: int) -> Alignment | None:
        return measure_alignment(model, sample.inputs, plan.trace, position, explained)

    places = place_axes(sample.values.ndim, sample.size, channels_first=sample.channels_first)
    arguments = found.site, plan.trace, sample.size, places, measure
    return [found, locate(*arguments, is_followed=False)]


def assert_agree(followed: Located, measured: Located) -> None:
    assert followed.is_known
    assert measured.is_known
    assert_within_a_cell(followed, measured)


def assert_within_a_cell(followed: Located, measured: Located) -> None:
    one, other = followed.placement, measured.placement
    assert one.axes == other.axes
    grid = followed.site.grid or (
        followed.site.shape[2:] if followed.site.channels_first else followed.site.shape[1:-1]
    )
    cell = np.abs(one.strides(grid)).clip(1)
    for ends in ("first", "last"):
        off = np.abs(np.subtract(getattr(one, ends), getattr(other, ends)))
        assert (off <= cell).all(), (one, other)

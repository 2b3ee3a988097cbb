"""What is measured of where a layer looks agrees with what is followed through the model."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest

from eli5.keras.engine import Alignment
from eli5.keras.inputs.sample import read_sample
from eli5.keras.layers.cell_positions import Located, locate, place_axes
from eli5.keras.layers.measured_alignment import measure_alignment
from eli5.keras.pipeline.plan import make_plan
from eli5.keras.pipeline.request import make_request
from helpers.backend_limits import skip_what_cannot_run
from helpers.model_kinds import KINDS, picture
from helpers.moving_models import moving_model, object_at

Array = np.ndarray[Any, Any]


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
    one, other = followed.placement, measured.placement
    assert one.axes == other.axes
    grid = followed.site.grid or (
        followed.site.shape[2:] if followed.site.channels_first else followed.site.shape[1:-1]
    )
    cell = np.abs(one.strides(grid)).clip(1)
    for ends in ("first", "last"):
        off = np.abs(np.subtract(getattr(one, ends), getattr(other, ends)))
        assert (off <= cell).all(), (one, other)


@pytest.mark.parametrize("seed", range(6))
def test_they_agree_on_models_that_move_what_they_see(seed: int) -> None:
    n_axes = 1 + seed % 3
    model = moving_model(seed, n_axes)
    size = tuple(model.inputs[0].shape[1:-1])
    doc = object_at(size, tuple(n // 2 for n in size), 2)
    assert_agree(*followed_and_measured(model, doc, layer="conv"))


# Of bytes and of half precision the gradients are too coarse for it, or there are none.
KNOWN_TO_DIFFER = {"mixed_float16", "mixed_bfloat16", "float16", "bfloat16", "custom gradient"}


@pytest.mark.parametrize("name", [name for name in KINDS if name not in KNOWN_TO_DIFFER])
def test_they_agree_on_all_kinds_of_models(name: str) -> None:
    kind = KINDS[name]
    model, doc = kind.make(), kind.doc(picture())
    skip_what_cannot_run(name, model, doc)
    assert_agree(*followed_and_measured(model, doc, **kind.options))

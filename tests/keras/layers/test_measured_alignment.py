"""What is measured of where a layer looks agrees with what is followed through the model."""

from __future__ import annotations

import pytest

from helpers.alignments import assert_agree, followed_and_measured
from helpers.backend_limits import skip_what_cannot_run
from helpers.model_kinds import KINDS, picture
from helpers.moving_models import moving_model, object_at


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

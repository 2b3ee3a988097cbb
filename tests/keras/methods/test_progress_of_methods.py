"""How far a method is: each tells how many samples it will ask about, and each block of them."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5 import progress
from eli5.keras import METHODS
from eli5.keras.methods.probe import Probe
from helpers.backend_limits import ONCE
from helpers.fake_probe import function_probe
from helpers.models import make_classifier

pytestmark = ONCE  # how often a method asks

SIZE = (12, 20, 3)


def counting(batch_size: int) -> tuple[Probe, list[int]]:
    """Return a probe, and a list that gets what its methods tell: the total, and each block."""
    told: list[int] = []

    def track(n: int, blocks: Iterable[Any], size: int) -> Iterator[Any]:
        told.append(n)
        for block in blocks:
            yield block
            told.append(size)

    random = np.random.default_rng(0)
    picture = random.random(SIZE)
    weights = random.random(SIZE)
    probe = function_probe(
        lambda x: (x * weights).sum(axis=(1, 2, 3))[:, None],
        lambda x: np.broadcast_to(weights, (len(x), 1, *SIZE)),
        picture,
        activations=random.random((3, 5, 6)),
        batch_size=batch_size,
    )
    return probe._replace(track=track), told


@pytest.mark.parametrize(
    ("name", "options", "total"),
    [
        ("RISE", {"n_masks": 20}, 20),
        ("Occlusion", {"patch": 4, "stride": 4}, 15),
        ("Score-CAM", {}, 6),
        ("KernelSHAP", {"n_samples": 40, "segments": np.arange(240).reshape(12, 20) // 48}, 32),
        ("LIME", {"n_samples": 17, "segments": np.arange(240).reshape(12, 20) // 48}, 17),
        ("SmoothGrad", {"n_samples": 9}, 9),
        ("VarGrad", {"n_samples": 9}, 9),
        ("Integrated Gradients", {"steps": 10}, 10),
    ],
)
def test_samples_are_counted_once(name: str, options: dict[str, Any], total: int) -> None:
    probe, told = counting(batch_size=4)
    METHODS[name].function(probe, **options)
    assert told == [total, *[4] * -(-total // 4)]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return make_classifier()


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize(
    ("options", "total"),
    [
        ({"method": "RISE", "n_masks": 12}, 12),
        ({"method": "Ablation-CAM"}, None),
        ({"method": "Ablation-CAM", "layer": [0, 2]}, None),
        ({"method": "Grad-CAM", "n_samples": 5}, 5),
        ({"method": "Saliency", "n_samples": 2, "augment": True}, 12),
        ({"method": "Integrated Gradients", "steps": 6, "n_samples": 3}, 18),
    ],
)
def test_an_explanation_tells_how_far_it_is(
    options: dict[str, Any],
    total: int | None,
    model: keras.Model,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen: list[tuple[str, int, int | None]] = []
    clock = itertools.count(0, 20)
    monkeypatch.setattr(progress, "monotonic", lambda: next(clock))

    class Bar:
        def draw(self, tasks: list[progress.Progress]) -> None:
            seen.extend((task.label, task.done, task.total) for task in tasks)

        def close(self) -> None:
            pass

    monkeypatch.setattr(progress, "_display", lambda: Bar)
    doc = keras.random.uniform((1, *SIZE), seed=1).__array__()
    expected = eli5.explain_prediction(model, doc, **options, batch_size=4, progress=False)
    assert seen == []
    assert eli5.explain_prediction(model, doc, **options, batch_size=4) == expected
    labels, counts, totals = zip(*seen, strict=True)
    assert set(labels) == {options["method"]}
    assert sorted(counts) == list(counts)
    assert counts[-1] == totals[-1] == (total or totals[-1])
    if "layer" not in options:
        assert len(set(totals)) == 1


def test_progress_is_true_false_or_none(model: keras.Model) -> None:
    doc = np.zeros((1, *SIZE), "float32")
    with pytest.raises(TypeError, match=r"Expected `progress` to be True, False or None\. .*'yes'"):
        eli5.explain_prediction(model, doc, progress="yes")  # type: ignore[arg-type]

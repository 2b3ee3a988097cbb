"""Metrics of models of all kinds: the same network has the same numbers, and keeps its weights."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.demo import load_detector, load_scene
from eli5.metrics import average_drop, deletion, efficient_randomisation, road, srg
from eli5.targets import Detection, Region
from helpers.model_kinds import KINDS, picture
from helpers.models import sample, with_weights
from helpers.segmenters import SIZE, make_segmenter, mean_score

NAMES = [
    "nested functional",
    "subclass, lists",
    "custom block",
    "two outputs, dict",
    "channels first",
    "mixed_bfloat16",
]


@pytest.fixture(scope="module")
def flat_value() -> float:
    model = KINDS["flat"].make()
    return deletion(model, picture(), eli5.explain_prediction(model, picture())).mean


@pytest.mark.parametrize("name", NAMES)
def test_one_network_has_one_number_in_whatever_shape(name: str, flat_value: float) -> None:
    kind = KINDS[name]
    model, doc = kind.make(), kind.doc(picture())
    before = [np.array(keras.ops.convert_to_numpy(one.value)) for one in model.variables]
    expl = eli5.explain_prediction(model, doc, **kind.options)
    about = {key: value for key, value in kind.options.items() if key == "output"}
    found = deletion(model, [doc], expl, **about)
    assert found.mean == pytest.approx(flat_value, abs=max(kind.atol, 1e-5))
    assert np.isfinite(efficient_randomisation(model, [doc], **kind.options).values).all()
    for one, variable in zip(before, model.variables, strict=True):
        assert one.tobytes() == np.array(keras.ops.convert_to_numpy(variable.value)).tobytes()


def reader_of(shape: tuple[int, ...], *parts: Any) -> keras.Model:
    top = layers.Dense(3, activation="softmax")
    return with_weights(keras.Sequential([keras.Input(shape), *parts, top]), seed=4)


def test_a_coarse_map_of_a_series_or_a_volume_lies_over_all_of_it() -> None:
    conv = layers.Conv1D(4, 3, strides=2, padding="same", activation="relu")
    model, doc = reader_of((16, 3), conv, layers.GlobalMaxPooling1D()), sample((16, 3))
    expl = eli5.explain_prediction(model, doc)
    heat = expl.heatmap_on_input()
    assert heat.shape == (16,)
    target = [expl.targets[0].target]
    for metric in (srg, road):
        plain = metric(model, doc, [heat], targets=target)
        assert metric(model, doc, expl).mean == pytest.approx(plain.mean, abs=1e-6)
    conv = layers.Conv3D(4, 3, strides=2, padding="same", activation="relu")
    model, doc = reader_of((4, 6, 8, 1), conv, layers.GlobalMaxPooling3D()), sample((4, 6, 8, 1))
    expl = eli5.explain_prediction(model, doc)
    plain = srg(model, doc, [expl.heatmap_on_input()], targets=[expl.targets[0].target])
    assert srg(model, doc, expl).mean == pytest.approx(plain.mean, abs=1e-6)


def test_steps_that_the_model_masks_stay_masked() -> None:
    parts = layers.Masking(), layers.SimpleRNN(4, name="rnn")
    model, doc = reader_of((6, 2), *parts), sample((6, 2))
    doc[0, 4:] = 0
    values = np.array([0.3, 0.1, 0.2, 0.4, 0.9, 0.8])
    result = deletion(model, doc, [values], targets=[1], baseline=0.5)
    # The two that go first are masked: nothing changes with them.
    scores = result.curves[0]["score"]
    np.testing.assert_allclose(scores[:3], scores[0], atol=1e-6)
    assert np.ptp(scores) > 1e-3


def test_a_model_of_one_batch_size_is_measured() -> None:
    inputs = keras.Input(batch_shape=(3, 12, 16, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3, activation="relu")(inputs))
    outputs = layers.Dense(2, activation="softmax")(x)
    model = with_weights(keras.Model(inputs, outputs), seed=2)
    doc = sample((12, 16, 3))
    expl = eli5.explain_prediction(model, doc)
    target = expl.targets[0].target
    result = deletion(model, doc, expl, steps=7)
    expected = keras.ops.convert_to_numpy(model(np.repeat(doc, 3, axis=0)))[0, target]
    assert result.curves[0]["score"][0] == pytest.approx(float(expected), abs=1e-6)
    assert result.passes == 8


def test_a_map_of_a_region_is_measured_by_the_regions_own_score() -> None:
    model, doc = make_segmenter(), np.random.default_rng(0).random((1, *SIZE, 3), "float32")
    mask = np.zeros(SIZE, bool)
    mask[2:9, 3:11] = True
    expl = eli5.explain_prediction(
        model, doc, target=Region(1, mask), method="Gradient × Input", grade=True
    )
    curves = srg(model, doc, expl, steps=4).curves[0]
    outputs = keras.ops.convert_to_numpy(model(doc))[0]
    assert curves["highest first"][0] == pytest.approx(mean_score(outputs, 1, mask), rel=1e-4)
    assert 0 <= expl.targets[0].grade.value <= 1
    assert expl.targets[0].grade.parts["other class"] is None
    with pytest.raises(ValueError, match="Expected a classifier whose probabilities are known"):
        average_drop(model, doc, expl)


def test_a_map_of_a_box_is_measured_by_the_boxs_own_score() -> None:
    model, doc = load_detector(), load_scene().image[None]
    expl = eli5.explain_prediction(model, doc, target=Detection(0))
    result = srg(model, doc, expl, steps=3)
    first, last = result.curves[0]["highest first"][[0, -1]]
    assert first == pytest.approx(expl.targets[0].explained, rel=1e-3)
    assert result.mean > 0 > last  # there is no box in a grey picture
    assert result.score == expl.targets[0].explained_name == "log-odds"

"""Several classes from one run of the model; each as if it were alone."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.model_kinds import SIZE, flat, picture
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()
FORMULAS = [name for name in WITHOUT_ATTENTION if not METHODS[name].is_black_box]
SETTINGS: dict[str, dict[str, Any]] = {
    "SmoothGrad": {"n_samples": 3},
    "VarGrad": {"n_samples": 3},
    "SquareGrad": {"n_samples": 3},
    "Integrated Gradients": {"steps": 4},
    "Occlusion": {"patch": 8, "stride": 8},
    "RISE": {"n_masks": 8, "cells": 3},
    "KernelSHAP": {"segments": np.arange(960).reshape(24, 40) // 240},
    "LIME": {"segments": np.arange(960).reshape(24, 40) // 240, "n_samples": 16},
}


@pytest.fixture(scope="module")
def net() -> keras.Model:
    return flat()


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("method", [name for name in WITHOUT_ATTENTION if name not in FORMULAS])
def test_each_class_of_a_black_box_method_is_as_if_it_were_alone(
    method: str, net: keras.Model
) -> None:
    options: dict[str, Any] = {"method": method, **SETTINGS.get(method, {})}
    several = eli5.explain_prediction(net, picture(), top_targets=3, **options)
    check(several, net, options)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_each_class_of_a_formula_is_as_if_it_were_alone(net: keras.Model) -> None:
    several = eli5.explain_prediction(net, picture(), top_targets=4, methods=FORMULAS)
    for target in range(4):
        alone = eli5.explain_prediction(net, picture(), targets=[target], methods=FORMULAS)
        for one, all_ in zip(alone, several, strict=True):
            (found,) = (t for t in all_.targets if t.target == target)
            assert_same(found, one.targets[0])


def check(several: Any, net: keras.Model, options: Any) -> None:
    order = np.argsort(-net.predict(picture(), verbose=0)[0])
    assert [target.target for target in several.targets] == order[:3].tolist()
    for target in several.targets:
        alone = eli5.explain_prediction(net, picture(), targets=[target.target], **options)
        assert_same(target, alone.targets[0])


def assert_same(one: Any, two: Any) -> None:
    assert (one.target, one.class_name) == (two.target, two.class_name)
    assert one.score == pytest.approx(two.score, abs=1e-6)
    atol = 2e-5 * np.abs(two.attribution).max() + 1e-9
    np.testing.assert_allclose(one.attribution, two.attribution, atol=atol)
    assert (one.details or {}).keys() == (two.details or {}).keys()
    for key, value in (two.details or {}).items():
        assert one.details[key] == pytest.approx(value, abs=1e-3)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_classes_differ_but_for_eigen_cam(net: keras.Model) -> None:
    for explanation in eli5.explain_prediction(net, picture(), top_targets=4, methods=FORMULAS):
        maps = [target.attribution for target in explanation.targets]
        differ = [np.abs(a - b).max() > 0 for k, a in enumerate(maps) for b in maps[:k]]
        assert any(differ) == METHODS[explanation.method].has_class


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_formulas_and_classes_share_one_forward_pass(
    net: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    options: dict[str, Any] = {"top_targets": 3, "methods": FORMULAS}
    calls, original = [], type(net).call

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(self)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(net), "call", call)  # before: another `call` is compiled anew
    eli5.explain_prediction(net, picture(), **options)
    calls.clear()
    eli5.explain_prediction(net, picture(), **options)
    # Elsewhere than on PyTorch the compiled program runs without Python.
    assert len(calls) == (BACKEND == "torch")


def test_a_black_box_method_runs_as_often_for_one_class_as_for_several(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if BACKEND != "torch":
        pytest.skip("runs can be counted on PyTorch alone, where Python runs each")
    net, original = flat(), keras.Sequential.call
    counts = [0]
    options: dict[str, Any] = {"method": "Occlusion", "patch": 8, "stride": 8}

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        counts[-1] += 1
        return original(self, *args, **kwargs)

    monkeypatch.setattr(keras.Sequential, "call", call)  # before: another `call` is traced anew
    eli5.explain_prediction(net, picture(), **options)
    counts.clear()
    for n_targets in (1, 2):
        counts.append(0)
        eli5.explain_prediction(net, picture(), top_targets=n_targets, **options)
    # The classes, the windows, 15 of them in one batch, and the whole picture.
    assert counts == [3, 3]
    assert SIZE[0] // 8 * SIZE[1] // 8 == 15


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_many_classes_are_explained_a_few_at_a_time() -> None:
    model = with_weights(
        keras.Sequential(
            [
                *(keras.Input((6, 7, 3)), layers.Conv2D(4, 3), layers.GlobalAveragePooling2D()),
                layers.Dense(70, activation="softmax"),
            ]
        )
    )
    doc = sample((6, 7, 3))
    methods = ["HiResCAM", "Integrated Gradients", "VarGrad", "Occlusion"]
    probabilities = keras.ops.convert_to_numpy(model(doc))[0]
    for expl in eli5.explain_prediction(model, doc, top_targets=35, methods=methods):
        ids = [target.target for target in expl.targets]
        assert ids == np.argsort(-probabilities, kind="stable")[:35].tolist()
        for k in (0, 20, 34):
            alone = eli5.explain_prediction(model, doc, targets=[ids[k]], method=expl.method)
            np.testing.assert_allclose(
                expl.targets[k].attribution, alone.targets[0].attribution, rtol=1e-4, atol=1e-6
            )
            assert expl.targets[k].explained == pytest.approx(alone.targets[0].explained, abs=1e-5)
            assert expl.targets[k].proba == pytest.approx(probabilities[ids[k]], abs=1e-6)

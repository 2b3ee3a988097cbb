"""Explaining whatever comes returns, or raises an error that says what came; no heatmap misleads.

``ELI5_FUZZ_CALLS`` says how many calls are tried, each time others; `make fuzz` tries 10,000 on
PyTorch and prints the counts.
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from keras import layers
from PIL import Image

import eli5
from eli5.base import Explanation
from helpers import hostile
from helpers.conv_twin import N_CLASSES, SIZE, TWINS, ConvTwin, conv_net
from helpers.hostile_calls import LOOKS, counts, fuzzed, nothing_wrong, outcome, wrong
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.filterwarnings("ignore:the matrix subclass")
_nothing_wrong = pytest.fixture(autouse=True)(nothing_wrong)


@pytest.fixture(scope="module", autouse=True)
def _print_counts() -> Iterator[None]:
    counts.clear()
    yield
    print("\nhostile calls that explain:", dict(sorted(counts.items())))


@pytest.fixture(scope="module")
def models() -> dict[str, keras.Model]:
    """Return a model of pictures, one of token ids, and one of series."""
    reader = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(10, 4, name="embed"),
            layers.Conv1D(3, 3, activation="relu", name="conv"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    waves = keras.Sequential(
        [
            keras.Input((9, 2)),
            layers.Conv1D(3, 3, activation="relu", name="conv"),
            layers.Flatten(),
            layers.Dense(1),
        ]
    )
    return {
        "picture": conv_net(),
        "text": with_weights(reader),
        "series": with_weights(waves),
    }


DOCS: dict[str, Array] = {
    "picture": sample(SIZE),
    "text": np.array([[1, 2, 3, 4, 5, 0]], "int32"),
    "series": sample((9, 2)),
}
COMMON: dict[str, list[Any]] = {
    "targets": [None, [0], [1]],
    "layer": [None, "conv", 0, ["conv"], ("conv", 0), -1, "flat"],
    "method": [*TWINS, "gradcam", "Saliency", "Occlusion", "Ablation-CAM", "ShapleyCAM", "CAM"],
    "methods": [["Grad-CAM"], ["Grad-CAM", "HiResCAM"], ("LayerCAM",)],
    "score": ["auto", "log-odds", "logit", "output"],
    "sign": ["positive", "negative"],
    "classes": [[0], [1, 0], ["a", 1], (0,), np.array([0, 1])],
    "top_targets": [1, 2, 3],
    "class_names": [["a", "b", "c"], {"a": 0, "b": 1, "c": 2}, {0: "a", 1: "b", 2: "c"}],
    "task": [None, "classification", "regression"],
    "input": [None, 0, "doc"],
    "output": [None, 0, "head"],
    "grid": [None, (4, 6), [4, 6]],
    "data_format": [None, "channels_last"],
    "fusion": ["mean", "max"],
    "batch_size": [1, 4, 32],
    "n_samples": [0, 2],
    "noise": [0.1],
    "augment": [False, True],
    "seed": [0, 5],
    "patch": [2],
    "baseline": [0.0, "mean"],
    "not_an_option": [1],
}
OWN: dict[str, dict[str, list[Any]]] = {
    "picture": {"image": [None, Image.new("RGB", (16, 12)), "conv"]},
    "text": {
        "tokens": [list("abcdef"), np.array(list("abcdef"))],
        "pad_value": [0, 0.0, 7],
        "pad_token": ["f"],
    },
    "series": {
        "time": [np.arange(9), np.arange(9).astype("M8[D]"), list(range(9))],
        "channel_names": [["x", "y"]],
    },
}


# Methods with the options that only they have, at little cost.
BUNDLES: list[dict[str, Any]] = [
    {"method": "Occlusion", "patch": 2, "stride": 1, "baseline": "mean"},
    {"method": "RISE", "n_masks": 8, "cells": 2, "probability": 0.5, "seed": 1},
    {"method": "KernelSHAP", "n_samples": 8, "n_segments": 4, "seed": 1},
    {"method": "LIME", "n_samples": 8, "n_segments": 4, "alpha": 1.0, "kernel_width": 0.25},
    {"method": "Integrated Gradients", "steps": 3, "baseline": 0.5},
    {"method": "SmoothGrad", "n_samples": 2, "noise": 0.1, "seed": 1},
    {"method": "VarGrad", "n_samples": 2, "noise": 0.1},
    {"method": "Finer-CAM", "n_similar": 1, "gamma": 0.5},
    {"method": "Ablation-CAM", "baseline": "mean"},
    {"method": "Score-CAM", "n_maps": 2, "baseline": 0.0},
    {"method": "Saliency", "n_samples": 2, "noise": 0.1, "seed": 1, "augment": True},
]


@st.composite
def bundles(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a method with all its options, at times one of anything."""
    options = dict(draw(st.sampled_from(BUNDLES)))
    if draw(st.booleans()):
        options[draw(st.sampled_from(sorted(options)))] = draw(hostile.things)
    return options


@st.composite
def calls(draw: st.DrawFn, *, many: bool = False) -> tuple[str, Any, dict[str, Any]]:
    """Draw the name of a model, a doc or docs, and options."""
    kind = draw(st.sampled_from(["picture", "picture", "picture", "text", "series"]))
    others = {} if draw(st.integers(0, 3)) else OWN[draw(st.sampled_from(sorted(OWN)))]
    known = hostile.options({**COMMON, **OWN[kind], **others})
    options = draw(bundles() if not draw(st.integers(0, 4)) else known)
    doc = draw(hostile.docs(DOCS[kind]))
    if many:
        if "image" in options:
            options["images"] = [options.pop("image")]
        doc = draw(st.sampled_from([lambda one: one, lambda one: [one], lambda one: iter([one])]))(
            doc
        )
    return kind, doc, options


@fuzzed("explain")
@given(calls())
def test_explain_prediction(models: dict[str, keras.Model], call: Any) -> None:
    kind, doc, options = call
    given_doc = copy.deepcopy(doc) if isinstance(doc, np.ndarray) else None
    said = f"explain_prediction({kind}, {doc!r:.60}, **{options!r:.400})"
    found = outcome(lambda: eli5.explain_prediction(models[kind], doc, **options), said)
    if given_doc is not None and given_doc.dtype.kind != "O":
        np.testing.assert_array_equal(np.asarray(doc), np.asarray(given_doc))
    for expl in found if isinstance(found, list) else [found] if found is not None else []:
        check_explanation(expl, said)
        if kind == "picture":
            check_numbers(ConvTwin(models[kind]), expl, doc, options, said)


@fuzzed("many")
@given(calls(many=True))
def test_explain_predictions(models: dict[str, keras.Model], call: Any) -> None:
    kind, docs, options = call
    said = f"explain_predictions({kind}, {docs!r:.60}, **{options!r:.400})"
    found = outcome(
        lambda: list(itertools.islice(eli5.explain_predictions(models[kind], docs, **options), 3)),
        said,
    )
    for expl in found or []:
        for one in expl if isinstance(expl, list) else [expl]:
            check_explanation(one, said)


@fuzzed("show")
@given(calls(), hostile.options(LOOKS))
def test_show_prediction(models: dict[str, keras.Model], call: Any, looks: dict[str, Any]) -> None:
    kind, doc, options = call
    said = f"show_prediction({kind}, {doc!r:.200}, **{options | looks!r:.400})"
    found = outcome(lambda: eli5.show_prediction(models[kind], doc, **options, **looks), said)
    assert found is None or isinstance(found, Image.Image | Explanation | list), said


def check_explanation(expl: Any, said: str) -> None:
    """Check that an explanation has heatmaps in [0, 1] and formats, or says why it has none."""
    assert isinstance(expl, Explanation), said
    if expl.error:
        assert "not supported" in expl.error, said
        return
    assert expl.targets, said
    for target in expl.targets:
        heatmap = target.heatmap
        assert heatmap.dtype == np.float32, said
        assert np.isfinite(heatmap).all(), said
        assert heatmap.min() >= 0, said
        assert heatmap.max() <= 1, said
    if not all(target.heatmap.any() for target in expl.targets):
        is_signed = any(np.any(target.attribution) for target in expl.targets)
        assert is_signed or "empty" in str(expl.description), said
    text = outcome(lambda: eli5.format_as_text(expl), said)
    assert isinstance(text, str), said


def check_numbers(
    twin: ConvTwin, expl: Explanation, doc: Any, options: dict[str, Any], said: str
) -> None:
    """Compare with the slow twin what it knows: CAMs of the plain doc at the one layer."""
    is_plain = not ({"n_samples", "augment"} & options.keys()) and not expl.error
    if not is_plain or expl.method not in TWINS or options.get("score") == "log-odds":
        return
    values = np.asarray(doc, "float64")
    assert values.shape == (1, *SIZE), said
    if not np.abs(values).max() < 1e4:
        return
    sign = -1 if options.get("sign") == "negative" else 1
    score = options.get("score", "auto")
    if score == "auto" and options.get("task") == "regression":
        score = "output"
    maps = twin.activations(values)
    for target in expl.targets:
        assert 0 <= target.target < N_CLASSES, said
        right = twin.attribution(values, expl.method, target.target, score, sign)
        largest = np.abs(right).max()
        if 0 < largest < 1e-6:  # of a saturated softmax; float32 has no digits left
            continue
        counts["heatmaps compared"] += 1
        is_right = target.score == pytest.approx(
            twin.probabilities(maps)[target.target], abs=1e-4
        ) and np.allclose(target.attribution, right, atol=2e-3 * largest + 1e-12)
        if not is_right:
            wrong("silently wrong", said, f"{target.attribution}\nis not\n{right}")

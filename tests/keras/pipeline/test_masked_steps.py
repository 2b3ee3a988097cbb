"""Steps of a series that a `Masking` layer masks: no method heats, or unmasks, them."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import METHODS
from eli5.keras.methods import WITHOUT_ATTENTION
from helpers.models import ROUNDING, with_weights

# Of the two backends that compile one is enough.
pytestmark = pytest.mark.skipif(
    keras.backend.backend() == "tensorflow", reason="the same on each backend"
)

Array = np.ndarray[Any, Any]

STEPS, CHANNELS = 12, 3
MASKED = np.isin(np.arange(STEPS), [0, 1, 5, 6, 10, 11])

# Each needs no more than a recurrent model has.
NAMES = [name for name in WITHOUT_ATTENTION if name != "CAM"]
OPTIONS: dict[str, dict[str, Any]] = {
    "RISE": {"n_masks": 60},
    "KernelSHAP": {"n_samples": 80},
    "LIME": {"n_samples": 80},
    "SmoothGrad": {"n_samples": 8},
    "VarGrad": {"n_samples": 8},
    "SquareGrad": {"n_samples": 8},
}


def reader(mask_value: float, front: Callable[[Any], Any] = lambda x: x) -> keras.Model:
    inputs = keras.Input((STEPS, CHANNELS))
    x = layers.Masking(mask_value, name="masking")(front(inputs))
    x = layers.GRU(6, return_sequences=True, name="first")(x)
    x = layers.GRU(5, return_sequences=True, name="second")(x)
    x = layers.GlobalAveragePooling1D()(x)
    return with_weights(keras.Model(inputs, layers.Dense(2, activation="softmax")(x)))


# Traced once for all methods.
shared_reader = functools.cache(reader)


def masked_doc(mask_value: float, seed: int = 0) -> Array:
    doc = np.random.default_rng(seed).normal(size=(1, STEPS, CHANNELS)).astype("float32")
    doc[:, MASKED] = mask_value
    return doc


def attribution(model: keras.Model, doc: Array, method: str, **options: Any) -> Array:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an empty heatmap is right here, too
        explanation = eli5.explain_prediction(
            model, doc, method=method, targets=[1], **OPTIONS.get(method, {}), **options
        )
    return np.asarray(explanation.targets[0].attribution)


@pytest.mark.parametrize(
    ("method", "mask_value"),
    [*((name, -1.0) for name in NAMES), ("LIME", 0.0), ("SmoothGrad", 0.0), ("RISE", 99.9)],
)
def test_masked_steps_get_no_heat(method: str, mask_value: float) -> None:
    found = attribution(shared_reader(mask_value), masked_doc(mask_value), method)
    assert not found[MASKED].any()
    assert found[~MASKED].any() or METHODS[method].at == "layer"


@pytest.mark.parametrize("method", ["Grad-CAM", "HiResCAM", "Gradient × Input"])
def test_copies_of_a_series_are_masked_alike(method: str) -> None:
    found = attribution(shared_reader(-1.0), masked_doc(-1.0), method, n_samples=4)
    assert not found[MASKED].any()


SHOWN = np.flatnonzero(~MASKED)
SEGMENTS = np.searchsorted(SHOWN, np.arange(STEPS)).clip(max=len(SHOWN) - 1)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("Occlusion", {"patch": (1, CHANNELS), "baseline": 0.5}),
        ("Occlusion", {"patch": 1, "baseline": -1.0}),  # what hides a step may well mask it
        ("Integrated Gradients", {"baseline": 0.5}),
        ("KernelSHAP", {"baseline": 2.5}),
        ("Saliency", {}),
        ("Gradient × Input", {}),
    ],
)
def test_masked_steps_might_as_well_not_be_there(method: str, options: dict[str, Any]) -> None:
    model, doc = reader(-1.0), masked_doc(-1.0)
    inputs = keras.Input((len(SHOWN), CHANNELS))
    x = inputs
    for layer in model.layers[1:]:
        x = layer(x)
    of_shown = keras.Model(inputs, x)
    both: list[dict[str, Any]] = [{}, {}]
    if method == "KernelSHAP":  # of few segments: exact
        both = [{"segments": SEGMENTS}, {"segments": np.arange(len(SHOWN))}]
    found = attribution(model, doc, method, **both[0], **options)
    expected = attribution(of_shown, doc[:, SHOWN], method, **both[1], **options)
    assert expected.all()
    np.testing.assert_allclose(
        found[SHOWN], expected, atol=ROUNDING * 1e-4 * np.abs(expected).max()
    )


class WatchingMasking(layers.Masking):  # type: ignore[misc]
    """Keeps what it sees; on other backends than PyTorch, which compile, it sees no numbers."""

    seen: list[Array]

    def call(self, inputs: Any) -> Any:
        if keras.backend.backend() == "torch":
            self.seen.append(keras.ops.convert_to_numpy(inputs))
        return super().call(inputs)


@pytest.mark.parametrize(
    "method", ["Occlusion", "RISE", "KernelSHAP", "LIME", "SmoothGrad", "Integrated Gradients"]
)
@pytest.mark.skipif(keras.backend.backend() != "torch", reason="only PyTorch runs in the open")
def test_what_is_left_out_unmasks_nothing(method: str) -> None:
    masking = WatchingMasking(-1.0)
    masking.seen = []
    inputs = keras.Input((STEPS, CHANNELS))
    x = layers.GRU(5)(masking(inputs))
    model = with_weights(keras.Model(inputs, layers.Dense(2, activation="softmax")(x)))
    masking.seen.clear()  # what Keras itself tries shapes with
    attribution(model, masked_doc(-1.0), method)
    assert len(masking.seen) > 2
    for batch in masking.seen:
        assert (batch[:, MASKED] == -1).all()
    assert any((batch != masked_doc(-1.0)).any() for batch in masking.seen)


def test_the_description_says_so() -> None:
    explanation = eli5.explain_prediction(reader(0.0), masked_doc(0.0), method="Saliency")
    assert "The model masks 6 of 12 steps" in explanation.description
    doc = np.ones((1, STEPS, CHANNELS), "float32")
    explanation = eli5.explain_prediction(reader(0.0), doc, method="Saliency")
    assert "masks" not in explanation.description


@pytest.mark.parametrize("method", ["Occlusion", "SmoothGrad", "Grad-CAM"])
def test_each_doc_of_a_batch_has_masked_steps_of_its_own(method: str) -> None:
    docs = np.random.default_rng(0).normal(size=(3, STEPS, CHANNELS)).astype("float32")
    docs[0, 4:] = 0
    docs[2, :7] = 0
    options = {"targets": [1, 1, 1], "method": method, **OPTIONS.get(method, {})}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        first, second, third = (
            one.targets[0].attribution
            for one in eli5.explain_predictions(reader(0.0), docs, **options)
        )
    assert not first[4:].any()
    assert second[4:].any()
    assert second[:7].any()
    assert not third[:7].any()


FRONTS: dict[str, tuple[Callable[[Any], Any], float]] = {
    "rescaled": (layers.Rescaling(2.0, offset=1.0), -1.0),
    "normalised": (layers.Normalization(mean=0.5, variance=4.0), (-1.0 - 0.5) / 2),
    "two layers": (
        lambda x: layers.Rescaling(0.5)(layers.Activation("relu")(x)),
        0.0,
    ),
}


@pytest.mark.parametrize("front", FRONTS)
def test_a_masking_behind_layers_that_take_each_step_alone(front: str) -> None:
    make, mask_value = FRONTS[front]
    model = reader(mask_value, make)
    doc = np.abs(masked_doc(-1.0)) + 0.25
    doc[:, MASKED] = -1.0
    for method in ("Occlusion", "SmoothGrad"):
        found = attribution(model, doc, method)
        assert not found[MASKED].any()
        assert found[~MASKED].any()


def test_a_masking_behind_a_window_tells_nothing_of_the_steps() -> None:
    # The step before a masked one still has a part in what comes out beside it.
    model = reader(0.0, layers.Conv1D(3, 3, padding="same", activation="relu"))
    found = attribution(model, masked_doc(0.0), "Saliency")
    assert found[~MASKED].all()


class Shifting(keras.Model):  # type: ignore[misc]
    """A subclass that computes with the doc before it masks."""

    def __init__(self) -> None:
        super().__init__()
        self.masking = layers.Masking(0.0)
        self.gru = layers.GRU(5)
        self.head = layers.Dense(2, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.head(self.gru(self.masking(x + 1.0)))


def test_what_a_call_computes_before_the_masking_counts() -> None:
    model = Shifting()
    model(np.zeros((1, STEPS, CHANNELS), "float32"))
    doc = masked_doc(-1.0)
    doc[:, 3] = 0  # which is not masked
    found = attribution(with_weights(model), doc, "Occlusion", baseline=0.5)
    assert not found[MASKED].any()
    assert found[3].any()


def test_vectors_of_a_text_are_masked_within_it() -> None:
    tokens = [f"t{k}" for k in range(STEPS)]
    explanation = eli5.explain_prediction(
        reader(-1.0), masked_doc(-1.0), tokens=tokens, method="LIME", targets=[1], n_samples=80
    )
    heat = explanation.targets[0].attribution
    assert len(heat) == 8  # without what is masked before and after it
    assert not heat[3:5].any()
    assert heat[:3].any()


def test_a_series_that_is_masked_from_end_to_end() -> None:
    doc = np.zeros((1, STEPS, CHANNELS), "float32")
    with pytest.warns(UserWarning, match="is empty"):
        explanation = eli5.explain_prediction(reader(0.0), doc, method="Occlusion")
    assert not explanation.targets[0].heatmap.any()
    assert "masks 12 of 12 steps" in explanation.description

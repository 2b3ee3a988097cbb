"""Models that take one number of samples only: by the states they keep, or by their shapes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from helpers.models import ROUNDING, sample, with_weights

Array = np.ndarray[Any, Any]

STEPS, CHANNELS, UNITS = 10, 3, 4

METHODS: list[tuple[str, dict[str, Any]]] = [
    ("Grad-CAM", {}),
    ("Grad-CAM", {"n_samples": 3}),
    ("ShapleyCAM", {}),
    ("Ablation-CAM", {}),
    ("Score-CAM", {}),
    ("Saliency", {}),
    ("SmoothGrad", {"n_samples": 11}),
    ("Integrated Gradients", {"steps": 11}),
    ("Occlusion", {}),
    ("RISE", {"n_masks": 21}),
    ("KernelSHAP", {"n_samples": 50}),
    ("LIME", {"n_samples": 21}),
]
if keras.backend.backend() != "torch":  # one of each way to ask; each compiles for itself
    METHODS = [one for one in METHODS if one[0] in ("ShapleyCAM", "Ablation-CAM", "SmoothGrad")]


class FromState(layers.Layer):  # type: ignore[misc]
    """A recurrent layer that keeps nothing, and starts from one and the same state."""

    def __init__(self, units: int, name: str, **options: Any) -> None:
        super().__init__(name=name)
        self.gru = layers.GRU(units, **options)
        self.start = np.zeros((1, units))

    def call(self, x: Any) -> Any:
        rows = ops.repeat(ops.convert_to_tensor(self.start, "float32"), ops.shape(x)[0], axis=0)
        return self.gru(x, initial_state=rows)


def make(gru: Any, batch: int | None, **options: Any) -> keras.Model:
    return with_weights(
        keras.Sequential(
            [
                keras.Input((STEPS, CHANNELS), batch_size=batch),
                gru(UNITS, return_sequences=True, name="first", **options),
                gru(UNITS, return_sequences=True, name="second", **options),
                layers.GlobalAveragePooling1D(),
                layers.Dense(2, activation="softmax"),
            ]
        )
    )


def stateful(batch: int, *, seed: int | None = None) -> keras.Model:
    """Return a model that keeps a state per sample, zeros or, with a seed, others in each row."""
    model = make(layers.GRU, batch, stateful=True)
    for layer in model.layers[:2]:
        shape = layer.states[0].shape
        values = np.zeros(shape) if seed is None else np.random.default_rng(seed).normal(size=shape)
        layer.states[0].assign(values)
    return model


def free_twin(model: keras.Model, row: int) -> keras.Model:
    """Return a model with the same weights that starts from the state in one row, always."""
    twin = make(FromState, None)
    for layer, other in zip(twin.layers, model.layers, strict=True):
        layer.set_weights(other.get_weights()[: len(layer.weights)])
    for layer, other in zip(twin.layers[:2], model.layers[:2], strict=True):
        layer.start = np.array(ops.convert_to_numpy(other.states[0]))[row : row + 1]
    return twin


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize(("method", "options"), METHODS, ids=lambda x: str(x))
def test_stateful_models_are_explained_from_their_state(
    method: str, options: dict[str, Any], batch: int
) -> None:
    doc = sample((STEPS, CHANNELS))
    model = stateful(batch, seed=1)
    before = [ops.convert_to_numpy(layer.states[0]).copy() for layer in model.layers[:2]]
    # The logit, whose maps are not empty for these weights.
    options = {"method": method, "score": "logit", **options}
    found = eli5.explain_prediction(model, doc, **options).targets[0]
    expected = eli5.explain_prediction(
        free_twin(model, 0), doc, targets=[found.target], **options
    ).targets[0]
    largest = np.abs(expected.attribution).max()
    assert largest > 0
    np.testing.assert_allclose(
        found.attribution, expected.attribution, atol=ROUNDING * 1e-4 * largest
    )
    assert found.score == pytest.approx(expected.score, rel=1e-4)
    for layer, state in zip(model.layers[:2], before, strict=True):
        np.testing.assert_array_equal(ops.convert_to_numpy(layer.states[0]), state)


def test_each_doc_of_a_batch_has_the_state_of_its_row() -> None:
    model = stateful(3, seed=2)
    docs = np.concatenate([sample((STEPS, CHANNELS), seed) for seed in range(5)])
    for method in ("Saliency", "Occlusion"):
        options: dict[str, Any] = {"method": method, "score": "logit"}
        found = list(eli5.explain_predictions(model, docs, **options))
        assert len(found) == 5
        for k, one in enumerate(found):
            twin = free_twin(model, k % 3)
            target = [one.targets[0].target]
            alone = eli5.explain_prediction(twin, docs[k : k + 1], targets=target, **options)
            np.testing.assert_allclose(
                one.targets[0].heatmap, alone.targets[0].heatmap, atol=ROUNDING * 1e-4
            )


def flattening(rows: int) -> Callable[[int | None], keras.Model]:
    """Return what makes a model with its number of samples in a reshape."""

    def build(batch: int | None) -> keras.Model:
        inputs = keras.Input((9, 11, 2), batch_size=batch)
        x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Flatten()(x) if batch is None else ops.reshape(x, (rows, 4 * 4 * 3))
        return with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))

    return build


@pytest.mark.parametrize("batch", [1, 8])
@pytest.mark.parametrize("method", ["Grad-CAM", "Ablation-CAM", "Occlusion", "SmoothGrad"])
def test_models_with_a_batch_in_their_shapes(method: str, batch: int) -> None:
    build = flattening(batch)
    docs = np.concatenate([sample((9, 11, 2), seed) for seed in range(3)])
    fixed, free = build(batch), build(None)
    found = list(eli5.explain_predictions(fixed, docs, method=method))
    expected = list(eli5.explain_predictions(free, docs, method=method))
    for one, other in zip(found, expected, strict=True):
        assert one.layer == other.layer
        np.testing.assert_allclose(
            one.targets[0].heatmap, other.targets[0].heatmap, atol=ROUNDING * 1e-4
        )


@pytest.mark.parametrize("batch", [1, 8])
def test_a_batch_that_is_merely_declared_is_not_kept_to(batch: int) -> None:
    # As of a `Sequential` that saw its first batch.
    model = keras.Sequential([layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(2)])
    model(np.zeros((batch, 6, 7, 1), "float32"))
    seen = []

    class Counting(layers.Layer):  # type: ignore[misc]
        def call(self, x: Any) -> Any:
            seen.append(x.shape[0])
            return x

    counting = keras.Sequential([keras.Input((6, 7, 1), batch_size=batch), Counting(), model])
    eli5.explain_prediction(counting, sample((6, 7, 1)), score="output", method="RISE", n_masks=64)
    assert 32 in seen


class Stepping(keras.Model):  # type: ignore[misc]
    """A subclass that was never built, with a layer that keeps a state, and a counter."""

    def __init__(self) -> None:
        super().__init__()
        self.gru = layers.GRU(UNITS, return_sequences=True, stateful=True, name="gru")
        self.head = layers.Dense(2, activation="softmax")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False)

    def call(self, x: Any) -> Any:
        self.calls.assign(self.calls + 1)
        return self.head(ops.mean(self.gru(x), axis=1))


def test_a_model_that_is_built_for_its_first_explanation_keeps_no_state() -> None:
    model, doc = Stepping(), sample((STEPS, CHANNELS))
    first = eli5.explain_prediction(model, doc, method="Occlusion").targets[0]
    assert float(ops.convert_to_numpy(model.calls)) == 0
    assert not ops.convert_to_numpy(model.gru.states[0]).any()
    again = eli5.explain_prediction(model, doc, method="Occlusion").targets[0]
    np.testing.assert_array_equal(first.heatmap, again.heatmap)
    assert first.score == pytest.approx(float(model.predict(doc, verbose=0).max()), rel=1e-5)


def test_a_sequential_without_an_input_may_keep_a_state() -> None:
    model = keras.Sequential(
        [layers.LSTM(4, stateful=True, return_sequences=True), layers.Flatten(), layers.Dense(2)]
    )
    found = eli5.explain_prediction(model, sample((STEPS, CHANNELS)), method="Occlusion")
    assert found.targets[0].heatmap.shape == (STEPS, CHANNELS)


def test_a_bidirectional_layer_keeps_two_states() -> None:
    inner = layers.GRU(UNITS, return_sequences=True, stateful=True)
    inputs = keras.Input((STEPS, CHANNELS), batch_size=2)
    x = layers.Bidirectional(inner)(inputs)
    x = layers.GlobalAveragePooling1D()(x)
    model = with_weights(keras.Model(inputs, layers.Dense(2, activation="softmax")(x)))
    for method in ("Grad-CAM", "RISE"):
        doc = sample((STEPS, CHANNELS))
        found = eli5.explain_prediction(model, doc, method=method, score="logit")
        assert found.targets[0].heatmap.shape == (STEPS,)

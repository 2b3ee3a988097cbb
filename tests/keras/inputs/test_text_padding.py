"""What is padding takes no part in what is hidden; and texts as short as one token."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from helpers.models import with_weights
from helpers.text_twins import WORDS, text_model

Array = np.ndarray[Any, Any]
LENGTH = 200
HIDING = {
    "RISE": {"n_masks": 200},
    "KernelSHAP": {"n_samples": 100},
    "LIME": {"n_samples": 200},
    "Occlusion": {},
}


@pytest.fixture(scope="module")
def masking() -> keras.Model:
    """Return a model of texts of any length that looks away from padding."""
    steps = [
        keras.Input((None,), dtype="int32"),
        layers.Embedding(len(WORDS), 5, mask_zero=True, name="embed"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3, activation="softmax"),
    ]
    return with_weights(keras.Sequential(steps), seed=4)


def padded(ids: list[int], before: int = 0) -> Array:
    return np.array([[0] * before + ids + [0] * (LENGTH - before - len(ids))], "int32")


def attribution(model: keras.Model, ids: Array, method: str, **options: Any) -> Array:
    expl = eli5.explain_prediction(model, ids, targets=[1], method=method, **options)
    return np.asarray(expl.targets[0].attribution)


@pytest.mark.parametrize("method", HIDING)
@pytest.mark.parametrize("before", [0, 7])
def test_padding_is_not_what_is_hidden(masking: keras.Model, method: str, before: int) -> None:
    ids = [3, 5, 2, 8, 6]
    alone = attribution(masking, np.array([ids]), method, pad_value=0, **HIDING[method])
    found = attribution(masking, padded(ids, before), method, **HIDING[method])
    assert len(found) == len(ids)
    np.testing.assert_allclose(found, alone, atol=1e-4 * np.abs(alone).max())


def test_a_window_is_no_longer_than_the_text(masking: keras.Model) -> None:
    for options in ({"patch": 6}, {"patch": 6, "stride": 6}):
        found = attribution(masking, padded([3, 5]), "Occlusion", **options)
        assert found[0] == found[1] != 0
    with pytest.raises(ValueError, match="patch"):
        attribution(masking, padded([3, 5]), "Occlusion", patch=LENGTH + 1)


def test_segments_and_baselines_of_the_whole_text(masking: keras.Model) -> None:
    ids = padded([3, 5, 2, 8])
    pairs = np.arange(LENGTH) // 2
    found = attribution(masking, ids, "KernelSHAP", segments=pairs, n_samples=100)
    assert found[0] == found[1] != found[2] == found[3]
    zeros = np.zeros((1, LENGTH, 5), "float32")
    for baseline in (zeros, zeros[0]):
        given = attribution(masking, ids, "Occlusion", baseline=baseline)
        np.testing.assert_allclose(given, attribution(masking, ids, "Occlusion", baseline=0.0))


@pytest.mark.parametrize("method", HIDING)
def test_vectors_with_padding(method: str) -> None:
    steps = [
        keras.Input((8, 5)),
        layers.Conv1D(4, 3, padding="same", activation="relu"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    ]
    model = with_weights(keras.Sequential(steps), seed=3)
    doc = np.random.default_rng(0).normal(size=(1, 8, 5)).astype("float32")
    doc[0, 6:] = 0
    found = attribution(model, doc, method, tokens=list("abcdefgh"), pad_value=0, **HIDING[method])
    assert found.shape == (6,)
    assert np.abs(found).max() > 0


# ---- whether padding weighs the most -------------------------------------------------------------


def averaging(table: Array) -> keras.Model:
    """Return a model whose logits are the mean of its embedding's vectors."""
    steps = [
        keras.Input((6,), dtype="int32"),
        layers.Embedding(len(table), 2, name="embed"),
        layers.GlobalAveragePooling1D(),
        layers.Dense(2, use_bias=False, activation="softmax"),
    ]
    model = keras.Sequential(steps)
    model.set_weights([table, np.eye(2)])
    return model


@pytest.mark.parametrize(("of_padding", "is_told"), [(-9.0, True), (9.0, True), (-1e-3, False)])
def test_padding_that_weighs_the_most_is_told(of_padding: float, is_told: bool) -> None:
    model = averaging(np.array([[of_padding, 0], [-2.0, 0], [-1.0, 1]]))
    ids = np.array([[1, 2, 2, 0, 0, 0]])
    options: dict[str, Any] = {"pad_value": 0, "targets": [0], "method": "Gradient × Input"}
    expl = eli5.explain_prediction(model, ids, **options)
    assert ("The padding, which is not shown, weighs the most." in expl.description) == is_told


# ---- ids that there are not ----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "options", "received"),
    [
        ([1, 2, len(WORDS)], {}, "ids from 1 to 10 in doc"),
        ([-1, 2, 3], {}, "ids from -1 to 3 in doc"),
        ([1.5, 2.0, 3.0], {}, "ids from 1.5 to 3 in doc"),
        ([1, 2, 3], {"pad_value": 99}, "pad_value=99"),
        ([1, 2, 3], {"pad_value": -1}, "pad_value=-1"),
        ([1, 2, 3], {"pad_value": 1.5}, r"pad_value=1\.5"),
        ([1, 2, 3], {"pad_value": float("nan")}, "pad_value=nan"),
        ([1, 2, 3], {"pad_value": float("inf")}, "pad_value=inf"),
        ([1, 2, 3], {"pad_value": 10**400}, "pad_value=inf"),
    ],
)
def test_ids_must_be_the_embeddings(
    masking: keras.Model, ids: list[Any], options: dict[str, Any], received: str
) -> None:
    message = f"token ids of the model's embedding, from 0 to 9. Received: {received}"
    with pytest.raises(ValueError, match=message):
        eli5.explain_prediction(masking, np.array([ids]), method="Occlusion", **options)
    with pytest.raises(ValueError, match=message):
        list(eli5.explain_predictions(masking, [np.array(ids)], method="Occlusion", **options))


class Wrapping(keras.Model):  # type: ignore[misc]
    """Takes any number, and makes ids of them in its own `call`."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.pool = layers.Embedding(10, 5), layers.GlobalAveragePooling1D()
        self.head = layers.Dense(3)

    def call(self, ids: Any) -> Any:
        return self.head(self.pool(self.embed(ids % 10)))


def test_a_model_may_make_ids_of_what_it_takes() -> None:
    model = Wrapping()
    model(np.array([[1, 2, 3]]))
    with_weights(model)
    plain = attribution(model, np.array([[4, 5, 6]]), "HiResCAM")
    np.testing.assert_allclose(attribution(model, np.array([[14, 25, 6]]), "HiResCAM"), plain)


def test_no_path_leads_to_tokens_that_are_left_out(masking: keras.Model) -> None:
    with pytest.raises(ValueError, match=r"a baseline with numbers.*Received: baseline='mask'"):
        attribution(masking, padded([3]), "Integrated Gradients", baseline="mask")


# ---- one token -----------------------------------------------------------------------------------


BODIES: dict[str, Any] = {
    "embedding": list,
    "conv": lambda: [layers.Conv1D(4, 3, padding="same", activation="relu")],
    "lstm": lambda: [layers.LSTM(4, return_sequences=True)],
}


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_text_of_one_token(body: str) -> None:
    steps = [
        keras.Input((None,), dtype="int32"),
        layers.Embedding(len(WORDS), 5),
        *BODIES[body](),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    ]
    model = with_weights(keras.Sequential(steps), seed=1)
    for method in ("Grad-CAM", "Gradient × Input", "Occlusion"):
        options: dict[str, Any] = {"method": method, "tokens": ["good"], "targets": [1]}
        expl = eli5.explain_prediction(model, np.array([[5]]), **options)
        ((token, _, weight),) = expl.targets[0].weighted_spans.docs_weighted_spans[0].spans
        assert token == "good"
        assert weight == expl.targets[0].attribution[0]
        if method == "Gradient × Input" and body == "embedding":
            vector, kernel = model.layers[0].get_weights()[0][5], model.layers[-1].get_weights()[0]
            assert weight == pytest.approx(vector @ kernel[:, 1], rel=1e-5)
    without = eli5.explain_prediction(model, np.array([[5]]), method="Occlusion")
    assert without.targets[0].attribution.shape == (1,)


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_a_series_of_one_step() -> None:
    steps = [layers.Conv1D(4, 3, padding="same"), layers.GlobalAveragePooling1D(), layers.Dense(3)]
    model = with_weights(keras.Sequential([keras.Input((None, 2)), *steps]), seed=1)
    doc = np.array([[[0.5, -1.0]]], "float32")
    expl = eli5.explain_prediction(model, doc, method="HiResCAM", targets=[1])
    assert expl.targets[0].attribution.shape == (1,)


def test_a_table_of_one_number_is_still_a_table() -> None:
    model = keras.Sequential([keras.Input((1,)), layers.Dense(1), layers.Dense(2)])
    assert "not supported" in eli5.explain_prediction(model, np.zeros((1, 1), "float32")).error


def test_a_string_and_a_time() -> None:
    with pytest.raises(ValueError, match="Received: a string for `doc` and `time`, which speak"):
        eli5.explain_prediction(text_model(), "a good", time=[1, 2])

"""Texts: what is said of them, what is padding, and where their tokens lie."""

from __future__ import annotations

import itertools
import re
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from PIL import Image

import eli5
from eli5.base import DocWeightedSpans, WeightedSpans
from eli5.keras.inputs.text import join_tokens
from helpers.models import with_weights
from helpers.text_twins import WORDS, text_model

IDS = np.array([[1, 2, 3, 4, 5, 0, 0, 0]], "int32")
TOKENS = [WORDS[k] for k in IDS[0]]


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return text_model()


def spans_of(expl: Any, target: int = 0) -> DocWeightedSpans:
    weighted = expl.targets[target].weighted_spans
    assert isinstance(weighted, WeightedSpans)
    (found,) = weighted.docs_weighted_spans
    return found


# ---- the result ----------------------------------------------------------------------------------


def test_a_text_and_the_weights_of_its_tokens(model: keras.Model) -> None:
    expl = eli5.explain_prediction(model, IDS, tokens=TOKENS, pad_token="<pad>")
    (target,) = expl.targets
    assert expl.image is None
    assert expl.layer == "conv"
    assert target.heatmap.shape == target.attribution.shape == (5,)
    assert target.heatmap.max() == 1
    spans = spans_of(expl)
    assert spans.document == "the film was not good"
    assert [token for token, _, _ in spans.spans] == TOKENS[:5]
    for (token, ((start, end),), weight), value in zip(
        spans.spans, target.attribution, strict=True
    ):
        assert spans.document[start:end] == token
        assert weight == value
    assert "token raises the log-odds" in expl.description


@pytest.mark.parametrize(
    "tokens", [TOKENS, tuple(TOKENS), np.array(TOKENS), [TOKENS], np.array([TOKENS]), iter(TOKENS)]
)
def test_ways_to_give_tokens(model: keras.Model, tokens: Any) -> None:
    expl = eli5.explain_prediction(model, IDS, tokens=tokens)
    assert spans_of(expl).document == " ".join(TOKENS)


def test_tokens_of_pandas(model: keras.Model) -> None:
    pandas = pytest.importorskip("pandas")
    column = pandas.Series(TOKENS, index=range(7, 15))
    for tokens in (column, pandas.Index(TOKENS), [column], column.astype("category")):
        expl = eli5.explain_prediction(model, IDS, tokens=tokens)
        assert spans_of(expl).document == " ".join(TOKENS)
    column[8] = None
    with pytest.raises(
        TypeError, match=r"Expected `tokens` to be a list or an array of strings\. Received: "
    ):
        eli5.explain_prediction(model, IDS, tokens=column)


def test_without_tokens_the_ids_are_shown(model: keras.Model) -> None:
    assert spans_of(eli5.explain_prediction(model, IDS)).document == "1 2 3 4 5 0 0 0"


def test_vectors_in_the_place_of_ids() -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Dense(5, activation="relu"),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2, activation="softmax"),
        ]
    )
    with_weights(model, seed=2)
    doc = np.random.default_rng(0).normal(size=(1, 4, 3)).astype("float32")
    doc[0, 3] = -1.0
    expl = eli5.explain_prediction(
        model, doc, tokens=list("abcd"), pad_value=-1.0, method="HiResCAM"
    )
    assert spans_of(expl).document == "abc"
    gradients = eli5.explain_prediction(model, doc, tokens=list("abcd"), method="Gradient × Input")
    assert gradients.targets[0].attribution.shape == (4,)  # and not (4, 3), as of a series


def test_the_name_of_one_of_several_inputs() -> None:
    ids, other = keras.Input((4,), name="ids"), keras.Input((2,), name="other")
    x = layers.GlobalAveragePooling1D()(layers.Embedding(9, 3)(ids))
    model = keras.Model([ids, other], layers.Dense(2)(layers.Concatenate()([x, other])))
    doc = [np.array([[1, 2, 3, 4]]), np.ones((1, 2), "float32")]
    expl = eli5.explain_prediction(model, doc, tokens=list("abcd"), input="ids", method="HiResCAM")
    assert spans_of(expl).vec_name == "ids"


# ---- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ids", "kept"),
    [
        ([1, 2, 0, 0, 0, 0, 0, 0], "the film"),
        ([0, 0, 0, 0, 0, 0, 1, 2], "the film"),
        ([0, 1, 0, 2, 0, 0, 0, 0], "the <pad> film"),  # what is between words is no padding
        ([1, 2, 3, 4, 5, 6, 7, 8], "the film was not good bad a plot"),
    ],
)
def test_padding_before_and_after_is_cut(model: keras.Model, ids: list[int], kept: str) -> None:
    tokens = [WORDS[k] for k in ids]
    for said in ({"pad_token": "<pad>"}, {"pad_value": 0}):
        expl = eli5.explain_prediction(
            model, np.array([ids]), tokens=tokens, method="HiResCAM", **said
        )
        assert spans_of(expl).document == kept


def test_what_a_model_masks_is_padding() -> None:
    model = keras.Sequential(
        [
            keras.Input((4,)),
            layers.Embedding(9, 3, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )
    expl = eli5.explain_prediction(model, np.array([[5, 6, 0, 0]]), method="HiResCAM")
    assert spans_of(expl).document == "5 6"


def test_what_a_masking_layer_masks_is_padding() -> None:
    model = keras.Sequential(
        [
            keras.Input((4, 3)),
            layers.Masking(9.0),
            layers.Dense(3),
            layers.GlobalAveragePooling1D(),
            layers.Dense(2),
        ]
    )
    doc = np.ones((1, 4, 3), "float32")
    doc[0, 2:] = 9.0
    expl = eli5.explain_prediction(model, doc, tokens=list("abcd"), method="HiResCAM")
    assert spans_of(expl).document == "ab"


def test_padding_that_weighs_the_most_is_told(model: keras.Model) -> None:
    found = []
    for word, target in itertools.product(range(1, 10), range(3)):
        ids = np.array([[word, 0, 0, 0, 0, 0, 0, 0]])
        expl = eli5.explain_prediction(model, ids, targets=[target], pad_value=0, method="HiResCAM")
        whole = eli5.explain_prediction(model, ids, targets=[target], method="HiResCAM")
        weights = whole.targets[0].attribution
        is_hidden = np.abs(weights).max() > 1.001 * abs(weights[0])
        assert (
            "The padding, which is not shown, weighs the most." in expl.description
        ) == is_hidden
        found.append(is_hidden)
    assert {*found} == {True, False}


# ---- where steps lie -----------------------------------------------------------------------------

DELTA = [
    ("valid", [layers.Conv1D(1, 3, padding="valid", use_bias=False)]),
    ("same", [layers.Conv1D(1, 3, padding="same", use_bias=False)]),
    ("dilated", [layers.Conv1D(1, 3, dilation_rate=2, use_bias=False)]),
    ("twice", [layers.Conv1D(1, 5, use_bias=False), layers.Conv1D(1, 3, use_bias=False)]),
    ("stride", [layers.Conv1D(1, 3, strides=2, padding="same", use_bias=False)]),
    ("padded", [layers.ZeroPadding1D(3), layers.Conv1D(1, 3, use_bias=False)]),
    ("cropped", [layers.Cropping1D((2, 1)), layers.Conv1D(1, 3, use_bias=False)]),
    ("enlarged", [layers.UpSampling1D(2), layers.Conv1D(1, 3, padding="same", use_bias=False)]),
]


@pytest.mark.parametrize(("name", "inner"), DELTA, ids=[name for name, _ in DELTA])
@pytest.mark.parametrize("at", [5, 9, 12])
def test_a_map_peaks_where_the_token_stands(name: str, inner: list[layers.Layer], at: int) -> None:
    model = keras.Sequential(
        [keras.Input((17, 1)), *inner, layers.GlobalAveragePooling1D(), layers.Dense(1)]
    )
    for weight in model.weights:  # windows that see the same to both sides, most in the middle
        size = weight.shape[0]
        window = np.convolve(np.ones(size // 2 + 1), np.ones(size // 2 + 1)).reshape(-1, 1, 1)
        weight.assign(window if len(weight.shape) == 3 else np.ones(weight.shape))
    doc = np.zeros((1, 17, 1), "float32")
    doc[0, at] = 1
    expl = eli5.explain_prediction(model, doc, tokens=[str(k) for k in range(17)])
    peak = int(np.argmax(expl.targets[0].heatmap))
    assert abs(peak - at) <= (name == "stride")  # which sees every other token's neighbourhood


# ---- joined tokens -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("tokens", "document"),
    [
        (["the", "film"], "the film"),
        (["play", "##ing", "now"], "playing now"),
        (["▁the", "▁play", "ing"], "the playing"),
        (["The", "Ġfilm", "s"], "The films"),
        (list("abc d"), "abc d"),
        (["a", "", "b"], "ab"),
        (["one", "", "two"], "one two"),
        (["##", "x"], "## x"),
        (["👩‍🚀", "שלום"], "👩‍🚀 שלום"),
        ([], ""),
    ],
)
def test_joined(tokens: list[str], document: str) -> None:
    text, places = join_tokens(tokens)
    assert text == document
    assert len(places) == len(tokens)
    for token, place in zip(tokens, places, strict=True):
        for start, end in place:
            assert token.endswith(text[start:end])
        assert len(place) == (token != "")


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"tokens": "abc"}, TypeError, "Expected `tokens` to be a list or an array of strings."),
        ({"tokens": [1, 2]}, TypeError, "Received: 1 (of type int) among them"),
        (
            {"tokens": [*TOKENS[:7], None]},
            TypeError,
            "Received: None (of type NoneType) among them",
        ),
        ({"tokens": dict.fromkeys("abcdefgh")}, TypeError, "Expected `tokens` to be a list or an"),
        ({"tokens": b"abcdefgh"}, TypeError, "Expected `tokens` to be a list or an"),
        ({"tokens": ["abcdefgh"]}, ValueError, "8 of them. Received: 1 tokens"),
        ({"tokens": []}, ValueError, "Expected `tokens` to hold one string per step."),
        ({"tokens": ["a"]}, ValueError, "8 of them. Received: 1 tokens for a doc of shape (1, 8)"),
        ({"pad_value": "x"}, TypeError, "Expected `pad_value` to be a number"),
        ({"pad_value": True}, TypeError, "Expected `pad_value` to be a number"),
        ({"tokens": TOKENS, "pad_token": 0}, TypeError, "Expected `pad_token` to be a string"),
        ({"pad_token": "x"}, ValueError, "Expected `tokens` for a `pad_token`."),
        (
            {"tokens": TOKENS, "pad_token": "x", "pad_value": 0},
            ValueError,
            "Expected either `pad_value` or `pad_token`.",
        ),
        (
            {"tokens": TOKENS, "image": Image.new("RGB", (2, 2))},
            ValueError,
            "which speak for two of them",
        ),
        ({"tokens": TOKENS, "time": [1]}, ValueError, "which speak for two of them"),
        ({"method": "Occlusion", "baseline": "mask"}, ValueError, 'for baseline="mask"'),
    ],
)
def test_errors(model: keras.Model, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=re.escape(message)):
        eli5.explain_prediction(model, IDS, **options)


def test_all_padding_is_an_error(model: keras.Model) -> None:
    with pytest.raises(ValueError, match="Received: 8 steps of padding"):
        eli5.explain_prediction(model, np.zeros((1, 8), int), pad_value=0)


def test_a_table_is_not_supported() -> None:
    model = keras.Sequential([keras.Input((5,)), layers.Dense(3, activation="softmax")])
    expl = eli5.explain_prediction(model, np.zeros((1, 5), "float32"))
    assert "is not supported" in expl.error


# ---- many ----------------------------------------------------------------------------------------


def test_many_texts_are_as_each_alone(model: keras.Model) -> None:
    docs = np.array([[1, 2, 3, 4, 5, 0, 0, 0], [6, 7, 8, 0, 0, 0, 0, 0], [9, 5, 0, 0, 0, 0, 0, 0]])
    tokens = [[WORDS[k] for k in ids] for ids in docs]
    options: Any = {"pad_token": "<pad>", "methods": ["HiResCAM", "Occlusion"]}
    many = list(eli5.explain_predictions(model, docs, tokens=tokens, batch_size=2, **options))
    for doc, words, together in zip(docs, tokens, many, strict=True):
        alone = eli5.explain_prediction(model, doc[None], tokens=words, **options)
        for one, two in zip(together, alone, strict=True):
            assert spans_of(one).document == spans_of(two).document
            np.testing.assert_allclose(
                one.targets[0].attribution, two.targets[0].attribution, atol=1e-6
            )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tokens": [TOKENS]}, "Expected one entry in `tokens` per doc, 2 of them. Received: 1"),
        (
            {"tokens": [TOKENS, TOKENS], "time": [1]},
            "Expected a doc to be one of text, series and image.",
        ),
        ({"pad_token": "x"}, "Expected `tokens` for a `pad_token`."),
    ],
)
def test_many_texts_errors(model: keras.Model, options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        list(eli5.explain_predictions(model, np.repeat(IDS, 2, axis=0), **options))

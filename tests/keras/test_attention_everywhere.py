"""Attention methods on transformers of many families: their maps, properties and errors."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
import eli5.keras
from eli5.keras import engine
from eli5.keras.pipeline import attention_runs
from helpers import attention_twins as twins
from helpers.attention_models import (
    FAMILIES,
    N_TOKENS,
    OwnAttention,
    first,
    global_swin,
    ids,
    of_ids,
    sequence,
    swin,
    text,
    vit,
)
from helpers.models import make_classifier, sample, with_weights
from helpers.transformers import SIZE, embedding, transformer

Array = np.ndarray[Any, Any]
METHODS = ["Attention Rollout", "Transformer Attribution", "LeGrad"]
ON_TORCH = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the same on each")
# A program each to compile: the others have none that these have not.
COMPILED = ["DeiT", "Gemma", "Swin-like, global"]
NAMES = list(FAMILIES) if keras.backend.backend() == "torch" else COMPILED

pytestmark = [
    pytest.mark.filterwarnings("ignore:The heatmap of target"),
    pytest.mark.filterwarnings("ignore:The structure of `inputs`"),
]


def explain(model: keras.Model, doc: Any, **options: Any) -> Any:
    return eli5.explain_prediction(model, doc, **{"methods": METHODS, "targets": [1], **options})


def attribution(explanation: Any) -> Array:
    return np.asarray(explanation.targets[0].attribution)


def trace_of(model: keras.Model, doc: Any) -> Any:
    return engine.trace(model, doc)


@pytest.mark.parametrize("name", NAMES)
def test_each_method_explains_each_family(name: str) -> None:
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    family = FAMILIES[name]
    model = family.make()
    output = ops.convert_to_numpy(model(family.doc))
    explanations = explain(model, family.doc, **family.options)
    maps = eli5.keras.attention_maps(model, family.doc, **family.options)
    assert len(maps) == family.n_attentions
    assert {one.n_prefix for one in maps} == {family.n_prefix}
    for explanation in explanations:
        (target,) = explanation.targets
        assert target.score == pytest.approx(output[0, 1], abs=1e-5)
        assert np.isfinite(target.attribution).all()
        assert (target.attribution >= 0).all()
        assert f"of {family.n_attentions} attentions" in explanation.description
        assert ("left out" in explanation.description) == (family.n_prefix > 0)
    rollout = attribution(explanations[0])
    # The rows of rollout sum to 1; what is missing is the part of the tokens in front.
    assert rollout.sum() == pytest.approx(1, abs=1e-5) or (family.n_prefix and rollout.sum() < 1)
    assert any(attribution(one).any() for one in explanations[1:])


# ---- against the formulas ------------------------------------------------------------------------


def layers_and_gradients(model: keras.Model, doc: Any, target: int) -> tuple[list[Any], list[Any]]:
    sites = tuple(
        engine.Site(None, one.nth, one.path, shape=one.shape, dtype=one.dtype, is_attention=True)
        for one in trace_of(model, doc).attentions
    )
    query = engine.Query(target, pick, sites, (as_is,) * len(sites))
    found, _ = engine.evaluate(model, doc, np.zeros((1, 1), "int32"), query)
    return [weights[0] for weights, _ in found], [gradients[0][0] for _, gradients in found]


def pick(outputs: Any, activation_of: Any, targets: Any, target: int) -> Any:
    return activation_of(outputs).logits[:, target : target + 1], {}


def as_is(weights: Any, gradients: Any, _: Any) -> Any:
    return weights, gradients


@pytest.mark.parametrize("pooled", [False, pytest.param(True, marks=ON_TORCH)])
def test_whole_explanations_are_the_formulas_on_the_models_own_matrices(pooled: bool) -> None:
    n_prefix = 0 if pooled else 2
    model, doc = transformer(n_prefix, pooled=pooled), sample(SIZE)
    weights, gradients = layers_and_gradients(model, doc, 1)
    rows = slice(None) if pooled else slice(1)
    found = explain(model, doc, methods=METHODS[:2], score="logit")
    for explanation, matrix in zip(
        found,
        [twins.rollout(weights), twins.transformer_attribution(weights, gradients)],
        strict=True,
    ):
        right = matrix[rows].mean(0)[n_prefix:].reshape(3, 5)
        np.testing.assert_allclose(attribution(explanation), right, atol=1e-5)
    some = explain(model, doc, methods=METHODS[:2], score="logit", layers=[0], head=1)
    right = twins.rollout(weights[:1], head=1)[rows].mean(0)[n_prefix:].reshape(3, 5)
    np.testing.assert_allclose(attribution(some[0]), right, atol=1e-5)


@pytest.mark.parametrize("pooled", [False, pytest.param(True, marks=ON_TORCH)])
def test_legrad_runs_the_head_on_the_tokens_of_each_block(pooled: bool) -> None:
    model, doc = transformer(0 if pooled else 1, pooled=pooled), sample(SIZE)
    shorter = without_second_block(model)
    _, of_first = layers_and_gradients(shorter, doc, 1)
    _, of_both = layers_and_gradients(model, doc, 1)
    right = twins.legrad([of_first[0], of_both[1]])[-15:].reshape(3, 5)
    (found,) = explain(model, doc, methods=["LeGrad"], score="logit")
    np.testing.assert_allclose(attribution(found), right, atol=1e-5)
    # Of the likeliest class, whichever it is of the tokens of the first block alone.
    likeliest = explain(model, doc, methods=["LeGrad"], score="logit", targets=None)[0]
    (asked,) = explain(
        model, doc, methods=["LeGrad"], score="logit", targets=[likeliest.targets[0].target]
    )
    np.testing.assert_allclose(attribution(likeliest), attribution(asked), atol=1e-6)


def without_second_block(model: keras.Model) -> keras.Model:
    """Return the model with its head right behind the first block."""
    x = model.get_layer("norm")(model.get_layer("one_out").output)
    pooling = [one for one in model.layers if isinstance(one, layers.GlobalAveragePooling1D)]
    x = pooling[0](x) if pooling else x[:, 0]
    return keras.Model(model.input, model.layers[-1](x))


# ---- properties ----------------------------------------------------------------------------------


@ON_TORCH
@pytest.mark.parametrize("name", ["GPT2", "Bert"])
def test_tokens_that_are_not_attended_to_get_nothing(name: str) -> None:
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    doc = of_ids()
    if name == "GPT2":  # the third word attends to none behind it
        model = text(name, lambda x: x[:, 2], max_sequence_length=N_TOKENS)
        hidden = slice(3, None)
    else:
        model = text(name, sequence, max_sequence_length=N_TOKENS)
        doc |= {"segment_ids": np.zeros((1, N_TOKENS), "int32")}
        doc["padding_mask"][0, 4:] = 0
        hidden = slice(4, None)
    for explanation in explain(model, doc, input="token_ids"):
        found = attribution(explanation)
        assert found[: hidden.start].any()
        np.testing.assert_array_equal(found[hidden], 0)


@ON_TORCH
def test_permuting_the_patches_permutes_the_map() -> None:
    model, doc = global_swin(), sample((16, 24, 3))
    order = np.array([3, 0, 5, 1, 4, 2])
    patches = doc.reshape(2, 8, 3, 8, 3).swapaxes(1, 2).reshape(6, 8, 8, 3)[order]
    moved = patches.reshape(2, 3, 8, 8, 3).swapaxes(1, 2).reshape(1, 16, 24, 3)
    for one, other in zip(explain(model, doc), explain(model, moved), strict=True):
        np.testing.assert_allclose(
            attribution(other).ravel(), attribution(one).ravel()[order], atol=1e-5
        )


@ON_TORCH
def test_a_batch_and_pieces_of_it_give_the_maps_of_single_docs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, docs = transformer(1, pooled=False), np.concatenate([sample(SIZE, k) for k in range(3)])
    singles = [explain(model, docs[k : k + 1], top_targets=2, targets=None) for k in range(3)]
    options: dict[str, Any] = {"methods": METHODS, "top_targets": 2}
    whole = list(eli5.explain_predictions(model, docs, **options))
    per_doc = 2 * 2 * 4 * 16 * 16 * 4  # layers, heads, two targets more than two, bytes
    monkeypatch.setattr(attention_runs, "_MOST_BYTES", 2 * per_doc)
    by_two = list(eli5.explain_predictions(model, docs, **options))
    monkeypatch.setattr(attention_runs, "_MOST_BYTES", per_doc // 2)
    by_layer = list(eli5.explain_predictions(model, docs, **options))
    for right, *others in zip(singles, whole, by_two, by_layer, strict=True):
        for other in others:
            for one, two in zip(right, other, strict=True):
                for target, same in zip(one.targets, two.targets, strict=True):
                    assert same.target == target.target
                    np.testing.assert_allclose(same.attribution, target.attribution, atol=1e-5)


@ON_TORCH
def test_heads_and_layers_share_a_run_with_all_methods() -> None:
    model, doc = transformer(1, pooled=False), sample(SIZE)
    each = [(METHODS[0], {"head": head, "layers": layer}) for head in (0, 1) for layer in (0, 1)]
    found = eli5.explain_prediction(model, doc, methods=[*each, "Grad-CAM"], targets=[1])
    assert len({attribution(one).tobytes() for one in found}) == 5
    assert found[0].method == METHODS[0]
    assert "layers [1] of 2 attentions, head 0 of each" in found[1].description
    thinned, plain = eli5.explain_prediction(
        model, doc, methods=[("rollout", {"discard": 0.5}), "rollout"]
    )
    assert not np.allclose(attribution(thinned), attribution(plain))


@ON_TORCH
def test_a_grade_asks_attention_for_other_maps_too() -> None:
    for method in METHODS:
        found = eli5.explain_prediction(
            transformer(1, pooled=False), sample(SIZE), method=method, grade=True, targets=[0]
        )
        assert found.targets[0].grade is not None


@ON_TORCH
def test_the_classes_of_a_doc_share_one_map_of_rollout_alone() -> None:
    found = explain(transformer(0, pooled=True), sample(SIZE), targets=None, top_targets=3)
    for explanation, is_shared in zip(found, [True, False, False], strict=True):
        maps = [target.attribution for target in explanation.targets]
        assert np.allclose(maps[0], maps[1]) == is_shared


@ON_TORCH
def test_sinks_and_tokens_in_front_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    model, doc = vit(), sample((16, 24, 3))
    positions = next(w for w in model.weights if "position" in w.path and len(w.shape) > 1)
    values = ops.convert_to_numpy(positions).copy()
    values[..., 4, :] = 500 * np.arange(-4, 4)  # of the patch in row 1, column 0
    positions.assign(values)
    monkeypatch.setattr("eli5.keras.methods.attention._SWAMPING", 0.0)
    said = explain(model, doc, methods=["rollout"])[0].description
    assert "Of 7 tokens the first, the class token, is no part of the picture and left out." in said
    assert "swamped by cell (1, 0), whose token has a norm far above the others'" in said


@ON_TORCH
def test_a_decoder_is_explained_by_what_it_attends_to_in_the_doc() -> None:
    class Queries(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.queries = self.add_weight(shape=(1, 3, shape[-1]), name="queries")

        def call(self, x: Any) -> Any:
            return self.queries + 0 * x[:, :1]

    inputs = keras.Input((7, 6))
    x = layers.Add()([inputs, layers.MultiHeadAttention(2, 3, name="encoder")(inputs, inputs)])
    y = Queries()(x)
    y = layers.Add()([y, layers.MultiHeadAttention(2, 3, name="own")(y, y)])
    y = layers.Add()([y, layers.MultiHeadAttention(2, 3, name="cross")(y, x)])
    model = with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(y[:, 1])), 2)
    doc = sample((7, 6))
    weights, gradients = layers_and_gradients(model, doc, 1)
    fused = [np.maximum(a * g, 0).mean(0) for a, g in zip(weights, gradients, strict=True)]
    _, between = twins.bimodal([fused[0]], [fused[1]], [fused[2]])
    found = explain(model, doc, methods=METHODS[:2], score="logit", tokens=list("abcdefg"))
    np.testing.assert_allclose(attribution(found[1]), between[1], atol=1e-5)
    assert attribution(found[0]).sum() == pytest.approx(1, abs=1e-5)


# ---- errors --------------------------------------------------------------------------------------


@ON_TORCH
@pytest.mark.parametrize("method", METHODS)
def test_a_model_that_does_not_attend_says_so(method: str) -> None:
    with pytest.raises(ValueError, match=r"Expected a model that attends.*model 'classifier' with"):
        eli5.explain_prediction(make_classifier(), sample((12, 20, 3)), method=method)


@ON_TORCH
def test_f_net_does_not_attend() -> None:
    pytest.importorskip("keras_hub", reason="keras-hub is not installed")
    model = text("FNet", sequence, max_sequence_length=N_TOKENS, num_heads=None)
    doc = {"token_ids": ids(), "segment_ids": np.zeros((1, N_TOKENS), "int32")}
    with pytest.raises(ValueError, match="Expected a model that attends"):
        eli5.explain_prediction(model, doc, input="token_ids", method="rollout")


@ON_TORCH
@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"layers": 2}, ValueError, r"`layers` to be in \[-2, 2\).*layers=\[2\]"),
        ({"layers": []}, ValueError, "name each attention once.*layers=\\[\\]"),
        ({"layers": [0, 0]}, ValueError, "name each attention once"),
        ({"layers": "all"}, TypeError, "list or range of them"),
        ({"head": 2}, ValueError, "Expected `head` below 2, as 'one_attention' has so many"),
        ({"head": -1}, ValueError, "head"),
        ({"head": 0.5}, TypeError, "head"),
        ({"discard": 1}, ValueError, "discard.*below 1"),
        ({"discard": -0.1}, ValueError, "discard"),
        ({"layer": "norm"}, ValueError, "or attention.*Which attentions count is said by `layers`"),
        ({"sign": "negative"}, ValueError, "Attention Rollout, whose map has no sign"),
        ({"n_samples": 4}, TypeError, "Options are, of Attention Rollout: head, layers, discard"),
    ],
    ids=lambda x: None if isinstance(x, type) else str(x)[:40],
)
def test_options_that_are_wrong_are_told(options: Any, error: Any, match: str) -> None:
    with pytest.raises(error, match=match):
        explain(transformer(1, pooled=False), sample(SIZE), methods=["rollout"], **options)


@ON_TORCH
def test_windows_are_refused_in_words() -> None:
    with pytest.raises(ValueError, match=r"attends within windows of 4 tokens.*Grad-CAM"):
        explain(swin(), sample((16, 16, 3)))


@ON_TORCH
def test_attentions_between_other_tokens_are_refused() -> None:
    inputs = keras.Input((16, 24, 3))
    x = layers.Conv2D(8, 4, strides=4)(inputs)
    x = layers.AveragePooling2D(2)(OwnAttention()(x))
    x = layers.GlobalAveragePooling2D()(OwnAttention()(x))
    model = with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))
    with pytest.raises(ValueError, match="between the same tokens in all layers"):
        explain(model, sample((16, 24, 3)))


@ON_TORCH
def test_tokens_of_an_unknown_grid_are_asked_for() -> None:
    inputs = keras.Input((14, 14, 3))
    x = layers.Reshape((28, 21))(inputs)
    x = layers.Dense(8)(x)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4, name="mha")(x, x)])
    outputs = layers.Dense(3, activation="softmax")(x[:, 0])
    model = with_weights(keras.Model(inputs, outputs))
    with pytest.raises(ValueError, match=r"28 tokens that lie on a known grid.*Say it: grid="):
        explain(model, sample((14, 14, 3)))
    (found,) = explain(model, sample((14, 14, 3)), methods=["rollout"], grid=(7, 4))
    assert attribution(found).shape == (7, 4)


@ON_TORCH
def test_legrad_asks_for_blocks_that_are_layers() -> None:
    class Blocks(layers.Layer):  # type: ignore[misc]
        def build(self, shape: Any) -> None:
            self.parts = [layers.MultiHeadAttention(2, 4, name=f"part_{k}") for k in range(2)]
            for part in self.parts:
                part.build(shape, shape)

        def call(self, x: Any) -> Any:
            for part in self.parts:
                x = x + part(x, x)
            return x

    inputs = keras.Input(SIZE)
    x = Blocks()(embedding(inputs, convolution=True))
    model = with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(first(x))))
    with pytest.raises(ValueError, match=r"model of blocks.*attention 0 of 2, with no such layer"):
        explain(model, sample(SIZE), methods=["LeGrad"])
    assert attribution(explain(model, sample(SIZE), methods=["chefer"])[0]).any()


@ON_TORCH
def test_a_layer_that_the_score_does_not_come_from_is_refused() -> None:
    inputs = keras.Input(SIZE)
    x = embedding(inputs, convolution=True)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    y = layers.Add()([x, layers.MultiHeadAttention(2, 3)(x, x)])
    heads = [layers.Dense(3, activation="softmax")(first(one)) for one in (x, y)]
    model = with_weights(keras.Model(inputs, heads))
    assert attribution(explain(model, sample(SIZE), methods=["rollout"])[0]).any()
    with pytest.raises(ValueError, match=r"score is made of.*layers=\[1\].*Those are \[0\]"):
        explain(model, sample(SIZE), methods=["rollout"], layers=[1])

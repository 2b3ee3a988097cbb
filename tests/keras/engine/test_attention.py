"""The matrix of an attention: read, differentiated, and the model's output as it was."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5.keras
from eli5.keras import engine
from helpers import attention_twins as twins
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
N, HEADS, DEPTH = 5, 4, 3
RNG = np.random.default_rng(4)
BIAS = RNG.normal(size=(1, HEADS, N, N)).astype("float32")
MASK = RNG.uniform(size=(1, HEADS, N, N)) > 0.4
MASK |= np.eye(N, dtype=bool)

ON_TORCH = pytest.mark.skipif(keras.backend.backend() != "torch", reason="the same on each")

# What a fused attention is asked for, and the same for the twin.
KINDS: dict[str, dict[str, Any]] = {
    "plain": {},
    "scaled": {"scale": 0.7},
    "masked": {"mask": MASK},
    "biased": {"bias": BIAS},
    "causal": {"is_causal": True},
    "causal and masked": {"is_causal": True, "mask": MASK},
    "grouped": {"n_shared": 2},
}


class Attends(layers.Layer):  # type: ignore[misc]
    """A fused attention, or the same in the open; it keeps its queries, keys and values."""

    def __init__(self, *, fused: bool, n_shared: int = 1, **options: Any) -> None:
        super().__init__(name="attends")
        self.fused, self.n_shared, self.options = fused, n_shared, options

    def build(self, shape: Any) -> None:
        n_kept = HEADS // self.n_shared
        self.parts = [layers.Dense(n * DEPTH) for n in (HEADS, n_kept, n_kept)]
        for part in self.parts:
            part.build(shape)

    def split(self, x: Any) -> list[Any]:
        return [ops.reshape(part(x), (-1, N, part.units // DEPTH, DEPTH)) for part in self.parts]

    def call(self, x: Any) -> Any:
        query, key, value = self.split(x)
        attend = ops.dot_product_attention if self.fused else in_the_open
        return ops.reshape(attend(query, key, value, **self.options), (-1, N, HEADS * DEPTH))


def in_the_open(
    query: Any, key: Any, value: Any, *, scale: Any = None, bias: Any = None, mask: Any = None,
    is_causal: bool = False,
) -> Any:  # fmt: skip
    n_shared = query.shape[2] // key.shape[2]
    key, value = (ops.repeat(x, n_shared, axis=2) for x in (key, value))
    logits = ops.einsum("bqhd,bkhd->bhqk", query, key) * (scale or DEPTH**-0.5)
    logits = logits if bias is None else logits + ops.convert_to_tensor(bias)
    if is_causal:
        mask = np.tril(np.ones((N, N), bool)) & (True if mask is None else mask)
    if mask is not None:
        logits = ops.where(mask, logits, -1e9)
    return ops.einsum("bhqk,bkhd->bqhd", ops.softmax(logits), value)


def model_of(kind: str, *, fused: bool) -> keras.Model:
    inputs = keras.Input((N, 6))
    x = Attends(fused=fused, **KINDS[kind])(inputs)
    return with_weights(keras.Model(inputs, layers.Dense(2, name="head")(x[:, 0])), seed=3)


def split(model: keras.Model, doc: Array) -> list[Array]:
    """Return the layer's own queries, keys and values, each (heads, tokens, depth)."""
    parts = model.get_layer("attends").split(doc)
    return [np.swapaxes(ops.convert_to_numpy(part)[0], 0, 1) for part in parts]


@pytest.mark.parametrize(
    "fused", [True, pytest.param(False, marks=ON_TORCH)], ids=["fused", "open"]
)
@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_those_of_queries_and_keys_and_leave_the_output(kind: str, fused: bool) -> None:
    model, doc = model_of(kind, fused=fused), sample((N, 6))
    output = ops.convert_to_numpy(model(doc))
    query, key, value = split(model, doc)
    options = {name: one for name, one in KINDS[kind].items() if name != "n_shared"}
    options["causal"] = options.pop("is_causal", False)
    for name in ("mask", "bias"):
        options[name] = options[name][0] if name in options else None
    right = twins.attention(query, key, **options)
    (found,) = eli5.keras.attention_maps(model, doc, tokens=list("abcde"))
    assert found.name == "attends"
    np.testing.assert_allclose(found.weights, right, atol=1e-5)
    # The score with a gradient, and the gradient itself, which is that of the values.
    (weights, (gradient,)), scores = differentiated(model, doc, 1)
    np.testing.assert_allclose(weights[0], right, atol=1e-5)
    np.testing.assert_allclose(scores, output[:, 1], atol=1e-5)
    kernel = model.get_layer("head").get_weights()[0][:, 1].reshape(HEADS, DEPTH)
    values = np.repeat(value, KINDS[kind].get("n_shared", 1), axis=0)
    expected = np.zeros_like(right)
    expected[:, 0] = np.einsum("hkd,hd->hk", values, kernel)
    seen = right > 0  # behind a mask it depends on where that stands
    np.testing.assert_allclose(gradient[0][seen], expected[seen], atol=1e-5)


def differentiated(model: keras.Model, doc: Array, unit: int) -> Any:
    (one,) = engine.trace(model, doc).attentions
    site = engine.Site(None, one.nth, one.path, shape=one.shape, dtype=one.dtype, is_attention=True)
    query = engine.Query(unit, pick, (site,), (as_is,))
    (found,), scores = engine.evaluate(model, doc, np.zeros((1, 1), "int32"), query)
    return found, scores


def pick(outputs: Any, activation_of: Any, targets: Any, unit: int) -> Any:
    return outputs[:, unit : unit + 1], outputs[:, unit]


def as_is(weights: Any, gradients: Any, _: Any) -> Any:
    return weights, gradients


def test_a_layer_of_keras_gives_the_same_fused_and_with_dropout() -> None:
    def make(dropout: float) -> keras.Model:
        inputs = keras.Input((N, 6))
        x = layers.MultiHeadAttention(2, 3, dropout=dropout, name="mha")(inputs, inputs)
        return with_weights(keras.Model(inputs, layers.Dense(2)(x[:, 0])), seed=3)

    doc = sample((N, 6))
    one, two = (eli5.keras.attention_maps(make(p), doc, tokens=list("abcde")) for p in (0, 0.1))
    np.testing.assert_allclose(one[0].weights, two[0].weights, atol=1e-5)


@ON_TORCH
def test_grouped_queries_of_keras_have_a_matrix_per_head_of_queries() -> None:
    inputs = keras.Input((N, 6))
    x = layers.GroupQueryAttention(3, 4, 2, name="gqa")(inputs, inputs)
    model = with_weights(keras.Model(inputs, layers.Dense(2)(x[:, 0])), seed=3)
    (found,) = eli5.keras.attention_maps(model, sample((N, 6)), tokens=list("abcde"))
    assert found.weights.shape == (4, N, N)


def test_the_backends_functions_are_put_back_also_after_an_error() -> None:
    import importlib

    names = {
        "torch": ("torch.nn.functional", "scaled_dot_product_attention"),
        "jax": ("jax.nn", "dot_product_attention"),
        "tensorflow": ("tensorflow", "einsum"),
    }
    module, name = names[keras.backend.backend()]
    before = getattr(importlib.import_module(module), name)
    model, doc = model_of("plain", fused=True), sample((N, 6))
    with pytest.raises(RuntimeError, match="of one's own"):
        engine.evaluate(model, doc, np.zeros((1, 1), "int32"), engine.Query(0, fail))
    assert getattr(importlib.import_module(module), name) is before


def fail(*_: Any) -> Any:
    raise RuntimeError("of one's own")


class Router(layers.Layer):  # type: ignore[misc]
    """A mixture of as many experts as there are tokens."""

    def build(self, shape: Any) -> None:
        self.router = layers.Dense(N)
        self.experts = self.add_weight(shape=(N, shape[-1], shape[-1]), name="experts")
        self.router.build(shape)

    def call(self, x: Any) -> Any:
        shares = ops.softmax(self.router(x))
        each = ops.einsum("btc,ecd->bted", x, self.experts)
        return ops.einsum("bte,bted->btd", shares, each)


class Sampled(layers.Layer):  # type: ignore[misc]
    """A softmax over features that is multiplied with the tokens one by one."""

    def call(self, x: Any) -> Any:
        return x * ops.softmax(x)


@pytest.mark.parametrize("make", [Router, Sampled])
def test_what_looks_like_attention_and_is_none_is_left_out(make: Any) -> None:
    inputs = keras.Input((N, N))
    x = layers.MultiHeadAttention(2, 3, name="mha")(inputs, inputs)
    outputs = layers.Dense(N, activation="softmax")(make()(x))
    model = with_weights(keras.Model(inputs, outputs), seed=3)
    softmaxes = [one for one in engine.trace(model, sample((N, N))).attentions if not one.is_used]
    assert len(softmaxes) == 2  # the other one, and the final classifier of each token
    found = eli5.keras.attention_maps(
        model, sample((N, N)), tokens=list("abcde"), score=first_output
    )
    assert [one.name for one in found] == ["mha"]


def first_output(outputs: Any) -> Any:
    return outputs[:, 0, 0]


@ON_TORCH
def test_attention_maps_of_a_picture_say_which_keys_come_before_the_patches() -> None:
    from helpers.transformers import SIZE, transformer

    found = eli5.keras.attention_maps(transformer(3, pooled=True), sample(SIZE))
    assert [(one.name, one.weights.shape, one.n_prefix) for one in found] == [
        ("one_attention", (2, 18, 18), 3),
        ("two_attention", (2, 18, 18), 3),
    ]
    np.testing.assert_allclose([one.weights.sum(-1) for one in found], 1, atol=1e-5)

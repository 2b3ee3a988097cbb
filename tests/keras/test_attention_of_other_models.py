"""Attention methods on models that attend in an order, at a depth or by a layer that few expect."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
import eli5.keras
from helpers.backend_limits import ONCE
from helpers.models import with_weights

Array = np.ndarray[Any, Any]

N, WIDTH = 6, 8
METHODS = ["Attention Rollout", "Transformer Attribution", "LeGrad"]

pytestmark = [ONCE, pytest.mark.filterwarnings("ignore:The heatmap of target")]


def docs(n: int = 1) -> Array:
    return np.random.default_rng(0).normal(size=(n, N, WIDTH)).astype("float32")


def maps(model: keras.Model, doc: Any, **options: Any) -> list[Array]:
    options = {"methods": METHODS, "tokens": list("abcdef"), **options}
    found = eli5.explain_prediction(model, doc, **options)
    return [np.asarray(one.targets[0].attribution) for one in found]


def attention(x: Any) -> Any:
    return layers.Add()([x, layers.MultiHeadAttention(2, 4)(x, x)])


class HeadsFirst(layers.Layer):  # type: ignore[misc]
    """Attends with its heads in the batch: all docs of the first, then all of the second."""

    def build(self, shape: Any) -> None:
        self.project = layers.Dense(3 * WIDTH)
        self.project.build(shape)

    def call(self, x: Any) -> Any:
        parts = ops.split(self.project(x), 3, axis=-1)
        query, key, value = (ops.concatenate(ops.split(one, 2, axis=-1), axis=0) for one in parts)
        weights = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 2, 1))) / 2)
        return ops.concatenate(ops.split(ops.matmul(weights, value), 2, axis=0), axis=-1)


def test_docs_of_a_batch_keep_their_own_heads() -> None:
    x = start = keras.Input((N, WIDTH))
    for _ in range(2):
        x = layers.Add()([x, HeadsFirst()(x)])
    head = layers.Dense(3, activation="softmax")(layers.GlobalAveragePooling1D()(x))
    model = with_weights(keras.Model(start, head))
    for method in METHODS:
        options: Any = {"method": method, "tokens": [list("abcdef")] * 3, "targets": [[1]] * 3}
        together = list(eli5.explain_predictions(model, docs(3), **options))
        for number, one in enumerate(together):
            (alone,) = maps(model, docs(3)[number : number + 1], methods=[method], targets=[1])
            np.testing.assert_allclose(one.targets[0].attribution, alone, atol=1e-6)


@pytest.fixture
def two_exits() -> keras.Model:
    """Return a model whose classes are read behind the first, and behind the second attention."""
    start = keras.Input((N, WIDTH))
    first = attention(start)
    exits = [layers.Dense(1)(first[:, 0]), layers.Dense(1)(attention(first)[:, 0])]
    return with_weights(keras.Model(start, layers.Concatenate()(exits)))


def with_identity(weights: Array) -> Array:
    return (weights + np.eye(N)) / 2


def rolled_out(model: keras.Model, doc: Array, n: int) -> Array:
    """Return the first token's row of the rollout over the first `n` attentions."""
    found = eli5.keras.attention_maps(model, doc, tokens=list("abcdef"))[:n]
    product = np.eye(N)
    for one in found:
        product = with_identity(one.weights.mean(axis=0)) @ product
    return np.asarray(product[0])


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_each_class_is_rolled_out_from_where_it_is_read(
    two_exits: keras.Model, order: tuple[int, int]
) -> None:
    for target in order:
        (found,) = maps(two_exits, docs(), methods=METHODS[:1], targets=[target])
        np.testing.assert_allclose(found, rolled_out(two_exits, docs(), target + 1), atol=1e-5)


def test_each_doc_of_a_batch_is_rolled_out_from_where_it_is_read(two_exits: keras.Model) -> None:
    options: Any = {"method": "rollout", "tokens": [list("abcdef")] * 2, "targets": [[0], [1]]}
    for k, one in enumerate(eli5.explain_predictions(two_exits, docs(2), **options)):
        expected = rolled_out(two_exits, docs(2)[k : k + 1], k + 1)
        np.testing.assert_allclose(one.targets[0].attribution, expected, atol=1e-5)


def test_a_gate_that_is_opened_counts() -> None:
    gate = layers.EinsumDense("abc,c->abc", output_shape=(None, WIDTH), kernel_initializer="zeros")
    start = keras.Input((N, WIDTH))
    x = attention(start)
    x = layers.Add()([x, gate(layers.MultiHeadAttention(2, 4)(x, x))])
    model = with_weights(keras.Model(start, layers.Dense(3, activation="softmax")(x[:, 0])))
    gate.kernel.assign(np.zeros(WIDTH))
    (closed,) = maps(model, docs(), methods=METHODS[:1])
    np.testing.assert_allclose(closed, rolled_out(model, docs(), 1), atol=1e-5)
    gate.kernel.assign(np.ones(WIDTH))
    (found,) = maps(model, docs(), methods=METHODS[:1])
    np.testing.assert_allclose(found, rolled_out(model, docs(), 2), atol=1e-5)


def test_tokens_that_are_normalised_twice_are_no_second_sequence() -> None:
    start = keras.Input((N, WIDTH))
    normal, x = layers.LayerNormalization(), attention(start)
    x = layers.Add()([x, layers.MultiHeadAttention(2, 4)(normal(x), normal(x))])
    x = attention(x)
    model = with_weights(keras.Model(start, layers.Dense(3, activation="softmax")(x[:, 0])))
    (found,) = maps(model, docs(), methods=METHODS[:1])
    np.testing.assert_allclose(found, rolled_out(model, docs(), 3), atol=1e-5)


def test_a_list_of_two_sequences_is_a_cross_attention() -> None:
    start, other = keras.Input((N, WIDTH)), keras.Input((N, WIDTH))
    x, query = attention(start), layers.Dense(WIDTH)(other)
    query = layers.Add()([layers.Attention()([query, x]), query])
    head = layers.Dense(3, activation="softmax")(query[:, 0])
    model = with_weights(keras.Model([start, other], head))
    both = [docs(), docs(2)[1:]]
    options: Any = {"input": 0, "tokens": list("abcdef")}
    each = eli5.keras.attention_maps(model, both, **options)
    own, cross = (one.weights.mean(axis=0) for one in each)
    (found,) = maps(model, both, methods=METHODS[:1], input=0)
    np.testing.assert_allclose(found, (cross @ with_identity(own))[0], atol=1e-5)


def test_an_encoder_of_torch_shows_its_attention() -> None:
    torch = pytest.importorskip("torch")
    layer = torch.nn.TransformerEncoderLayer(WIDTH, 2, 16, batch_first=True)
    encoder = torch.nn.TransformerEncoder(layer, 2).eval()

    class Own(keras.Model):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.encoder = layers.TorchModuleWrapper(encoder)
            self.head = layers.Dense(3, activation="softmax")

        def call(self, x: Any, training: Any = None) -> Any:
            return self.head(ops.mean(self.encoder(x, training=training), axis=1))

    model = Own()
    before = ops.convert_to_numpy(model(docs(), training=False))
    found = eli5.keras.attention_maps(model, docs(), tokens=list("abcdef"))
    assert len(found) == 2
    assert torch.backends.mha.get_fastpath_enabled()
    np.testing.assert_allclose(
        ops.convert_to_numpy(model(docs(), training=False)), before, atol=1e-6
    )


def test_an_attention_is_named_once(two_exits: keras.Model) -> None:
    with pytest.raises(ValueError, match=r"each attention once, of 2. Received: layers=\[-1, 1\]"):
        maps(two_exits, docs(), methods=METHODS[:1], targets=[1], layers=[-1, 1])

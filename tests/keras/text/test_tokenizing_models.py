"""The part of a model behind its TextVectorization: the same each time, or refused."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.keras.engine.cache import memory_of
from eli5.keras.text.tokenize import tokenize
from helpers.string_models import (
    VOCABULARY,
    behind,
    functional,
    output,
    sequential,
    vectorizer,
    whole,
)

pytest.importorskip("tensorflow", reason="TextVectorization needs it")


@pytest.mark.parametrize("shape", [(), (1,)])
def test_the_part_behind_a_functional_models_vectorizer_gives_its_output(
    shape: tuple[int, ...],
) -> None:
    model = functional(shape)
    found = tokenize(model, np.array(["Good movie, not bad"]))
    assert found.doc.tolist() == [[2, 4, 6, 3, 0, 0]]
    _, _, *rest = model.layers
    x: Any = rest[0](found.doc)
    x = rest[2]([rest[1](x), x])
    expected = rest[4](rest[3](x))
    np.testing.assert_allclose(
        output(found), keras.ops.convert_to_numpy(expected), rtol=1e-5, atol=1e-6
    )
    if keras.backend.backend() == "tensorflow":
        given = model(np.array(["Good movie, not bad"]).reshape(1, *shape))
        np.testing.assert_allclose(output(found), given, rtol=1e-5)
    assert found.model.name == model.name == "mine"
    assert found.model.get_layer("top") is model.get_layer("top")


def test_the_part_behind_a_sequential_is_the_same_each_time_and_learns_with_it() -> None:
    model = sequential()
    one, two = tokenize(model, "good movie"), tokenize(model, np.array([["not bad"]]))
    assert one.model is two.model
    known = memory_of(one.model)
    output(one)
    assert memory_of(tokenize(model, "not bad").model) is known  # so programs are kept
    top = model.get_layer("top")
    top.set_weights([weight + 1 for weight in top.get_weights()])
    np.testing.assert_allclose(output(two), whole(model, "not bad"), rtol=1e-5)


def test_a_model_that_was_not_built_yet() -> None:
    model = keras.Sequential([vectorizer(), *behind()])
    found = tokenize(model, "good movie")
    assert found.doc.tolist() == [[2, 4, 0, 0, 0, 0]]
    assert output(found).shape == (1, 2)


def test_changed_layers_make_another_part() -> None:
    model = sequential()
    before = tokenize(model, "good").model
    model.pop()
    after = tokenize(model, "good")
    assert after.model is not before
    assert output(after).shape == (1, 4)


@pytest.mark.parametrize("make", [sequential, functional])
def test_the_model_is_let_go_and_its_part_too(make: Any) -> None:
    model = make()
    found = tokenize(model, "good movie")
    references = weakref.ref(model), weakref.ref(found.model)
    del model
    gc.collect()
    assert references[0]() is None  # though its part is in use
    del found
    gc.collect()
    assert references[1]() is None


def test_a_vectorizer_that_several_models_share_is_cut_in_each() -> None:
    shared = vectorizer()
    models = []
    for _ in range(2):
        text = keras.Input((1,), dtype="string")
        inner = keras.Sequential([keras.Input((6,), dtype="int32"), *behind()])
        models.append(keras.Model(text, inner(shared(text))))
    for model in models:
        found = tokenize(model, "bad good")
        assert found.model.layers[-1] is model.layers[-1]
        expected = keras.ops.convert_to_numpy(model.layers[-1](found.doc))
        np.testing.assert_allclose(output(found), expected, rtol=1e-5)


@pytest.mark.parametrize("make", [sequential, functional])
def test_the_model_stays_as_it_was(make: Any) -> None:
    model = make()
    before = model.get_config(), model.get_weights(), vars(model).keys()
    tokenize(model, "good movie")
    assert repr(model.get_config()) == repr(before[0])
    assert vars(model).keys() == before[2]
    assert all(map(np.array_equal, model.get_weights(), before[1]))
    copied = type(model).from_config(model.get_config())
    copied.set_weights(before[1])
    np.testing.assert_allclose(
        output(tokenize(copied, "bad movie")), output(tokenize(model, "bad movie")), rtol=1e-5
    )


def test_threads_get_the_same_part() -> None:
    model = sequential()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda text: tokenize(model, text), ["good movie", "not bad"] * 8))
    assert len({id(one.model) for one in found}) == 1
    assert [one.tokens[0] for one in found] == ["good", "not"] * 8


class Length(layers.Layer):  # type: ignore[misc]
    """Takes strings, too."""

    def compute_output_spec(self, text: Any) -> Any:
        return keras.KerasTensor((None, 2))


class Subclassed(keras.Model):  # type: ignore[misc]
    def __init__(self) -> None:
        super().__init__()
        self.vectorizer = vectorizer()
        self.steps = behind()


class OwnCall(keras.Sequential):  # type: ignore[misc]
    def call(self, text: Any, **options: Any) -> Any:
        return 1 - super().call(text, **options)


def own_call() -> keras.Model:
    return OwnCall([keras.Input((1,), dtype="string"), vectorizer(), *behind()])


def used_twice() -> keras.Model:
    text = keras.Input((1,), dtype="string")
    embedding, pool, top = behind()
    x = layers.Add()([top(pool(embedding(vectorizer()(text)))), Length()(text)])
    return keras.Model(text, x)


def two_texts() -> keras.Model:
    texts = [keras.Input((1,), dtype="string"), keras.Input((2,))]
    embedding, pool, top = behind()
    x = layers.Concatenate()([pool(embedding(vectorizer()(texts[0]))), texts[1]])
    return keras.Model(texts, top(x))


def not_first() -> keras.Model:
    text = keras.Input((1,), dtype="string")
    same = layers.Lambda(lambda x: x, output_shape=(1,), dtype="string")
    return keras.Sequential([text, same, vectorizer(), *behind()])


def nested() -> keras.Model:
    return keras.Sequential([keras.Input((1,), dtype="string"), sequential(), layers.Dense(2)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (used_twice, "can be cut behind its TextVectorization.*used there only"),
        (two_texts, "with the text as its only input"),
        (Subclassed, "a Sequential or functional one"),
        (own_call, "a Sequential or functional one"),
        (not_first, "can be cut behind its TextVectorization"),
        (nested, "model 'sequential.*' with no such layers of its own"),
        (lambda: keras.Sequential([keras.Input((6,)), layers.Dense(2)]), "no such layers"),
        (
            lambda: keras.Sequential([vectorizer(), vectorizer(), *behind()]),
            "with 2 such layers of its own",
        ),
        (lambda: keras.Sequential([vectorizer()]), "can be cut behind"),
    ],
)
def test_models_that_cannot_be_cut_are_refused(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        tokenize(make(), "good movie")
    assert "Give the token ids as `doc` and their texts as `tokens`" in str(caught.value)


def test_a_layer_that_gives_no_ids_is_refused() -> None:
    counts = layers.TextVectorization(vocabulary=VOCABULARY, output_mode="count")
    model = keras.Sequential([keras.Input((1,), dtype="string"), counts, layers.Dense(2)])
    with pytest.raises(ValueError, match="output_mode='count', ragged=False"):
        tokenize(model, "good movie")
    text = keras.Input((), dtype="string")
    unsplit = layers.TextVectorization(vocabulary=VOCABULARY, split=None)
    one_id = keras.Sequential([text, unsplit, layers.Embedding(99, 4), layers.Dense(2)])
    with pytest.raises(
        ValueError, match=r"gives ids of shape \(1, T\). Received: ids of shape \(1,\)"
    ):
        tokenize(one_id, "good movie")


def test_a_text_without_tokens_is_refused_where_nothing_is_left() -> None:
    with pytest.raises(
        ValueError, match=r"at least one token.*ids of shape \(1, 0\) for doc='\?!'"
    ):
        tokenize(sequential(output_sequence_length=None), "?!")

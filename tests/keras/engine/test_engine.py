"""The engine: nothing leaks, nothing is left changed, nothing is stale, threads agree."""

from __future__ import annotations

import gc
import sys
import threading
import types
import weakref
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import engine
from eli5.keras.engine import hooks
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]


@pytest.fixture(autouse=True)
def _hooks_are_gone_afterwards() -> Iterator[None]:
    before = keras.Operation.__call__
    yield
    assert keras.Operation.__call__ is before


def test_a_model_that_is_dropped_is_released(doc: Array) -> None:
    def explain_and_drop() -> list[weakref.ref[Any]]:
        model = make_classifier()
        eli5.explain_prediction(model, doc)
        eli5.explain_prediction(model, doc, score=lambda y: y[:, 0] * model.count_params())
        return [weakref.ref(model), *(weakref.ref(layer) for layer in model.layers)]

    references = explain_and_drop()
    gc.collect()
    assert [reference() for reference in references] == [None] * len(references)


def test_a_model_that_its_layers_hold_in_containers_is_released(doc: Array) -> None:
    def explain_and_drop() -> weakref.ref[Any]:
        model = make_classifier()
        conv, deep, own = model.layers[0], (model,), [model]
        for _ in range(9):
            deep = (deep, 1)  # type: ignore[assignment]
        own.append(own)
        for name, value in {"deep": deep, "many": [model] * 2000, "own": own}.items():
            vars(conv)[name] = value
        eli5.explain_prediction(model, doc)
        return weakref.ref(model)

    reference = explain_and_drop()
    gc.collect()
    assert reference() is None


def test_a_method_that_is_collected_with_its_object_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Owner:
        function: Any

    said: list[str] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda error: said.append(str(error.exc_value)))
    owner = Owner()
    owner.function = types.MethodType(lambda self: self, owner)  # a cycle: left to the collector
    reference = engine.Reference(owner.function)
    assert reference()() is owner
    kept = weakref.WeakKeyDictionary({owner: engine.Reference(owner.function)})
    del owner
    gc.collect()
    assert reference() is None
    assert len(kept) == 0
    assert said == []


def snapshot(model: keras.Model) -> dict[str, Any]:
    """Return all that a user could see of a model and its layers.

    But for what any call of a Keras model resets: the note that it was called, its last losses.
    """
    state = {
        "config": model.get_config(),
        "weights": [weight.copy() for weight in model.get_weights()],
        "variables": [keras.ops.convert_to_numpy(v) for v in model.variables],
        "trainable": [weight.trainable for weight in model.weights],
    }
    for layer in (model, *model.layers):
        state[layer.name] = {
            name: value if isinstance(value, str | int | float | None) else id(value)
            for name, value in vars(layer).items()
            if name != "_called"
        }
        state[f"nodes of {layer.name}"] = (len(layer._inbound_nodes), len(layer._outbound_nodes))
    return state


def eventful() -> keras.Model:
    """Return a model in which much could be changed by a careless call."""
    inputs = keras.Input((12, 20, 3))
    x = layers.RandomFlip(seed=1)(inputs)
    x = layers.Conv2D(4, 3, name="conv", activity_regularizer="l2")(x)
    x = layers.BatchNormalization(name="bn")(x)
    x = layers.Activation("relu", name="act")(x)
    x = layers.SpatialDropout2D(0.5, seed=2)(x)
    x = layers.GlobalAveragePooling2D()(x)
    model = keras.Model(inputs, layers.Dense(3, activation="softmax", name="head")(x))
    model.get_layer("conv").trainable = False
    model.compile("sgd", "categorical_crossentropy")
    model.train_on_batch(np.ones((4, 12, 20, 3), "float32"), np.eye(3)[[0, 1, 2, 0]])
    return with_weights(model)


def test_the_model_is_left_as_it_was(doc: Array) -> None:
    model = eventful()
    model.predict(doc, verbose=0)
    before = snapshot(model)
    eli5.explain_prediction(model, doc, top_targets=3, score="logit")
    np.testing.assert_equal(snapshot(model), before)


class Fragile(layers.Layer):  # type: ignore[misc]
    """Fails when told to, after the target layer has run."""

    broken = False

    def call(self, x: Any) -> Any:
        if Fragile.broken:
            raise RuntimeError("the head is broken")
        return x


def test_an_exception_in_the_model_changes_nothing_and_spoils_nothing(
    doc: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = keras.Input((12, 20, 3))
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(inputs)
    x = layers.GlobalAveragePooling2D()(Fragile()(x))
    model = with_weights(keras.Model(inputs, layers.Dense(3, activation="softmax")(x)))
    model.predict(doc, verbose=0)
    before = snapshot(model)
    monkeypatch.setattr(Fragile, "broken", True)
    with pytest.raises(RuntimeError, match="the head is broken"):
        eli5.explain_prediction(model, doc)
    np.testing.assert_equal(snapshot(model), before)
    monkeypatch.setattr(Fragile, "broken", False)
    assert eli5.explain_prediction(model, doc).targets[0].heatmap.max() == 1


def test_inactive_layers_do_not_draw_and_the_same_call_gives_the_same(doc: Array) -> None:
    model = eventful()
    assert eli5.explain_prediction(model, doc) == eli5.explain_prediction(model, doc)


# Threads


def test_threads_agree_with_one_thread_alone() -> None:
    model = make_classifier()
    docs = [sample((12, 20, 3), seed) for seed in range(5)]
    expected = [eli5.explain_prediction(model, doc, targets=[1], layer="conv") for doc in docs]
    predictions = model.predict(np.concatenate(docs), verbose=0)
    wrong: list[Any] = []
    done = threading.Event()

    def explain() -> None:
        for turn in range(50):
            one = eli5.explain_prediction(model, docs[turn % 5], targets=[1], layer="conv")
            (target,), (right,) = one.targets, expected[turn % 5].targets
            if np.abs(target.heatmap - right.heatmap).max() > 1e-5:
                wrong.append(target.heatmap)
            if abs(target.score - right.score) > 1e-5:
                wrong.append(target.score)

    def predict() -> None:
        while not done.is_set():
            again = model.predict(np.concatenate(docs), verbose=0)
            if np.abs(again - predictions).max() > 1e-5:
                wrong.append(again)

    run_all([explain] * 8, beside=predict, done=done)
    assert not wrong


def run_all(tasks: list[Any], beside: Any, done: threading.Event) -> None:
    """Run `tasks` in threads while `beside` runs in one; raise what any of them raised."""
    errors: list[BaseException] = []

    def guarded(task: Any) -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(task,)) for task in tasks]
    companion = threading.Thread(target=guarded, args=(beside,))
    companion.start()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    done.set()
    companion.join()
    if errors:
        raise errors[0]


def test_a_hook_acts_for_its_own_thread_only(doc: Array) -> None:
    model = make_classifier()
    seen: list[int] = []

    def note(running: Any, arguments: Any, output: Any) -> Any:
        seen.append(threading.get_ident())
        return output

    with hooks.watch(note):
        thread = threading.Thread(target=model, args=(doc,))
        thread.start()
        thread.join()
        assert not seen
        model(doc)
    assert set(seen) == {threading.get_ident()}


def test_watches_nest_and_end_in_any_order(doc: Array) -> None:
    model = make_classifier()
    counts = {"outer": 0, "inner": 0}

    def count(name: str) -> Any:
        def on_output(running: Any, arguments: Any, output: Any) -> Any:
            counts[name] += 1
            return output

        return on_output

    with hooks.watch(count("outer")):
        model(doc)
        first = dict(counts)
        with hooks.watch(count("inner")):
            model(doc)
        model(doc)
    assert first == {"outer": 9, "inner": 0}
    assert counts == {"outer": 18, "inner": 9}


# Nothing is stale


def test_new_weights_count_at_once(doc: Array) -> None:
    model = make_classifier()
    before = eli5.explain_prediction(model, doc, targets=[0])
    with_weights(model, seed=3)
    after = eli5.explain_prediction(model, doc, targets=[0])
    fresh = make_classifier()
    with_weights(fresh, seed=3)
    assert np.abs(after.targets[0].heatmap - before.targets[0].heatmap).max() > 0.01
    np.testing.assert_allclose(
        after.targets[0].heatmap,
        eli5.explain_prediction(fresh, doc, targets=[0]).targets[0].heatmap,
        atol=1e-6,
    )


@pytest.mark.filterwarnings("ignore:The heatmap of target 0")
def test_an_explanation_during_training_sees_the_weights_of_the_moment(doc: Array) -> None:
    model = make_classifier()
    seen: list[tuple[float, float]] = []

    class Explain(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            score = eli5.explain_prediction(self.model, doc, targets=[0]).targets[0].score
            seen.append((score, float(keras.ops.convert_to_numpy(self.model(doc))[0, 0])))

    model.compile("sgd", "sparse_categorical_crossentropy")
    inputs = np.concatenate([sample((12, 20, 3), seed) for seed in range(8)])
    model.fit(inputs, np.arange(8) % 4, epochs=3, verbose=0, callbacks=[Explain()])
    assert len({round(score, 5) for score, _ in seen}) == 3
    for score, expected in seen:
        assert score == pytest.approx(expected, abs=1e-5)


def test_a_model_that_is_changed_in_place_is_compiled_anew(doc: Array) -> None:
    model = make_classifier()
    assert eli5.explain_prediction(model, doc).targets[0].proba is not None
    model.get_layer("head").activation = keras.activations.linear
    explanation = eli5.explain_prediction(model, doc, targets=[0])
    assert explanation.targets[0].proba is None
    expected = keras.ops.convert_to_numpy(model(doc))[0, 0]
    assert explanation.targets[0].score == pytest.approx(expected, abs=1e-5)
    model.add(layers.Softmax())
    assert eli5.explain_prediction(model, doc).targets[0].proba is not None


# What is compiled, and how often


def count_runs(model: keras.Model, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list that grows by the model's name each time its Python code runs."""
    runs: list[str] = []
    original = type(model).call

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        runs.append(self.name)
        return original(self, *args, **kwargs)

    monkeypatch.setattr(type(model), "call", call)
    return runs


def test_a_model_is_traced_once(doc: Array, monkeypatch: pytest.MonkeyPatch) -> None:
    model = make_classifier()
    runs = count_runs(model, monkeypatch)
    for target in range(4):
        eli5.explain_prediction(model, doc, targets=[target])
    eager = 4 if keras.backend.backend() == "torch" else 1
    assert len(runs) == 1 + eager  # one look at the layers, then one program
    eli5.explain_prediction(model, doc, targets=[0])
    assert len(runs) == 1 + eager + (keras.backend.backend() == "torch")


def test_programs_per_model_are_bounded(doc: Array) -> None:
    model = make_classifier()
    memory = engine.cache.memory_of(model)
    for _ in range(140):
        memory.recall(object(), lambda: print)
    assert len(memory._entries) == 128


def test_no_gradient_of_any_parameter_is_computed(doc: Array) -> None:
    if keras.backend.backend() != "torch":
        pytest.skip("only PyTorch keeps gradients on its parameters")
    model = make_classifier()
    eli5.explain_prediction(model, doc)
    assert all(weight.value.grad is None for weight in model.trainable_weights)


# Weights that Keras on JAX holds elsewhere


def test_weights_that_fit_keeps_to_itself_are_waited_for(
    doc: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    if keras.backend.backend() != "jax":
        pytest.skip("only on JAX does Keras take the weights out of the variables")
    monkeypatch.setattr(engine._backend, "_PATIENCE", 0.05)
    model = make_classifier()
    expected = eli5.explain_prediction(model, doc)
    weight = model.weights[0]
    value, weight._value = weight._value, None
    with pytest.raises(RuntimeError, match="weights are held by a running `fit`"):
        eli5.explain_prediction(model, doc)
    weight._value = value
    assert eli5.explain_prediction(model, doc) == expected

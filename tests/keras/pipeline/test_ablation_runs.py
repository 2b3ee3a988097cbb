"""Ablation-CAM runs the part before the layer on one sample, and the head on one per map."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
from keras import layers, ops

import eli5
from eli5.keras.engine.cache import memory_of
from eli5.keras.methods import Method
from helpers.ablation_twin import brute_force
from helpers.models import sample, with_weights

Array = np.ndarray[Any, Any]
BACKEND = keras.backend.backend()
SIZE = (12, 20, 3)
N_MAPS = 10


class Recorder(layers.Layer):  # type: ignore[misc]
    """Notes the size of each batch: of each run on PyTorch, of each program elsewhere."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.sizes: list[int] = []

    def call(self, x: Any) -> Any:
        if isinstance(x.shape[0], int):
            self.sizes.append(x.shape[0])
        return x

    def compute_output_shape(self, shape: Any) -> Any:
        return shape


def recorded() -> keras.Model:
    return with_weights(
        keras.Sequential(
            [
                keras.Input(SIZE),
                Recorder(name="before"),
                layers.Conv2D(N_MAPS, 3, activation="relu", name="last"),
                Recorder(name="behind"),
                layers.MaxPooling2D(2),
                layers.Flatten(),
                Recorder(name="top"),
                layers.Dense(4),
            ]
        )
    )


def ablation(model: keras.Model, **options: Any) -> Any:
    defaults: dict[str, Any] = {"layer": "last", "top_targets": 4, "method": "Ablation-CAM"}
    options = defaults | options
    return eli5.explain_prediction(model, sample(model.input_shape[1:], seed=2), **options)


def check(explanation: Any, right: Array, size: int = 4) -> None:
    assert len(explanation.targets) == size
    for target in explanation.targets:
        expected = right[target.target]
        atol = 1e-3 * expected.max() + 1e-6
        np.testing.assert_allclose(target.attribution, expected, atol=atol)
    assert sum(target.heatmap.any() for target in explanation.targets) >= 2


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("batch_size", [4, 32])
def test_the_part_before_runs_on_one_sample(batch_size: int) -> None:
    model = recorded()
    right = brute_force(model, "last")
    before, behind, top = (model.get_layer(name).sizes for name in ("before", "behind", "top"))
    for sizes in (before, behind, top):
        sizes.clear()
    check(ablation(model, batch_size=batch_size), right)
    # A few samples in the run of the whole model that proves the head alone to give the same.
    assert set(before) == {1, 4}
    # The pooling layer takes no more than three otherwise, though all maps come out of it.
    assert set(behind) == {1, 3, 4}
    assert max(top) > N_MAPS
    before.clear()
    ablation(model, batch_size=batch_size)
    if BACKEND == "torch":
        assert before == [1] * 2  # the classes with the activations, the head
    else:
        assert before == []  # nothing is compiled anew


class Reshaping(keras.Model):  # type: ignore[misc]
    """Shapes the features by the size of the input's batch, as careless models do."""

    def __init__(self) -> None:
        super().__init__()
        self.last = layers.Conv2D(N_MAPS, 3, activation="relu", name="last")
        self.pool, self.top = layers.MaxPooling2D(2), layers.Dense(4)
        self.seen: list[tuple[int, int]] = []

    def call(self, x: Any) -> Any:
        y = self.pool(self.last(x))
        self.seen.append((int(x.shape[0]), int(y.shape[0])))
        return self.top(ops.reshape(y, (x.shape[0], 5 * 9 * N_MAPS)))


class FirstRow(Reshaping):
    """Gives the scores of as many samples as came in, whatever the head saw."""

    def call(self, x: Any) -> Any:
        y = self.pool(self.last(x))
        self.seen.append((int(x.shape[0]), int(y.shape[0])))
        flat = ops.reshape(y, (y.shape[0], 5 * 9 * N_MAPS))
        return self.top(flat[: x.shape[0]])


class ByCount(Reshaping):
    """Gives other numbers, without an error, where features and input are not as many."""

    def call(self, x: Any) -> Any:
        y = self.pool(self.last(x))
        self.seen.append((int(x.shape[0]), int(y.shape[0])))
        flat = ops.reshape(y, (y.shape[0], 5 * 9 * N_MAPS))
        return self.top(flat) * (y.shape[0] / x.shape[0])


class BesideTheInput(Reshaping):
    """Joins features and input, which must be as many."""

    def call(self, x: Any) -> Any:
        y = self.pool(self.last(x))
        self.seen.append((int(x.shape[0]), int(y.shape[0])))
        flat = ops.reshape(y, (y.shape[0], 5 * 9 * N_MAPS))
        return self.top(ops.concatenate([flat, 0 * x[:, 0, 0, :1]], axis=-1)[:, :-1])


@pytest.mark.filterwarnings("ignore:The heatmap of target")
@pytest.mark.parametrize("kind", [Reshaping, FirstRow, ByCount, BesideTheInput])
@pytest.mark.parametrize("batch_size", [4, 32])
def test_a_model_that_cannot_take_batches_that_differ_runs_as_a_whole(
    kind: type[Reshaping], batch_size: int
) -> None:
    model = kind()
    model(sample(SIZE))
    plain = recorded()
    model.set_weights(plain.get_weights())
    explanation = eli5.explain_prediction(
        model,
        sample(SIZE, seed=2),
        method="Ablation-CAM",
        layer="last",
        top_targets=4,
        batch_size=batch_size,
    )
    check(explanation, brute_force(plain, "last"))
    assert any(one == two > 1 for one, two in model.seen)  # whole runs


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_after_a_fall_back_gradients_are_as_before() -> None:
    model = Reshaping()
    model(sample(SIZE))
    doc = sample(SIZE, seed=2)
    before = eli5.explain_prediction(model, doc, layer="last", top_targets=2)
    eli5.explain_prediction(model, doc, layer="last", method="Ablation-CAM")
    assert eli5.explain_prediction(model, doc, layer="last", top_targets=2) == before


@pytest.mark.filterwarnings("ignore:The heatmap of target")
def test_each_of_several_layers_has_its_own_head() -> None:
    model = recorded()
    found = ablation(model, layer=["last", -4], top_targets=2)
    single = [ablation(model, layer=name, top_targets=2) for name in ("last", -4)]
    for k, target in enumerate(found.targets):
        peaks = [one.targets[k].attribution.max() or 1 for one in single]
        # The coarser map is enlarged: at least its mean is kept.
        parts = [one.targets[k].attribution / peak for one, peak in zip(single, peaks, strict=True)]
        assert target.attribution.shape == (10, 18)
        mean = np.mean([part.mean() for part in parts])
        assert target.attribution.mean() == pytest.approx(mean, abs=1e-5)


# ---- the way that is remembered ------------------------------------------------------------------


class Rivals(layers.Layer):  # type: ignore[misc]
    """Divides by the largest number of the whole batch: samples mix."""

    def call(self, x: Any) -> Any:
        return x / keras.ops.max(x)


def rivals(bias: float) -> keras.Model:
    """Return a model whose head looks across the batch; `bias` makes drops small beside scores."""
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            layers.Conv2D(5, 3, activation="relu", name="conv"),
            Rivals(),
            layers.GlobalAveragePooling2D(),
            layers.Dense(2, name="head"),
        ]
    )
    with_weights(model)
    kernel, _ = model.get_layer("head").get_weights()
    model.get_layer("head").set_weights([kernel, np.full(2, bias)])
    return model


@pytest.mark.parametrize("bias", [0.0, 50.0])
@pytest.mark.parametrize("before", [(), (32,)])
def test_one_at_a_time_is_right_where_samples_mix(bias: float, before: tuple[int, ...]) -> None:
    model, doc = rivals(bias), sample((8, 8, 3))
    options: dict[str, Any] = {"method": "Ablation-CAM", "targets": [0], "layer": "conv"}
    for batch_size in before:
        eli5.explain_prediction(model, doc, batch_size=batch_size, **options)
    found = eli5.explain_prediction(model, doc, batch_size=1, **options).targets[0].attribution
    inner = keras.Model(model.inputs[0], model.get_layer("conv").output)
    maps = keras.ops.convert_to_numpy(inner(doc))[0].astype("float64")
    dense, offset = (w.astype("float64") for w in model.get_layer("head").get_weights())

    def score(left: Any) -> Any:
        return ((left / left.max()).mean(axis=(0, 1)) @ dense + offset)[0]

    drops = [score(maps) - score(maps * (np.arange(5) != k)) for k in range(5)]
    expected = np.maximum(maps @ np.array(drops) / abs(score(maps)), 0)
    np.testing.assert_allclose(found, expected, atol=2e-3 * expected.max())


def test_a_doc_that_tells_nothing_settles_nothing() -> None:
    model, doc = rivals(0.0), sample((8, 8, 3))
    plain = keras.Sequential([*model.layers[:1], *model.layers[2:]])
    options: dict[str, Any] = {"method": "Ablation-CAM", "targets": [0]}
    with pytest.warns(UserWarning, match="is empty|not finite"):
        eli5.explain_prediction(plain, doc * np.float32("nan"), **options)
    eli5.explain_prediction(plain, doc, **options)
    kept: Any = memory_of(plain)._entries
    chosen = [kept[key] for key in kept if key[0] == "answer" and key[1][0] == "ablation"]
    assert [entry.value for entry in chosen] == [0]  # the first, at the pooling layer


def test_a_layer_that_is_changed_after_the_first_time() -> None:
    model, doc = rivals(0.0), sample((8, 8, 3))
    plain = keras.Sequential([*model.layers[:1], *model.layers[2:]])
    options: dict[str, Any] = {"method": "Ablation-CAM", "targets": [0]}
    eli5.explain_prediction(plain, doc, **options)
    pooling = plain.layers[1]
    pooling.call = lambda x, call=pooling.call: call(x)
    eli5.explain_prediction(plain, doc, **options)


def test_a_method_of_the_input_has_no_maps() -> None:
    def own(probe: Any) -> Any:
        return probe.ablated_scores(np.arange(3))

    method = Method("own", own, paper="", cost="", at="input", is_black_box=True)
    with pytest.raises(
        ValueError, match=r"a method that has a target layer\. Received: one of the"
    ):
        eli5.explain_prediction(recorded(), sample(SIZE), method=method)

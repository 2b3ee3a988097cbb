"""Randomisation: maps before and after, and weights that are in the end as they were."""

from __future__ import annotations

import itertools
import zlib
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.keras import engine
from eli5.keras.methods.method import Method
from eli5.keras.methods.probe import Attributions, Probe
from eli5.metrics import (
    cascading_randomisation,
    efficient_randomisation,
    random_logit,
    smooth_randomisation,
)
from eli5.metrics.reinitialise import list_stages, redraw
from eli5.metrics.similarity import histogram_entropy, spearman, ssim
from helpers.closed_forms import linear
from helpers.models import make_classifier, sample

Array = np.ndarray[Any, Any]


def values_of(model: keras.Model) -> list[Array]:
    return [np.array(keras.ops.convert_to_numpy(one.value)) for one in model.variables]


def assert_same(before: list[Array], model: keras.Model) -> None:
    for one, other in zip(before, values_of(model), strict=True):
        assert one.tobytes() == other.tobytes()


def docs() -> Array:
    return np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])


def slow_spearman(a: Array, b: Array) -> float:
    ranks = [
        [sum(v < u for v in m) + (sum(v == u for v in m) - 1) / 2 for u in m]
        for m in (a.ravel().tolist(), b.ravel().tolist())
    ]
    return float(np.corrcoef(ranks)[0, 1])


def unit(values: Array) -> Array:
    return (values - values.min()) / np.ptp(values)


def test_similarities_are_their_twins() -> None:
    metrics = pytest.importorskip("skimage.metrics")
    a, b = np.random.default_rng(0).normal(size=(2, 9, 12)).round(1)
    assert spearman(a, b) == pytest.approx(slow_spearman(a, b), abs=1e-9)
    expected = metrics.structural_similarity(unit(a), unit(b), data_range=1)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-9)
    assert ssim(a, a) == pytest.approx(1)
    assert np.isnan(spearman(a, np.ones_like(a)))
    assert ssim(a[:3, 0], b[:3, 0]) < 1  # shorter than a window
    a = np.random.default_rng(0).normal(size=(9, 12))
    bins = np.linspace(a.min(), a.max(), 101)
    counts = [((a >= low) & (a < high)).sum() for low, high in itertools.pairwise(bins)]
    counts[-1] += 1  # the highest number itself
    shares = [count / a.size for count in counts if count]
    assert histogram_entropy(a) == pytest.approx(-sum(p * np.log(p) for p in shares), abs=1e-9)
    assert histogram_entropy(np.ones(4)) == 0


def test_the_cascade_is_its_twin(recwarn: Any) -> None:
    model = make_classifier()
    before = values_of(model)
    result = cascading_randomisation(model, docs(), targets=[2, 1], seed=3, layer="conv")
    assert_same(before, model)
    # By hand: head first, each stage upon the one before.
    twin, random = make_classifier(), np.random.default_rng(3)
    first = [eli5.explain_prediction(twin, docs()[k : k + 1], [2 - k], "conv") for k in (0, 1)]
    names = ["head", "hidden", "bn", "conv"]
    stages = list_stages(twin, trace_of(twin))
    assert [stage.name for stage in stages] == names == result.labels[1:]
    alike: list[list[float]] = [[], []]
    for stage in stages:
        redraw(stage, random)
        for k in (0, 1):
            expl = eli5.explain_prediction(twin, docs()[k : k + 1], [2 - k], "conv")
            a, b = (one.targets[0].attribution for one in (first[k], expl))
            alike[k].append(slow_spearman(a, b) if np.ptp(b) else np.nan)
    for k in (0, 1):
        np.testing.assert_allclose(result.curves[k]["spearman"], [1, *alike[k]], atol=1e-6)
        assert result.values[k] == pytest.approx(np.nanmean(alike[k]), abs=1e-6)
        assert len(result.curves[k]["ssim"]) == len(result.curves[k]["entropy"]) == 5
    assert result.explanations == 2 * 5
    assert "moving averages as at the start" in result.perturbation


def trace_of(model: keras.Model) -> Any:
    return engine.trace(model, docs()[:1])


def test_few_stages_end_with_all_layers() -> None:
    result = cascading_randomisation(make_classifier(), docs(), stages=2, method="Saliency")
    assert result.labels == ["", "hidden", "conv"]


def edges(probe: Probe) -> Attributions:
    """Return a map of the picture alone, whatever the model."""
    steps = np.abs(np.diff(probe.picture, axis=0, append=0)).sum(axis=-1)
    return Attributions(steps[None])


def test_a_map_of_the_picture_alone_is_found_out() -> None:
    model = make_classifier()
    options: dict[str, Any] = {
        "method": Method("Edges", edges, "", "", at="input", is_black_box=True)
    }
    for metric in (cascading_randomisation, random_logit):
        np.testing.assert_allclose(metric(model, docs(), **options).values, 1)
    assert efficient_randomisation(model, docs(), **options).values.tolist() == [0, 0]


def test_efficient_randomisation_is_its_twin() -> None:
    model = make_classifier()
    before = values_of(model)
    result = efficient_randomisation(model, docs(), seed=1, method="Saliency", targets=[0, 1])
    assert_same(before, model)
    twin, random = make_classifier(), np.random.default_rng(1)

    def entropies() -> Array:
        expls = eli5.explain_predictions(twin, docs(), targets=[0, 1], method="Saliency")
        return np.array([histogram_entropy(one.targets[0].attribution) for one in expls])

    first = entropies()
    for stage in list_stages(twin, trace_of(twin)):
        redraw(stage, random)
    np.testing.assert_allclose(result.values, (entropies() - first) / first, atol=1e-6)


def test_random_logit_is_its_twin() -> None:
    model = make_classifier()
    result = random_logit(model, docs(), method="Saliency", seed=2)
    for k, doc in enumerate(docs()):
        random = np.random.default_rng([2, zlib.crc32(doc.tobytes())])
        own = eli5.explain_prediction(model, doc[None], method="Saliency").targets[0]
        others = [class_id for class_id in range(4) if class_id != own.target]
        other = others[random.integers(3)]
        expl = eli5.explain_prediction(model, doc[None], [other], method="Saliency")
        expected = slow_spearman(own.attribution, expl.targets[0].attribution)
        assert result.values[k] == pytest.approx(expected, abs=1e-4)
        assert result.curves[k]["target"][0] == other != result.targets[k] == own.target
    # One of two classes: what speaks for one speaks against the other.
    net = linear((6, 7, 3))
    both = random_logit(net.model, sample((6, 7, 3)), method="Gradient × Input")
    assert both.mean == pytest.approx(-1)
    assert random_logit(
        net.model, sample((6, 7, 3)), method="Gradient × Input", absolute=True
    ).mean == pytest.approx(1)
    same = random_logit(model, docs(), method="Eigen-CAM")
    np.testing.assert_allclose(same.values, 1)


def test_smooth_maps_are_averaged_over_noisy_copies() -> None:
    model = make_classifier()
    options: dict[str, Any] = {"method": "Saliency", "targets": [0, 0], "stages": 1}
    smooth = smooth_randomisation(model, docs(), n_samples=4, noise=0.3, seed=5, **options)
    same = cascading_randomisation(model, docs(), noise=0.3, n_samples=4, seed=5, **options)
    plain = cascading_randomisation(model, docs(), seed=5, **options)
    assert smooth.metric == "Smooth randomisation"
    assert (smooth.values != plain.values).all()
    assert same.values.shape == smooth.values.shape
    with pytest.raises(ValueError, match=r"averaged over noisy copies.*Received: method='RISE'"):
        smooth_randomisation(model, docs(), method="RISE")


# ---- weights -------------------------------------------------------------------------------------


def test_weights_are_put_back_after_an_error() -> None:
    model = make_classifier()
    before = values_of(model)
    calls = []

    def failing(activations: Any, gradients: Any) -> Any:
        calls.append(1)
        raise RuntimeError("no more")

    stages = list_stages(model, trace_of(model))
    with pytest.raises(RuntimeError, match="no more"):
        cascading_randomisation(model, docs(), method=failing)
    assert_same(before, model)
    layer = stages[-1].layers[0]
    kept = type(layer).get_config
    try:

        def broken(self: Any) -> Any:
            raise KeyboardInterrupt

        type(layer).get_config = broken
        with pytest.raises(KeyboardInterrupt):
            cascading_randomisation(model, docs())
    finally:
        type(layer).get_config = kept
    assert_same(before, model)


def test_two_threads_do_not_take_drawn_weights_for_the_models_own() -> None:
    model = make_classifier()
    before, others = values_of(model), []

    def measure() -> Array:
        return cascading_randomisation(model, docs(), method="Saliency").values

    expected = measure()
    with ThreadPoolExecutor(1) as pool:

        def draw(shape: Any, dtype: Any) -> Any:  # the layers behind have been drawn by now
            others.append(pool.submit(measure))
            wait(others, timeout=0.5)
            return keras.random.normal(shape, dtype=dtype)

        first = list_stages(model, trace_of(model))[-1].layers[0]
        drawing = {weight.path: draw for weight in first.weights[:1]}
        cascading_randomisation(model, docs(), method="Saliency", initializers=drawing)
    np.testing.assert_array_equal(others[0].result(), expected)
    assert_same(before, model)


def drawn(layer: Any, inputs: Array, n: int = 40) -> tuple[list[Array], list[list[Array]]]:
    """Return a layer's weights, and what they are when drawn anew, n times."""
    model = keras.Sequential([keras.Input(inputs.shape[1:]), layer])
    (stage,) = list_stages(model, engine.trace(model, inputs))
    before, random, found = values_of(model), np.random.default_rng(0), []
    for _ in range(n):
        redraw(stage, random)
        found.append(values_of(model))
    return before, found


def test_a_kernel_is_drawn_by_its_own_initializer() -> None:
    initializer = keras.initializers.RandomUniform(0.5, 0.75, seed=1)
    before, found = drawn(
        layers.Conv2D(8, 1, kernel_initializer=initializer), np.ones((1, 3, 3, 5))
    )
    kernels = np.array([kernel for kernel, _ in found])
    assert kernels.shape == (40, 1, 1, 5, 8)
    assert kernels.min() >= 0.5
    assert kernels.max() <= 0.75
    assert kernels.mean() == pytest.approx(0.625, abs=0.005)
    assert kernels.std() == pytest.approx(0.25 / np.sqrt(12), abs=0.005)
    # Another one each time, though the initializer has a seed of its own.
    assert len({kernel.tobytes() for kernel in kernels} | {before[0].tobytes()}) == 41
    assert not np.array([bias for _, bias in found]).any()


def test_the_bias_of_a_forget_gate_is_one() -> None:
    before, found = drawn(layers.LSTM(3), np.ones((1, 4, 2)), n=2)
    assert before[2].tolist() == [0] * 3 + [1] * 3 + [0] * 6
    for values in found:
        np.testing.assert_array_equal(values[2], before[2])
        assert (values[0] != before[0]).all()
        np.testing.assert_allclose(values[1] @ values[1].T, np.eye(3), atol=1e-6)  # orthogonal


def test_moving_averages_are_those_of_a_layer_that_saw_nothing() -> None:
    model = make_classifier()
    stages = {stage.name: stage for stage in list_stages(model, trace_of(model))}
    redraw(stages["bn"], np.random.default_rng(0))
    layer = model.get_layer("bn")
    for name, expected in {"gamma": 1, "beta": 0, "moving_mean": 0, "moving_variance": 1}.items():
        assert (keras.ops.convert_to_numpy(getattr(layer, name)) == expected).all()


def test_what_prepares_a_doc_is_kept() -> None:
    norm = layers.Normalization()
    norm.adapt(np.random.default_rng(0).normal(3, 2, (9, 4)))
    model = keras.Sequential([keras.Input((4,)), norm, layers.Dropout(0.5), layers.Dense(2)])
    stages = list_stages(model, engine.trace(model, np.ones((1, 4), "float32")))
    assert [type(stage.layers[0]).__name__ for stage in stages] == ["Dense"]


class Own(keras.Model):  # type: ignore[misc]
    """A subclassed model with a nested one, a layer called twice, and a weight of its own."""

    def __init__(self, initializer: Any) -> None:
        super().__init__()
        # Padding makes an operation for its call alone, which is gone afterwards.
        parts = [layers.ZeroPadding2D(), layers.Conv2D(4, 1, name="one"), layers.ReLU()]
        self.base = keras.Sequential([keras.Input((12, 20, 3)), *parts], name="base")
        self.twice = layers.Conv2D(4, 3, padding="same", activation="relu", name="twice")
        self.top = layers.Dense(3, activation="softmax", name="top")
        self.unused = layers.Dense(2, name="unused")
        self.own_initializer = initializer

    def build(self, shape: Any) -> None:
        self.unused.build((None, 4))
        self.own = self.add_weight((4,), self.own_initializer, name="own")
        self.built = True

    def call(self, x: Any) -> Any:
        x = self.twice(self.twice(self.base(x))) * self.own
        return self.top(keras.ops.mean(x, axis=(1, 2)))


def test_nested_and_subclassed_models_from_the_output_back() -> None:
    model = Own(keras.initializers.RandomNormal(5, 0.1))
    model(docs())
    before = values_of(model)
    stages = list_stages(model, trace_of(model))
    assert [stage.name.rpartition("/")[2] for stage in stages] == [
        model.name,
        "top",
        "twice",
        "one",
    ]
    random = np.random.default_rng(0)
    for stage in stages:
        redraw(stage, random)
    for one, other, variable in zip(before, values_of(model), model.variables, strict=True):
        assert (one != other).any() == ("bias" not in variable.path), variable.path
    assert keras.ops.convert_to_numpy(model.own).mean() == pytest.approx(5, abs=0.3)
    model.set_weights(before)
    cascading_randomisation(model, docs(), method="Saliency", stages=2)
    assert_same(before, model)


class Silent(Own):
    """A model that no other one can be made from, with a weight that no attribute tells about."""

    def get_config(self) -> Any:
        raise NotImplementedError

    def build(self, shape: Any) -> None:
        super().build(shape)
        del self.own_initializer


def test_a_weight_that_nobody_knows_how_to_draw() -> None:
    model = Silent("random_normal")
    model(docs())
    before = values_of(model)
    with pytest.raises(ValueError, match=r"weights are drawn.*initializers=\{'silent\w*/own'"):
        efficient_randomisation(model, docs(), method="Saliency")
    assert_same(before, model)
    told = {model.own.path: "ones"}
    result = efficient_randomisation(model, docs(), method="Saliency", initializers=told)
    assert np.isfinite(result.values).all()
    assert_same(before, model)
    with pytest.raises(TypeError, match="Expected `initializers` to be a mapping"):
        efficient_randomisation(model, docs(), initializers=["ones"])


def test_a_model_without_weights_or_other_classes() -> None:
    bare = keras.Sequential([keras.Input((12, 20, 3)), layers.GlobalAveragePooling2D()])
    with pytest.raises(ValueError, match="Expected a model with weights"):
        efficient_randomisation(bare, docs(), method="Saliency")
    value = keras.Sequential([keras.Input((12, 20, 3)), layers.Flatten(), layers.Dense(1)])
    with pytest.raises(ValueError, match=r"Expected a model with several classes.*with 1"):
        random_logit(value, docs(), method="Saliency")
    for metric in (efficient_randomisation, random_logit):
        with pytest.raises(ValueError, match=r"Expected docs, at least one\. Received: none"):
            metric(make_classifier(), docs()[:0])

"""What all metrics share: explanations or maps, kinds of docs, classes, passes, errors, table."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

import eli5
from eli5.base import Explanation, TargetExplanation
from eli5.keras import engine
from eli5.metrics import (
    METRICS,
    MetricResult,
    average_drop,
    complexity,
    deletion,
    infidelity,
    insertion,
    road,
    single_deletion,
    srg,
)
from eli5.metrics.cases import cut_evenly
from helpers.closed_forms import docs_of, highest_first, linear, trapezoids
from helpers.models import make_classifier, sample, with_weights

Array = np.ndarray[Any, Any]
ON_PROBES: list[Callable[..., MetricResult]] = [
    deletion,
    insertion,
    srg,
    road,
    single_deletion,
    infidelity,
    average_drop,
]


def probabilities(model: keras.Model, docs: Any) -> Array:
    return np.asarray(keras.ops.convert_to_numpy(model(np.asarray(docs))), "float64")


# ---- maps and classes ----------------------------------------------------------------------------


def test_an_explanation_is_measured_where_its_layer_looked(classifier: keras.Model) -> None:
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])
    explanations = list(eli5.explain_predictions(classifier, docs, layer="conv"))
    assert explanations[0].targets[0].attribution.shape == (10, 18)  # a border is cut off
    maps = [expl.heatmap_on_input() for expl in explanations]
    targets = [expl.targets[0].target for expl in explanations]
    measured = deletion(classifier, docs, explanations)
    plain = deletion(classifier, docs, maps, targets=targets)
    np.testing.assert_allclose(measured.values, plain.values, atol=1e-6)
    assert measured.targets == targets
    streamed = deletion(classifier, docs, eli5.explain_predictions(classifier, docs, layer="conv"))
    np.testing.assert_array_equal(streamed.values, measured.values)


def test_the_class_is_the_one_that_the_map_explains(classifier: keras.Model) -> None:
    doc = sample((12, 20, 3))
    expl = eli5.explain_prediction(classifier, doc, classes=[3, 1])
    expected = probabilities(classifier, doc)[0]
    for targets, target in ((None, 3), ([1], 1)):
        result = deletion(classifier, doc, expl, targets=targets)
        assert result.targets == [target]
        assert result.curves[0]["score"][0] == pytest.approx(expected[target], abs=1e-6)


def test_a_plain_map_explains_the_likeliest_class(classifier: keras.Model) -> None:
    doc = sample((12, 20, 3))
    result = single_deletion(classifier, doc, np.random.default_rng(0).normal(size=(1, 12, 20)))
    assert result.targets == [int(probabilities(classifier, doc).argmax())]
    assert result.passes == 17  # one of them to find it


def test_a_map_made_by_hand_is_stretched() -> None:
    net, docs = linear((6, 8, 3)), docs_of((6, 8, 3), 1)
    coarse = np.array([[0.0, 1], [0.5, 0.25]])
    expl = Explanation("net", targets=[TargetExplanation(1, heatmap=coarse)])
    from eli5.placement import lay_out, stretch

    fine = lay_out(coarse, stretch((2, 2), (6, 8)))
    expected = deletion(net.model, docs, [fine], targets=[1])
    assert deletion(net.model, docs, expl).mean == expected.mean


def test_a_callable_score(classifier: keras.Model) -> None:
    def spread(outputs: Any) -> Any:
        return keras.ops.max(outputs, axis=1) - keras.ops.min(outputs, axis=1)

    doc = sample((12, 20, 3))
    expl = eli5.explain_prediction(classifier, doc, score=spread)
    result = deletion(classifier, doc, expl, score=spread)
    assert (result.score, result.targets) == ("spread", ["spread"])
    with pytest.raises(ValueError, match=r"a map of 'spread' without it.*score=spread"):
        deletion(classifier, doc, expl)
    expected = float(np.ptp(probabilities(classifier, doc)))
    assert result.curves[0]["score"][0] == pytest.approx(expected, abs=1e-6)


# ---- kinds of docs -------------------------------------------------------------------------------


def reader() -> keras.Model:
    """Return a model of token ids that masks 0."""
    model = keras.Sequential(
        [
            keras.Input((6,), dtype="int32"),
            layers.Embedding(9, 4, mask_zero=True),
            layers.GlobalAveragePooling1D(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    return with_weights(model, seed=3)


def test_tokens_are_left_out_as_padding() -> None:
    model, ids = reader(), np.array([[5, 3, 7, 2, 0, 0]])
    expl = eli5.explain_prediction(model, ids, method="Occlusion")
    weights, target = expl.targets[0].attribution, expl.targets[0].target
    assert weights.shape == (4,)
    result = deletion(model, ids, expl)
    curve = []
    for count in range(4):
        changed = ids.copy()
        for (place,) in highest_first(weights, 0)[:count]:
            changed[0, place] = 0
        curve.append(probabilities(model, changed)[0, target])
    # Of a text without tokens, whose mean is not defined, the embedding is zero.
    np.testing.assert_allclose(result.curves[0]["score"][:4], curve, atol=1e-6)
    assert np.isfinite(result.curves[0]["score"][4])
    assert (result.baseline, len(result.curves[0]["share"])) == ("mask", 5)
    shares, scores = result.curves[0]["share"], result.curves[0]["score"]
    assert result.mean == pytest.approx(trapezoids(shares, scores), abs=1e-9)
    # With padding around it, or without, and plain or not, it is the same map.
    for plain in (weights, np.append(weights, [9, 9])):
        again = deletion(model, ids, [plain], targets=[target])
        np.testing.assert_array_equal(again.values, result.values)


def test_each_metric_measures_texts_but_road() -> None:
    model, ids = reader(), np.array([[5, 3, 7, 2, 0, 0]])
    expl = eli5.explain_prediction(model, ids, method="Occlusion")
    for metric in (deletion, insertion, srg, single_deletion, infidelity, average_drop):
        result = metric(model, ids, expl)
        assert np.isfinite(result.values).all()
        assert result.baseline == ("0" if metric is average_drop else "mask")
    with pytest.raises(ValueError, match=r"for ROAD\. Received: tokens"):
        road(model, ids, expl)


def test_a_baseline_of_texts_is_of_their_embedding() -> None:
    model, ids = reader(), np.array([[5, 3, 7, 2, 0, 0]])
    table = keras.ops.convert_to_numpy(model.layers[0].embeddings)
    weights, bias = (keras.ops.convert_to_numpy(w) for w in model.layers[-1].weights)
    hidden = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")
    result = deletion(model, ids, [np.array([0, 3, 2, 1])], targets=[1], baseline=hidden, steps=4)
    vectors = table[ids[0, :4]].astype("float64")
    for count, score in enumerate(result.curves[0]["score"]):
        for place in (1, 2, 3, 0)[:count]:
            vectors[place] = hidden[place]
        odds = np.exp(vectors.mean(axis=0) @ weights + bias)
        assert score == pytest.approx(odds[1] / odds.sum(), abs=1e-6)
    assert result.baseline == "an array"
    result = deletion(model, ids, [np.arange(4)], targets=[1], baseline="mean")
    assert result.baseline == "mean"


@pytest.mark.parametrize("shape", [(1, 8), (1, 8, 3)])
def test_series_are_left_out_by_step_or_by_step_and_channel(shape: tuple[int, ...]) -> None:
    net, doc = linear((8, 3)), docs_of((8, 3), 1)
    one = np.random.default_rng(1).normal(size=shape)
    result = deletion(net.model, doc, one, targets=[1], steps=4)
    order, n = highest_first(one[0], 0), one.size
    changed, curve = doc[0].astype("float64").copy(), [net.probability(doc[0])]
    means = doc[0].astype("float64").mean(axis=0)  # of each channel
    for k, place in enumerate(order, 1):
        changed[place] = means[place[1]] if len(place) == 2 else means
        if k in {n // 4, n // 2, 3 * n // 4, n}:
            curve.append(net.probability(changed))
    np.testing.assert_allclose(result.curves[0]["score"], curve, atol=1e-6)


def test_volumes_and_channels_first() -> None:
    net, doc = linear((3, 4, 5, 1)), docs_of((3, 4, 5, 1), 1)
    ideal = net.contributions(doc[0], 0)
    assert srg(net.model, doc, [ideal], targets=[1], baseline=0).mean > 0.1
    assert single_deletion(net.model, doc, [ideal], targets=[1], baseline=0).mean == pytest.approx(
        1
    )
    # The same picture with its channels first, and a baseline of its own shape.
    net, doc = linear((5, 4, 2)), docs_of((5, 4, 2), 1)
    weights = net.weights.transpose(2, 0, 1)
    first = keras.Sequential(
        [keras.Input((2, 5, 4)), layers.Flatten(), layers.Dense(1, activation="sigmoid")]
    )
    first.set_weights([weights.reshape(-1, 1), np.array([net.bias])])
    baseline = docs_of((5, 4, 2), 1, seed=9)
    one = [np.random.default_rng(0).normal(size=(5, 4))]
    expected = deletion(net.model, doc, one, targets=[1], baseline=baseline)
    turned, below = (np.moveaxis(x, -1, 1).copy() for x in (doc, baseline))
    found = deletion(first, turned, one, targets=[1], baseline=below, data_format="channels_first")
    np.testing.assert_allclose(found.values, expected.values, atol=1e-7)


# ---- passes --------------------------------------------------------------------------------------


@pytest.mark.parametrize("metric", ON_PROBES, ids=lambda metric: metric.__name__)
def test_the_model_runs_no_more_often_than_told(
    metric: Callable[..., MetricResult], classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])
    maps = np.random.default_rng(0).normal(size=(2, 12, 20))
    batches: list[int] = []
    run = engine.evaluate

    def counted(model: Any, inputs: Any, targets: Array, *rest: Any) -> Any:
        batches.append(len(targets))
        return run(model, inputs, targets, *rest)

    monkeypatch.setattr(engine, "evaluate", counted)
    result = metric(classifier, docs, maps, targets=[0, 1])
    # Filled up to a power of two, which compiles fewer programs, but not by much.
    assert result.passes <= sum(batches) <= 9 / 8 * result.passes
    assert {2 ** math.ceil(math.log2(n)) for n in batches} == set(batches)
    assert max(batches) <= 32


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (62, [32, 30]),
        (18, [16, 2]),
        (50, [32, 16, 2]),
        (3, [2, 1]),
        (32, [32]),
        (29, [29]),
        (0, []),
    ],
)
def test_batches_of_which_little_is_filled_up(n: int, sizes: list[int]) -> None:
    cut = list(cut_evenly(n, 32))
    assert [one.stop - one.start for one in cut] == sizes
    assert [k for one in cut for k in range(n)[one]] == list(range(n))
    # A batch need be no power of two.
    assert [one.stop - one.start for one in cut_evenly(25, 10)] == [10, 10, 4, 1]


# ---- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("explanations", "error", "message"),
    [
        (3, TypeError, "Expected `explanations` to be an Explanation, or maps, for each doc"),
        (["map"], TypeError, r"Expected `explanations\[0\]` to be an Explanation, or a map"),
        ([[1, 2]], TypeError, r"explanations\[0\].*Measure one method at a time"),
        ([np.full((12, 20), np.nan)], ValueError, r"finite.*explanations\[0\] with 240 numbers"),
        ([Explanation("net", error="no doc")], ValueError, "with maps of targets.*, as no doc"),
        ([np.ones((3, 4))], ValueError, r"doc's size, \(12, 20\). Received: one of shape \(3, 4\)"),
        ([np.ones((12,))], ValueError, r"a map of the doc's size, \(12, 20\)"),
        (np.ones((2, 12, 20)), ValueError, "one explanation per doc, 1 of them. Received: 2"),
    ],
)
def test_wrong_explanations_are_refused(
    classifier: keras.Model, explanations: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        deletion(classifier, sample((12, 20, 3)), explanations)


@pytest.mark.parametrize("n", [1, 3])
def test_docs_of_which_nobody_knows_the_number(classifier: keras.Model, n: int) -> None:
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])
    maps = np.ones((n, 12, 20))
    for stream in (iter(docs[:, None]), docs):
        with pytest.raises(ValueError, match=f"per doc, 2 of them. Received: {n} explanations"):
            deletion(classifier, stream, maps)


def test_wrong_targets_are_refused(classifier: keras.Model) -> None:
    doc, maps = sample((12, 20, 3)), np.ones((1, 12, 20))
    with pytest.raises(TypeError, match="Expected `targets` to be one class id for each doc"):
        deletion(classifier, doc, maps, targets=[[1, 2]])
    with pytest.raises(ValueError, match=r"entry in `targets` per doc, 1 of them. Received: 2"):
        deletion(classifier, doc, maps, targets=[1, 2])
    with pytest.raises(ValueError, match=r"with a map of target 2. Received: .* targets \[1\]"):
        complexity(eli5.explain_prediction(classifier, doc, [1]), targets=[2])
    with pytest.raises(ValueError, match=r"Expected a class id in \[0, 4\)"):
        deletion(classifier, doc, maps, targets=[4])


def test_maps_of_series_and_texts_have_their_length() -> None:
    model, ids = reader(), np.array([[5, 3, 7, 2, 0, 0]])
    with pytest.raises(ValueError, match=r"Expected a map of the doc's size, \(4,\)"):
        deletion(model, ids, [TargetMap.of_text(3)])
    net = linear((8, 3))
    with pytest.raises(ValueError, match=r"Expected a map of the doc's size, \(8,\)"):
        deletion(net.model, docs_of((8, 3), 1), [np.ones(7)])


class TargetMap:
    """An explanation of a text of another length."""

    @staticmethod
    def of_text(n: int) -> Explanation:
        target = TargetExplanation(0, attribution=np.ones(n, "float32"), weighted_spans=object())
        return Explanation("net", targets=[target])


@pytest.mark.parametrize("metric", ON_PROBES, ids=lambda metric: metric.__name__)
def test_an_option_that_nobody_knows_is_refused(
    metric: Callable[..., MetricResult], classifier: keras.Model
) -> None:
    with pytest.raises(TypeError, match=r"Received: batchsize=3\. Did you mean 'batch_size'\?"):
        metric(classifier, sample((12, 20, 3)), np.ones((1, 12, 20)), batchsize=3)


# ---- the table, and results ----------------------------------------------------------------------


@pytest.mark.parametrize("row", METRICS.values(), ids=METRICS)
def test_a_row_of_the_table(row: Any) -> None:
    parameters = inspect.signature(row.function).parameters.values()
    assert tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD) == row.needs
    assert getattr(eli5.metrics, row.function.__name__) is row.function
    assert row.name in repr(row.function.__doc__) or row.paper in row.function.__doc__
    assert row.bounds[0] < row.bounds[1]


def test_each_metric_stays_within_its_bounds_and_says_what_it_depends_on() -> None:
    model = make_classifier()
    docs = np.concatenate([sample((12, 20, 3), seed) for seed in (0, 1)])
    arguments = {
        "model": model,
        "docs": docs,
        "explanations": list(eli5.explain_predictions(model, docs)),
        "masks": [(2, 2, 10, 8)] * 2,
    }
    for name, row in METRICS.items():
        assert row.function is not None
        result = row.function(*(arguments[need] for need in row.needs))
        assert (result.metric, result.better, result.unit) == (name, row.better, row.unit)
        assert result.values.shape == (2,)
        assert ((row.bounds[0] <= result.values) & (result.values <= row.bounds[1])).all(), name
        assert (result.passes > 0) == ("explanations" in row.needs and "model" in row.needs)
        assert (result.explanations > 0) == ("explanations" not in row.needs)
        assert f"{row.better} is better; 2 docs" in repr(result)
        assert (result.seed is not None) == ("seed" in inspect.signature(row.function).parameters)
        if result.seed is not None:
            assert f"seed {result.seed}" in repr(result)

"""Methods side by side: rows, intervals, who is best; and those that fail the sanity check."""

from __future__ import annotations

import sys
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.keras.methods.method import Method
from eli5.keras.methods.probe import Attributions, Probe
from eli5.metrics import MetricResult, complexity, max_sensitivity, srg
from eli5.metrics.comparison import Comparison, interval
from helpers.models import sample

Array = np.ndarray[Any, Any]
BOX = (2, 2, 10, 8)


def docs() -> Array:
    return np.concatenate([sample((12, 20, 3), seed) for seed in range(3)])


@pytest.fixture(scope="module")
def comparison(classifier: keras.Model) -> Comparison:
    methods = {"grad": {"method": "Grad-CAM", "layer": "conv"}, "hide": {"method": "Occlusion"}}
    metrics = ["srg", "Complexity", "max-sensitivity"]
    found: Comparison = eli5.compare(classifier, docs(), methods, metrics, seed=3)
    return found


def test_each_number_is_that_of_the_metric(comparison: Comparison, classifier: keras.Model) -> None:
    explanations = list(eli5.explain_predictions(classifier, docs(), layer="conv"))
    targets = [one.targets[0].target for one in explanations]
    expected = {
        "SRG": srg(classifier, docs(), explanations, seed=3),
        "Complexity": complexity(explanations),
        "Max-sensitivity": max_sensitivity(
            classifier, docs(), targets=targets, seed=3, layer="conv"
        ),
    }
    assert comparison.metrics == list(expected)
    assert comparison.methods == ["grad", "hide"]
    for metric, result in expected.items():
        np.testing.assert_allclose(comparison.results["grad", metric].values, result.values)
    assert comparison.results["hide", "SRG"].targets == targets
    assert len(comparison.curves["hide", "SRG"]) == 3


def test_the_table_has_a_row_per_method_and_metric(comparison: Comparison) -> None:
    pytest.importorskip("pandas")
    table = comparison.table
    assert len(table) == 6
    row = table[(table["method"] == "hide") & (table["metric"] == "SRG")].iloc[0]
    assert row["mean"] == comparison.results["hide", "SRG"].mean
    assert row["low"] < row["mean"] < row["high"]
    assert (row["docs"], row["passes"], row["explanations"]) == (3, 3 * 62, 0)
    assert row["seconds"] > 0
    assert comparison.seconds["hide", ""] > 0


def test_without_pandas_the_extra_is_named(
    comparison: Comparison, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match=r'pip install "eli5-keras\[dataframe\]"'):
        _ = comparison.table


def test_an_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(0).normal(2, 3, 400)
    low, high = interval(np.append(values, np.nan))
    # For many docs the resampled mean is normal.
    half = 1.96 * values.std() / 20
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.05)
    assert interval(np.full(5, 2.0)) == (2, 2)
    # One doc does not tell how much docs vary.
    assert np.isnan(interval(values[:1])).all()
    assert np.isnan(interval(np.array([np.nan]))).all()
    many = np.random.default_rng(1).normal(2, 3, 20_001)
    assert interval(many) == pytest.approx(interval(many[:9000]), abs=0.15)
    assert interval(many)[1] - interval(many)[0] == pytest.approx(
        2 * 1.96 * 3 / 20_001**0.5, rel=0.05
    )


def made(**values: list[float]) -> Comparison:
    """Return a comparison of these methods by one metric, the lower the better."""
    return Comparison(
        {(k, "Deletion"): MetricResult("Deletion", np.array(v), "lower") for k, v in values.items()}
    )


def test_the_best_and_those_that_are_not_told_apart() -> None:
    # Docs vary far more than methods do: what tells is the difference at each.
    base = np.linspace(0, 1, 8)
    noise = np.array([0.02, -0.02] * 4)
    found = made(a=list(base + 0.01), b=list(base), c=list(base + 0.001 + noise), d=[np.nan] * 8)
    assert found.best() == {"Deletion": ["b", "c"]}
    assert "Deletion, lower is better: b, not told apart from c. Not alone: what is" in repr(found)
    # Who has no number where it is hard is not better for that.
    assert made(a=[0.2, 0.3, np.nan], b=[0.1, 0.2, 0.9]).best() == {"Deletion": ["b"]}
    apart = made(a=[0.2, np.nan], b=[np.nan, 0.1])
    assert apart.best() == {"Deletion": ["b", "a"]}
    none = made(a=[np.nan])
    assert none.best() == {"Deletion": []}
    assert made(a=[1.0], b=[2.0]).best() == {"Deletion": ["a", "b"]}  # of one doc
    assert made(a=[1.0] * 3, b=[1.0] * 3).best() == {"Deletion": ["a", "b"]}
    assert "none, as it is not defined for any" in repr(none)


def test_it_is_shown_as_text_and_drawn(comparison: Comparison) -> None:
    head, first, *_ = repr(comparison).splitlines()
    assert head.split() == ["method", "metric", "mean", "95", "%", "docs", "passes", "seconds"]
    assert first.split()[:3] == ["grad", "SRG", f"{comparison.results['grad', 'SRG'].mean:.3g}"]
    assert "33 expl." in repr(comparison)
    figure = comparison.plot()
    panels = figure.axes
    assert [panel.get_title() for panel in panels] == [
        "SRG → better",
        "Complexity ← better",
        "Max-sensitivity ← better",
    ]
    drawn = [line.get_xdata()[0] for line in panels[0].lines if line.get_marker() == "o"]
    means = [comparison.results[method, "SRG"].mean for method in ("grad", "hide")]
    assert drawn == pytest.approx(means)
    figure.canvas.draw()


def test_masks_bring_localisation(classifier: keras.Model) -> None:
    found = eli5.compare(classifier, iter(docs()), ["Saliency"], masks=iter([BOX] * 3))
    assert found.metrics == ["SRG", "Single deletion", "Infidelity", "Complexity", "Energy inside"]
    given = eli5.compare(classifier, docs(), ["Saliency"], ["SRG"], targets=iter([0, 1, 2]))
    assert given.results["Saliency", "SRG"].targets == [0, 1, 2]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"methods": []}, ValueError, "Expected `methods` to name at least one method"),
        ({"methods": "RISE"}, TypeError, "Expected `methods` to be a list of methods, or a map"),
        ({"methods": ["RIZE"]}, ValueError, "Did you mean method='RISE'"),
        ({"methods": {"a": {"method": "RIZE"}}}, ValueError, "Did you mean method='RISE'"),
        ({"methods": [lambda a, g: a, lambda a, g: g]}, ValueError, "methods with different names"),
        ({"methods": {"a": "RISE"}}, TypeError, r"Expected `methods\['a'\]` to be a mapping"),
        ({"chunk_size": 0}, ValueError, "Expected `chunk_size` >= 1"),
        ({"docs": []}, ValueError, "Expected docs, at least one"),
        ({"metrics": ["SRGG"]}, ValueError, "Did you mean 'SRG'"),
        ({"metrics": []}, ValueError, "Expected `metrics` to be a list of names"),
        ({"metrics": ["Best IoU"]}, ValueError, "Expected `masks` for Best IoU"),
        ({"batchsize": 2}, TypeError, "Received: batchsize=2. Did you mean 'batch_size'"),
        ({"patch": 2}, TypeError, "Received: patch=2.*Options of a method are given with it"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    classifier: keras.Model, options: dict[str, Any], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        eli5.compare(classifier, **{"docs": docs(), "methods": ["Saliency"], **options})


def edges(probe: Probe) -> Attributions:
    """Return a map of the picture alone, whatever the model."""
    return Attributions(np.abs(np.diff(probe.picture, axis=0, append=0)).sum(axis=-1)[None])


def flat_map(probe: Probe) -> Attributions:
    """Return a map that says the same of each place."""
    return Attributions(np.ones((1, *probe.picture.shape[:-1])))


def test_what_does_not_react_to_the_weights_is_found(classifier: keras.Model) -> None:
    before = [np.array(one) for one in classifier.get_weights()]
    blind = Method("Edges", edges, "", "", at="input", is_black_box=True)
    methods = {"edges": {"method": blind}, "saliency": {"method": "Saliency"}}
    check = eli5.sanity_check(classifier, docs(), methods)
    assert check.without_reaction == ["edges"]
    assert check.correlations["edges"] == pytest.approx(1)
    assert check.correlations["saliency"] == check.results["saliency"].mean < 0.5
    assert check.results["edges"].explanations == 2 * 3
    assert repr(check).endswith("without reaction (from 0.5 on): edges")
    for one, other in zip(before, classifier.get_weights(), strict=True):
        assert one.tobytes() == np.asarray(other).tobytes()
    flat = Method("Flat", flat_map, "", "", at="input", is_black_box=True)
    found = eli5.sanity_check(classifier, docs(), {"flat": {"method": flat}})
    assert found.without_reaction == []
    assert "flat  not defined, as a map is constant" in repr(found)
    with pytest.raises(ValueError, match="Expected `threshold` to be finite and >= 0"):
        eli5.sanity_check(classifier, docs(), methods, threshold=-1)

"""A comparison of docs in chunks: the same numbers, bounded memory, and docs that fail."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np
import pytest

import eli5
from eli5.keras.methods.method import Method
from eli5.keras.methods.probe import Attributions, Probe
from eli5.metrics import METRICS, Comparison
from eli5.metrics.comparison.curves import sum_curves
from eli5.metrics.comparison.examples import shrunk
from eli5.metrics.result import MetricResult
from helpers.models import sample

Array = np.ndarray[Any, Any]
N = 5
BOX = (2, 2, 10, 8)
# One of each kind of metric, those that draw at random in the first place.
DRAWN = ["SRG", "ROAD", "Infidelity", "Max-sensitivity", "Cascading randomisation", "Random logit"]


def docs() -> Array:
    return np.concatenate([sample((12, 20, 3), seed) for seed in range(N)])


def compare(model: keras.Model, given: Any = None, **options: Any) -> Comparison:
    asked: dict[str, Any] = {"methods": ["Saliency", "Grad-CAM"], "metrics": ["SRG", "Complexity"]}
    found: Comparison = eli5.compare(model, docs() if given is None else given, **(asked | options))
    return found


def assert_same(one: Comparison, other: Comparison, rtol: float = 1e-3) -> None:
    assert one.results.keys() == other.results.keys()
    for key, result in one.results.items():
        np.testing.assert_allclose(result.values, other.results[key].values, rtol, atol=1e-4)
        assert result.targets == other.results[key].targets
        assert result.passes == other.results[key].passes
    assert [one[:4] for one in one.examples] == [one[:4] for one in other.examples]


@pytest.fixture(scope="module")
def whole(classifier: keras.Model) -> Comparison:
    return compare(classifier, methods=["Saliency"], metrics=DRAWN, seed=3)


@pytest.mark.parametrize("chunk_size", [1, 2])
def test_numbers_do_not_depend_on_the_chunks(
    chunk_size: int, classifier: keras.Model, whole: Comparison
) -> None:
    stream = iter(docs())
    found = compare(
        classifier, stream, methods=["Saliency"], metrics=DRAWN, seed=3, chunk_size=chunk_size
    )
    assert_same(found, whole)
    for key, sums in whole.mean_curves.items():
        for name in sums.sums:
            np.testing.assert_allclose(
                found.mean_curves[key].mean(name), sums.mean(name), atol=1e-4
            )
            np.testing.assert_allclose(
                found.mean_curves[key].spread(name), sums.spread(name), atol=1e-3
            )


def test_no_more_docs_are_read_than_a_chunk_holds(classifier: keras.Model) -> None:
    read: list[int] = []
    measured: list[int] = []

    def stream() -> Iterator[Array]:
        for k, doc in enumerate(docs()):
            read.append(k)
            yield doc

    def spy(probe: Probe) -> Attributions:
        measured.append(len(read))
        return Attributions(np.abs(probe.picture).sum(axis=-1)[None])

    spying = Method("Spy", spy, "", "", at="input", is_black_box=True)
    compare(classifier, stream(), methods={"spy": {"method": spying}}, chunk_size=2)
    assert measured == [2, 2, 4, 4, 5]


def test_datasets_are_taken_with_their_labels(classifier: keras.Model) -> None:
    class Batches(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return 3

        def __getitem__(self, k: int) -> tuple[Array, Array]:
            rows = docs()[2 * k : 2 * k + 2]
            return rows, np.full(len(rows), 3)

    assert_same(compare(classifier, Batches(), chunk_size=3), compare(classifier))


def test_mean_curves_are_the_mean_of_the_curves() -> None:
    shares = np.linspace(0, 1, 33)
    values = np.random.default_rng(0).random((4, 33))
    curves: list[dict[str, Array]] = [{"share": shares, "score": one} for one in values]
    result = MetricResult("Deletion", np.zeros(5), "lower", curves=[*curves, {}])
    sums = sum_curves(result)
    assert sums is not None
    np.testing.assert_allclose(sums.mean("score"), values.mean(axis=0))
    np.testing.assert_allclose(sums.spread("score"), values.std(axis=0))
    scattered = MetricResult("Infidelity", np.zeros(1), "lower", curves=[{"map": shares}])
    assert sum_curves(scattered) is None


# ---- docs that fail ------------------------------------------------------------------------------


def is_marked(picture: Array) -> bool:
    return bool(picture[0, 0, 0] == 9)


def picky(probe: Probe) -> Attributions:
    """Fail for docs that are marked."""
    if is_marked(probe.picture):
        raise RuntimeError("no\nmap")
    return Attributions(np.abs(probe.picture).sum(axis=-1)[None])


PICKY = {"method": Method("Picky", picky, "", "", at="input", is_black_box=True)}


def test_a_doc_that_fails_costs_its_number_alone(classifier: keras.Model) -> None:
    marked = docs()
    marked[3, 0, 0, 0] = 9
    # The method that comes first fails, and the class is that of the next one.
    found = compare(classifier, marked, methods={"picky": PICKY, "plain": {"method": "Saliency"}})
    values = found.results["picky", "SRG"].values
    assert np.isnan(values).tolist() == [False, False, False, True, False]
    assert not np.isnan(found.results["plain", "SRG"].values).any()
    assert found.results["plain", "SRG"].targets[3] is not None
    assert [(one.name, one.method, one.metric, one.reason) for one in found.failures] == [
        ("doc 3", "picky", "", "no map")
    ]
    assert found.n_failed == {("picky", "SRG"): 1, ("picky", "Complexity"): 1}
    assert "Failed: doc 3, picky: no map" in repr(found)
    assert [row.failed for row in found.rows] == [1, 1, 0, 0]


@pytest.mark.filterwarnings("ignore:Doc ")
def test_a_doc_that_is_not_finite_costs_its_number_alone(classifier: keras.Model) -> None:
    broken = docs()
    broken[3, 0, 0, 0] = np.nan
    found = compare(classifier, broken, methods=["Saliency"])
    values = found.results["Saliency", "SRG"].values
    assert np.isnan(values).tolist() == [False, False, False, True, False]
    ((name, reason),) = [(one.name, one.reason) for one in found.failures]
    assert name == "doc 3"
    assert "Expected maps that are finite" in reason


def test_a_metric_that_fails_for_a_doc_costs_that_number(
    classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eli5.metrics import complexity

    def strict(explanations: list[Any], **options: Any) -> MetricResult:
        if any(one.targets[0].heatmap.sum() == most for one in explanations):
            raise ValueError("too much")
        return complexity(explanations, **options)

    strict.__kwdefaults__ = {}
    sums = [one.targets[0].heatmap.sum() for one in eli5.explain_predictions(classifier, docs())]
    most = max(sums)
    row = METRICS["Complexity"]._replace(function=strict)
    monkeypatch.setattr("eli5.metrics.comparison.request.METRICS", {**METRICS, "Complexity": row})
    found = compare(classifier, methods=["Grad-CAM"])
    lost = np.isnan(found.results["Grad-CAM", "Complexity"].values)
    assert lost.tolist() == [one == most for one in sums]
    assert [one.reason for one in found.failures] == ["too much"]
    assert not np.isnan(found.results["Grad-CAM", "SRG"].values).any()


def test_what_fails_for_all_is_an_error(classifier: keras.Model) -> None:
    marked = docs()
    marked[:, 0, 0, 0] = 9
    with pytest.raises(RuntimeError, match="no\nmap"):
        compare(classifier, marked, methods={"picky": PICKY})
    # Later a chunk of docs may fail as a whole.
    marked[0, 0, 0, 0] = 1
    found = compare(classifier, marked, methods={"picky": PICKY}, chunk_size=2)
    assert np.isnan(found.results["picky", "SRG"].values).tolist() == [False, *[True] * 4]
    assert len(found.failures) == 4


def test_a_missing_library_is_no_doc_s_fault(
    classifier: keras.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy.sparse.linalg", None)
    with pytest.raises(ModuleNotFoundError, match="Expected SciPy to be installed"):
        compare(classifier, metrics=["ROAD"])


def test_a_doc_without_a_mask_has_no_number_of_those_that_need_one(
    classifier: keras.Model,
) -> None:
    masks = [BOX, None, BOX, BOX, None]
    found = compare(classifier, masks=masks, metrics=["Energy inside", "Pointing game", "SRG"])
    values = found.results["Saliency", "Energy inside"].values
    assert np.isnan(values).tolist() == [False, True, False, False, True]
    assert found.n_failed["Grad-CAM", "Pointing game"] == 2
    assert {one.reason for one in found.failures} == {"no mask was given"}
    assert not np.isnan(found.results["Saliency", "SRG"].values).any()
    with pytest.raises(ValueError, match=r"one entry in `masks` per doc, 5 of them\. Received: 1"):
        compare(classifier, masks=[BOX])


# ---- examples ------------------------------------------------------------------------------------


def test_the_best_and_the_worst_docs_are_kept(classifier: keras.Model) -> None:
    names = [f"photo {k}" for k in range(N)]
    found = compare(classifier, names=names, chunk_size=2, examples=2)
    for (method, metric), result in found.results.items():
        of = [one for one in found.examples if (one.method, one.metric) == (method, metric)]
        order = np.argsort(result.values if result.better == "lower" else -result.values)
        assert [one.number for one in of if one.is_best] == order[:2].tolist()
        assert [one.number for one in of if not one.is_best] == order[:-3:-1].tolist()
        assert [one.name for one in of] == [names[one.number] for one in of]
        assert [one.value for one in of] == [result.values[one.number] for one in of]
    assert compare(classifier, examples=0).examples == []
    one = compare(classifier, docs()[:1])
    assert [(example.metric, example.is_best) for example in one.examples[:2]] == [
        ("SRG", True),
        ("Complexity", True),
    ]


def test_an_example_is_small() -> None:
    from PIL import Image

    heatmap = np.zeros((300, 400), "float32")
    heatmap[30:60, 40:80] = 0.5
    target = eli5.TargetExplanation(2, heatmap=heatmap, attribution=-heatmap)
    other = eli5.TargetExplanation(1, heatmap=heatmap)
    large = eli5.Explanation("net", targets=[other, target], image=Image.new("RGB", (400, 300)))
    small = shrunk(large, 2)
    assert [one.target for one in small.targets] == [2]
    assert small.image.size == (224, 168)
    assert small.targets[0].heatmap.size <= 64 * 64
    assert large.image.size == (400, 300)
    # It lies where it lay, with a maximum of 1.
    laid = small.heatmap_on_input()
    assert laid.shape == (300, 400)
    assert laid[45, 60] == pytest.approx(1)
    assert laid[:20].max() == laid[75:].max() == 0

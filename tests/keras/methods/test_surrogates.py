"""KernelSHAP and LIME against the definitions, written out as loops; the segments they stand on."""

from __future__ import annotations

import sys
from itertools import combinations, permutations
from math import factorial, prod
from typing import Any

import numpy as np
import pytest

from eli5.keras.methods.probe import Probe
from eli5.keras.methods.superpixels import make_segments
from eli5.keras.methods.surrogates import kernel_shap, lime
from helpers.fake_probe import function_probe, linear_probe, recording

Array = np.ndarray[Any, Any]
SIZE = (6, 8)


def stripes(n: int) -> Array:
    """Return labels of `n` segments, neither from zero on nor in one piece."""
    return 10 * (np.arange(48).reshape(SIZE) % n) - 7


def bent_probe(batch_size: int = 32, log: Any = None) -> Probe:
    """Return the probe of three scores that are not sums over segments."""
    random = np.random.default_rng(1)
    weights = random.normal(size=(3, *SIZE, 2)) / 4

    def function(x: Array) -> Array:
        a, b, c = np.tensordot(x, weights, axes=((1, 2, 3), (1, 2, 3))).T
        return np.stack([np.tanh(a) + b, a * b + 3, np.maximum(c, 0) ** 2 - a * c], axis=1)

    picture = random.normal(size=(*SIZE, 2))
    return function_probe(function, None, picture, batch_size=batch_size, log=log)


def coalition_score(probe: Probe, segments: Array, shown: Any, baseline: float = 0.0) -> Array:
    """Return the scores (K,) with only the segments `shown`."""
    picture = probe.picture.copy()
    picture[~np.isin(segments, list(shown))] = baseline
    return probe.scores(picture[None])[0].astype("float64")


def per_segment(maps: Array, segments: Array) -> Array:
    """Return the one value (M, K) that each map has on each segment."""
    values = []
    for label in np.unique(segments):
        inside = maps[:, segments == label]
        assert (inside == inside[:, :1]).all()
        values.append(inside[:, 0])
    return np.array(values)


def shapley_by_orderings(probe: Probe, segments: Array) -> Array:
    """Return the mean gain of each segment when it joins, over all orderings."""
    labels = [int(label) for label in np.unique(segments)]
    known: dict[frozenset[int], Array] = {}

    def score(shown: frozenset[int]) -> Array:
        if shown not in known:
            known[shown] = coalition_score(probe, segments, shown)
        return known[shown]

    gains = np.zeros((len(labels), len(score(frozenset()))))
    for ordering in permutations(range(len(labels))):
        shown: frozenset[int] = frozenset()
        for joining in ordering:
            joined = shown | {labels[joining]}
            gains[joining] += score(joined) - score(shown)
            shown = joined
    return gains / factorial(len(labels))


def shapley_by_subsets(probe: Probe, segments: Array) -> Array:
    """Return the Shapley values from the formula over the subsets of the other segments."""
    labels = [int(label) for label in np.unique(segments)]
    n = len(labels)
    scores = {
        subset: coalition_score(probe, segments, [labels[i] for i in subset])
        for size in range(n + 1)
        for subset in combinations(range(n), size)
    }
    values = np.zeros((n, len(scores[()])))
    for subset, score in scores.items():
        for i in set(range(n)) - set(subset):
            weight = factorial(len(subset)) * factorial(n - len(subset) - 1) / factorial(n)
            values[i] += weight * (scores[tuple(sorted((*subset, i)))] - score)
    return values


@pytest.mark.parametrize("n", [2, 3, 6])
def test_kernel_shap_over_all_coalitions_gives_the_shapley_values(n: int) -> None:
    log: list[tuple[str, int]] = []
    result = kernel_shap(bent_probe(log=log), segments=stripes(n), n_samples=2**n - 2, baseline=0.0)
    assert sum(count for _, count in log) == 2**n
    exact = shapley_by_orderings(bent_probe(), stripes(n))
    assert result.maps.dtype == np.float32
    np.testing.assert_allclose(per_segment(result.maps, stripes(n)), exact, rtol=1e-6, atol=1e-6)
    assert result.details == ({"n_segments": n, "n_samples": 2**n - 2},) * 3


def test_kernel_shap_over_samples_approaches_the_shapley_values() -> None:
    exact = shapley_by_subsets(bent_probe(), stripes(12))

    def error(n_samples: int) -> float:
        errors = []
        for seed in range(5):
            result = kernel_shap(
                bent_probe(), segments=stripes(12), n_samples=n_samples, baseline=0.0, seed=seed
            )
            assert result.details[0] == {"n_segments": 12, "n_samples": n_samples}
            errors.append(per_segment(result.maps, stripes(12)) - exact)
        return float(np.sqrt(np.mean(np.square(errors))))

    assert error(4000) < error(1000) / 1.5 < error(100) / 3
    assert error(4000) < 0.01 * np.abs(exact).max()


@pytest.mark.parametrize("n_samples", [1000, 120])
def test_the_shapley_values_sum_to_the_difference_from_the_baseline(n_samples: int) -> None:
    probe = bent_probe()
    maps = kernel_shap(probe, segments=stripes(9), n_samples=n_samples, baseline=0.25).maps
    whole = probe.scores(probe.picture[None])[0]
    empty = probe.scores(np.full_like(probe.picture, 0.25)[None])[0]
    np.testing.assert_allclose(
        per_segment(maps, stripes(9)).sum(axis=0), whole - empty, rtol=1e-5, atol=1e-5
    )


def test_kernel_shap_over_samples_solves_the_constrained_least_squares() -> None:
    """The same coalitions, the last segment eliminated by hand."""
    segments, n = stripes(12), 12
    probe, seen = recording(bent_probe(batch_size=7))
    maps = kernel_shap(probe, segments=segments, n_samples=61, baseline=0.0).maps
    labels = np.unique(segments)
    coalitions = np.array([[mask[segments == label][0] for label in labels] for mask in seen])
    np.testing.assert_array_equal(coalitions[0], 0)
    np.testing.assert_array_equal(coalitions[1], 1)
    coalitions = coalitions[2:]
    assert len(coalitions) == 60
    np.testing.assert_array_equal(coalitions[:30], 1 - coalitions[30:])  # complements
    scores = np.array([coalition_score(probe, segments, labels[z == 1]) for z in coalitions])
    empty, whole = coalition_score(probe, segments, []), coalition_score(probe, segments, labels)
    design = coalitions[:, :-1] - coalitions[:, -1:]
    target = scores - empty - coalitions[:, -1:] * (whole - empty)
    first = np.linalg.solve(design.T @ design, design.T @ target)
    slow = np.concatenate([first, [whole - empty - first.sum(axis=0)]])
    np.testing.assert_allclose(per_segment(maps, segments), slow, rtol=1e-4, atol=1e-5)
    assert (n, 3) == slow.shape


def test_kernel_shap_draws_sizes_in_proportion_to_the_kernel() -> None:
    segments = stripes(16)
    probe, seen = recording(bent_probe(batch_size=500))
    kernel_shap(probe, segments=segments, n_samples=8000)
    sizes = np.array(
        [sum(mask[segments == s][0] for s in np.unique(segments)) for mask in seen[2:]]
    )
    kernel = np.array([1 / (s * (16 - s)) for s in range(1, 16)])
    found = np.array([(sizes == s).mean() for s in range(1, 16)])
    np.testing.assert_allclose(found, kernel / kernel.sum(), atol=0.02)
    shown = np.mean(seen[2:], axis=0)
    np.testing.assert_allclose(shown, 0.5, atol=1e-6)  # by the complements


@pytest.mark.parametrize("method", [kernel_shap, lime])
@pytest.mark.parametrize("n", [1, 4, 24])
def test_on_a_linear_model_each_segment_gets_its_sum(method: Any, n: int) -> None:
    random = np.random.default_rng(0)
    weights, picture = random.normal(size=(2, *SIZE, 3)), random.normal(size=(*SIZE, 3))
    options = {"alpha": 0.0} if method is lime else {}
    probe = linear_probe(weights, picture, bias=2.0)
    result = method(probe, segments=stripes(n), baseline=0.5, **options)
    influence = (weights * (picture - 0.5)).sum(axis=-1)
    sums = [influence[:, stripes(n) == label].sum(axis=-1) for label in np.unique(stripes(n))]
    np.testing.assert_allclose(per_segment(result.maps, stripes(n)), sums, rtol=1e-4, atol=1e-5)
    assert [d["n_segments"] for d in result.details] == [n, n]
    if method is lime:
        np.testing.assert_allclose([d["r2"] for d in result.details], 1, atol=1e-6)


def slow_lime(
    coalitions: Array, scores: Array, kernel_width: float, alpha: float
) -> tuple[Array, Array]:
    """Return coefficients (M,) and R^2 of one class: the normal equations, with an intercept."""
    n = coalitions.shape[1]
    matrix, right = np.zeros((n + 1, n + 1)), np.zeros(n + 1)
    weights = []
    for z, y in zip(coalitions, scores, strict=True):
        length = np.sqrt((z * z).sum())
        cosine = (z * np.ones(n)).sum() / (length * np.sqrt(n)) if length else 0.0
        weights.append(np.sqrt(np.exp(-((1 - cosine) ** 2) / kernel_width**2)))
        row = np.append(z, 1.0)
        matrix += weights[-1] * np.outer(row, row)
        right += weights[-1] * row * y
    for i in range(n):  # the intercept is not penalised
        matrix[i, i] += alpha
    solution = np.linalg.solve(matrix, right)
    fitted = coalitions @ solution[:n] + solution[n]
    mean = sum(w * y for w, y in zip(weights, scores, strict=True)) / sum(weights)
    residual = sum(w * (y - f) ** 2 for w, y, f in zip(weights, scores, fitted, strict=True))
    spread = sum(w * (y - mean) ** 2 for w, y in zip(weights, scores, strict=True))
    return solution[:n], 1 - residual / spread


@pytest.mark.parametrize(("kernel_width", "alpha"), [(0.25, 1.0), (0.7, 5.0), (0.1, 0.01)])
def test_lime_agrees_with_the_slow_twin(kernel_width: float, alpha: float) -> None:
    segments = stripes(5)
    probe, seen = recording(bent_probe(batch_size=9))
    result = lime(
        probe, segments=segments, n_samples=80, kernel_width=kernel_width, alpha=alpha, baseline=0.0
    )
    labels = np.unique(segments)
    coalitions = np.array([[mask[segments == label][0] for label in labels] for mask in seen])
    assert coalitions.shape == (80, 5)
    np.testing.assert_array_equal(coalitions[0], 1)
    assert 0 in coalitions.sum(axis=1)  # nothing shown has a distance as well
    scores = np.array([coalition_score(probe, segments, labels[z == 1]) for z in coalitions])
    for k in range(3):
        values, r2 = slow_lime(coalitions, scores[:, k], kernel_width, alpha)
        found = per_segment(result.maps, segments)[:, k]
        np.testing.assert_allclose(found, values, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(result.details[k]["r2"], r2, rtol=1e-4)
        assert result.details[k]["r2"] < 0.999


def test_lime_draws_each_segment_half_of_the_time() -> None:
    probe, seen = recording(bent_probe(batch_size=100))
    lime(probe, segments=stripes(12), n_samples=4000)
    np.testing.assert_allclose(np.mean(seen, axis=0), 0.5, atol=0.04)


@pytest.mark.parametrize("method", [kernel_shap, lime])
def test_scores_that_do_not_vary_give_zeros(method: Any) -> None:
    probe = linear_probe(np.zeros((2, *SIZE, 1)), np.ones((*SIZE, 1)), bias=1234.567)
    result = method(probe, segments=stripes(12))
    np.testing.assert_array_equal(result.maps, 0)
    assert result.details[0].get("r2", 1) == 1


@pytest.mark.parametrize("method", [kernel_shap, lime])
def test_the_map_does_not_depend_on_the_batch_size(method: Any) -> None:
    maps = [
        method(bent_probe(batch_size=n), segments=stripes(12), n_samples=200).maps
        for n in (1, 7, 64)
    ]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps[2], maps[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("method", [kernel_shap, lime])
def test_the_map_is_seeded(method: Any) -> None:
    first, again, other = (
        method(bent_probe(), segments=stripes(12), n_samples=100, seed=s).maps for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize("method", [kernel_shap, lime])
def test_without_segments_they_are_made(method: Any) -> None:
    random = np.random.default_rng(4)
    picture = random.random(size=(*SIZE, 3))
    probe = linear_probe(random.normal(size=(2, *SIZE, 3)), picture)
    made = method(probe, n_segments=6)
    given = method(probe, segments=make_segments(probe.picture, 6))
    np.testing.assert_array_equal(made.maps, given.maps)
    assert made.details == given.details
    assert made.details[0]["n_segments"] > 1


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_segments_follow_edges_whatever_the_channels(channels: int) -> None:
    picture = np.zeros((24, 36, channels), "float32")
    picture[:, 15:] = np.linspace(0.5, 1, channels)  # an edge that no regular grid has
    picture[:, :, 0] -= 0.2
    labels = make_segments(picture, 12)
    assert labels.shape == (24, 36)
    assert 4 <= len(np.unique(labels)) <= 20
    assert not set(labels[:, :15].ravel()) & set(labels[:, 15:].ravel())
    np.testing.assert_array_equal(labels, make_segments(picture * 255 - 100, 12))


def test_segments_of_volumes_and_of_plain_and_tiny_pictures() -> None:
    volume = np.zeros((6, 12, 15, 1), "float32")
    volume[:, 5:] = 1
    labels = make_segments(volume, 8)
    assert labels.shape == (6, 12, 15)
    assert not set(labels[:, :5].ravel()) & set(labels[:, 5:].ravel())
    plain = make_segments(np.full((16, 20, 3), 7.0, "float32"), 10)
    assert len(np.unique(plain)) > 4
    assert len(np.unique(make_segments(np.ones((2, 3, 1), "float32"), 50))) == 6
    assert len(np.unique(make_segments(np.ones((5, 6, 1), "float32"), 1))) == 1


@pytest.mark.parametrize("shape", [(32, 40, 3), (30, 30, 6), (12, 20, 1), (6, 16, 20, 2)])
def test_a_noisy_picture_falls_into_segments_too(shape: tuple[int, ...]) -> None:
    noise = np.random.default_rng(0).normal(size=shape)
    assert 10 <= len(np.unique(make_segments(noise, 20))) <= 40


@pytest.mark.parametrize("method", [kernel_shap, lime])
def test_volumes_are_explained_by_segments(method: Any) -> None:
    weights = np.zeros((2, 4, 5, 6, 1))
    weights[1, :2] = 1
    segments = np.broadcast_to(np.arange(4)[:, None, None], (4, 5, 6))
    probe = linear_probe(weights, np.ones((4, 5, 6, 1)))
    options = {"alpha": 0.0} if method is lime else {}
    maps = method(probe, segments=segments, baseline=0.0, **options).maps
    np.testing.assert_allclose(maps[1], np.where(segments < 2, 30, 0), atol=1e-4)


def test_missing_scikit_image_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "skimage.segmentation", None)
    message = r'Expected scikit-image to be installed.* pip install "eli5-keras\[segments\]"'
    for method in (kernel_shap, lime):
        with pytest.raises(ModuleNotFoundError, match=message):
            method(bent_probe())
        method(bent_probe(), segments=stripes(3))  # asks nothing of it


@pytest.mark.parametrize("method", [kernel_shap, lime])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_samples": 0}, ValueError, "Expected `n_samples` >= 1. Received: n_samples=0"),
        ({"n_samples": 9.5}, TypeError, "Expected `n_samples` to be an integer.*n_samples=9.5"),
        ({"n_segments": 0}, ValueError, "Expected `n_segments` >= 1.*n_segments=0"),
        ({"n_segments": "x"}, TypeError, "Expected `n_segments` to be an integer"),
        (
            {"segments": np.zeros((8, 6), int)},
            ValueError,
            r"of the doc's size, \(6, 8\). Received: shape=\(8, 6\)",
        ),
        (
            {"segments": np.ma.masked_equal(np.arange(prod(SIZE)).reshape(SIZE), 0)},
            ValueError,
            "`segments` without masked",
        ),
        ({"segments": np.zeros(SIZE)}, TypeError, "an array of int. Received: dtype=float64"),
    ],
)
def test_both_refuse(method: Any, options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        method(bent_probe(), **options)


def test_kernel_shap_refuses_too_few_samples_before_it_runs_the_model() -> None:
    log: list[tuple[str, int]] = []
    with pytest.raises(ValueError, match=r"to tell 24 segments apart.*n_samples=40. Take 480"):
        kernel_shap(bent_probe(log=log), segments=stripes(24), n_samples=40)
    assert not log


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kernel_width": 0.0}, "Expected `kernel_width` > 0. Received: kernel_width=0.0"),
        (
            {"kernel_width": float("nan")},
            "Expected `kernel_width` to be finite. Received: kernel_width=nan",
        ),
        ({"alpha": -1}, "Expected `alpha` to be finite and >= 0. Received: alpha=-1"),
    ],
)
def test_lime_refuses(options: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        lime(bent_probe(), segments=stripes(3), **options)

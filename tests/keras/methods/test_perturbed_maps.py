"""Ablation-CAM and Score-CAM: against loops in float64 over everything that is tried."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from eli5.keras.methods.perturbation import ablation_cam, score_cam
from eli5.keras.methods.probe import Probe
from helpers.fake_probe import function_probe, linear_probe

Array = np.ndarray[Any, Any]


def normals(*shape: int, seed: int = 1) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def special_maps(grid: tuple[int, ...], n: int = 9) -> Array:
    """Return maps: signed, zero, constant, huge, hardly varying, not negative."""
    maps = normals(*grid, n)
    maps[..., 1] = 0
    maps[..., 2] = 0.1  # bilinear weights of float32 do not add up to 1: it varies when enlarged
    maps[..., 3] *= 1e4
    maps[..., 4] = 1e4 + 0.02 * maps[..., 4]
    maps[..., 5] = 1e-6 * maps[..., 5]
    maps[..., 6] = abs(maps[..., 6])
    maps[..., 7] = -5e3
    return maps


# Ablation-CAM


def squashing_head(n_maps: int, n_classes: int = 3, offset: Any = 0.0) -> Any:
    """Return ``A -> V tanh(means of A) + offset``."""
    V = np.random.default_rng(8).standard_normal((n_maps, n_classes))

    def head(A: Array) -> Array:
        return np.tanh(A.reshape(len(A), -1, n_maps).mean(axis=1) / 2) @ V + offset

    return head


def layer_probe(activations: Array, head: Any, batch_size: int = 32, **options: Any) -> Probe:
    """Return the probe of a model whose layer gives `activations` for its one picture."""
    return function_probe(
        lambda x: head(np.repeat(activations[None].astype("float64"), len(x), axis=0)),
        None,
        np.ones((6, 8, 3)),
        activations=activations,
        head=head,
        batch_size=batch_size,
        **options,
    )


def ablation_twin(A: Array, head: Any) -> Array:
    A = A.astype("float64")
    y = head(A[None])[0]
    result = np.zeros((len(y), *A.shape[:-1]))
    for c in range(len(y)):
        for k in range(A.shape[-1]):
            ablated = A.copy()
            ablated[..., k] = 0
            weight = (y[c] - head(ablated[None])[0][c]) / (abs(y[c]) if y[c] else 1)
            for place in np.ndindex(*A.shape[:-1]):
                result[(c, *place)] += weight * A[place][k]
    return np.maximum(result, 0)


def close(found: Array, expected: Array, tolerance: float = 1e-5) -> None:
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance * expected.max())


@pytest.mark.parametrize("grid", [(3, 4), (5,), (2, 3, 4)])
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_ablation_equals_brute_force(grid: tuple[int, ...], batch_size: int) -> None:
    for A in (normals(*grid, 9), special_maps(grid)):
        head = squashing_head(9, offset=[-9, 0, 9])  # a negative score among them
        expected = ablation_twin(A, head)
        assert sum(heatmap.any() for heatmap in expected) >= 2
        close(ablation_cam(layer_probe(A, head, batch_size)).maps, expected)


def test_ablation_of_a_negative_score_is_not_turned_over() -> None:
    A = np.array([[[2.0, 0.0], [0.0, 3.0]]])  # the first map raises the score, the second lowers it
    probe = layer_probe(A, lambda a: a.sum(axis=(1, 2)) @ [[1.0], [-2.0]])
    np.testing.assert_allclose(ablation_cam(probe).maps, [[[2 * 2 / 4, 0]]])


def test_ablation_of_a_score_of_zero_is_not_divided() -> None:
    A = np.array([[[2.0, 0.0], [0.0, 4.0]]])
    probe = layer_probe(A, lambda a: a.sum(axis=(1, 2)) @ [[2.0], [-1.0]])
    np.testing.assert_allclose(ablation_cam(probe).maps, [[[4 * 2, 0]]])


def test_ablation_runs_the_whole_model_once() -> None:
    log: list[tuple[str, int]] = []
    ablation_cam(layer_probe(normals(3, 4, 9), squashing_head(9), 4, log=log))
    assert log == [("ablated_scores", 10)]  # nine maps, and nothing left out


def test_ablation_passes_on_what_is_no_number() -> None:
    A = normals(3, 4, 9)
    A[0, 0, 0] = np.nan
    assert np.isnan(ablation_cam(layer_probe(A, squashing_head(9))).maps).all()


# Score-CAM


def picture_score(x: Array) -> Array:
    """Return three scores that are not linear, and differ enough to make weights differ."""
    W = np.random.default_rng(9).standard_normal((x[0].size, 3))
    return 6 * np.tanh(x.reshape(len(x), -1) @ W / math.sqrt(x[0].size)) + [-20, 0, 40]


def picture_probe(shape: tuple[int, ...], A: Array, batch_size: int = 32, **options: Any) -> Probe:
    picture = normals(*shape, seed=2) + 1
    return function_probe(
        picture_score, None, picture, activations=A, batch_size=batch_size, **options
    )


def score_twin(probe: Probe, baseline: Array, keep: Any = None) -> Array:
    """Return Score-CAM of the maps in `keep` (None: of all), as algorithm 1 has it."""
    A, x = probe.activations().astype("float64"), probe.picture.astype("float64")
    raised: dict[int, Array] = {}
    for k in range(A.shape[-1]) if keep is None else keep:
        if A[..., k].min() == A[..., k].max():
            continue
        mask = enlarge(A[..., k], x.shape[:-1])
        mask = ((mask - mask.min()) / (mask.max() - mask.min()))[..., None]
        shown = x * mask + baseline * (1 - mask)
        raised[k] = picture_score(shown[None])[0] - picture_score(baseline[None])[0]
    result = np.zeros((3, *A.shape[:-1]))
    for c in range(3):
        total = sum(math.exp(difference[c]) for difference in raised.values())
        for k, difference in raised.items():
            result[c] += math.exp(difference[c]) / total * A[..., k]
    return np.maximum(result, 0)


def enlarge(values: Array, size: tuple[int, ...]) -> Array:
    """Resize bilinearly, pixel by pixel and corner by corner."""
    result = np.zeros(size)
    for pixel in np.ndindex(*size):
        at = [
            min(max((i + 0.5) * old / new - 0.5, 0), old - 1)
            for i, old, new in zip(pixel, values.shape, size, strict=True)
        ]
        for corner in np.ndindex(*values.shape):
            weight = math.prod(max(0, 1 - abs(p - q)) for p, q in zip(at, corner, strict=True))
            result[pixel] += weight * values[corner]
    return result


@pytest.mark.parametrize(
    ("grid", "shape"),
    [((3, 4), (6, 8, 3)), ((3, 4), (7, 5, 1)), ((5, 4), (3, 4, 2)), ((2, 2, 3), (3, 5, 4, 2))],
)
@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_score_cam_equals_loops(grid: Any, shape: Any, batch_size: int) -> None:
    for A in (normals(*grid, 9), special_maps(grid)):
        probe = picture_probe(shape, A, batch_size)
        close(score_cam(probe).maps, score_twin(probe, np.zeros(shape)))


@pytest.mark.parametrize("baseline", [0.7, "mean", "array"])
def test_what_a_mask_hides_becomes_the_baseline(baseline: Any) -> None:
    shape = (6, 8, 3)
    probe = picture_probe(shape, normals(3, 4, 9))
    array = normals(*shape, seed=5)
    if baseline == "array":
        baseline = hidden = array
    else:
        hidden = np.ones(shape) * (0.7 if baseline == 0.7 else probe.picture.mean(axis=(0, 1)))
    close(score_cam(probe, baseline=baseline).maps, score_twin(probe, hidden))


@pytest.mark.parametrize("size", [(6, 8), (2, 3)])
def test_constant_maps_give_zeros(size: tuple[int, int]) -> None:
    A = np.broadcast_to([0.0, 0.1, 1e4], (4, 6, 3))
    maps = score_cam(picture_probe((*size, 1), A)).maps
    np.testing.assert_array_equal(maps, np.zeros((3, 4, 6), "float32"))


def test_constant_maps_are_not_tried() -> None:
    log: list[tuple[str, int]] = []
    A = special_maps((3, 4))
    A[..., 6:] = 0.1
    score_cam(picture_probe((6, 8, 3), A, 5, log=log))  # 0, 3, 4 and 5 are left
    assert log == [("masked_scores", 4)]


@pytest.mark.parametrize("batch_size", [1, 32])
def test_maps_that_the_picture_is_too_small_to_see_are_left_out(batch_size: int) -> None:
    A = normals(9, 5, 3)
    side = [-1.33532453, -0.67364989, -1.27066703, 0.60878941]  # rounds differently from each end
    A[..., 1] = np.array([*side, 0, *side[::-1]])[:, None]  # of which two places, alike, are seen
    probe = picture_probe((2, 2, 1), A, batch_size)
    close(score_cam(probe).maps, score_twin(probe, np.zeros((2, 2, 1)), keep=(0, 2)))


def test_n_maps_picks_the_most_varying() -> None:
    A = normals(4, 5, 6) * 0.2
    A[..., 1] *= 20
    A[..., 4] = 2 * np.sign(A[..., 4])
    A[..., 2] = 0
    A[0, 0, 2] = 5  # the range is wide, the variance is not
    A[..., 3] = 100 + 0.1 * A[..., 3]  # the values are high, the variance is not
    probe = picture_probe((6, 8, 3), A)
    for n_maps, keep in ((1, [1]), (2, [1, 4]), (3, [1, 2, 4]), (6, None), (99, None)):
        expected = score_twin(probe, np.zeros((6, 8, 3)), keep)
        close(score_cam(probe, n_maps=n_maps).maps, expected)
    assert len(set(map(tuple, (score_cam(probe, n_maps=n).maps.ravel() for n in (1, 2, 3))))) == 3


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("n_maps", [None, 3])
def test_score_cam_passes_on_what_is_not_finite(broken: float, n_maps: int | None) -> None:
    A = normals(3, 4, 9)
    A[0, 0, 0] = broken
    maps = score_cam(picture_probe((6, 8, 3), A), n_maps=n_maps).maps
    assert not np.isfinite(maps[:, 0, 0]).any()
    nothing = np.full((3, 4, 2), broken)
    assert np.isnan(score_cam(picture_probe((6, 8, 3), nothing), n_maps=n_maps).maps).all()


@pytest.mark.parametrize("method", [ablation_cam, score_cam])
def test_batch_size_changes_nothing(method: Any) -> None:
    A = special_maps((3, 4))
    expected, *others = (
        method(
            layer_probe(A, squashing_head(9), batch_size)
            if method is ablation_cam
            else picture_probe((6, 8, 3), A, batch_size)
        ).maps
        for batch_size in (32, 1, 2, 5)
    )
    for found in others:
        close(found, expected, 1e-6)


def test_scores_of_any_size_have_a_softmax() -> None:
    weights = 1e4 * normals(2, 6, 8, 1)
    probe = linear_probe(weights, normals(6, 8, 1, seed=2))
    probe = probe._replace(activations=lambda: normals(3, 4, 5))
    maps = score_cam(probe).maps  # one map gets all the weight
    for found in maps:
        gaps = [abs(found - np.maximum(normals(3, 4, 5)[..., k], 0)).max() for k in range(5)]
        assert min(gaps) < 1e-6


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_maps": 0}, ValueError, "Expected `n_maps` >= 1. Received: n_maps=0"),
        ({"n_maps": 2.5}, TypeError, r"`n_maps` to be an integer. Received: n_maps=2\.5"),
        ({"n_maps": True}, TypeError, "`n_maps` to be an integer. Received: n_maps=True"),
        ({"baseline": "grey"}, ValueError, "Received: baseline='grey'"),
        ({"baseline": None}, TypeError, "Received: baseline=None"),
    ],
)
def test_options_are_checked(options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        score_cam(picture_probe((6, 8, 3), normals(3, 4, 9)), **options)

"""Integrated Gradients: against other sums along the path, exact cases, and its own report."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eli5.keras.methods.gradients import integrated_gradients
from eli5.keras.methods.probe import Attributions, Probe
from helpers.fake_probe import function_probe, gradient_at, linear_probe, tanh_probe

Array = np.ndarray[Any, Any]
SIZES = [(3, 4, 2), (5, 2, 1), (2, 3, 4, 3)]


def normals(*shape: int, scale: float = 1.0, seed: int = 1) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("float32")


def path_sum(probe: Probe, baseline: Array, nodes: Any, weights: Any) -> Array:
    """Return the sum along the path, place by place and point by point."""
    x, x0 = probe.picture.astype("float64"), baseline.astype("float64")
    points = [x0 + t * (x - x0) for t in nodes]
    gradients = [gradient_at(probe, point) for point in points]
    result = np.zeros(gradients[0].shape[:-1])
    for place in np.ndindex(*result.shape):
        for c in range(x.shape[-1]):
            integral = sum(w * g[place][c] for w, g in zip(weights, gradients, strict=True))
            result[place] += (x - x0)[place[1:]][c] * integral
    return result


@pytest.mark.parametrize("size", SIZES)
def test_integrated_gradients_equal_a_fine_riemann_sum(size: tuple[int, ...]) -> None:
    probe = tanh_probe(normals(*size))
    baseline = normals(*size, seed=4)
    n = 400
    middles = (np.arange(n) + 0.5) / n
    expected = path_sum(probe, baseline, middles, np.full(n, 1 / n))
    found = integrated_gradients(probe, baseline=baseline).maps
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_nodes_are_of_gauss_and_legendre() -> None:
    probe = tanh_probe(normals(3, 4, 2))
    root = np.sqrt(3 / 5)  # three points, by hand
    nodes, weights = (0.5 - root / 2, 0.5, 0.5 + root / 2), (5 / 18, 8 / 18, 5 / 18)
    expected = path_sum(probe, np.zeros((3, 4, 2)), nodes, weights)
    np.testing.assert_allclose(
        integrated_gradients(probe, steps=3).maps, expected, rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("steps", [1, 2, 50])
@pytest.mark.parametrize("baseline", [0.0, 0.5, "mean", "blur"])
def test_linear_model_is_exact(steps: int, baseline: Any) -> None:
    picture, weights = normals(4, 3, 2) + 2, normals(3, 4, 3, 2, seed=2)
    found = integrated_gradients(
        linear_probe(weights, picture, 1.5), steps=steps, baseline=baseline
    )
    if baseline == 0:
        np.testing.assert_allclose(found.maps, (weights * picture).sum(-1), rtol=1e-5, atol=1e-6)
    assert len(found.details) == 3
    for detail in found.details:  # float32 scores of about 30
        assert detail["completeness_error"] * abs(detail["score_difference"]) < 1e-5


@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_completeness_on_a_smooth_net(batch_size: int) -> None:
    probe = tanh_probe(normals(3, 4, 2, scale=3), batch_size=batch_size)
    check_details(probe, integrated_gradients(probe))
    assert all(d["completeness_error"] < 0.01 for d in integrated_gradients(probe).details)


def test_completeness_error_tells_of_too_few_steps() -> None:
    probe = tanh_probe(normals(3, 4, 2, scale=3))
    coarse = integrated_gradients(probe, steps=1)
    check_details(probe, coarse)
    assert max(detail["completeness_error"] for detail in coarse.details) > 0.1


def check_details(probe: Probe, found: Attributions) -> None:
    """Compare the details with what the maps and the scores say."""
    full = probe.scores(probe.picture[None])[0].astype("float64")
    empty = probe.scores(np.zeros_like(probe.picture)[None])[0].astype("float64")
    for k, detail in enumerate(found.details):
        assert all(type(value) is float for value in detail.values())
        assert detail["score_difference"] == pytest.approx(full[k] - empty[k], rel=1e-9)
        gap = abs(found.maps[k].astype("float64").sum() - (full[k] - empty[k]))
        expected = gap / abs(full[k] - empty[k])
        assert detail["completeness_error"] == pytest.approx(expected, rel=1e-3, abs=1e-6)


def test_error_is_not_divided_where_scores_do_not_differ() -> None:
    # y = x (1 - x) (x - 1/4) is 0 at both ends; its slope in the middle is 1/4.
    probe = function_probe(
        lambda x: (x * (1 - x) * (x - 0.25)).reshape(len(x), 1),
        lambda x: (-3 * x**2 + 2.5 * x - 0.25)[:, None],
        np.ones((1, 1, 1)),
    )
    expected = {"completeness_error": 0.25, "score_difference": 0.0}
    assert integrated_gradients(probe, steps=1).details == (expected,)

"""Methods from input gradients: against loops in float64, theory, and what the options promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from keras import ops

from eli5.keras.methods.gradients import (
    gradient_x_input,
    integrated_gradients,
    saliency,
    smooth_grad,
    square_grad,
    var_grad,
)
from eli5.keras.methods.probe import Probe
from helpers.fake_probe import function_probe, gradient_at, tanh_probe

Array = np.ndarray[Any, Any]
SIZES = [(3, 4, 2), (5, 2, 1), (2, 3, 4, 3)]
NOISY = [smooth_grad, var_grad, square_grad]


def normals(*shape: int, scale: float = 1.0, seed: int = 1) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * scale).astype("float32")


def places(shape: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
    return np.ndindex(*shape)


def slope_probe(slope: Callable[[Array], Array], picture: Array, **options: Any) -> Probe:
    """Return the probe of one class of which only the gradients, value by value, are asked."""
    return function_probe(lambda x: x, lambda x: slope(x)[:, None], picture, **options)


# Formulas


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("scale", [1.0, 0.0, 1e4, 1e-6])
def test_formulas_equal_loops(size: tuple[int, ...], scale: float) -> None:
    x, G = normals(2, *size), normals(2, *size, scale=scale, seed=2)
    G[0, 0] = -3 * scale
    highest, product = np.zeros(x.shape[:-1]), np.zeros(x.shape[:-1])
    for place in places(x.shape[:-1]):
        for c in range(size[-1]):
            highest[place] = max(highest[place], abs(float(G[place][c])))
            product[place] += float(G[place][c]) * float(x[place][c])
    tensors = ops.convert_to_tensor(x), ops.convert_to_tensor(G)
    found = ops.convert_to_numpy(saliency(*tensors))
    np.testing.assert_allclose(found, highest, rtol=1e-6)
    found = ops.convert_to_numpy(gradient_x_input(*tensors))
    np.testing.assert_allclose(found, product, rtol=1e-5, atol=1e-6 * scale)
    assert (found < 0).any() == (scale > 0)


# Noise


def noisy_gradients(probe: Probe, n_samples: int, noise: float, seed: int) -> Iterator[Array]:
    """Yield the gradients (K, *size, C) at each noisy picture, one by one."""
    random = np.random.default_rng(seed)
    deviation = noise * (probe.picture.max() - probe.picture.min())
    for _ in range(n_samples):
        normal = random.standard_normal(probe.picture.shape, dtype="float32")
        noisy = probe.picture + np.float32(deviation) * normal
        yield gradient_at(probe, noisy)


def twin(method: Any, probe: Probe, n_samples: int, noise: float, seed: int) -> Array:
    gradients = list(noisy_gradients(probe, n_samples, noise, seed))
    result = np.zeros(gradients[0].shape[:-1])
    for place in places(result.shape):
        for c in range(probe.picture.shape[-1]):
            values = [float(g[place][c]) for g in gradients]
            mean = sum(values) / n_samples
            if method is smooth_grad:
                value = abs(mean)
            elif method is var_grad:
                value = sum((v - mean) ** 2 for v in values) / (n_samples - 1)
            else:
                value = sum(v**2 for v in values) / n_samples
            result[place] = max(result[place], value)
    return result


@pytest.mark.parametrize("method", NOISY)
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("n_samples", "noise", "seed"), [(2, 0.15, 0), (11, 0.5, 3)])
def test_noisy_methods_equal_loops(
    method: Any, size: tuple[int, ...], n_samples: int, noise: float, seed: int
) -> None:
    probe = tanh_probe(normals(*size, scale=3) + 1, batch_size=4)
    found = method(probe, n_samples=n_samples, noise=noise, seed=seed).maps
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, twin(method, probe, n_samples, noise, seed), rtol=1e-5)


@pytest.mark.parametrize("method", NOISY)
def test_defaults_are_those_documented(method: Any) -> None:
    log: list[tuple[str, int]] = []
    probe = tanh_probe(normals(3, 4, 2), log=log)
    found = method(probe).maps
    assert log == [("gradients", 32), ("gradients", 18)]
    np.testing.assert_array_equal(found, method(probe, n_samples=50, noise=0.15, seed=0).maps)


@pytest.mark.parametrize("method", [*NOISY, integrated_gradients])
def test_batch_size_changes_nothing(method: Any) -> None:
    picture = normals(3, 4, 2)
    expected = method(tanh_probe(picture, batch_size=64))
    for batch_size in (1, 3, 7, 32):
        found = method(tanh_probe(picture, batch_size=batch_size))
        np.testing.assert_allclose(found.maps, expected.maps, rtol=1e-6, atol=1e-7)
        assert len(found.details) == len(expected.details)


@pytest.mark.parametrize("method", NOISY)
def test_seed_decides_the_noise(method: Any) -> None:
    probe = tanh_probe(normals(3, 4, 2))
    first, again, other = (method(probe, n_samples=4, seed=seed).maps for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.01 * np.abs(first).max()


@pytest.mark.parametrize("range_", [1.0, 255.0])
def test_noise_is_a_part_of_the_range(range_: float) -> None:
    # The gradient of x^2 / 2 is x: its variance is that of the noise.
    picture = np.linspace(-range_ / 2, range_ / 2, 24).reshape(4, 3, 2)
    probe = slope_probe(lambda x: x, picture, batch_size=500)
    variances = var_grad(probe, n_samples=4000, noise=0.2).maps / (0.2 * range_) ** 2
    np.testing.assert_allclose(variances, 1, atol=0.12)
    means = smooth_grad(probe, n_samples=4000, noise=0.2).maps[0]
    np.testing.assert_allclose(means, np.abs(picture).max(-1), atol=0.02 * range_)


def test_variance_survives_large_gradients() -> None:
    probe = slope_probe(lambda x: 1e4 + 0.01 * x, normals(3, 4, 2))
    expected = twin(var_grad, probe, 20, 0.15, 0)
    np.testing.assert_allclose(var_grad(probe, n_samples=20).maps, expected, rtol=1e-5)


def test_mean_is_signed_and_squares_are_not() -> None:
    probe = slope_probe(np.sign, np.array([[[0.0]], [[1e-3]], [[1.0]]]))  # a coin, nearly, and 1
    assert (smooth_grad(probe, n_samples=400).maps[0, :2] < 0.2).all()
    np.testing.assert_allclose(square_grad(probe, n_samples=400).maps, 1)
    np.testing.assert_allclose(smooth_grad(probe, n_samples=400).maps[0, 2], 1)


@pytest.mark.parametrize(("offset", "noise"), [(0.0, 0.0), (2.0, 0.3)])
def test_without_noise_all_samples_are_the_gradient(offset: float, noise: float) -> None:
    picture = normals(3, 4, 2) if noise == 0 else np.full((3, 4, 2), offset)  # no range, no noise
    probe = tanh_probe(picture)
    G = gradient_at(probe, probe.picture)
    plain = np.abs(G).max(-1)
    np.testing.assert_allclose(smooth_grad(probe, noise=noise).maps, plain, rtol=1e-6)
    np.testing.assert_allclose(square_grad(probe, noise=noise).maps, plain**2, rtol=1e-6)
    np.testing.assert_allclose(smooth_grad(probe, n_samples=1, noise=noise).maps, plain, rtol=1e-6)
    assert not var_grad(probe, noise=noise).maps.any()


@pytest.mark.parametrize("broken", [np.nan, np.inf])
@pytest.mark.parametrize("method", [*NOISY, integrated_gradients])
def test_what_is_not_finite_is_passed_on(method: Any, broken: float) -> None:
    def gradient(x: Array) -> Array:
        return np.where(np.arange(24).reshape(3, 4, 2) == 0, broken, x)[:, None]

    maps = method(function_probe(lambda x: x[:, :1, 0, 0], gradient, np.ones((3, 4, 2)))).maps
    assert not np.isfinite(maps[0, 0, 0])
    assert np.isfinite(maps[0, 1:]).all()


# Options


@pytest.mark.parametrize(
    ("method", "options", "error", "message"),
    [
        (smooth_grad, {"n_samples": 0}, ValueError, ">= 1. Received: n_samples=0"),
        (square_grad, {"n_samples": -1}, ValueError, ">= 1. Received: n_samples=-1"),
        (var_grad, {"n_samples": 1}, ValueError, ">= 2. Received: n_samples=1"),
        (smooth_grad, {"n_samples": 2.0}, TypeError, r"an integer. Received: n_samples=2\.0"),
        (square_grad, {"noise": -0.1}, ValueError, "to be finite and >= 0. Received: noise=-0.1"),
        (var_grad, {"noise": np.inf}, ValueError, "to be finite and >= 0. Received: noise=inf"),
        (smooth_grad, {"noise": np.nan}, ValueError, "to be finite and >= 0. Received: noise=nan"),
        (smooth_grad, {"noise": "0.1"}, TypeError, "be a number. Received: noise='0.1'"),
        (smooth_grad, {"noise": True}, TypeError, "be a number. Received: noise=True"),
        (smooth_grad, {"seed": None}, TypeError, "an integer. Received: seed=None"),
        (var_grad, {"seed": -1}, ValueError, ">= 0. Received: seed=-1"),
        (integrated_gradients, {"steps": 0}, ValueError, ">= 1. Received: steps=0"),
        (integrated_gradients, {"steps": 1.5}, TypeError, "an integer. Received: steps=1.5"),
        (integrated_gradients, {"baseline": "black"}, ValueError, "Received: baseline='black'"),
    ],
)
def test_options_are_checked(method: Any, options: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        method(tanh_probe(normals(3, 4, 2)), **options)

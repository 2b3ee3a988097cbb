"""Class activation maps against slow, literal twins, and against each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers

from eli5.keras.methods import cam
from helpers import cam_twins as twins

Array = np.ndarray[Any, Any]
Formula = Callable[..., Any]

FORMULAS: dict[str, tuple[Formula, Callable[..., Array]]] = {
    "grad_cam": (cam.grad_cam, twins.slow_grad_cam),
    "hires_cam": (cam.hires_cam, twins.slow_hires_cam),
    "elementwise_grad_cam": (cam.elementwise_grad_cam, twins.slow_elementwise_grad_cam),
    "grad_cam_plus_plus": (cam.grad_cam_plus_plus, twins.slow_grad_cam_plus_plus),
    "xgrad_cam": (cam.xgrad_cam, twins.slow_xgrad_cam),
    "layer_cam": (cam.layer_cam, twins.slow_layer_cam),
    "cam": (cam.cam, twins.slow_cam),
    "finer_cam": (cam.finer_cam, twins.slow_grad_cam),
    "shapley_cam": (cam.shapley_cam, twins.slow_shapley_cam),
    "eigen_cam": (cam.eigen_cam, twins.slow_eigen_cam),
    "eigen_grad_cam": (cam.eigen_grad_cam, twins.slow_eigen_grad_cam),
}
NAMES = list(FORMULAS)


def signed(*shape: int, seed: int = 2) -> Array:
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def positive(*shape: int, seed: int = 2) -> Array:
    """Return what a ReLU lets through: about half of it zero."""
    return np.maximum(signed(*shape, seed=seed), 0)


def one_hot(*shape: int) -> Array:
    result = np.zeros(shape, "float32")
    result[0, 1, 2, 1] = 3
    return result


def array(*values: float) -> Array:
    return np.array(values, "float32")


def pair(activations: Array, gradients: Array | None = None) -> tuple[Array, Array]:
    return activations, signed(*activations.shape, seed=3) if gradients is None else gradients


GRID = (1, 4, 5, 3)
# The seeds keep Grad-CAM++ away from its poles, where float32 has less than five digits.
CASES = {
    "signed": pair(signed(*GRID)),
    "rectified": pair(positive(*GRID)),
    "positive gradients": pair(signed(*GRID), positive(*GRID, seed=3)),
    "negative": pair(-np.abs(signed(*GRID)), signed(*GRID, seed=24)),
    "negative gradients": pair(positive(*GRID), -np.abs(signed(*GRID, seed=3))),
    "zero": pair(np.zeros(GRID, "float32")),
    "zero gradients": pair(signed(*GRID), np.zeros(GRID, "float32")),
    "constant": pair(np.full(GRID, 0.5, "float32"), np.full(GRID, 0.25, "float32")),
    "constant negative": pair(np.full(GRID, 0.5, "float32"), np.full(GRID, -0.25, "float32")),
    "one-hot": pair(one_hot(*GRID)),
    "huge": pair(signed(*GRID) * np.float32(1e4), signed(*GRID, seed=3) * np.float32(1e4)),
    "huge rectified": pair(positive(*GRID) * np.float32(1e4), signed(*GRID, seed=3) * 10000),
    "tiny gradients": pair(signed(*GRID), signed(*GRID, seed=3) * np.float32(1e-20)),
    "tiny activations": pair(signed(*GRID) * np.float32(1e-12)),
    "one place": pair(signed(1, 1, 1, 6)),
    "one map": pair(signed(1, 4, 5, 1, seed=4), signed(1, 4, 5, 1, seed=5)),
    "more maps than places": pair(signed(1, 2, 3, 11)),
    "volume": pair(signed(1, 3, 2, 4, 5)),
    "sequence": pair(signed(1, 7, 4)),
    "batch": pair(signed(3, 4, 5, 3, seed=4), signed(3, 4, 5, 3, seed=5)),
}


def terms(name: str, activations: Array, gradients: Array) -> tuple[Array, ...]:
    """Return what the formula takes: for ShapleyCAM also products, as large as the gradients."""
    if name != "shapley_cam":
        return activations, gradients
    return activations, gradients, gradients[..., ::-1] * np.float32(1.5)


def run(formula: Formula, *arrays: Array) -> Array:
    tensors = (keras.ops.convert_to_tensor(np.ascontiguousarray(x, "float32")) for x in arrays)
    return np.asarray(keras.ops.convert_to_numpy(formula(*tensors)))


def slow(name: str, *arrays: Array) -> Array:
    samples = zip(*(np.asarray(x, "float64") for x in arrays), strict=True)
    return np.stack([FORMULAS[name][1](*sample) for sample in samples])


def assert_close(actual: Array, expected: Array) -> None:
    """Compare to 1e-5 of the largest value: zeros must be zeros."""
    assert actual.shape == expected.shape
    assert actual.dtype == np.float32
    assert np.isfinite(actual).all()
    assert np.abs(actual - expected).max() <= 1e-5 * np.abs(expected).max()


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("name", NAMES)
def test_map_equals_its_slow_twin(name: str, case: str) -> None:
    arrays = terms(name, *CASES[case])
    assert_close(run(FORMULAS[name][0], *arrays), slow(name, *arrays))


@pytest.mark.parametrize("name", NAMES)
def test_samples_do_not_mix(name: str) -> None:
    arrays = list(terms(name, *CASES["batch"]))
    arrays[0] = arrays[0] * np.array([1, 1e25, 0], "float32").reshape(3, 1, 1, 1)
    together = run(FORMULAS[name][0], *arrays)
    for i in range(3):
        alone = run(FORMULAS[name][0], *(x[i : i + 1] for x in arrays))
        assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("name", NAMES)
def test_compiled_for_any_batch_size_the_map_is_the_same(name: str) -> None:
    formula, _ = FORMULAS[name]
    arrays = terms(name, *CASES["batch"])
    inputs = [keras.Input(x.shape[1:]) for x in arrays]
    layer = layers.Lambda(lambda tensors: formula(*tensors), output_shape=arrays[0].shape[1:-1])
    compiled = keras.Model(inputs, layer(inputs))
    assert_close(compiled.predict(list(arrays), batch_size=2, verbose=0), run(formula, *arrays))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("name", NAMES)
def test_activations_that_are_not_finite_spoil_their_own_sample_alone(
    name: str, bad: float
) -> None:
    arrays = [x.copy() for x in terms(name, *CASES["batch"])]
    expected = run(FORMULAS[name][0], *arrays)
    arrays[0][1] = bad
    actual = run(FORMULAS[name][0], *arrays)
    assert not np.isfinite(actual[1]).all()
    assert_close(actual[[0, 2]], expected[[0, 2]])


@pytest.mark.parametrize("name", ["grad_cam", "grad_cam_plus_plus", "layer_cam", "shapley_cam"])
def test_what_ends_in_a_relu_is_not_negative(name: str) -> None:
    assert run(FORMULAS[name][0], *terms(name, *CASES["signed"])).min() == 0


@pytest.mark.parametrize("name", ["hires_cam", "xgrad_cam", "cam", "eigen_grad_cam"])
def test_signed_maps_change_their_sign_with_the_gradients(name: str) -> None:
    activations, gradients = CASES["signed"]
    formula, _ = FORMULAS[name]
    result = run(formula, activations, gradients)
    assert result.min() < 0 < result.max()
    assert_close(run(formula, activations, -gradients), -result)


@pytest.mark.parametrize("case", ["signed", "rectified", "volume", "batch"])
def test_hires_cam_is_grad_cam_before_its_relu_where_gradients_are_the_same_everywhere(
    case: str,
) -> None:
    activations, gradients = CASES[case]
    gradients = np.zeros_like(activations) + signed(activations.shape[-1], seed=9)
    signed_map = run(cam.hires_cam, activations, gradients)
    assert signed_map.min() < 0
    assert_close(run(cam.grad_cam, activations, gradients), np.maximum(signed_map, 0))
    places = np.prod(activations.shape[1:-1])
    assert_close(run(cam.cam, activations, gradients), signed_map * np.float32(places))
    assert_close(run(cam.xgrad_cam, activations, gradients), signed_map)


@pytest.mark.parametrize("case", ["signed", "rectified", "negative", "huge", "volume", "batch"])
def test_xgrad_cam_adds_up_to_gradient_times_activation(case: str) -> None:
    activations, gradients = CASES[case]
    axes = tuple(range(1, activations.ndim - 1))
    product = activations.astype("float64") * gradients
    result = run(cam.xgrad_cam, activations, gradients)
    scale = np.abs(result).sum(axis=axes)
    error = np.abs(result.sum(axis=axes, dtype="float64") - product.sum(axis=(*axes, -1)))
    assert (error <= 1e-5 * scale).all()


@pytest.mark.parametrize("rest", [0.0, 4e-6])
def test_xgrad_cam_gives_no_weight_to_a_map_that_cancels(rest: float) -> None:
    activations = np.array([1, 2, -1, 3, -1, 4], "float32").reshape(1, 3, 1, 2)
    activations[..., 0] = np.array([1, -0.5, -0.5 + rest], "float32").reshape(1, 3, 1)
    gradients = signed(1, 3, 1, 2)
    assert_close(
        run(cam.xgrad_cam, activations, gradients),
        run(cam.xgrad_cam, activations[..., 1:], gradients[..., 1:]),
    )


def test_grad_cam_plus_plus_gives_no_weight_to_a_place_whose_denominator_is_zero() -> None:
    activations = np.array([[1, 1], [-3, 2]], "float32").reshape(1, 2, 1, 2)
    gradients = np.array([[1, 1], [0.5, 1]], "float32").reshape(1, 2, 1, 2)
    # By hand: the first map sums to -2, so 2 + (-2) * 1 = 0 leaves 0.5 / (2 - 1) of the second
    # place; the second map sums to 3, so each place has 1 / (2 + 3).
    expected = np.maximum(0.5 * activations[..., 0] + 0.4 * activations[..., 1], 0)
    assert_close(run(cam.grad_cam_plus_plus, activations, gradients), expected)


def test_grad_cam_plus_plus_of_a_map_that_sums_to_zero_is_half_the_positive_gradient() -> None:
    activations = np.array([1, -1], "float32").reshape(1, 2, 1, 1)
    gradients = np.array([3e-20, -1], "float32").reshape(1, 2, 1, 1)
    expected = np.array([1.5e-20, 0], "float32").reshape(1, 2, 1)
    assert_close(run(cam.grad_cam_plus_plus, activations, gradients), expected)


def test_layer_cam_is_hires_cam_where_all_is_positive() -> None:
    activations, gradients = positive(*GRID), positive(*GRID, seed=3)
    expected = run(cam.hires_cam, activations, gradients)
    assert_close(run(cam.layer_cam, activations, gradients), expected)
    assert_close(run(cam.elementwise_grad_cam, activations, gradients), expected)


@pytest.mark.parametrize("case", ["signed", "rectified", "more maps than places", "volume"])
def test_eigen_cam_does_not_see_the_sign_of_the_activations(case: str) -> None:
    activations, _ = CASES[case]
    result = run(cam.eigen_cam, activations)
    assert result.sum() > 0
    assert_close(run(cam.eigen_cam, -activations), result)


def test_eigen_cam_does_not_look_at_the_gradients() -> None:
    activations, gradients = CASES["signed"]
    expected = run(cam.eigen_cam, activations)
    assert_close(run(cam.eigen_cam, activations, gradients * np.float32(np.nan)), expected)
    assert_close(np.asarray(run(lambda a: cam.eigen_cam(a, None), activations)), expected)


@pytest.mark.parametrize("maps", [3, 40])
def test_eigen_cam_recovers_a_picture_that_all_maps_share(maps: int) -> None:
    picture, strengths = signed(1, 4, 5, seed=2), signed(maps, seed=3)
    picture *= np.sign(picture.sum())
    expected = picture * np.sqrt(np.square(strengths).sum())
    assert_close(run(cam.eigen_cam, picture[..., None] * strengths), expected)
    assert_close(run(cam.eigen_cam, picture[..., None] * -strengths), expected)


@pytest.mark.parametrize("factor", [1, -1])
def test_eigen_cam_that_sums_to_zero_is_positive_at_its_first_large_value(factor: int) -> None:
    picture = array(-0.125, 0.75, -1, 0.375).reshape(1, 2, 2)
    result = run(cam.eigen_cam, factor * picture[..., None] * array(1, 2))
    assert_close(result, picture * np.float32(np.sqrt(5)))


@pytest.mark.parametrize("factor", [1, -1])
def test_eigen_grad_cam_keeps_evidence_against_the_class_negative(factor: int) -> None:
    evidence = np.abs(signed(1, 4, 5, 1)) * array(1, 2, 3)
    result = run(cam.eigen_grad_cam, evidence, np.full_like(evidence, factor))
    assert_close(result, factor * np.abs(result))
    assert_close(result, factor * evidence[..., 0] * np.float32(np.sqrt(14)))


def test_eigen_grad_cam_of_evidence_that_cancels_follows_the_first_map() -> None:
    picture = np.abs(signed(1, 4, 5, 1))
    for order in ([1, -1], [-1, 1]):
        result = run(cam.eigen_grad_cam, np.ones((1, 4, 5, 2)), picture * array(*order))
        assert_close(result, order[0] * picture[..., 0] * np.float32(np.sqrt(2)))


@pytest.mark.parametrize("case", list(CASES))
def test_shapley_cam_without_curvature_and_finer_cam_are_grad_cam(case: str) -> None:
    activations, gradients = CASES[case]
    expected = run(cam.grad_cam, activations, gradients)
    assert_close(run(cam.shapley_cam, activations, gradients, 0 * gradients), expected)
    assert_close(run(cam.finer_cam, activations, gradients), expected)


def test_shapley_cam_takes_away_half_of_the_curvature() -> None:
    activations, gradients = CASES["signed"]
    assert_close(
        run(cam.shapley_cam, activations, 3 * gradients, 4 * gradients),
        run(cam.grad_cam, activations, gradients),
    )

"""Baselines: numbers, names and arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from eli5.keras.methods.baseline import make_baseline

Array = np.ndarray[Any, Any]
PICTURE = np.random.default_rng(3).random((9, 14, 3)).astype("float32")


@pytest.mark.parametrize("number", [0, 1, -0.5, np.float32(0.25), np.int64(7), np.array(2.0)])
def test_number_fills_the_picture(number: Any) -> None:
    found = make_baseline(number, PICTURE)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.full(PICTURE.shape, number))


def test_mean_is_the_mean_colour() -> None:
    found = make_baseline("mean", PICTURE)
    for c in range(3):
        values = [float(v) for v in PICTURE[..., c].ravel()]
        np.testing.assert_allclose(found[..., c], sum(values) / len(values), rtol=1e-6)


def blurred(signal: list[float], sigma: float) -> list[float]:
    """Blur one line, far beyond where the Gaussian matters; the edge goes on outside."""
    reach = math.ceil(8 * sigma)
    result = []
    for i in range(len(signal)):
        total = weight = 0.0
        for offset in range(-reach, reach + 1):
            tap = math.exp(-(offset**2) / (2 * sigma**2))
            total += tap * signal[min(max(i + offset, 0), len(signal) - 1)]
            weight += tap
        result.append(total / weight)
    return result


@pytest.mark.parametrize(
    ("shape", "sigmas"),
    [
        ((9, 14, 3), (0.9, 0.9)),
        ((40, 21, 1), (2.1, 2.1)),
        ((4, 12, 30, 2), (0.4, 1.2, 3.0)),
        ((15, 2), (1.5,)),
        ((1, 5, 3), (0.1, 0.1)),
    ],
)
def test_blur_equals_loops(shape: tuple[int, ...], sigmas: tuple[float, ...]) -> None:
    picture = np.random.default_rng(5).random(shape).astype("float32")
    expected = picture.astype("float64")
    for axis, sigma in enumerate(sigmas):
        lines = np.moveaxis(expected, axis, -1)  # a view
        for place in np.ndindex(lines.shape[:-1]):
            lines[place] = blurred(lines[place].tolist(), sigma)
    found = make_baseline("blur", picture)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert make_baseline("blur", np.full(shape, 3.0, "float32")) == pytest.approx(3.0, rel=1e-6)


@pytest.mark.parametrize(
    "shape", [(9, 14, 3), (1, 9, 14, 3), (3,), (14, 3), (9, 14, 1), (1, 1, 3), (1, 1, 1, 1)]
)
def test_array_is_broadcast(shape: tuple[int, ...]) -> None:
    array = np.arange(math.prod(shape)).reshape(shape)
    found = make_baseline(array, PICTURE)
    np.testing.assert_array_equal(found, np.broadcast_to(array, (1, *PICTURE.shape))[0])


@pytest.mark.parametrize("shape", [(9, 14), (1, 9, 14), (9, 14, 1), (1, 9, 14, 1)])
def test_grey_array_needs_no_channels(shape: tuple[int, ...]) -> None:
    array = np.arange(9.0 * 14).reshape(shape)
    found = make_baseline(array, PICTURE[..., :1])
    np.testing.assert_array_equal(found, array.reshape(9, 14, 1))


def test_smallest_picture_has_baselines() -> None:
    for shape in ((), (1,), (1, 1), (1, 1, 1), (1, 1, 1, 1)):
        assert make_baseline(np.full(shape, 4), np.ones((1, 1, 1))).tolist() == [[[4]]]


def test_result_is_a_copy() -> None:
    picture = PICTURE.copy()
    for baseline in (picture, picture[None], 0.0, "mean"):
        make_baseline(baseline, picture)[:] = -1
    np.testing.assert_array_equal(picture, PICTURE)


@pytest.mark.parametrize(
    ("baseline", "error", "message"),
    [
        ("black", ValueError, '"blur" or "mask". Received: baseline=\'black\''),
        (
            None,
            TypeError,
            '"blur" or a NumPy array of numbers. Received: baseline=None',
        ),
        ([0, 0, 0], TypeError, "Received: baseline=\\[0, 0, 0\\] \\(of type list"),
        (np.array(["a"]), TypeError, "Received: baseline=array\\(.*<U1"),
        (np.zeros(4), ValueError, r"\(9, 14, 3\). Received: baseline.shape=\(4,\)"),
        (np.zeros((2, 9, 14, 3)), ValueError, r"Received: baseline.shape=\(2, 9, 14, 3\)"),
        (np.zeros((9, 14)), ValueError, r"Received: baseline.shape=\(9, 14\)"),
        (np.nan, ValueError, "to be finite in float32"),
        (1e39, ValueError, "to be finite in float32"),
        (10**400, ValueError, "to be finite in float32"),
        (np.ma.masked_equal([1.0, 2.0, 3.0], 2.0), ValueError, "`baseline` without masked"),
        (np.array([0, 0, np.inf]), ValueError, "to be finite in float32"),
    ],
)
def test_anything_else_is_an_error(baseline: Any, error: Any, message: str) -> None:
    with pytest.raises(error, match=message):
        make_baseline(baseline, PICTURE)

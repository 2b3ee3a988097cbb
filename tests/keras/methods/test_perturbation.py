"""Occlusion and RISE against loops written from the papers, and on models whose answer is known."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from eli5.keras.methods.perturbation import occlusion, rise
from eli5.keras.methods.probe import Probe
from helpers.fake_probe import function_probe, linear_probe, recording

Array = np.ndarray[Any, Any]
SIZES = [(7, 10), (6, 5), (4, 5, 7)]


def bent_probe(size: tuple[int, ...], batch_size: int = 32, log: Any = None) -> Probe:
    """Return the probe of two smooth, not linear scores of a picture with two channels."""
    random = np.random.default_rng(1)
    weights = random.normal(size=(2, *size, 2)) / np.sqrt(np.prod(size))
    axes = tuple(range(1, weights.ndim))

    def function(x: Array) -> Array:
        sums = np.tensordot(x, weights, axes=(axes, axes))
        return np.stack([np.tanh(sums[:, 0]) + 2, sums[:, 0] * sums[:, 1]], axis=1)

    picture = random.normal(size=(*size, 2))
    return function_probe(function, None, picture, batch_size=batch_size, log=log)


def starts(length: int, patch: int, stride: int) -> list[int]:
    found = [0]
    while found[-1] + patch < length:
        found.append(min(found[-1] + stride, length - patch))
    return found


def slow_occlusion(
    probe: Probe, patch: tuple[int, ...], stride: tuple[int, ...], baseline: Array
) -> Array:
    """Cover one window after the other; average pixel by pixel."""
    size = probe.picture.shape[:-1]
    whole = probe.scores(probe.picture[None])[0].astype("float64")
    sums, counts = np.zeros((len(whole), *size)), np.zeros(size)
    for corner in product(*map(starts, size, patch, stride)):
        window = tuple(slice(c, c + p) for c, p in zip(corner, patch, strict=True))
        covered = probe.picture.copy()
        covered[window] = baseline[window]
        drop = whole - probe.scores(covered[None])[0]
        for pixel in product(*(range(w.start, w.stop) for w in window)):
            counts[pixel] += 1
            for k in range(len(whole)):
                sums[(k, *pixel)] += drop[k]
    assert counts.min() >= 1
    return sums / counts


@pytest.mark.parametrize("size", SIZES)
def test_occlusion_by_single_pixels_of_a_linear_model_is_weight_times_input(
    size: tuple[int, ...],
) -> None:
    random = np.random.default_rng(0)
    weights, picture = random.normal(size=(3, *size, 2)), random.normal(size=(*size, 2))
    maps = occlusion(linear_probe(weights, picture, bias=0.5), patch=1, stride=1).maps
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, (weights * picture).sum(axis=-1), atol=1e-5)


@pytest.mark.parametrize(
    ("size", "patch", "stride"),
    [
        ((7, 10), (3, 3), (2, 2)),  # the last step does not reach the edge, on one axis
        ((7, 10), (2, 4), (1, 4)),
        ((7, 10), (5, 3), (5, 3)),
        ((7, 10), (7, 10), (1, 1)),  # one window: the whole picture
        ((4, 5, 7), (2, 3, 2), (2, 1, 2)),
    ],
)
def test_occlusion_agrees_with_the_slow_twin(
    size: tuple[int, ...], patch: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    probe = bent_probe(size, batch_size=5)
    baseline = np.asarray(np.random.default_rng(2).normal(size=probe.picture.shape), "float32")
    maps = occlusion(probe, patch=patch, stride=stride, baseline=baseline).maps
    slow = slow_occlusion(probe, patch, stride, baseline)
    np.testing.assert_allclose(maps, slow, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("stride", [1, 2, 3])
def test_occlusion_averages_over_the_windows_that_cover_a_pixel(stride: int) -> None:
    """A score that falls by one wherever it is covered gives one at each pixel, edges too."""

    def untouched(x: Array) -> Array:
        whole = (x == 1).all(axis=(1, 2, 3))
        return np.stack([whole, 1 - whole], axis=1)

    maps = occlusion(function_probe(untouched, None, np.ones((8, 11, 1))), patch=3, stride=stride)
    np.testing.assert_array_equal(maps.maps[0], np.ones((8, 11)))
    np.testing.assert_array_equal(maps.maps[1], -np.ones((8, 11)))


@pytest.mark.parametrize(
    ("size", "patch", "stride", "windows"),
    [
        ((16, 24), 2, 1, 15 * 23),  # an eighth of the shorter side, half of that
        ((5, 6), 1, 1, 5 * 6),
        ((32, 32), 4, 2, 15 * 15),
        ((8, 16, 32), (1, 2, 4), (1, 1, 2), 8 * 15 * 15),  # of each side
    ],
)
def test_occlusion_chooses_the_patch(
    size: tuple[int, ...], patch: Any, stride: Any, windows: int
) -> None:
    log: list[tuple[str, int]] = []
    probe = bent_probe(size, log=log)
    maps = occlusion(probe).maps
    assert sum(n for query, n in log if query == "masked_scores") == windows
    np.testing.assert_array_equal(maps, occlusion(probe, patch=patch, stride=stride).maps)


def test_occlusion_covers_by_the_baseline() -> None:
    probe = linear_probe(np.ones((2, 4, 6, 3)), np.full((4, 6, 3), 0.7))
    np.testing.assert_allclose(occlusion(probe, baseline=0.2).maps, 1.5, rtol=1e-5)
    np.testing.assert_allclose(occlusion(probe, baseline="mean").maps, 0, atol=1e-5)


@pytest.mark.parametrize("method", [occlusion, rise])
def test_the_map_does_not_depend_on_the_batch_size(method: Any) -> None:
    maps = [method(bent_probe((9, 12), batch_size=n)).maps for n in (1, 7, 64)]
    np.testing.assert_allclose(maps[1], maps[0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(maps[2], maps[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"patch": 0}, ValueError, "Expected `patch` >= 1. Received: patch=0"),
        ({"patch": 8}, ValueError, r"no larger than the doc, \(7, 10\). Received: patch=8"),
        ({"patch": (3, 11)}, ValueError, r"no larger than the doc.*patch=\(3, 11\)"),
        ({"patch": (3, 3, 3)}, ValueError, r"2 of them: one per axis. Received: patch=\(3, 3, 3\)"),
        ({"patch": 2.5}, TypeError, "Expected `patch` to be an integer. Received: patch=2.5"),
        ({"stride": 0}, ValueError, "Expected `stride` >= 1. Received: stride=0"),
        (
            {"patch": 2, "stride": 3},
            ValueError,
            "no larger than the patch.*leave gaps between.*stride=3",
        ),
        ({"stride": "x"}, ValueError, "one per axis. Received: stride='x'"),
    ],
)
def test_occlusion_refuses(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        occlusion(bent_probe((7, 10)), **options)


def slow_masks(
    size: tuple[int, ...], cells: tuple[int, ...], n: int, probability: float, seed: int
) -> Array:
    """Interpolate pixel by pixel between the centres of the cells."""
    cell = [int(np.ceil(length / c)) for length, c in zip(size, cells, strict=True)]
    random = np.random.default_rng(seed)
    grids = random.random((n, *cells)) < probability
    shifts = random.integers(0, cell, (n, len(size)), endpoint=True)
    masks = np.zeros((n, *size))
    for i, pixel in product(range(n), product(*map(range, size))):
        corners = []
        for axis, p in enumerate(pixel):
            scale = cells[axis] / ((cells[axis] + 1) * cell[axis])
            position = min(max((shifts[i, axis] + p + 0.5) * scale - 0.5, 0), cells[axis] - 1)
            left = int(np.floor(position))
            right = min(left + 1, cells[axis] - 1)
            corners.append([(left, 1 - position + left), (right, position - left)])
        for corner in product(*corners):
            value = grids[(i, *(cell for cell, _ in corner))]
            masks[(i, *pixel)] += value * np.prod([weight for _, weight in corner])
    return masks


@pytest.mark.parametrize(
    ("size", "cells", "grid"),
    [
        ((7, 10), 3, (3, 3)),
        ((7, 10), (2, 5), (2, 5)),
        ((7, 10), 8, (7, 8)),
        ((4, 5, 7), (2, 3, 2), (2, 3, 2)),
        ((6, 5), 1, (1, 1)),
    ],
)
def test_rise_agrees_with_the_slow_twin(
    size: tuple[int, ...], cells: Any, grid: tuple[int, ...]
) -> None:
    probe, seen = recording(bent_probe(size, batch_size=7))
    maps = rise(probe, n_masks=20, cells=cells, probability=0.4, baseline=0.3, seed=5).maps
    masks = slow_masks(size, grid, 20, 0.4, 5)
    np.testing.assert_allclose(seen, masks, atol=1e-6)

    shown, sums = np.zeros(size), np.zeros((2, *size))
    scores = []
    for mask in masks:
        blend = probe.picture * mask[..., None] + 0.3 * (1 - mask[..., None])
        scores.append(probe.scores(blend[None])[0].astype("float64"))
        for k, pixel in product(range(2), product(*map(range, size))):
            sums[(k, *pixel)] += scores[-1][k] * mask[pixel]
        shown += mask
    means = np.mean(scores, axis=0).reshape(-1, *(1,) * len(size))
    slow = np.where(shown > 0, sums / np.where(shown > 0, shown, 1) - means, 0)
    assert maps.dtype == np.float32
    np.testing.assert_allclose(maps, slow, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_rise_masks_are_shares_shown_with_the_probability(probability: float) -> None:
    probe, seen = recording(bent_probe((20, 28)))
    rise(probe, n_masks=2000, cells=4, probability=probability)
    masks = np.array(seen)
    assert masks.min() >= 0
    assert masks.max() <= 1 + 1e-6
    # At each pixel, edges too: the smallest share of 2000 draws would be 4.5 deviations off.
    np.testing.assert_allclose(masks.mean(axis=0), probability, atol=0.05)


def expected_rise(influence: Array, cells: int, probability: float) -> Array:
    """Return the mean RISE map of ``y = sum(influence * mask)``, over all grids and shifts.

    Of two pixels, the covariance of the masks is ``p (1 - p) sum_c u_c v_c``, with their weights
    of the cells; a pixel's mean is ``p``.
    """
    size = influence.shape
    cell = [int(np.ceil(length / cells)) for length in size]
    total = np.zeros(size)
    for shift in product(*(range(c + 1) for c in cell)):
        weights = []
        for axis, length in enumerate(size):
            scale = cells / ((cells + 1) * cell[axis])
            positions = (shift[axis] + np.arange(length) + 0.5) * scale - 0.5
            distance = np.abs(positions.clip(0, cells - 1)[:, None] - np.arange(cells))
            weights.append(np.maximum(1 - distance, 0))
        rows, columns = (w @ w.T for w in weights)
        total += rows @ influence @ columns
    return (1 - probability) * total / np.prod([c + 1 for c in cell])


def test_rise_of_a_linear_model_approaches_its_influence() -> None:
    random = np.random.default_rng(3)
    weights, picture = random.normal(size=(2, 8, 12, 2)), random.normal(size=(8, 12, 2))
    weights[:, 2:6, 3:7] += 4 * np.sign(picture[2:6, 3:7])  # the part that speaks for the classes
    influence = (weights * picture).sum(axis=-1)
    expected = np.stack([expected_rise(i, 4, 0.5) for i in influence])

    def error(n_masks: int) -> float:
        probe = linear_probe(weights, picture, bias=7.0, batch_size=100)
        maps = rise(probe, n_masks=n_masks, cells=4).maps
        return float(np.sqrt(np.mean((maps - expected) ** 2)))

    assert error(10000) < error(1000) / 2 < error(100) / 4
    assert error(10000) < 0.05 * np.abs(expected).max()
    for k, best in enumerate(expected):
        assert np.corrcoef(best.ravel(), influence[k].ravel())[0, 1] > 0.6


def test_rise_is_zero_where_nothing_has_influence() -> None:
    maps = rise(linear_probe(np.zeros((2, 6, 9, 1)), np.ones((6, 9, 1)), bias=1e4), n_masks=50).maps
    np.testing.assert_allclose(maps, 0, atol=1e-6)


def test_rise_is_zero_at_pixels_never_shown() -> None:
    probe, seen = recording(bent_probe((12, 15)))
    maps = rise(probe, n_masks=2, probability=0.1).maps
    never = np.sum(seen, axis=0) == 0
    assert 0 < never.sum() < never.size
    np.testing.assert_array_equal(maps[:, never], 0)
    assert np.isfinite(maps).all()


def test_rise_is_seeded() -> None:
    first, again, other = (rise(bent_probe((6, 9)), n_masks=30, seed=s).maps for s in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 1e-3


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"n_masks": 0}, ValueError, "Expected `n_masks` >= 1. Received: n_masks=0"),
        ({"n_masks": 1e3}, TypeError, "Expected `n_masks` to be an integer.*n_masks=1000.0"),
        ({"cells": 0}, ValueError, "Expected `cells` >= 1. Received: cells=0"),
        ({"cells": (2, 2, 2)}, ValueError, "2 of them: one per axis. Received: cells="),
        ({"probability": 0}, ValueError, "between 0 and 1, both excluded.*probability=0"),
        ({"probability": 1.0}, ValueError, "between 0 and 1, both excluded.*probability=1.0"),
    ],
)
def test_rise_refuses(options: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        rise(bent_probe((7, 10)), **options)

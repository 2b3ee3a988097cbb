"""Perturbations of the picture: what the scores do when parts of it are hidden or shown.

All K classes come from the same runs of the model. Masks are made in blocks of
``probe.batch_size``, sums over blocks are float64, maps are float32 and have the picture's
resolution.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from eli5.checks import expect_integer, expect_number, wrong_value
from eli5.keras.methods.baseline import make_baseline
from eli5.keras.methods.probe import Attributions, Probe, batches, equal_but_for_rounding
from eli5.keras.methods.resize import resize

Array = np.ndarray[Any, Any]


def occlusion(
    probe: Probe,
    *,
    patch: int | Sequence[int] | None = None,
    stride: int | Sequence[int] | None = None,
    baseline: Any = 0.0,
) -> Attributions:
    """Return how far the scores drop when a window covers the pixel.

    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", arXiv:1311.2901,
    section 4.2. A pixel gets the mean of ``y(x) - y(covered)`` over the windows that cover it. If
    the last step does not reach the edge, one more window lies flush at the edge.

    Parameters
    ----------
    probe : Probe
    patch : int or one int per axis, optional
        Size of the window. None: an eighth of the picture's shorter side, at least 1; for volumes
        and videos an eighth of each side; one token of a text; an eighth of a series. Of a series
        an int is the steps of a window of one channel, and so it is for `stride`.
    stride : int or one int per axis, optional
        Steps of the window, at most `patch`. None: half the patch, at least 1.
    baseline : number, str or array, default 0
        What covers the picture. See `make_baseline`.

    Returns
    -------
    Attributions
        Maps (K, *size), signed.

    Raises
    ------
    TypeError
        If `patch` or `stride` are no integers.
    ValueError
        If they are below 1 or of another number than the axes, if a window is larger than the
        picture, or if the stride would leave pixels uncovered.
    """
    covers = _covers(probe.picture.shape[:-1], patch, stride)
    maps = _drops(probe, covers, make_baseline(baseline, probe.picture))
    for cover in covers:  # each sum moves the first axis of windows to the end, as pixels
        maps = np.einsum("kw...,wp->k...p", maps, cover / cover.sum(axis=0))
    return Attributions(np.ascontiguousarray(maps, "float32"))


def rise(
    probe: Probe,
    *,
    n_masks: int = 1000,
    cells: int | Sequence[int] = 8,
    probability: float = 0.5,
    baseline: Any = 0.0,
    seed: int = 0,
) -> Attributions:
    """Return the mean score while a pixel is shown, less the mean score, over random masks.

    Petsiuk et al., "RISE: Randomized Input Sampling for Explanation of Black-box Models",
    arXiv:1806.07421, section 3: ``(sum_i y_i M_i) / (sum_i M_i) - mean_i y_i``. Equation 6 divides
    by ``N p`` and subtracts nothing. We divide by how often the pixel was in fact shown, which is
    the same in expectation and has less noise, and subtract the mean, a constant: so zero means no
    influence, and the positive part is what speaks for the class.

    Parameters
    ----------
    probe : Probe
    n_masks : int, default 1000
    cells : int or one int per axis, default 8
        Of the random grids that become masks; an axis gets no more than it has pixels.
    probability : float, default 0.5
        That a cell is shown: the paper's ``p``.
    baseline : number, str or array, default 0
        What is seen where the picture is hidden. See `make_baseline`.
    seed : int, default 0

    Returns
    -------
    Attributions
        Maps (K, *size), signed; 0 at a pixel that no mask shows.

    Raises
    ------
    TypeError
        If `n_masks` or `cells` are no integers.
    ValueError
        If they are below 1 or of another number than the axes, or if `probability` is not between
        0 and 1.
    """
    size = probe.picture.shape[:-1]
    n_masks = expect_integer("n_masks", n_masks, least=1)
    grid = tuple(map(min, _per_axis("cells", cells, size), size))
    if not 0 < expect_number("probability", probability) < 1:
        raise wrong_value("probability", probability, "between 0 and 1, both excluded")
    hidden = make_baseline(baseline, probe.picture)
    scores: list[Array] = []
    sums: Any = 0.0
    for masks in _rise_masks(size, grid, n_masks, probability, seed, probe.batch_size):
        scores.append(probe.masked_scores(masks, hidden).astype("float64"))
        sums = sums + _mask_sums(masks, scores[-1] - scores[0][0])
    shown, scored = sums[-1], sums[:-1]
    all_scores = np.concatenate(scores)
    mean = (all_scores - all_scores[0]).mean(axis=0)[:, None]
    means = scored / np.where(shown > 0, shown, 1) - mean
    reacts = np.ptp(equal_but_for_rounding(all_scores), axis=0)[:, None] != 0
    seen = np.where(reacts & (shown > 0), means, 0)
    return Attributions(seen.reshape(-1, *size).astype("float32"))


def _per_axis(name: str, value: Any, size: tuple[int, ...]) -> tuple[int, ...]:
    """Return one int per axis: of one int for all, or of a sequence."""
    values = tuple(value) if isinstance(value, Sequence | np.ndarray) else (value,) * len(size)
    if len(values) != len(size):
        raise wrong_value(name, value, f"to be an int, or {len(size)} of them: one per axis")
    return tuple(expect_integer(name, v, least=1) for v in values)


def _covers(size: tuple[int, ...], patch: Any, stride: Any) -> list[Array]:
    """Return per axis which pixels (columns) each window (rows) covers, of bool."""
    if patch is None:
        sides = size if len(size) > 2 else (min(size),) * len(size)
        patch = tuple(max(1, side // 8) for side in sides)
    patches = _per_axis("patch", patch, size)
    if stride is None:
        stride = tuple(max(1, p // 2) for p in patches)
    strides = _per_axis("stride", stride, size)
    if any(p > length for p, length in zip(patches, size, strict=True)):
        raise wrong_value("patch", patch, f"no larger than the doc, {size}")
    if any(s > p for s, p in zip(strides, patches, strict=True)):
        raise wrong_value(
            "stride", stride, f"no larger than the patch, {patches}: others leave gaps between"
        )
    return [_cover(*axis) for axis in zip(size, patches, strides, strict=True)]


def _cover(length: int, patch: int, stride: int) -> Array:
    """Return the windows of one axis, shape (windows, length), the last one flush at the edge."""
    starts = np.append(np.arange(0, length - patch, stride), length - patch)[:, None]
    pixels = np.arange(length)
    return (starts <= pixels) & (pixels < starts + patch)


def _drops(probe: Probe, covers: list[Array], hidden: Array) -> Array:
    """Return ``y(x) - y(covered)`` for each window, shape (K, *windows), float64."""
    windows = tuple(map(len, covers))
    scores = []
    for block in batches(prod(windows), probe.batch_size):
        indices = np.unravel_index(np.arange(block.start, block.stop), windows)
        rows = [cover[index] for cover, index in zip(covers, indices, strict=True)]
        masks = (~reduce(_outer, rows)).astype("float32")
        scores.append(probe.masked_scores(masks, hidden))
    whole, *covered = equal_but_for_rounding(
        np.concatenate([probe.scores(probe.picture[None]), *scores])
    )
    return (whole - np.array(covered)).T.reshape(-1, *windows)


def _outer(left: Array, right: Array) -> Array:
    """Return the outer product of each of n samples: (n, *a) and (n, b) to (n, *a, b)."""
    return left[..., None] & right.reshape(len(right), *(1,) * (left.ndim - 1), -1)


def _rise_masks(
    size: tuple[int, ...],
    grid: tuple[int, ...],
    n_masks: int,
    probability: float,
    seed: int,
    batch_size: int,
) -> Iterator[Array]:
    """Yield blocks of masks (n, *size) in [0, 1], float32: arXiv:1806.07421, section 3.2.

    Grids are enlarged to a size one cell larger than the picture and cropped at random.
    """
    cell = [-(-length // cells) for length, cells in zip(size, grid, strict=True)]
    # Drawn at once: so the masks do not depend on the batch size.
    random = np.random.default_rng(expect_integer("seed", seed, least=0))
    grids = (random.random((n_masks, *grid)) < probability).astype("float32")
    shifts = random.integers(0, cell, (n_masks, len(size)), endpoint=True)
    enlarge = [
        resize(np.eye(cells), ((cells + 1) * pixels, cells))
        for cells, pixels in zip(grid, cell, strict=True)
    ]
    for block in batches(n_masks, batch_size):
        masks = grids[block]
        for axis, length in enumerate(size):
            rows = enlarge[axis][shifts[block, axis, None] + np.arange(length)]
            masks = _enlarge(masks, rows)
        yield masks


def _mask_sums(masks: Array, scores: Array) -> Array:
    """Return the sums of n masks, weighted by each column of scores, and plain in the last row.

    In float32, which a few masks of [0, 1] and scores without their offset allow. No matrix
    product: to share out so little among threads takes longer than to do it.
    """
    weights = np.append(scores, np.ones((len(masks), 1)), axis=1).astype("float32")
    return np.einsum("nk,np->kp", weights, masks.reshape(len(masks), -1)).astype("float64")


def _enlarge(masks: Array, rows: Array) -> Array:
    """Multiply the first axis of each of n masks by its `rows` (n, new, old); it becomes the last.

    Done for every axis once, the axes are in their old order.
    """
    first_last = np.moveaxis(masks, 1, -1)
    flat = first_last.reshape(len(masks), -1, masks.shape[1])
    return (flat @ rows.transpose(0, 2, 1)).reshape(*first_last.shape[:-1], -1)

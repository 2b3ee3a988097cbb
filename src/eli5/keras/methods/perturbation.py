"""Perturbations: what the scores do when parts of the picture, or maps of a layer, are hidden.

All K classes come from the same runs of the model, and no gradients. Masks are made in blocks of
``probe.batch_size``; weights and sums over blocks are float64, maps float32. Those of Occlusion and
RISE have the picture's resolution, those of Ablation-CAM and Score-CAM that of the target layer,
whose maps are the ``A_k``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import reduce
from math import prod
from typing import Any

import numpy as np

from eli5.checks import expect_count, expect_integer, expect_number, wrong_value
from eli5.keras.methods.baseline import make_baseline
from eli5.keras.methods.probe import (
    ROUNDING,
    Attributions,
    Probe,
    equal_but_for_rounding,
)
from eli5.keras.methods.resize import resize
from eli5.placement import lay_out

Array = np.ndarray[Any, Any]

# An enlarged map, of which 0 and 1 were the ends, that varies by less is constant but for rounding.
_CONSTANT = 1e-6


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
    TypeError, ValueError
        If `patch` or `stride` are not as described, if a window is larger than the picture, or if
        the stride would leave pixels uncovered.
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
    TypeError, ValueError
        If an option is not as described, or if `probability` is not between 0 and 1.
    """
    size = probe.picture.shape[:-1]
    n_masks = expect_count("n_masks", n_masks)
    grid = tuple(map(min, _per_axis("cells", cells, size), size))
    if not 0 < expect_number("probability", probability) < 1:
        raise wrong_value("probability", probability, "between 0 and 1, both excluded")
    hidden = make_baseline(baseline, probe.picture)
    scores: list[Array] = []
    sums: Any = 0.0
    blocks = probe.blocks(n_masks)
    for masks in _rise_masks(size, grid, n_masks, probability, seed, blocks):
        scores.append(probe.masked_scores(masks, hidden).astype("float64"))
        sums = sums + _mask_sums(masks, scores[-1] - scores[0][0])
    shown, scored = sums[-1], sums[:-1]
    all_scores = np.concatenate(scores)
    mean = (all_scores - all_scores[0]).mean(axis=0)[:, None]
    means = scored / np.where(shown > 0, shown, 1) - mean
    reacts = np.ptp(equal_but_for_rounding(all_scores), axis=0)[:, None] != 0
    seen = np.where(reacts & (shown > 0), means, 0)
    return Attributions(seen.reshape(-1, *size).astype("float32"))


@np.errstate(over="ignore", invalid="ignore")  # a broken map is told where it is drawn
def ablation_cam(probe: Probe) -> Attributions:
    """Return Ablation-CAM: ``ReLU(sum_k w_k A_k)`` with ``w_k = (y - y_k) / |y|``.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
    Gradient-free Localization", WACV 2020. ``y_k`` is the score with ``A_k`` set to zero. A score
    ``y`` that is 0, or no more beside the ``y_k`` than rounding leaves, divides nothing: the map is
    then not scaled. (The log-odds of a class cross 0 where it is as likely as not.)

    Returns
    -------
    Attributions
        Maps (K, *grid), not negative.

    Notes
    -----
    The sign of ``y`` is not divided by, as it is in pytorch-grad-cam: where the score is negative
    that turns the map over, to show what speaks against the class.
    """
    maps = probe.activations()
    n = maps.shape[-1]
    score, *ablated = probe.ablated_scores(np.arange(-1, n)).astype("float64")
    others = np.array(ablated)
    is_zero = np.abs(score) <= ROUNDING * np.abs(others).max(axis=0, initial=0)
    return _rectified_sum((score - others) / np.where(is_zero, 1, np.abs(score)), maps)


@np.errstate(over="ignore", invalid="ignore")
def score_cam(
    probe: Probe, *, n_maps: int | None = None, baseline: float | str | Array = 0.0
) -> Attributions:
    """Return Score-CAM: ``ReLU(sum_k w_k A_k)``, where ``w`` tells how much each map shows.

    Wang et al., "Score-CAM: Score-Weighted Visual Explanations for Convolutional Neural Networks",
    arXiv:1910.01279, algorithm 1: ``w = softmax_k(y(x * M_k) - y(x_b))``. The mask ``M_k`` is
    ``A_k`` enlarged to the picture and then scaled to [0, 1]. What it hides is replaced by the
    baseline, in the paper zero. ``y(x_b)`` is the same for each ``k``: it cancels in the softmax,
    and is not asked for.

    Parameters
    ----------
    probe : Probe
    n_maps : int, optional
        Only the maps of the largest variance, so many: faster (Faster Score-CAM, which is no
        paper). None: all.
    baseline : number, str or array, default 0
        See `make_baseline`.

    Returns
    -------
    Attributions
        Maps (K, *grid), not negative; zeros if each map is constant.

    Raises
    ------
    TypeError, ValueError
        If `n_maps` is no integer or below 1, or if `make_baseline` refuses the baseline.

    Notes
    -----
    A constant map makes no mask: it is left out, and so has no part in the softmax. Public
    implementations deviate: the authors' own code and tf-keras-vis weigh with probabilities of the
    class and not with the softmax over maps, torch-cam scales before it enlarges, and
    pytorch-grad-cam and tf-keras-vis give a constant map the all-zero mask, and so a weight.
    """
    maps = probe.activations()
    hidden = make_baseline(baseline, probe.picture)
    used, scores = [], []
    chosen = _most_varying(maps, n_maps)
    for block in probe.blocks(len(chosen)):
        masks, vary = _masks(_without_other_axes(maps[..., chosen[block]], probe), probe)
        if vary.any():
            used.append(chosen[block][vary])
            scores.append(probe.masked_scores(masks[vary], hidden))
    if not used:
        n_classes = probe.scores(probe.picture[None]).shape[-1]
        return Attributions(np.zeros((n_classes, *maps.shape[:-1]), "float32"))
    raised = _softmax(np.concatenate(scores).astype("float64"))
    weights = np.zeros((maps.shape[-1], raised.shape[-1]))
    weights[np.concatenate(used)] = raised
    return _rectified_sum(weights, maps)


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
    for block in probe.blocks(prod(windows)):
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
    blocks: Iterable[slice],
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
    for block in blocks:
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


def _most_varying(maps: Array, n_maps: int | None) -> Array:
    """Return the indices of the maps that vary: of all, or of the `n_maps` of largest variance."""
    flat = maps.reshape(-1, maps.shape[-1])
    varying = np.flatnonzero(np.ptp(flat, axis=0) != 0)
    if n_maps is None or expect_integer("n_maps", n_maps, least=1) >= len(varying):
        return varying
    variances = flat[:, varying].var(axis=0, dtype="float64")
    return varying[np.sort(np.argsort(-variances, kind="stable")[:n_maps])]


def _masks(maps: Array, probe: Probe) -> tuple[Array, Array]:
    """Return masks (n, *size) in [0, 1] of maps (*grid, n), and which of the maps vary.

    What the layer does not see is hidden. The maps are scaled before they are enlarged, too. It
    changes nothing but rounding, which would drown a small change in a huge map.
    """
    unit, placement = _unit(np.moveaxis(maps, -1, 0).astype("float64")), probe.placement
    if placement is None or placement.is_stretch(unit.shape[1:]):
        enlarged = resize(unit, probe.picture.shape[:-1])
    else:
        enlarged = lay_out(unit, placement)
    flat = enlarged.reshape(len(enlarged), -1)
    # Not "greater": NaN counts as varying, so that it is passed on and told.
    return _unit(enlarged), ~(np.ptp(flat, axis=1) <= _CONSTANT)


def _without_other_axes(maps: Array, probe: Probe) -> Array:
    """Return the means of maps (*grid, n) over axes that are none of the picture."""
    others = tuple(k for k, axis in enumerate(probe.axes) if axis is None)
    return maps.mean(axis=others) if others else maps


def _unit(maps: Array) -> Array:
    """Scale each of n maps to [0, 1]; a constant one to 0."""
    axes = tuple(range(1, maps.ndim))
    low = maps.min(axis=axes, keepdims=True)
    spread = maps.max(axis=axes, keepdims=True) - low
    return (maps - low) / np.where(spread == 0, 1, spread)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def _rectified_sum(weights: Array, maps: Array) -> Attributions:
    """Return ``ReLU(sum_k w_k A_k)`` of weights (maps, K) and maps (*grid, maps)."""
    total = np.tensordot(weights, maps, axes=(0, maps.ndim - 1))
    return Attributions(np.maximum(total, 0).astype("float32"))

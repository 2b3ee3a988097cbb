"""Class activation maps whose weights are found by trying: Ablation-CAM and Score-CAM.

No gradients. ``A_k`` is a map of the target layer. All K classes come from the same runs of the
model; weights and sums are float64.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from eli5.checks import expect_integer
from eli5.keras.methods.baseline import make_baseline
from eli5.keras.methods.probe import Attributions, Probe, batches
from eli5.keras.methods.resize import resize

Array = np.ndarray[Any, Any]

# An enlarged map, of which 0 and 1 were the ends, that varies by less is constant but for rounding.
ROUNDING = 1e-6


@np.errstate(over="ignore", invalid="ignore")  # a broken map is told where it is drawn
def ablation_cam(probe: Probe) -> Attributions:
    """Return Ablation-CAM: ``ReLU(sum_k w_k A_k)`` with ``w_k = (y - y_k) / |y|``.

    Desai and Ramaswamy, "Ablation-CAM: Visual Explanations for Deep Convolutional Network via
    Gradient-free Localization", WACV 2020. ``y_k`` is the score with ``A_k`` set to zero. A score
    ``y`` of 0 divides nothing: the map is then not scaled.

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
    drops = score - np.array(ablated)
    return _rectified_sum(drops / np.where(score == 0, 1, np.abs(score)), maps)


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
    class and not with the softmax over maps, torch-cam scales before it
    enlarges, and pytorch-grad-cam and tf-keras-vis give a constant map the all-zero mask, and so a
    weight.
    """
    maps = probe.activations()
    hidden = make_baseline(baseline, probe.picture)
    used, scores = [], []
    chosen = _most_varying(maps, n_maps)
    for block in batches(len(chosen), probe.batch_size):
        masks, vary = _masks(maps[..., chosen[block]], probe.picture.shape[:-1])
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


def _most_varying(maps: Array, n_maps: int | None) -> Array:
    """Return the indices of the maps that vary: of all, or of the `n_maps` of largest variance."""
    flat = maps.reshape(-1, maps.shape[-1])
    varying = np.flatnonzero(np.ptp(flat, axis=0) != 0)
    if n_maps is None or expect_integer("n_maps", n_maps, least=1) >= len(varying):
        return varying
    variances = flat[:, varying].var(axis=0, dtype="float64")
    return varying[np.sort(np.argsort(-variances, kind="stable")[:n_maps])]


def _masks(maps: Array, size: tuple[int, ...]) -> tuple[Array, Array]:
    """Return masks (n, *size) in [0, 1] of maps (*grid, n), and which of the maps vary.

    The maps are scaled before they are enlarged, too. It changes nothing but rounding, which would
    drown a small change in a huge map.
    """
    enlarged = resize(_unit(np.moveaxis(maps, -1, 0).astype("float64")), size)
    flat = enlarged.reshape(len(enlarged), -1)
    # Not "greater": NaN counts as varying, so that it is passed on and told.
    return _unit(enlarged), ~(np.ptp(flat, axis=1) <= ROUNDING)


def _unit(maps: Array) -> Array:
    """Scale each of n maps to [0, 1]; a constant one to 0."""
    places = tuple(range(1, maps.ndim))
    low = maps.min(axis=places, keepdims=True)
    spread = maps.max(axis=places, keepdims=True) - low
    return (maps - low) / np.where(spread == 0, 1, spread)


def _softmax(scores: Array) -> Array:
    powers = np.exp(scores - scores.max(axis=0))
    return powers / powers.sum(axis=0)


def _rectified_sum(weights: Array, maps: Array) -> Attributions:
    """Return ``ReLU(sum_k w_k A_k)`` of weights (maps, K) and maps (*grid, maps)."""
    total = np.tensordot(weights, maps, axes=(0, maps.ndim - 1))
    return Attributions(np.maximum(total, 0).astype("float32"))

"""Localisation: does the heat lie where a person has marked the object? No model is run.

What the model looks at need not be the object: these numbers speak for a map only as far as it is.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from eli5.base import Explanation
from eli5.checks import expect_integer, expect_number, is_integer, listed, wrong_type
from eli5.metrics.faithfulness import rank
from eli5.metrics.maps import input_map, list_maps
from eli5.metrics.result import Array, Measured, Metric, MetricResult, collect

_NEEDS = ("explanations", "masks")
_PERSON = (
    "it tells where a person would look, not whether the model does: a map of the object that has "
    "nothing to do with the model is the best; beside a metric of faithfulness or randomisation"
)

ENERGY_INSIDE = Metric(
    "Energy inside", "arXiv:1910.01279", "higher", "share", (0, 1), "none", _NEEDS, _PERSON
)
POINTING_GAME = Metric(
    "Pointing game", "arXiv:1608.00507", "higher", "hits", (0, 1), "none", _NEEDS, _PERSON
)
RANK_ACCURACY = Metric(
    "Rank accuracy", "arXiv:2003.07258", "higher", "share", (0, 1), "none", _NEEDS, _PERSON
)
BEST_IOU = Metric("Best IoU", "arXiv:1512.04150", "higher", "IoU", (0, 1), "none", _NEEDS, _PERSON)


def energy_inside(explanations: Any, masks: Any, *, targets: Any = None) -> MetricResult:
    """Return which share of the heat, the positive part of the map, lies inside.

    Wang et al., "Score-CAM", arXiv:1910.01279, section 4.2: the energy-based pointing game.

    Parameters
    ----------
    explanations, targets
        See `eli5.metrics.deletion`.
    masks : iterable
        Per map where the object is: an array of the input's size, of bool or not 0; or a box
        ``(left, top, right, bottom)``, of texts and series ``(start, end)``, in pixels or steps
        counted from 0, right, bottom and end excluded; or a list of boxes.

    Returns
    -------
    MetricResult
        NaN without any heat.

    Raises
    ------
    TypeError, ValueError
        If there are not as many masks as maps, or if one is of another size, or empty.
    """
    return _measure(ENERGY_INSIDE, energy_share, explanations, masks, targets)


def pointing_game(
    explanations: Any, masks: Any, *, targets: Any = None, tolerance: float = 0
) -> MetricResult:
    """Return 1 where the map's maximum lies inside, or no further from it than a tolerance.

    Zhang et al., "Top-down Neural Attention by Excitation Backprop", arXiv:1608.00507, section 4.1;
    the mean over the docs is the paper's accuracy. Of several equal maxima it is the share of those
    that hit.

    Parameters
    ----------
    explanations, masks, targets
        See `energy_inside`.
    tolerance : float, default 0
        In pixels, as the crow flies; 15 in the paper.

    Returns
    -------
    MetricResult
        NaN for a map that is constant, which points nowhere.

    Raises
    ------
    TypeError, ValueError
        See `energy_inside`; also if `tolerance` is below 0.
    """
    hit = functools.partial(_hit, expect_number("tolerance", tolerance, least=0))
    return _measure(POINTING_GAME, hit, explanations, masks, targets)


def rank_accuracy(
    explanations: Any, masks: Any, *, targets: Any = None, seed: int = 0
) -> MetricResult:
    """Return which share of the n highest places lies inside, where the object has n places.

    Arras, Osman and Samek, "CLEVR-XAI", arXiv:2003.07258: the relevance rank accuracy.

    Parameters
    ----------
    explanations, masks, targets
        See `energy_inside`.
    seed : int, default 0
        Of the order of equal places.

    Returns
    -------
    MetricResult

    Raises
    ------
    TypeError, ValueError
        See `energy_inside`.
    """
    share = functools.partial(_rank_share, expect_integer("seed", seed, least=0))
    return _measure(RANK_ACCURACY, share, explanations, masks, targets, seed=seed)


def best_iou(explanations: Any, masks: Any, *, targets: Any = None) -> MetricResult:
    """Return the intersection over union with what is as high as a threshold, at its best one.

    Zhou et al., "Learning Deep Features for Discriminative Localization", arXiv:1512.04150, take
    one threshold; the best of all favours no method by how its numbers spread.

    Parameters
    ----------
    explanations, masks, targets
        See `energy_inside`.

    Returns
    -------
    MetricResult

    Raises
    ------
    TypeError, ValueError
        See `energy_inside`.
    """
    return _measure(BEST_IOU, _iou, explanations, masks, targets)


def _measure(
    metric: Metric,
    function: Callable[[Array, Array], float],
    explanations: Any,
    masks: Any,
    targets: Any,
    **about: Any,
) -> MetricResult:
    given = [explanations] if isinstance(explanations, Explanation) else listed(explanations)
    found = list_maps(given if given is not None else explanations, targets)
    items = listed(masks)
    if items is None:
        raise wrong_type("masks", masks, "a mask, or boxes, for each map")
    if len(items) != len(found):
        raise ValueError(
            f"Expected one entry in `masks` per map, {len(found)} of them. Received: {len(items)}"
        )
    maps = list(map(input_map, found))
    rows = zip(given or [], maps, items, range(len(items)), strict=True)
    measured = [
        Measured(function(values, mask_of(expl, values, mask, number)))
        for expl, values, mask, number in rows
    ]
    return collect(metric, measured, [one.target for one in found], **about)


def mask_of(explanation: Any, values: Array, mask: Any, number: int = 0) -> Array:
    """Return a mask of bool of a map's size: of a series also where it has a number per channel."""
    if getattr(explanation, "series", None) is None or values.ndim == 1:
        return read_mask(mask, values.shape, number)
    if isinstance(mask, np.ndarray) and mask.shape == values.shape:
        return read_mask(mask, values.shape, number)
    steps = read_mask(mask, values.shape[:1], number)
    return np.broadcast_to(steps[:, None], values.shape)


def read_mask(mask: Any, size: tuple[int, ...], number: int = 0) -> Array:
    """Return a mask of bool of this size, of an array or of boxes; see `energy_inside`."""
    if isinstance(mask, np.ndarray) and mask.dtype.kind in "fiub" and mask.shape == size:
        if np.isnan(mask).any():  # NaN is not 0, and would be the object
            raise ValueError(f"Expected a mask that is finite. Received: masks[{number}] with NaN")
        inside = mask != 0
    else:
        inside = _of_boxes(mask, size, number)
    if not inside.any():
        raise ValueError(f"Expected a mask with places in it. Received: masks[{number}] with none")
    return inside


def _of_boxes(mask: Any, size: tuple[int, ...], number: int) -> Array:
    items = listed(mask) or []
    boxes = [items] if items and all(map(is_integer, items)) else items
    inside = np.zeros(size, bool)
    if not boxes or (isinstance(mask, np.ndarray) and mask.shape[-1] != 2 * len(size)):
        raise _wrong_mask(mask, size, number)
    for box in boxes:
        inside[_within(box, size, number)] = True
    return inside


def _within(box: Any, size: tuple[int, ...], number: int) -> tuple[slice, ...]:
    ends = listed(box) or []
    n = len(size)
    if n > 2 or len(ends) != 2 * n or not all(map(is_integer, ends)):
        raise _wrong_mask(box, size, number)
    # A box names the columns before the rows.
    spans = list(zip(ends[:n], ends[n:], strict=True))[::-1]
    for (start, end), length in zip(spans, size, strict=True):
        if not 0 <= start < end <= length:
            raise ValueError(
                f"Expected a box within the input's size, {size}. Received: masks[{number}] with "
                f"{tuple(ends)}"
            )
    return tuple(slice(start, end) for start, end in spans)


def _wrong_mask(mask: Any, size: Sequence[int], number: int) -> TypeError:
    box = "(start, end)" if len(size) == 1 else "(left, top, right, bottom)"
    received = f"an array of shape {mask.shape}" if isinstance(mask, np.ndarray) else repr(mask)
    return TypeError(
        f"Expected an array of the input's size, {tuple(size)}, or boxes {box} of integers. "
        f"Received: masks[{number}] with {received}"
    )


def energy_share(values: Array, inside: Array) -> float:
    """Return which share of a map's positive part lies inside; NaN if it has none."""
    heat = np.maximum(values, 0)
    total = heat.sum()
    return float(heat[inside].sum() / total) if total else float("nan")


def _hit(tolerance: float, values: Array, inside: Array) -> float:
    if not np.ptp(values):
        return float("nan")
    highest = np.argwhere(values == values.max())
    places = np.argwhere(inside)
    distances = [np.sqrt(((places - one) ** 2).sum(axis=1).min()) for one in highest]
    return float(np.mean(np.array(distances) <= tolerance))


def _rank_share(seed: int, values: Array, inside: Array) -> float:
    return float(inside[rank(values, seed) < inside.sum()].mean())


def _iou(values: Array, inside: Array) -> float:
    """Return the best of all thresholds, each of which lets in all places of one number."""
    order = np.argsort(-values, axis=None)
    found = np.cumsum(inside.ravel()[order])
    falling = values.ravel()[order]
    is_threshold = np.append(falling[1:] != falling[:-1], True)
    ious = found / (np.arange(1, len(order) + 1) + inside.sum() - found)
    return float(ious[is_threshold].max())

"""How far evidence has moved between two maps of one doc, whatever their layers and sizes are."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from eli5.base import Explanation, TargetExplanation
from eli5.checks import wrong_type
from eli5.metrics.maps import input_map, list_maps
from eli5.metrics.result import Array

_BINS = 256  # along a line through the doc
_STEPS = range(-2, 3)  # of which the directions of these lines are made


class Heat(NamedTuple):
    """What speaks for the class, where it lies in the doc.

    Attributes
    ----------
    values : numpy.ndarray, float64
        Not negative. Of a picture ``(H, W)``, of a volume ``(D, H, W)``, of a series ``(T,)`` or
        ``(T, F)``, of a text one number per character.
    n_axes : int
        Along how many of the first axes places lie beside each other. The others, such as the
        channels of a series or the words of a text, only are the same or not.
    """

    values: Array
    n_axes: int


def evidence_distance(old: Any, new: Any) -> float:
    """Return how far the evidence for a class has moved from one map of a doc to another.

    A map is taken for a heap: its positive part, of sum 1, where its layer looked. The distance is
    the least way, on average, that what lies in one heap must go to make the other: an earth
    mover's distance, by the most that any of several lines through the doc sees of it (the
    max-sliced Wasserstein distance, Deshpande et al., arXiv:1904.05877, of order 1, with 8 lines
    through a picture). It is never more than the true one, and equal if the heap moves as a whole.

    Parameters
    ----------
    old, new : Explanation or numpy.ndarray
        Of one doc and one class each, the first target; of any layers, methods and input sizes. An
        array is a map of the whole picture, ``(H, W)``, volume, ``(D, H, W)``, or series, ``(T,)``.

    Returns
    -------
    float
        From 0, where both look at the same places alike, to 1, the whole length of a series, or
        from one corner of a picture to the opposite. In a text neighbours are as different as any
        words: it is the share of the evidence that lies on other characters. A series with maps of
        its channels has the larger of both, over time and over channels. 0 if neither map has any
        evidence, 1 if one has none.

    Raises
    ------
    TypeError, ValueError
        If they are no explanations with maps, or of docs of different kinds or texts.
    """
    return heat_distance(find_heat(old), find_heat(new))


def find_heat(item: Any) -> Heat:
    """Return what speaks for the one class of an explanation, or of a map."""
    if not isinstance(item, Explanation | np.ndarray):
        raise wrong_type("old and new", item, "an Explanation, or a map")
    (target,) = list_maps(item if isinstance(item, Explanation) else [item])
    if target.weighted_spans is not None:
        return Heat(_on_characters(target), 0)
    values = np.maximum(input_map(target), 0)
    is_series = isinstance(item, Explanation) and item.series is not None
    return Heat(values, 1 if is_series else values.ndim)


def _on_characters(target: TargetExplanation) -> Array:
    """Return the weight of each character, so that texts may be cut into any tokens."""
    parts = []
    for text in target.weighted_spans.docs_weighted_spans:
        values = np.zeros(len(text.document))
        for _, places, weight in text.spans:
            length = sum(end - start for start, end in places)
            for start, end in places:
                values[start:end] += max(weight, 0) / max(length, 1)
        parts.append(values)
    return np.concatenate(parts)


def heat_distance(old: Heat, new: Heat) -> float:
    """Return the distance of two heats; see `evidence_distance`."""
    _check_alike(old, new)
    totals = old.values.sum(), new.values.sum()
    if not all(totals):
        return float(any(totals))
    one, other = old.values / totals[0], new.values / totals[1]
    n = old.n_axes
    over_places = _moved(_marginal(one, range(n)), _marginal(other, range(n))) if n else 0.0
    rest = range(n, one.ndim)
    over_rest = abs(_marginal(one, rest) - _marginal(other, rest)).sum() / 2
    return float(min(max(over_places, over_rest), 1))


def _check_alike(old: Heat, new: Heat) -> None:
    n = old.n_axes
    if (n, old.values.ndim) != (new.n_axes, new.values.ndim) or (
        old.values.shape[n:] != new.values.shape[n:]
    ):
        raise ValueError(
            "Expected maps of the same doc, of any size but with as many axes, and of a text the "
            f"same characters. Received: maps of shapes {old.values.shape} and {new.values.shape}"
        )


def _marginal(values: Array, axes: Sequence[int]) -> Array:
    others = tuple(k for k in range(values.ndim) if k not in axes)
    return np.asarray(values.sum(axis=others))


def _moved(one: Array, other: Array) -> float:
    """Return the largest of the distances along lines, as a share of the longest line."""
    directions = _directions(one.ndim)
    return max(float(abs(_along(one, v) - _along(other, v)).sum()) / _BINS for v in directions)


@functools.cache
def _directions(n_axes: int) -> list[tuple[float, ...]]:
    """Return unit vectors, of two opposite ones one: 1 along a line, 8 in a plane, 49 in space."""
    steps = itertools.product(_STEPS, repeat=n_axes)
    ways = [v for v in steps if math.gcd(*v) == 1 and next(filter(None, v)) > 0]
    return [tuple(x / math.hypot(*v) for x in v) for v in ways]


def _along(values: Array, direction: Sequence[float]) -> Array:
    """Return how much lies before each place of a line, from one end of the doc to the other.

    The doc is a cube of side 1: a place of a small map lies where that of a large one does.
    """
    n = values.ndim
    places = np.zeros((1,) * n)
    for axis, (step, length) in enumerate(zip(direction, values.shape, strict=True)):
        middles = step * ((np.arange(length) + 0.5) / length - 0.5)
        places = places + middles.reshape([-1 if k == axis else 1 for k in range(n)])
    bins = ((places / math.sqrt(n) + 0.5) * _BINS).astype(int).clip(0, _BINS - 1)
    return np.cumsum(np.bincount(bins.ravel(), values.ravel(), _BINS))

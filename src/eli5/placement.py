"""Where the cells of a heatmap lie in the input, and a map laid out there; NumPy only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from eli5.checks import is_integer, is_number

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FURTHEST = 1e9  # pixels: further off lies nothing
_HALF = 0.5
_NEARLY = 1e-3  # cells: by so little a placement may miss a plain stretch and still be one


@dataclass(frozen=True)
class Placement:
    """Where the cells of a heatmap lie in the input.

    Positions are in pixels (steps) of the input, counted from the middle of its first one. `first`,
    `last` and `seen` have an entry for each axis of the heatmap.

    Attributes
    ----------
    size : tuple of int
        Of the input: ``(H, W)``, ``(D, H, W)`` or ``(T,)``.
    axes : tuple of int
        Along which axis of the input each axis of the heatmap runs: ``(1, 0)`` where the model
        swaps height and width.
    first, last : tuple of float
        The middle of the first and of the last cell. The last comes before the first where the
        model mirrors its input.
    seen : tuple of (float, float)
        From where to where the cells see the input, from edge to edge: all of it is from -0.5 to
        ``size - 0.5``. What lies outside, because the model cuts it off, has no heat.
    """

    size: tuple[int, ...]
    axes: tuple[int, ...]
    first: tuple[float, ...]
    last: tuple[float, ...]
    seen: tuple[tuple[float, float], ...]

    def __post_init__(self) -> None:
        n_axes, n = len(self.size), len(self.axes)
        numbers = [*self.first, *self.last, *(end for ends in self.seen for end in ends)]
        if not (
            all(is_integer(length) and length > 0 for length in self.size)
            and set(self.axes) <= set(range(n_axes))
            and len(set(self.axes)) == n == len(self.first) == len(self.last) == len(self.seen)
            and all(len(ends) == 2 for ends in self.seen)
            and all(is_number(one) and abs(one) < _FURTHEST for one in numbers)
        ):
            raise ValueError(
                "Expected a placement of positive sizes, of different axes of the input, and of "
                f"numbers for each of them. Received: {self!r}"
            )

    def strides(self, cells: Sequence[int]) -> list[float]:
        """Return the distance between neighbouring cells, along each axis of the heatmap."""
        rows = zip(self.first, self.last, self.axes, cells, strict=True)
        return [
            (last - first) / (n - 1) if n > 1 else float(self.size[axis])
            for first, last, axis, n in rows
        ]

    def is_stretch(self, cells: Sequence[int]) -> bool:
        """Tell whether the heatmap covers the whole input evenly, its axes in their order."""
        if self.axes != tuple(range(len(self.size))):
            return False
        plain = stretch(cells, self.size)
        pairs = [
            *zip(self.first, plain.first, strict=True),
            *zip(self.last, plain.last, strict=True),
            *(ends for k in (0, 1) for ends in zip(_ends(self, k), _ends(plain, k), strict=True)),
        ]
        return all(abs(one - other) <= _NEARLY for one, other in pairs)

    def in_plane(self) -> Placement:
        """Return the placement of a slice: of the last two axes of the heatmap, on their own."""
        axes = self.axes[-2:]
        order = sorted(axes)
        return Placement(
            tuple(self.size[axis] for axis in order),
            tuple(order.index(axis) for axis in axes),
            self.first[-2:],
            self.last[-2:],
            self.seen[-2:],
        )


def _ends(placement: Placement, k: int) -> list[float]:
    return [span[k] for span in placement.seen]


def stretch(cells: Sequence[int], size: Sequence[int]) -> Placement:
    """Return the placement of a heatmap that covers the whole input evenly."""
    strides = [length / n for length, n in zip(size, cells, strict=True)]
    return Placement(
        tuple(size),
        tuple(range(len(size))),
        tuple((stride - 1) / 2 for stride in strides),
        tuple(length - (stride + 1) / 2 for stride, length in zip(strides, size, strict=True)),
        tuple((-_HALF, length - _HALF) for length in size),
    )


def lay_out(
    maps: NDArray[Any], placement: Placement, size: Sequence[int] | None = None
) -> NDArray[Any]:
    """Return maps, shape (..., *cells), where they lie in the input: (..., *size), float32.

    Between the middles of the cells the numbers are interpolated linearly; beyond the outermost
    ones they go on as there, as far as the cells see the input, and are 0 outside of that. Of cells
    that are finer than the result it has the mean, so that none gets lost between its numbers.

    `size` is that of a picture of the whole input, by default the input's own.
    """
    import numpy as np

    size = tuple(placement.size if size is None else size)
    with np.errstate(over="ignore"):
        maps = np.asarray(maps, "float32")
    lead = maps.ndim - len(placement.axes)
    parts = [1] * len(size)  # that each number of the result is the mean of
    for axis, stride in zip(placement.axes, placement.strides(maps.shape[lead:]), strict=True):
        parts[axis] = math.ceil(placement.size[axis] / size[axis] / abs(stride) - _NEARLY) or 1
    rows = zip([n * k for n, k in zip(size, parts, strict=True)], placement.size, strict=True)
    places = [(np.arange(n) + _HALF) * old / n - _HALF for n, old in rows]
    with np.errstate(invalid="ignore"):  # what float32 cannot hold is finite nowhere near
        result = sample(maps, placement, places)
    for k, axis in enumerate(sorted(placement.axes), lead):
        if parts[axis] > 1:
            shape = *result.shape[:k], size[axis], parts[axis], *result.shape[k + 1 :]
            result = result.reshape(shape).mean(axis=k + 1)
    for axis, n in enumerate(size):
        if axis not in placement.axes:  # the map says the same for all of it
            result = np.repeat(np.expand_dims(result, lead + axis), n, lead + axis)
    return np.ascontiguousarray(result)


def sample(
    maps: NDArray[Any], placement: Placement, positions: Sequence[NDArray[Any]]
) -> NDArray[Any]:
    """Return maps, shape (..., *cells), at positions along each axis of the input; see `lay_out`.

    The axes are those of the input, in its order, without those that the maps do not run along.
    """
    import numpy as np

    result = np.asarray(maps, "float32")
    lead = result.ndim - len(placement.axes)
    strides = placement.strides(result.shape[lead:])
    for k, axis in enumerate(placement.axes):
        low, high = placement.seen[k]
        is_seen = (low <= positions[axis]) & (positions[axis] <= high)
        cells = (positions[axis] - placement.first[k]) / strides[k]
        result = _interpolated(result, lead + k, cells, is_seen)
    order = lead + np.argsort(placement.axes)
    return np.transpose(result, [*range(lead), *order])


def at_cells(
    maps: NDArray[Any], placement: Placement, wanted: Placement, cells: Sequence[int]
) -> NDArray[Any]:
    """Return maps as numbers at the cells of another placement: (..., *cells)."""
    import numpy as np

    positions: list[NDArray[Any]] = [np.zeros(1)] * len(placement.size)
    rows = zip(wanted.axes, wanted.first, wanted.strides(cells), cells, strict=True)
    for axis, first, stride, n in rows:
        positions[axis] = first + stride * np.arange(n)
    result = sample(maps, placement, positions)
    lead = result.ndim - len(placement.axes)
    order = lead + np.argsort(np.argsort(wanted.axes))
    return np.transpose(result, [*range(lead), *order])


def turn_back(maps: NDArray[Any], placement: Placement) -> NDArray[Any]:
    """Return maps of a mirrored input as those of the input: its last axis is turned round."""
    import numpy as np

    axis = len(placement.size) - 1
    k = placement.axes.index(axis) if axis in placement.axes else None
    if k is None:
        return maps
    end = placement.size[axis] - 1
    lead = maps.ndim - len(placement.axes)
    if abs(placement.first[k] + placement.last[k] - end) <= _NEARLY:
        return np.flip(maps, lead + k)
    turned = list(placement.first)
    turned[k] = end - placement.first[k]
    last = list(placement.last)
    last[k] = end - placement.last[k]
    low, high = placement.seen[k]
    seen = list(placement.seen)
    seen[k] = end - high, end - low
    there = replace(placement, first=tuple(turned), last=tuple(last), seen=tuple(seen))
    return at_cells(maps, there, placement, maps.shape[lead:])


def _interpolated(
    values: NDArray[Any], axis: int, positions: NDArray[Any], is_seen: NDArray[Any]
) -> NDArray[Any]:
    """Return values at positions between the cells of an axis, 0 where nothing is seen.

    Not as a matrix: of a long series it would not fit into memory.
    """
    import numpy as np

    last = values.shape[axis] - 1
    positions = positions.clip(0, last)
    left = positions.astype(int).clip(0, max(last - 1, 0))
    right = np.minimum(left + 1, last)
    shape = [1] * values.ndim
    shape[axis] = len(positions)
    share = (positions - left).astype("float32").reshape(shape)
    between = values.take(left, axis) * (1 - share) + values.take(right, axis) * share
    return np.where(is_seen.reshape(shape), between, np.float32(0))

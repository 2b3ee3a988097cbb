"""Where the cells of a target layer lie in the explained input.

What is known of Keras's layers and operations was followed while the model was traced; behind one
that is not known, it is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from eli5.keras.engine import Alignment, Call, Site, Trace, align_input, compose
from eli5.placement import Placement, lay_out, stretch

Array = np.ndarray[Any, Any]
Shape = tuple[int, ...]

# Tells where the output of the call of a position in the trace lies in the input, or None.
Measure = Callable[[int], Alignment | None]


class Cells(NamedTuple):
    """The cells along one axis of a map, and where the first one lies in the input."""

    axis: int  # of the input, its batch axis counted
    stride: float
    size: int
    first: float


class Located(NamedTuple):
    """A target layer, and where its cells lie."""

    site: Site
    placement: Placement
    is_known: bool = True  # else the map is stretched over the whole input, for want of better


def place_axes(rank: int, size: Shape, *, channels_first: bool) -> range:
    """Return which axes of an input of a rank, its batch axis counted, have the cells of `size`."""
    start = 2 if channels_first and rank > len(size) + 1 else 1
    return range(start, start + len(size))


def locate(
    site: Site,
    trace: Trace,
    size: Shape,
    places: range,
    measure: Measure,
    *,
    is_followed: bool = True,
) -> Located:
    """Return a target layer with what can be told of its cells.

    Parameters
    ----------
    site : Site
    trace : Trace
    size : tuple of int
        Of the explained input.
    places : range
        The axes of the input that have these cells; see `place_axes`.
    measure : callable
        Where the output of a call lies that no rule tells of.
    is_followed : bool
        Whether it is the model's input that is explained, from which on the trace follows the axes;
        else, where the output of a layer stands for it, all is measured.

    Raises
    ------
    ValueError
        If the layer sees several samples for one doc, and nothing tells what they are.
    """
    call = trace.calls[trace.index_of(site)]
    own = call.alignment if is_followed else align_input(call.shape, trace.index_of(site))
    alignment = _to_input(own, measure)
    if site.axes:
        return Located(site, _reduced(alignment, site, call, size, places))
    found = None if alignment is None else _find_cells(alignment, site, places)
    if found is None and site.grid is not None:
        found = _cells_of_map(site, trace, places, measure)
    if found is not None:
        site, cells, alignment = found
        return Located(site, _placement(alignment, cells, size, places))
    if call.shape[:1] != (1,):
        raise ValueError(
            "Expected a layer that sees one sample for one doc, or frames or patches of it whose "
            f"places can be followed. Received: layer={site.path!r}, with {call.shape[0]} samples "
            f"of shape {call.shape[1:]} for a doc of size {size}. Cut the doc with "
            "keras.ops.reshape or keras.ops.image.extract_patches in a functional model, or choose "
            "a layer that sees all of it."
        )
    return Located(site, _stretched(site.grid or _grid_of(call, site), size), is_known=False)


def place_output(alignment: Alignment | None, size: Shape, places: range) -> Placement | None:
    """Return where an output's cells lie in an input of a size; None if that is not known.

    Its axes are those of the input, in their order; see `locate` for the rest.
    """
    if alignment is None or alignment.root is not None:
        return None
    parts = [part for of_axis in alignment.axes[1:] for part in of_axis if part.axis in places]
    if [part.axis for part in parts] != list(places):
        return None
    cells = [_cells(alignment, part.axis, part.stride, part.size) for part in parts]
    return _placement(alignment, cells, size, places)


def _to_input(alignment: Alignment | None, measure: Measure) -> Alignment | None:
    if alignment is None or alignment.root is None:
        return alignment
    measured = measure(alignment.root)
    return None if measured is None else compose(alignment, measured)


def _grid_of(call: Call, site: Site) -> Shape:
    return call.shape[2:] if site.channels_first else call.shape[1:-1]


def _stretched(cells: Shape, size: Shape) -> Placement:
    """Return the placement of what is stretched over the input, or over its last axes."""
    n_missing = len(size) - len(cells)
    if n_missing < 0:
        return stretch(cells, cells)
    plain = stretch(cells, size[n_missing:])
    return replace(plain, size=size, axes=tuple(axis + n_missing for axis in plain.axes))


def _reduced(
    alignment: Alignment | None, site: Site, call: Call, size: Shape, places: range
) -> Placement:
    """Return the placement of a map that has only some of the input's axes, `site.axes`."""
    grid = _grid_of(call, site)
    kept = [(axis, cells) for axis, cells in zip(site.axes, grid, strict=True) if axis is not None]
    plain = stretch([cells for _, cells in kept], [size[axis] for axis, _ in kept])
    first, last, seen = list(plain.first), list(plain.last), list(plain.seen)
    for k, (axis, cells) in enumerate(kept):
        along = places[axis]
        axes = alignment.axes if alignment is not None else ()
        found = [part for parts in axes[1:] for part in parts if part.axis == along]
        if alignment is not None and len(found) == 1 and found[0].size == cells:
            first[k] = alignment.first[along]
            last[k] = alignment.first[along] + found[0].stride * (cells - 1)
            seen[k] = alignment.seen[along]
    axes_kept = tuple(axis for axis, _ in kept)
    return Placement(size, axes_kept, tuple(first), tuple(last), tuple(seen))


def joins(call: Call, size: Shape, places: range) -> bool:
    """Tell whether the samples that one doc becomes at a call may be put together to a map of it.

    That is certain where the axes were followed; else it is measured.
    """
    if call.alignment is not None and call.alignment.root is not None:
        return len(call.shape) > 3
    return len(joined_grid(call, places)) == len(size)


def joined_grid(call: Call, places: range) -> Shape:
    """Return the grid of the samples of a call, put together; ``()`` if that is not known."""
    if call.alignment is None or call.alignment.root is not None:
        return ()
    site = Site(None, 0, call.path, call.channels_first, shape=call.shape)
    found = _find_cells(call.alignment, site, places)
    return () if found is None else tuple(one.size for one in found[1])


Found = tuple[Site, list[Cells], Alignment]


def _cells_of_map(site: Site, trace: Trace, places: range, measure: Measure) -> Found | None:
    """Return the cells of tokens as those of the map that they were made of, the last before."""
    for call in reversed(trace.calls[: trace.index_of(site)]):
        is_map = len(call.shape) == len(places) + 2
        grid = call.shape[2:] if call.channels_first else call.shape[1:-1]
        if is_map and grid == site.grid:
            alignment = _to_input(call.alignment, measure)
            as_map = site._replace(grid=None, channels_first=call.channels_first)
            found = None if alignment is None else _find_cells(alignment, as_map, places)
            return None if found is None else (site, *found[1:])
    return None


def _find_cells(alignment: Alignment, site: Site, places: range) -> Found | None:
    """Return the cells of a map along each of its axes; None if one of them goes nowhere."""
    along = [[p for p in parts if p.axis in places] for parts in alignment.axes]
    if site.grid is not None:
        tokens = along[1] if len(along) > 1 else []
        if tuple(part.size for part in tokens) != site.grid:
            return None
        cells = [_cells(alignment, part.axis, part.stride, part.size) for part in tokens]
        return site, cells, alignment
    channels = [axis for axis, parts in enumerate(along) if axis and not parts]
    if len(channels) != 1 or any(len(parts) > 1 for parts in along[1:]):
        return None
    site = site._replace(channels_first=channels == [1] and len(along) > 2)
    own = [parts[0] for parts in along[1:] if parts]
    samples: list[tuple[int, int | None]] = []
    fronts: list[Cells] = []
    cells = [_cells(alignment, part.axis, part.stride, part.size) for part in own]
    for outer in along[0]:
        if outer.size == 1:
            continue
        into = next((k for k, part in enumerate(own) if part.axis == outer.axis), None)
        samples.append((outer.size, into))
        if into is None:
            fronts.append(_cells(alignment, outer.axis, outer.stride, outer.size))
        else:
            cells[into] = _patched(cells[into], outer.stride, outer.size)
    docs = [part.size for part in alignment.axes[0] if part.axis != 0]
    if math.prod(size for size, _ in samples) != math.prod(docs):
        return None
    cells = [*fronts, *cells]
    if len({one.axis for one in cells}) < len(cells):
        return None
    return site._replace(samples=tuple(samples)), cells, alignment


def _cells(alignment: Alignment, axis: Any, stride: float, size: int) -> Cells:
    """Return cells along a part; what lies along the same axis elsewhere is in their middle."""
    others = [p for parts in alignment.axes for p in parts if p.axis == axis]
    middle = sum(
        p.stride * (p.size - 1) / 2 for p in others if (p.stride, p.size) != (stride, size)
    )
    return Cells(axis, stride, size, alignment.first[axis] + middle)


def _patched(inner: Cells, stride: float, n_patches: int) -> Cells:
    """Return the cells of patches that lie side by side, each covered evenly by its own cells."""
    # `inner.first` is in the middle of all patches.
    first = inner.first - stride * (n_patches - 1) / 2
    even = stride / inner.size
    middle = first + inner.stride * (inner.size - 1) / 2
    return Cells(inner.axis, even, inner.size * n_patches, middle - even * (inner.size - 1) / 2)


def _placement(alignment: Alignment, cells: list[Cells], size: Shape, places: range) -> Placement:
    seen = [alignment.seen[one.axis] for one in cells]
    firsts = [one.first for one in cells]
    lasts = [one.first + one.stride * (one.size - 1) for one in cells]
    return Placement(
        size,
        tuple(one.axis - places.start for one in cells),
        tuple(firsts),
        tuple(lasts),
        tuple(seen),
    )


def fit_steps(maps: Array, placement: Placement) -> Array:
    """Return a layer's maps (..., t) with one number per step of the doc: (..., n_steps)."""
    if placement.is_stretch(maps.shape[-1:]) and maps.shape[-1:] == placement.size:
        return maps
    return lay_out(maps, placement)

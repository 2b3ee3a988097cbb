"""How operations cut, pad, resize and turn what they are given, and exchange its axes.

Each function is a `Rule` of `alignment_rules`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eli5.keras.engine.alignment import (
    Alignment,
    Part,
    Shape,
    cut,
    drop,
    flip,
    insert,
    mix,
    move,
    permute,
    reshape,
)
from eli5.keras.engine.window_rules import channel_axis, per_axis, place_axes

# ---- pieces, borders, sizes ----------------------------------------------------------------------


def _pairs(value: Any, n: int) -> list[tuple[int, int]]:
    """Return what is added or taken at both ends of each axis."""
    if n == 1 and isinstance(value, list | tuple) and not isinstance(value[0], list | tuple):
        return [(int(value[0]), int(value[-1]))]
    values = value if isinstance(value, list | tuple) else (value,) * n
    return [per_axis(one, 2) for one in values]  # type: ignore[misc]


def crop(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, place_axes(operation, len(shape))
    for axis, (start, _end) in zip(places, _pairs(operation.cropping, len(places)), strict=True):
        after = cut(after, axis, start, shape[axis])
    return after


def pad(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, place_axes(operation, len(shape))
    for axis, (start, _end) in zip(places, _pairs(operation.padding, len(places)), strict=True):
        after = move(after, axis, shape[axis], -start)
    return after


def pad_operation(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis, (start, _end) in enumerate(_pairs(operation.pad_width, len(shape))):
        if shape[axis] != before.shape[axis]:
            after = move(after, axis, shape[axis], -start)
    return after


def pad_images(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    return shift_images(operation, before, shape, "padding", -1)


def crop_images(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    return shift_images(operation, before, shape, "cropping", 1)


def shift_images(
    operation: Any, before: Alignment, shape: Shape, what: str, sign: int
) -> Alignment:
    after = before
    sides = (("top", "bottom"), ("left", "right"))
    for axis, (near, far) in zip(place_axes(operation, len(shape)), sides, strict=True):
        start, end = (getattr(operation, f"{side}_{what}") for side in (near, far))
        if start is None:  # from the other side, and the size that comes out
            start = abs(before.shape[axis] - shape[axis]) - (end or 0)
        if sign > 0:
            after = cut(after, axis, start, shape[axis])
        else:
            after = move(after, axis, shape[axis], -start)
    return after


def crop_centre(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = place_axes(operation, len(shape))
    size, wanted = [before.shape[axis] for axis in places], [shape[axis] for axis in places]
    if all(old >= new for old, new in zip(size, wanted, strict=True)):
        after = before
        for axis, old, new in zip(places, size, wanted, strict=True):
            after = cut(after, axis, (old - new) // 2, new)
        return after
    return _resized(before, places, wanted, crops=True, pads=False)


def resize(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = place_axes(operation, len(shape))
    return _resized(
        before,
        places,
        [shape[axis] for axis in places],
        crops=bool(operation.crop_to_aspect_ratio),
        pads=bool(operation.pad_to_aspect_ratio),
    )


def _resized(
    before: Alignment, places: Sequence[int], wanted: Sequence[int], *, crops: bool, pads: bool
) -> Alignment:
    """Return the alignment behind a change of size, as Keras rounds a crop or a border for it."""
    after = before
    height, width = (before.shape[axis] for axis in places)
    new_height, new_width = wanted
    fitting = int(width * new_height / new_width), int(height * new_width / new_height)
    for axis, old, fit in zip(places, (height, width), fitting, strict=True):
        if crops:
            kept = max(min(old, fit), 1)
            after = cut(after, axis, int((old - kept) / 2), kept)
        elif pads:
            padded = max(old, fit)
            after = move(after, axis, padded, -int((padded - old) / 2))
    for axis, new in zip(places, wanted, strict=True):
        stride = after.shape[axis] / new
        after = move(after, axis, new, (stride - 1) / 2, stride, stride / 2)
    return after


def get_item(_: Any, before: Alignment, shape: Shape, arguments: Any) -> Alignment | None:
    args, kwargs = arguments
    key = args[1] if len(args) > 1 else kwargs["key"]
    keys = list(key) if isinstance(key, list | tuple) else [key]
    if any(not isinstance(one, int | slice | None | type(...)) for one in keys):
        return None  # by a tensor: what it picks is not known
    n_axes = len([one for one in keys if one is not None and one is not ...])
    rest = [slice(None)] * (len(before.axes) - n_axes)
    at = keys.index(...) if ... in keys else len(keys)
    keys[at : at + 1] = rest
    after, axis = before, 0
    for one in keys:
        if one is None:
            after = insert(after, axis)
        elif isinstance(one, slice):
            start, stop, step = one.indices(after.shape[axis])
            if (start, step) != (0, 1) or stop != after.shape[axis]:
                after = cut(after, axis, start, len(range(start, stop, step)), step)
        else:
            after = drop(cut(after, axis, one % after.shape[axis], 1), axis)
            continue
        axis += 1
    return after


def turn_round(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = range(len(shape)) if operation.axis is None else _listed(operation.axis)
    after = before
    for axis in axes:
        after = flip(after, axis)
    return after


def patches(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    """Return the alignment of patches, whose pixels are channels: row by row, then by colour."""
    places, channels = place_axes(operation, len(shape)), channel_axis(operation)
    n = len(places)
    colours = before.axes[channels]
    if len(before.axes) != len(shape) or len(operation.size) != n:
        return None
    sizes = per_axis(operation.size, n)
    strides = per_axis(operation.strides, n)
    rates = per_axis(operation.dilation_rate, n)
    after, inner = before, []
    for axis, size, stride, rate in zip(places, sizes, strides, rates, strict=True):
        if len(before.axes[axis]) != 1 or (part := before.axes[axis][0]).axis is None:
            return None
        reach = (size - 1) * rate + 1
        missing = (shape[axis] - 1) * stride + reach - before.shape[axis]
        offset = max(missing, 0) // 2 if operation.padding == "same" else 0
        after = move(after, axis, shape[axis], -offset, stride)
        inner.append(Part(part.axis, part.stride * rate, size))
    axes = list(after.axes)
    axes[channels] = (*inner, *colours)
    return after._replace(axes=tuple(axes))


# ---- axes ----------------------------------------------------------------------------------------


def _listed(axes: Any) -> list[int]:
    return list(axes) if isinstance(axes, list | tuple) else [axes]


def fold(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment | None:
    return reshape(before, shape)


def permute_dims(operation: Any, before: Alignment, _: Shape, __: Any) -> Alignment:
    return permute(before, (0, *operation.dims))


def transpose(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = operation.axes if operation.axes is not None else range(len(shape))[::-1]
    return permute(before, [axis % len(shape) for axis in axes])


def swap(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    axes = list(range(len(shape)))
    one, other = operation.axis1, operation.axis2
    axes[one], axes[other] = axes[other], axes[one]
    return permute(before, axes)


def move_axis(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    rank = len(shape)
    sources, targets = _listed(operation.source), _listed(operation.destination)
    order = [axis for axis in range(rank) if axis not in {source % rank for source in sources}]
    pairs = zip(targets, sources, strict=True)
    for target, source in sorted((target % rank, source % rank) for target, source in pairs):
        order.insert(target, source)
    return permute(before, order)


def insert_axes(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis in sorted(axis % len(shape) for axis in _listed(operation.axis)):
        after = insert(after, axis)
    return after


def repeat_vector(operation: Any, before: Alignment, _: Shape, __: Any) -> Alignment:
    return insert(before, 1, operation.n)


def reduce(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    rank = len(before.axes)
    axes = range(rank) if operation.axis is None else _listed(operation.axis)
    after = before
    for axis in sorted((axis % rank for axis in axes), reverse=True):
        after = mix(after, axis, 1) if len(shape) == rank else drop(after, axis)
    return after


def fill(_: Any, before: Alignment, shape: Shape, __: Any) -> Alignment:
    """Return where zeros lie that are made in the shape of a tensor."""
    after = before
    for axis, size in enumerate(shape):
        after = mix(after, axis, size)
    return after

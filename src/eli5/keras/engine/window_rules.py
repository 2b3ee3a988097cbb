"""How windows move what they look at: convolutions, pooling, and what slides like them.

But for the helpers at the top, each function is a `Rule` of `alignment_rules`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import keras

from eli5.keras.engine.alignment import Alignment, Shape, drop, mix, move


def per_axis(value: Any, n: int) -> tuple[int, ...]:
    values = tuple(value) if isinstance(value, list | tuple) else (value,) * n
    return tuple(int(one) for one in values)


def is_channels_first(operation: Any) -> bool:
    data_format = getattr(operation, "data_format", None) or keras.config.image_data_format()
    return bool(data_format == "channels_first")


def place_axes(operation: Any, rank: int) -> range:
    """Return the axes of a tensor that are no batch axis and no channels."""
    return range(2, rank) if is_channels_first(operation) else range(1, rank - 1)


def channel_axis(operation: Any) -> int:
    return 1 if is_channels_first(operation) else -1


def slide(
    before: Alignment,
    shape: Shape,
    places: Iterable[int],
    sizes: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
) -> Alignment:
    """Return the alignment behind windows: a cell lies in the middle of what it is computed from.

    What looks back only, such as a causal convolution, has it at the window's last step.
    """
    after = before
    for k, axis in enumerate(places):
        size, stride = (sizes[k] - 1) * dilations[k] + 1, strides[k]
        offset, radius = (size - 1) / 2, (size - 1) / 2
        if padding == "causal":
            offset, radius = 0.0, size - 1.0
        elif padding == "same":
            length = before.shape[axis]
            missing = (math.ceil(length / stride) - 1) * stride + size - length
            offset -= max(missing, 0) // 2
        after = move(after, axis, shape[axis], offset, stride, radius)
    return after


def convolution(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = place_axes(operation, len(shape))
    n = len(places)
    sizes, strides, dilations = (
        per_axis(getattr(operation, name), n)
        for name in ("kernel_size", "strides", "dilation_rate")
    )
    after = slide(before, shape, places, sizes, strides, dilations, operation.padding)
    channels = channel_axis(operation)
    return mix(after, channels, shape[channels])


def convolution_operation(
    operation: Any, before: Alignment, shape: Shape, arguments: Any
) -> Alignment | None:
    tensors = [x for x in keras.tree.flatten(arguments) if hasattr(x, "shape")]
    places = place_axes(operation, len(shape))
    if len(tensors) < 2:
        return None
    n, sizes = len(places), tuple(tensors[1].shape)
    strides, dilations = per_axis(operation.strides, n), per_axis(operation.dilation_rate, n)
    after = slide(before, shape, places, sizes, strides, dilations, operation.padding)
    channels = channel_axis(operation)
    return mix(after, channels, shape[channels])


def pooling(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    places = place_axes(operation, len(shape))
    n = len(places)
    sizes = per_axis(operation.pool_size, n)
    strides = per_axis(operation.strides or sizes, n)
    return slide(before, shape, places, sizes, strides, (1,) * n, operation.padding)


def evenly(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment | None:
    """Return the alignment of what is spread evenly over what it was made of."""
    if len(before.axes) != len(shape):
        return None
    after = before
    for axis in place_axes(operation, len(shape)):
        stride = before.shape[axis] / shape[axis]
        after = move(after, axis, shape[axis], (stride - 1) / 2, stride, stride / 2)
    return after


def transposed_convolution(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after, places = before, place_axes(operation, len(shape))
    strides = per_axis(operation.strides, len(places))
    sizes = per_axis(getattr(operation, "kernel_size", 1), len(places))
    for axis, stride, size in zip(places, strides, sizes, strict=True):
        # Both have their middle at the same place.
        offset = (before.shape[axis] - 1) / 2 - (shape[axis] - 1) / (2 * stride)
        radius = (size - 1) / (2 * stride)
        after = move(after, axis, shape[axis], offset, 1 / stride, radius)
    channels = channel_axis(operation)
    return mix(after, channels, shape[channels])


def global_pooling(operation: Any, before: Alignment, shape: Shape, _: Any) -> Alignment:
    after = before
    for axis in reversed(place_axes(operation, len(before.axes))):
        length = before.shape[axis]
        if len(shape) == len(before.axes):
            after = move(after, axis, 1, (length - 1) / 2, length, length / 2)
        else:
            after = drop(after, axis)
    return after

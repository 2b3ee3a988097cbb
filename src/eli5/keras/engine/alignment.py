"""Where in a text or a series the steps of a layer's output lie."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from keras import layers


class Alignment(NamedTuple):
    """Step ``j`` of an output is centred at step ``offset + stride * j`` of the input."""

    offset: float = 0.0
    stride: float = 1.0

    def then(self, offset: float, stride: float) -> Alignment:
        """Return the alignment behind a layer whose own one is `offset` and `stride`."""
        return Alignment(self.offset + self.stride * offset, self.stride * stride)


def align(operation: Any, before: Alignment, length: int, new_length: int) -> Alignment:
    """Return the alignment of what an operation makes of `length` steps aligned as `before`.

    A step lies in the middle of the window that it is computed from. What looks back only, such as
    a causal convolution, has it at the window's last step.
    """
    for kind, own in _KINDS:
        if isinstance(operation, kind):
            return before.then(*own(operation, length))
    if length == new_length:
        return before
    # Whatever it is, it spreads what it gives evenly over what it takes.
    stride = length / new_length
    return before.then((stride - 1) / 2, stride)


def moves_steps(operation: Any) -> bool:
    """Tell whether it is known of an operation how it moves the steps."""
    return any(isinstance(operation, kind) for kind, _ in _KINDS)


def _windows(operation: Any, length: int) -> tuple[float, float]:
    """Return the alignment of a convolution or a pooling."""
    sizes = getattr(operation, "kernel_size", None) or operation.pool_size
    size = (_one(sizes) - 1) * _one(getattr(operation, "dilation_rate", 1)) + 1
    stride = _one(operation.strides)
    if operation.padding == "causal":
        return 0.0, stride
    left = 0
    if operation.padding == "same":
        left = max((math.ceil(length / stride) - 1) * stride + size - length, 0) // 2
    return (size - 1) / 2 - left, stride


def _upsampling(operation: Any, _: int) -> tuple[float, float]:
    stride = 1 / _one(operation.size)
    return (stride - 1) / 2, stride


def _one(value: Any) -> int:
    """Return the number of the first axis, where Keras has one per axis."""
    while isinstance(value, list | tuple):
        value = value[0]
    return int(value)


_CONVOLUTIONS = layers.Conv1D, layers.DepthwiseConv1D, layers.SeparableConv1D
_POOLINGS = layers.MaxPooling1D, layers.AveragePooling1D
_KINDS: tuple[tuple[Any, Callable[[Any, int], tuple[float, float]]], ...] = (
    ((*_CONVOLUTIONS, *_POOLINGS), _windows),
    (layers.UpSampling1D, _upsampling),
    (layers.Cropping1D, lambda operation, _: (_one(operation.cropping), 1)),
    (layers.ZeroPadding1D, lambda operation, _: (-_one(operation.padding), 1)),
)

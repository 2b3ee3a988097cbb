"""Boxes: from any format to pixels, and how far two of them overlap; traced, or of NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
from keras import ops

Array = np.ndarray[Any, Any]
Size = tuple[int, int]  # height and width of the picture

_EMPTY = 1e-9  # of a union of boxes without area


def in_pixels(box: Any, format: str, size: Size) -> Array:
    """Return one box, or several (..., 4), as float32 ``xyxy`` in pixels."""
    boxes = np.asarray(box, "float64")
    return np.stack(_corners(boxes, format, size), axis=-1).astype("float32")


def traced_in_pixels(boxes: Any, format: str, size: Size) -> Any:
    """Return boxes (..., 4) as ``xyxy`` in pixels, in float32: half precision has too few digits.

    Formats are those of `eli5.targets.boxes.CANDIDATE_FORMATS`.
    """
    return ops.stack(_corners(ops.cast(boxes, "float32"), format, size), axis=-1)


def _corners(boxes: Any, format: str, size: Size) -> list[Any]:
    height, width = size
    a, b, c, d = (boxes[..., k] for k in range(4))
    layout = format.removeprefix("rel_")
    if layout == "yxyx":
        a, b, c, d = b, a, d, c
    elif layout == "xywh":
        c, d = a + c, b + d
    elif layout == "center_xywh":
        a, b, c, d = a - c / 2, b - d / 2, a + c / 2, b + d / 2
    if layout == format:
        return [a, b, c, d]
    return [a * width, b * height, c * width, d * height]


def clipped(boxes: Any, size: Size) -> Any:
    """Return what of boxes ``xyxy`` lies in the picture; traced."""
    height, width = size
    ends = (width, height, width, height)
    return ops.stack([ops.clip(boxes[..., k], 0, end) for k, end in enumerate(ends)], axis=-1)


def overlap(own: Any, other: Any) -> Any:
    """Return the IoU of boxes ``xyxy`` (..., 4) with others; traced.

    Where two edges are the same, the edge of `own` counts as the one further inside. So the
    derivative where the boxes are equal is that from inside, of the logarithm of the area; backends
    would share out the two one-sided ones, which cancel, in ways of their own.
    """
    left, top = (_inner(own[..., k], other[..., k], 1) for k in (0, 1))
    right, bottom = (_inner(own[..., k], other[..., k], -1) for k in (2, 3))
    shared = ops.relu(right - left) * ops.relu(bottom - top)
    union = _area(own) + _area(other) - shared
    return shared / ops.maximum(union, _EMPTY)


def _inner(own: Any, other: Any, sign: int) -> Any:
    return ops.where(sign * own >= sign * other, own, other)


def _area(boxes: Any) -> Any:
    return ops.relu(boxes[..., 2] - boxes[..., 0]) * ops.relu(boxes[..., 3] - boxes[..., 1])

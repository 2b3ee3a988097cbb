"""Superpixels: the segments of a picture that KernelSHAP and LIME switch on and off."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from eli5.checks import check_no_mask, expect_count, need

Array = np.ndarray[Any, Any]


def find_segments(picture: Array, segments: Any, n_segments: int) -> tuple[Array, int]:
    """Return for each pixel the index of its segment, shape size, and the number of segments."""
    size = picture.shape[:-1]
    if segments is None:
        segments = make_segments(picture, expect_count("n_segments", n_segments))
    check_no_mask("segments", segments)
    segments = np.asarray(segments)
    if segments.dtype.kind not in "iub":
        raise TypeError(
            f"Expected `segments` to be an array of int. Received: dtype={segments.dtype}"
        )
    if segments.shape != size:
        raise ValueError(
            f"Expected `segments` of the doc's size, {size}. Received: shape={segments.shape}"
        )
    labels, indices = np.unique(segments, return_inverse=True)
    return indices.reshape(size), len(labels)


def make_segments(picture: Array, n_segments: int) -> Array:
    """Return the labels of about `n_segments` segments of like colour: scikit-image's SLIC.

    Tokens and steps of a series are segments of their own, or equal windows if there are more.

    SLIC merges what is not in one piece, of a noisy picture nearly all. So nearness in space weighs
    as usual first, and more if fewer than half of the segments come.

    The picture, shape (*size, C), is on any scale; three channels are red, green and blue.
    """
    if picture.ndim == 2:
        steps = len(picture)
        return np.arange(steps) * min(n_segments, steps) // steps
    segmentation = need("skimage.segmentation", ", or pass segments=.")
    if not np.isfinite(picture).all():
        raise ValueError(
            "Expected a finite picture to make segments of. Received: NaN or infinite values. "
            "Mend the doc, or pass segments=."
        )
    low, high = float(picture.min()), float(picture.max())
    scaled = (picture.astype("float64") - low) / (high - low or 1)
    # Colours in Lab go up to 100, other channels to 1 here: the weight of nearness follows.
    unit = 100 if picture.shape[-1] == 3 else 1
    enough = min(n_segments, prod(picture.shape[:-1])) / 2
    for compactness in (0.1, 0.3, 1, 10):
        labels = segmentation.slic(
            scaled, n_segments, compactness * unit, start_label=0, channel_axis=-1
        )
        if len(np.unique(labels)) >= enough:
            break
    return labels

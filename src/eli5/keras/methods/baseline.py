"""The baseline: the picture that stands for "nothing to see here"."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import numpy as np

from eli5.checks import as_float, check_no_mask, wrong_type, wrong_value

Array = np.ndarray[Any, Any]


# Stands for tokens that are left out: not a picture, but other ids.
LEFT_OUT = "mask"


def make_baseline(baseline: float | str | Array, picture: Array) -> Any:
    """Return the baseline for a picture.

    Parameters
    ----------
    baseline : number, str or array
        A number for each value; ``"mean"``, the picture's mean colour; ``"blur"``, the picture
        blurred by a Gaussian with a standard deviation of a tenth of the shorter side (for volumes
        and videos of each side); or an array that broadcasts to the picture's shape, with or
        without a batch axis of 1. All in the units of what the model takes; of token ids in those
        of their embedding. For Occlusion, KernelSHAP and LIME also ``"mask"``, the default of token
        ids where the id of padding or of a mask token is known: it is put in their place.
    picture : numpy.ndarray, shape (*size, C)

    Returns
    -------
    numpy.ndarray, shape (*size, C), float32
        None for ``"mask"``.

    Raises
    ------
    TypeError, ValueError
        If `baseline` is none of these, does not fit the picture, or has values that are not finite.
    """
    if isinstance(baseline, str) and baseline == LEFT_OUT:
        return None
    result = np.array(np.broadcast_to(_values(baseline, picture), picture.shape), "float32")
    if not np.isfinite(result).all():
        raise ValueError(
            "Expected `baseline` to be finite in float32. Received: NaN, infinite or too large "
            "values."
        )
    return result


def _values(baseline: Any, picture: Array) -> Array:
    """Return what broadcasts to the picture."""
    if isinstance(baseline, str):
        if baseline == "mean":
            return picture.mean(axis=tuple(range(picture.ndim - 1)), dtype="float64")
        if baseline == "blur":
            return _blurred(picture)
        raise wrong_value("baseline", baseline, 'to be "mean", "blur" or "mask"')
    if isinstance(baseline, Real):
        return np.array(_as_float32(as_float(baseline)))
    check_no_mask("baseline", baseline)
    if isinstance(baseline, np.ndarray) and baseline.dtype.kind in "biuf":
        return _fitted(_as_float32(baseline), picture)
    raise wrong_type("baseline", baseline, 'a number, "mean", "blur" or a NumPy array of numbers')


def _blurred(picture: Array) -> Array:
    size = picture.shape[:-1]
    for axis, length in enumerate(size):
        side = length if len(size) > 2 else min(size)
        product = np.tensordot(_gaussian(length, side / 10), picture, axes=(1, axis))
        picture = np.moveaxis(product, 0, axis)
    return picture


def _gaussian(length: int, sigma: float) -> Array:
    """Return the matrix (length, length) that blurs one axis; the edge goes on outside."""
    radius = math.ceil(4 * sigma)
    offsets = np.arange(-radius, radius + 1)
    taps = np.exp(-((offsets / sigma) ** 2) / 2)
    rows = np.arange(length)[:, None]
    matrix = np.zeros((length, length))
    np.add.at(matrix, (rows, (rows + offsets).clip(0, length - 1)), taps / taps.sum())
    return matrix


def _fitted(array: Array, picture: Array) -> Array:
    """Return the array without its batch axis, and with channels if a grey picture's has none."""
    fitted, size = array, picture.shape[:-1]
    if (
        picture.shape[-1] == 1
        and fitted.ndim <= picture.ndim
        and fitted.shape[-len(size) :] == size
    ):
        fitted = fitted[..., None]
    if fitted.ndim == picture.ndim + 1 and len(fitted) == 1:
        fitted = fitted[0]
    try:
        return np.broadcast_to(fitted, picture.shape)
    except ValueError:
        raise ValueError(
            f"Expected `baseline` to broadcast to the doc, (*size, channels) = {picture.shape}."
            f" Received: baseline.shape={array.shape}"
        ) from None


@np.errstate(over="ignore")  # what becomes infinite is told
def _as_float32(values: Any) -> Array:
    return np.asarray(values, "float64").astype("float32")

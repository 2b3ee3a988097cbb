"""Steps that a model's own `Masking` layer leaves out: they have no part in its prediction."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers

from eli5.keras import engine
from eli5.keras.inputs.model_inputs import read_output

Array = np.ndarray[Any, Any]

# What may stand between the doc and the masking, as it makes each step of that step alone.
_PER_STEP = (
    layers.Activation,
    layers.BatchNormalization,
    layers.Dense,
    layers.Dropout,
    layers.GaussianNoise,
    layers.Identity,
    layers.LayerNormalization,
    layers.Normalization,
    layers.ReLU,
    layers.Rescaling,
)


def find_masked_steps(
    model: keras.Model, arrays: Any, input_index: int, trace: engine.Trace, n_samples: int = 1
) -> Array | None:
    """Return which steps of a doc ``(1, T, F)`` a `Masking` layer masks.

    Parameters
    ----------
    model : keras.Model
    arrays, input_index, trace
        See `eli5.keras.inputs.sample.Sample`.
    n_samples : int
        How many the model takes at once.

    Returns
    -------
    numpy.ndarray of bool, shape (T,)
        None if it masks none.
    """
    values = keras.tree.flatten(arrays)[input_index]
    if values.ndim != 3 or trace.channels_first:
        return None
    masked = np.zeros(values.shape[1], bool)
    for call in trace.calls:
        if _masks_steps(call, trace, values.shape):
            masked |= _masked_by(model, arrays, trace, call, values, n_samples)
    return masked if masked.any() else None


def _masks_steps(call: engine.Call, trace: engine.Trace, shape: tuple[int, ...]) -> bool:
    """Tell whether a call masks the steps of the doc, and not what a window has made of them."""
    if not isinstance(call.operation(), layers.Masking) or not call.has_positions:
        return False
    if call.shape[:2] != shape[:2] or not call.is_outside:
        return False
    before = call.parent
    while before is not None:
        if not isinstance(trace.calls[before].operation(), _PER_STEP):
            return False
        before = trace.calls[before].parent
    return True


def _masked_by(
    model: keras.Model,
    arrays: Any,
    trace: engine.Trace,
    call: engine.Call,
    values: Array,
    n_samples: int,
) -> Array:
    """Return which steps one call of a `Masking` masks, found by the layer's own comparison."""
    masking: Any = call.operation()
    if call.parent is not None:
        taken = read_output(model, arrays, trace.calls[call.parent], n_samples)
    elif all(type(op()).__name__ in ("Functional", "Sequential") for op in call.within):
        taken = values
    else:
        # A `call` of a user's own may have computed with the doc before: what is masked is zero.
        return np.asarray((read_output(model, arrays, call, n_samples)[0] == 0).all(axis=-1))
    mask_value = np.asarray(masking.mask_value, taken.dtype)
    return np.asarray((taken[0] == mask_value).all(axis=-1))

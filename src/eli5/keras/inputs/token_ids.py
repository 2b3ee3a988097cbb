"""Token ids: that they are the embedding's, and which of them stands for a token left out."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np

from eli5.keras import engine
from eli5.keras.inputs.model_inputs import ModelInputs, repeat_doc
from eli5.keras.layers.candidate_layers import n_embedded_ids

Array = np.ndarray[Any, Any]


def trace_model(
    model: keras.Model, inputs: ModelInputs, n_samples: int | None = None
) -> engine.Trace:
    """Return what a model does; see `eli5.keras.engine.trace`.

    The model sees `n_samples` of the inputs, which are one doc's. ValueError if the explained input
    holds token ids that there are not.
    """
    arrays = repeat_doc(inputs.arrays, n_samples or 1)
    try:
        return engine.trace(model, arrays, inputs.input_index)
    except IndexError:  # PyTorch looks ids up even while it is traced
        leaves = keras.tree.flatten(arrays)
        leaves[inputs.input_index] = np.zeros_like(leaves[inputs.input_index])
        blank = keras.tree.pack_sequence_as(arrays, leaves)
        trace = engine.trace(model, blank, inputs.input_index)
        try:
            check_ids(trace, inputs.values)
        except ValueError as error:
            raise error from None  # what PyTorch says of it tells nothing
        raise


def check_ids(trace: engine.Trace, values: Array, pad_value: float | None = None) -> None:
    """Raise ValueError if token ids, or the one for padding, are none of the embedding's."""
    n_ids = n_embedded_ids(trace, values.shape[1:])
    if n_ids is None:
        return  # they do not go into an embedding as they are
    ranges = {"doc": (float(values.min()), float(values.max()))}
    if pad_value is not None:
        ranges["pad_value"] = (float(pad_value), float(pad_value))
    # Backends differ: some raise what says little, some read another id's vector, or none.
    for name, (low, high) in ranges.items():
        if not (0 <= low <= high < n_ids and low.is_integer() and high.is_integer()):
            one = f"{name}={low:g}"
            received = f"ids from {low:g} to {high:g} in {name}" if low < high else one
            raise ValueError(
                f"Expected `{name}` to hold token ids of the model's embedding, from 0 to "
                f"{n_ids - 1}. Received: {received}"
            )


def find_mask_id(trace: engine.Trace, values: Array, pad_value: float | None) -> int | None:
    """Return the id that stands for a token left out: the caller's, or 0 if the model masks that.

    ValueError if the ids, or that one, are none of the embedding's.
    """
    if values.ndim != 2:
        return None
    check_ids(trace, values, pad_value)
    if pad_value is not None:
        return int(pad_value) if float(pad_value).is_integer() else None
    masks = any(getattr(call.operation(), "mask_zero", False) for call in trace.calls)
    return 0 if masks else None

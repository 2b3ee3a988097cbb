"""Token ids: that they are the embedding's, and which of them stands for a token left out."""

from __future__ import annotations

from typing import Any

import numpy as np

import keras
from eli5.keras import engine
from eli5.keras.inputs.kind import View
from eli5.keras.layers import candidate_layers as suitable

Array = np.ndarray[Any, Any]


def trace(model: keras.Model, sample: Any, position: int) -> engine.Trace:
    """Return what a model does; see `eli5.keras.engine.trace`.

    Raises
    ------
    ValueError
        If the sample holds ids that there are not.
    """
    try:
        return engine.trace(model, sample, position)
    except IndexError:  # PyTorch looks ids up even now
        leaves = keras.tree.flatten(sample)
        picture = leaves[position]
        leaves[position] = np.zeros_like(picture)
        blank = keras.tree.pack_sequence_as(sample, leaves)
        _check_doc(engine.trace(model, blank, position), picture)
        raise


def mask_id(trace: engine.Trace, view: View, picture: Array, said: float | None) -> int | None:
    """Return the id that stands for a token left out: what is said, or 0 if the model masks that.

    Raises
    ------
    ValueError
        If the ids, or that one, are none of the embedding's.
    """
    if picture.ndim != 2:
        return None
    n_ids = _check_doc(trace, picture)
    if said is not None:
        said = float(said)
        if n_ids is not None:
            _check("pad_value", said, said, n_ids)
        return int(said) if said.is_integer() else None
    operations = [call.operation() for call in trace.calls if view.kind == "tokens"]
    return 0 if any(getattr(operation, "mask_zero", False) for operation in operations) else None


def _check_doc(trace: engine.Trace, picture: Array) -> int | None:
    """Check that token ids are the embedding's; return how many of them there are."""
    n_ids = suitable.n_ids_of(trace, picture.shape[1:]) if picture.ndim == 2 else None
    if n_ids is not None:
        _check("doc", float(picture.min()), float(picture.max()), n_ids)
    return n_ids


def _check(name: str, low: float, high: float, n_ids: int) -> None:
    # Backends differ: some raise what says little, some read another id's vector, or none.
    if not (0 <= low <= high < n_ids and low.is_integer() and high.is_integer()):
        received = f"ids from {low:g} to {high:g} in {name}" if low < high else f"{name}={low:g}"
        raise ValueError(
            f"Expected `{name}` to hold token ids of the model's embedding, from 0 to {n_ids - 1}. "
            f"Received: {received}"
        )

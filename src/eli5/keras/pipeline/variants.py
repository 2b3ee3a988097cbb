"""Runs of many variants of one sample, filled up to one of few batch sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np

import keras
from eli5.keras import engine
from eli5.keras.methods.probe import Array
from eli5.keras.pipeline.plan import Preparation


def run_padded(
    model: keras.Model,
    prepared: Preparation,
    batch_size: int,
    query: engine.Query,
    per_sample: Array,
    *extra: Array,
) -> Any:
    """Ask about as many variants of the sample as there are rows in `per_sample`."""
    n = len(per_sample)
    padded = pad(per_sample, batch_size)
    targets = np.repeat(prepared.targets, len(padded), axis=0)
    with advise_on_batches(len(padded)):
        result, _ = engine.evaluate(model, prepared.sample, targets, query, padded, *extra)
    return keras.tree.map_structure(lambda x: x[:n], result)


@contextlib.contextmanager
def advise_on_batches(size: int) -> Iterator[None]:
    """Note on an error that the model may take one sample at a time only."""
    try:
        yield
    except Exception as error:
        if size > 1:
            error.add_note(
                f"The model was given a batch of {size}. If it takes one sample at a time only, "
                "explain with batch_size=1."
            )
        raise


def pad(items: Array, batch_size: int) -> Array:
    """Repeat the last item up to a power of two, at most `batch_size`: few programs do for all."""
    size = min(1 << (len(items) - 1).bit_length(), max(batch_size, len(items)))
    if size == len(items):
        return items
    return np.concatenate([items, np.repeat(items[-1:], size - len(items), axis=0)])

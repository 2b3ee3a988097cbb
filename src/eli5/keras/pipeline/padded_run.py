"""Many variants of one sample in one run of the model, in batches of few sizes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from eli5.keras import engine
from eli5.keras.pipeline.plan import Array, Plan
from eli5.keras.targets import rows
from eli5.keras.targets.target import Targets

_MOST_TARGETS = 16  # in one program


def run_padded(
    plan: Plan, batch_size: int, query: engine.Query, per_sample: Array, *extra: Array
) -> Any:
    """Ask about as many variants of the plan's one sample as there are rows in `per_sample`."""
    n = len(per_sample)
    padded = pad_batch(plan, per_sample, batch_size)
    result = run_all(plan, query, padded, *extra)
    return keras.tree.map_structure(lambda x: x[:n], result)


def run_all(plan: Plan, query: engine.Query, padded: Array, *extra: Array) -> Any:
    """Ask the same about rows that fill their batch already."""
    targets = rows.repeat(plan.targets, len(padded))
    return run_targets(plan, targets, query, padded, *extra)[0]


def run_targets(
    plan: Plan, targets: Targets, query: engine.Query, *extra: Array
) -> tuple[Any, Any]:
    """Ask about all K targets of each sample, a few dozen at a time where there are many.

    A program differentiates each for itself, so that its size grows with them.
    """
    n_samples, n = rows.shape_of(targets)
    n_parts = -(-n // _MOST_TARGETS) if query.formulas else 1
    size = -(-n // n_parts)  # one program does for all parts
    padded = rows.widen(targets, n_parts * size)
    with advise_on_batches(n_samples):
        parts = [
            engine.evaluate(plan.model, plan.inputs, some, query, *extra)
            for some in rows.split(padded, n_parts)
        ]
    if n_parts == 1:
        return parts[0]
    results, reports = zip(*parts, strict=True)
    # What is combined of a batch has no axis for it, unless it says so.
    axis = 1 if query.combine is None else getattr(query.combine, "targets_axis", 0)
    return _joined(results, axis, n), _joined(reports, 1, n)


def _joined(parts: Any, axis: int, n: int) -> Any:
    """Join what was answered about some targets each, and leave out those past the n-th."""
    return keras.tree.map_structure(
        lambda *of: np.take(np.concatenate(of, axis=axis), range(n), axis=axis), *parts
    )


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


def pad_batch(plan: Plan, items: Array, batch_size: int) -> Array:
    """Repeat the last item up to a power of two, at most `batch_size`: few programs do for all.

    Where the model takes one number of samples only, up to that.
    """
    size = min(1 << (len(items) - 1).bit_length(), max(batch_size, len(items)))
    size = plan.sample.fixed_batch or size
    if size == len(items):
        return items
    return np.concatenate([items, np.repeat(items[-1:], size - len(items), axis=0)])

"""Runs of the part of a model behind one layer: from many changed activations, of one sample."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np

from eli5.keras import engine
from eli5.keras.arrangement import Repeat, leave_out
from eli5.keras.methods.probe import Array, batches
from eli5.keras.preparation import Preparation

# A head that takes one sample in front and many behind gives the same score to this precision.
_TOLERANCE = 1e-3

# A head is small beside its model: it takes more samples at once, up to this many bytes of the
# layer's activations.
_HEAD_BYTES = 64 << 20


def head_runs(
    model: keras.Model,
    prepared: Preparation,
    site: engine.Site | None,
    question: engine.Question,
    batch_size: int,
) -> dict[str, Callable[..., Array]]:
    """Return the `activations` and `ablated_scores` of a probe.

    Parameters
    ----------
    model, prepared, site, batch_size
        See `eli5.keras.probing.make_probe`.
    question : Question
        That asks for the scores.
    """

    @functools.cache
    def activations() -> tuple[Array, Array]:
        """Return the layer's own output for the sample, and the same as maps."""
        asked = question._replace(sites=(_required(site),), read=True)
        (_, (found,)), _ = engine.evaluate(model, prepared.sample, prepared.targets, asked)
        return found

    def ablated_scores(maps: Array) -> Array:
        given, _ = activations()
        head = question._replace(sites=(_required(site),), replace=leave_out)
        whole = head._replace(arrange=Repeat())
        key = "splits", engine.key_of(head, (prepared.sample, given))
        rows = max(batch_size, _power_of_two(_HEAD_BYTES // given.nbytes))
        ask = functools.partial(run, rows)
        if not engine.recall(model, key, lambda: _agree(ask, head, whole)):
            head, rows = whole, batch_size
        blocks = [maps[block] for block in batches(len(maps), rows)]
        return np.concatenate([run(rows, head, block) for block in blocks])

    def run(rows: int, asked: engine.Question, maps: Array) -> Array:
        return run_padded(model, prepared, rows, asked, maps.astype("int32"), activations()[0])

    return {
        "activations": lambda: activations()[1][0],
        "ablated_scores": ablated_scores,
    }


def run_padded(
    model: keras.Model,
    prepared: Preparation,
    batch_size: int,
    question: engine.Question,
    per_sample: Array,
    *extra: Array,
) -> Any:
    """Ask about as many variants of the sample as there are rows in `per_sample`."""
    n = len(per_sample)
    padded = pad(per_sample, batch_size)
    targets = np.repeat(prepared.targets, len(padded), axis=0)
    with advise_on_batches(len(padded)):
        result, _ = engine.evaluate(model, prepared.sample, targets, question, padded, *extra)
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
    return np.concatenate([items, np.repeat(items[-1:], size - len(items), axis=0)])


def _power_of_two(most: int) -> int:
    return 1 << max(most.bit_length() - 1, 0)


def _agree(
    run: Callable[[engine.Question, Array], Array], head: engine.Question, whole: engine.Question
) -> bool:
    """Tell whether the head alone gives the scores of the whole model, for the first two maps.

    The head is not alone in taking part: a branch beside the layer may come from the input.
    """
    maps = np.array([0, -1])
    try:
        found = run(head, maps)
    except Exception:  # whatever a model raises on batches that differ
        return False
    right = run(whole, maps)
    return np.allclose(found, right, rtol=_TOLERANCE, atol=_TOLERANCE * np.abs(right).max())


def _required(site: engine.Site | None) -> engine.Site:
    if site is None:
        raise ValueError("Expected a target layer for this procedure. Received: none")
    return site

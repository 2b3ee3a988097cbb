"""The targets of samples as arrays: an array (B, K), or a dict of arrays (B, K, ...)."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np

from eli5.keras.targets.target import Targets


def shape_of(targets: Targets) -> tuple[int, int]:
    """Return (B, K): of how many samples they are, and how many each has."""
    first = keras.tree.flatten(targets)[0]
    return int(first.shape[0]), int(first.shape[1])


def join(rows: Sequence[Targets]) -> Targets:
    """Return the targets of several samples as those of a batch: the last of a sample fills up."""
    width = max(shape_of(row)[1] for row in rows)
    widened = [widen(row, width) for row in rows]
    return keras.tree.map_structure(lambda *of: np.concatenate(of), *widened)


def widen(targets: Targets, width: int) -> Targets:
    """Repeat the last target of each sample until there are as many."""
    n_missing = width - shape_of(targets)[1]
    if not n_missing:
        return targets
    return keras.tree.map_structure(
        lambda x: np.concatenate([x, np.repeat(x[:, -1:], n_missing, axis=1)], axis=1), targets
    )


def fill(targets: Targets, n: int) -> Targets:
    """Repeat the targets of the last sample until there are those of n."""
    return keras.tree.map_structure(
        lambda x: np.concatenate([x, np.repeat(x[-1:], n - len(x), axis=0)]), targets
    )


def repeat(targets: Targets, n: int) -> Targets:
    """Return the targets of one sample as those of n."""
    return keras.tree.map_structure(lambda x: np.repeat(x, n, axis=0), targets)


def split(targets: Targets, n_parts: int) -> list[Targets]:
    """Cut the targets of each sample into parts of one size."""
    size = shape_of(targets)[1] // n_parts
    return [take(targets, slice(k * size, (k + 1) * size)) for k in range(n_parts)]


def take(targets: Targets, which: slice) -> Targets:
    """Return some of the targets of each sample."""
    return keras.tree.map_structure(lambda x: x[:, which], targets)


def of_sample(report: Targets, number: int) -> Targets:
    """Return one sample's own of targets, or of anything else with a row per sample."""
    return keras.tree.map_structure(lambda x: x[number], report)

"""The scores of a segmenter's classes over pixels, traced into the engine's program.

The targets are a dict: ``class_id``, int32 (B, K), `OPEN` for the one that is predicted at the
mask's pixel; ``mask``, bool (B, K, *grid), with ``is_given``, bool (B, K), without which it is
where the class is predicted; and ``pixel``, int32 (B, K, 2), for people alone. They are inputs of
the program: one does for all masks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from eli5.keras.targets.class_scores import (
    Others,
    Units,
    check_batch,
    float32,
    likeliest,
    units_of,
)
from eli5.keras.targets.target import Head, ScoreKind

OPEN = -1  # in the place of a class id


class Grid(NamedTuple):
    """Where an output has its pixels and its classes."""

    size: tuple[int, ...]  # (H, W)
    class_axis: int | None  # batch axis included; None where there is one channel without an axis
    # Whether a pixel has one class, the likeliest; else each class has a mask of its own.
    is_exclusive: bool
    input_size: tuple[int, ...]  # of the explained input

    def classes_last(self, tensor: Any) -> Any:
        """Return an output (B, ...) as (B, pixels, classes)."""
        last = tensor[..., None] if self.class_axis is None else tensor
        last = ops.moveaxis(last, 1, -1) if self.class_axis == 1 else last
        return ops.reshape(last, (last.shape[0], math.prod(self.size), last.shape[-1]))


@dataclass(frozen=True)
class SelectPixels:
    """Picks the mean scores over pixels; see `eli5.keras.targets.target.Target.select`."""

    output: int
    head: Head
    kinds: tuple[ScoreKind, ...]
    sign: int
    reported: tuple[ScoreKind, ...]

    def __call__(
        self, outputs: Any, activation_of: Callable[[Any], Any], targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the scores, (B, K * len(kinds)), and a report, see `eli5.keras.engine.Query`."""
        chosen = keras.tree.flatten(outputs)[self.output]
        units = self._units(chosen, activation_of(chosen))
        check_batch(chosen, targets["class_id"])
        top = likeliest(units.logits)
        classes, masks = _filled_in(units, targets, top, self.head.details.is_exclusive)
        weights = _weights(masks)
        names = dict.fromkeys(kind.name for kind in (*self.kinds, *self.reported))
        scores = {name: _means(units, top, classes, weights, name) for name in names}
        asked = [scores[kind.name] for kind in self.kinds]
        asked = asked[0] if len(asked) == 1 else ops.concatenate(asked, axis=1)
        if not self.reported:
            return self.sign * asked, {}
        report = {
            "targets": targets
            | {
                "class_id": classes,
                "mask": ops.reshape(masks, targets["mask"].shape),
                # And stays where it is, whatever a variant of the doc is predicted to be.
                "is_given": ops.ones_like(targets["is_given"]),
            },
            "outputs": _means(units, top, classes, weights, "output"),
            "explained": ops.stack([scores[kind.name] for kind in self.reported], axis=2),
            "found": {"n_pixels": _counts(units, top, targets, self.head.details.is_exclusive)},
        }
        return self.sign * asked, report

    def _units(self, chosen: Any, activation: Any) -> Units:
        """Return what the output says, (B, pixels, classes), in float32: means need its digits."""
        last = self.head.details.classes_last
        if activation is not None:
            activation = activation._replace(logits=last(activation.logits))
        units = units_of(last(chosen), activation, self.head)
        is_independent = units.are_independent or not self.head.details.is_exclusive
        return Units(float32(units.values), float32(units.logits), is_independent)


def _filled_in(units: Units, targets: Any, top: Any, is_exclusive: bool) -> tuple[Any, Any]:
    """Return the class ids (B, K) and the masks (B, K, pixels) with all that was left open.

    `top` is the likeliest class of each pixel, (B, pixels).
    """
    given = ops.reshape(targets["mask"], (*targets["class_id"].shape, -1))
    classes, masks = [], []
    for k in range(given.shape[1]):
        class_id, mask = targets["class_id"][:, k], given[:, k]
        there = ops.max(ops.where(mask, top, 0), axis=1)  # of a mask of one pixel
        class_id = ops.where(class_id == OPEN, there, class_id)
        own = top == class_id[:, None] if is_exclusive else _picked(units.logits, class_id) > 0
        classes.append(class_id)
        masks.append(ops.where(targets["is_given"][:, k : k + 1], mask, own))
    return ops.stack(classes, axis=1), ops.stack(masks, axis=1)


def _picked(scored: Any, class_id: Any) -> Any:
    """Return what is scored of one class per sample, (B, pixels), of (B, pixels, classes).

    A sum over a mask, as in `eli5.keras.targets.class_scores`.
    """
    is_class = ops.arange(scored.shape[-1], dtype="int32") == class_id[:, None, None]
    return ops.sum(ops.where(is_class, scored, 0), axis=-1)


def _weights(masks: Any) -> Any:
    """Return what each pixel counts, (B, K, pixels), summing up to 1.

    Where a class is predicted nowhere all pixels count alike, until `check_found` says so: the
    layer is chosen by a gradient, which must not depend on the first doc.
    """
    is_empty = ops.logical_not(ops.any(masks, axis=2, keepdims=True))
    counted = ops.cast(ops.logical_or(masks, is_empty), "float32")
    return counted / ops.sum(counted, axis=2, keepdims=True)


def _means(units: Units, top: Any, classes: Any, weights: Any, name: str) -> Any:
    """Return the weighted means (B, K) of the scores of one name.

    One target after the other, or each would have a row per pixel and class in memory.
    """
    scored = units.values if name == "output" else units.logits
    is_compared = name == "log-odds" and not units.are_independent
    others = Others(scored, top[..., None]) if is_compared else None
    means = []
    for k in range(classes.shape[1]):
        own = _picked(scored, classes[:, k])
        if others is not None:
            own = others.log_odds(own[..., None], classes[:, k][:, None, None])[..., 0]
        means.append(ops.sum(own * weights[:, k], axis=1))
    return ops.stack(means, axis=1)


def _counts(units: Units, top: Any, targets: Any, is_exclusive: bool) -> Any:
    """Return at how many pixels each class is predicted, (B, K, classes), the same for all K."""
    n_samples, n_classes = top.shape[0], units.logits.shape[-1]
    if is_exclusive:
        # Added up by class, as a flag per pixel and class would take more room than the outputs.
        rows = top + n_classes * ops.arange(n_samples, dtype="int32")[:, None]
        ids = ops.reshape(rows, (-1,))
        flat = ops.segment_sum(ops.ones_like(ids), ids, num_segments=n_samples * n_classes)
        counts = ops.reshape(flat, (n_samples, n_classes))
    else:
        counts = ops.sum(ops.cast(units.logits > 0, "int32"), axis=1)
    return ops.repeat(counts[:, None], targets["class_id"].shape[1], axis=1)

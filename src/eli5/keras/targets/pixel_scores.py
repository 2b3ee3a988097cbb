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
_MOST_KEPT = 1 << 26  # numbers, of all targets together, until the gradients are there


class Grid(NamedTuple):
    """Where an output has its pixels and its classes."""

    size: tuple[int, ...]  # (H, W)
    class_axis: int | None  # batch axis included; None where there is one channel without an axis
    # Whether a pixel has one class, the likeliest; else each class has a mask of its own.
    is_exclusive: bool
    input_size: tuple[int, ...]  # of the explained input
    # Where the output is of a part of the input alone, as the model cuts off the rest: along each
    # axis the middle of the first pixel, and how far the next is.
    part: tuple[tuple[float, float], ...] | None = None

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
        """Return K * len(kinds) columns of scores, and a report: see `eli5.keras.engine.Query`."""
        chosen = keras.tree.flatten(outputs)[self.output]
        units = self._units(chosen, activation_of(chosen))
        check_batch(chosen, targets["class_id"])
        top = likeliest(units.logits)
        classes, masks = _filled_in(units, targets, top, self.head.details.is_exclusive)
        weights = _weights(masks)
        names = dict.fromkeys(kind.name for kind in (*self.kinds, *self.reported))
        scores = {name: _means(units, top, classes, weights, name) for name in names}
        asked = [self.sign * column for kind in self.kinds for column in scores[kind.name]]
        if not self.reported:
            return asked, {}
        report = {
            "targets": targets
            | {
                "class_id": classes,
                "mask": ops.reshape(masks, targets["mask"].shape),
                # And stays where it is, whatever a variant of the doc is predicted to be.
                "is_given": ops.ones_like(targets["is_given"]),
            },
            "outputs": _mean_outputs(units.values, classes, weights),
            "explained": ops.stack(
                [ops.stack(scores[kind.name], axis=1) for kind in self.reported], axis=2
            ),
            "found": _predicted(units, top, self.head.details.is_exclusive),
        }
        return asked, report

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


def _means(units: Units, top: Any, classes: Any, weights: Any, name: str) -> list[Any]:
    """Return the weighted means of the scores of one name, K tensors (B,).

    One target after the other, or each would have a row per pixel and class in memory.
    """
    scored = units.values if name == "output" else units.logits
    is_compared = name == "log-odds" and not units.are_independent
    n_targets = classes.shape[1]
    score = _log_odds_of(scored, top, n_targets) if is_compared else _picked
    return [ops.sum(score(scored, classes[:, k]) * weights[:, k], axis=1) for k in range(n_targets)]


def _mean_outputs(values: Any, classes: Any, weights: Any) -> Any:
    """Return the weighted means (B, K) of the outputs themselves, which need no gradient."""
    taken = [
        ops.moveaxis(ops.take(values[b], classes[b], axis=-1), -1, 0)
        for b in range(values.shape[0])
    ]
    return ops.sum(ops.stack(taken) * weights, axis=2)


def _log_odds_of(logits: Any, top: Any, n_targets: int) -> Callable[[Any, Any], Any]:
    """Return what gives the log-odds (B, pixels) of one class per sample, of logits.

    To sum up the others for each target by itself is the least to compute, back and forth, but a
    number per pixel and class is kept for each; what they have in common is kept once.
    """
    if n_targets * math.prod(logits.shape) <= _MOST_KEPT:
        return _log_odds
    others = Others(logits, top[..., None])

    def log_odds(scored: Any, class_id: Any) -> Any:
        own = _picked(scored, class_id)
        return others.log_odds(own[..., None], class_id[:, None, None])[..., 0]

    return log_odds


def _log_odds(logits: Any, class_id: Any) -> Any:
    is_class = ops.arange(logits.shape[-1], dtype="int32") == class_id[:, None, None]
    # Added, and not put in its place: the gradient of a sum is there already.
    others = logits + ops.where(is_class, float("-inf"), 0.0)
    return _picked(logits, class_id) - ops.logsumexp(others, axis=-1)


def _predicted(units: Units, top: Any, is_exclusive: bool) -> dict[str, Any]:
    """Return what tells at how many pixels each class is predicted, of all targets (B, 1, ...).

    Of exclusive classes that of each pixel: they are counted where the numbers are wanted.
    """
    if is_exclusive:
        return {"classes": top[:, None]}
    return {"n_pixels": ops.sum(ops.cast(units.logits > 0, "int32"), axis=1)[:, None]}

"""The scores of a detector's boxes, traced into the engine's program.

The targets are a dict of arrays (B, K, ...), inputs of the program, so that one does for all boxes:
``mode``, ``class_id``, ``rank``, ``box`` and ``objective``, what is asked, see `Mode`; and what is
found of it where ``is_found`` is False: ``index`` and ``weight`` (M,), the candidates and what each
counts; ``boxes`` (M, 4), where each is to be; and ``classes`` (C,), the probabilities that D-RISE
compares with.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

from keras import ops

from eli5.keras.targets.boxes import overlap
from eli5.keras.targets.class_scores import check_batch
from eli5.keras.targets.detectors import Detector
from eli5.keras.targets.proposals import (
    Kept,
    Proposals,
    keep,
    match_box,
    match_kept,
    match_nearest,
    read_proposals,
)
from eli5.keras.targets.target import Head, ScoreKind

OPEN = -1  # in the place of a class id
D_RISE = "D-RISE similarity"  # the name of its score
NEAREST = 5  # candidates, for a box that is missing
_LEAST = 1e-6  # of an IoU, whose logarithm is taken


class Mode(enum.IntEnum):
    """What is asked: see the classes of these names in `eli5.targets`."""

    BOX = 0
    DETECTION = 1
    OBJECTS = 2
    MISSING = 3


class Details(NamedTuple):
    """What is known of a detector before it runs; of `Head.details`."""

    detector: Detector
    n_candidates: int
    most: int  # M: the most candidates that one target is made of
    decodes: bool  # whether a box that the decoder keeps is asked for
    has_boxes: bool  # whether an objective is about the box


@dataclass(frozen=True)
class SelectBoxes:
    """Picks the scores of candidates; see `eli5.keras.targets.target.Target.select`."""

    head: Head
    kinds: tuple[ScoreKind, ...]
    sign: int
    reported: tuple[ScoreKind, ...]

    def __call__(
        self, outputs: Any, activation_of: Callable[[Any], Any], targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the scores, (B, K * len(kinds)), and a report, see `eli5.keras.engine.Query`."""
        details: Details = self.head.details
        proposals = read_proposals(outputs, activation_of, details.detector, score)
        check_batch(proposals.boxes, targets["class_id"])
        found: dict[str, Any] = {}
        if self.reported:
            targets, found = _find(outputs, proposals, targets, details)
        names = dict.fromkeys(kind.name for kind in (*self.kinds, *self.reported))
        scores = {name: self._scores(proposals, targets, name) for name in names}
        asked = [scores[kind.name] for kind in self.kinds]
        asked = asked[0] if len(asked) == 1 else ops.concatenate(asked, axis=1)
        if not self.reported:
            return self.sign * asked, {}
        return self.sign * asked, {
            "targets": targets,
            "outputs": _mean(proposals.scores, targets),
            "probabilities": _mean(proposals.probabilities, targets),
            "explained": ops.stack([scores[kind.name] for kind in self.reported], axis=2),
            "found": found,
        }

    def _scores(self, proposals: Proposals, targets: Any, name: str) -> Any:
        """Return the scores (B, K) of one name, as the objectives say."""
        if name == D_RISE:
            return similarity(proposals, targets)
        values = {"logit": proposals.logits, "output": proposals.scores}
        of_class = _mean(values.get(name, proposals.log_odds), targets)
        if not self.head.details.has_boxes:
            return of_class
        overlaps = _overlaps(proposals, targets)
        both = of_class + ops.log(ops.maximum(overlaps, _LEAST))
        objective = targets["objective"]
        return ops.where(objective == 0, of_class, ops.where(objective == 1, overlaps, both))


def similarity(proposals: Proposals, targets: Any) -> Any:
    """Return D-RISE's score (B, K): ``max_n IoU(L, L_n) O_n cos(P, P_n)``.

    Petsiuk et al., "Black-box Explanation of Object Detectors via Saliency Maps", arXiv:2006.03204,
    equations 3 to 6. L and P are the box and the class probabilities that are asked about; a class
    of the caller's has probability 1. O is the objectness, the highest probability of a class in
    detectors that have none. All candidates are proposals.
    """
    probabilities = proposals.probabilities
    lengths = ops.sqrt(ops.sum(ops.square(probabilities), axis=-1))
    columns = []
    for k in range(targets["class_id"].shape[1]):  # each has a row per candidate
        wanted = targets["classes"][:, k][:, None]
        # Summed up and no matrix product, which some devices round to few digits.
        products = ops.sum(probabilities * wanted, axis=-1)
        norms = lengths * ops.sqrt(ops.sum(ops.square(wanted), axis=-1))
        cosines = products / ops.maximum(norms, 1e-30)
        overlaps = overlap(proposals.boxes, targets["boxes"][:, k, :1])
        columns.append(ops.max(overlaps * proposals.objectness * cosines, axis=1))
    return ops.stack(columns, axis=1)


def _mean(values: Any, targets: Any) -> Any:
    """Return the weighted means (B, K) of values (B, N, C) of the targets' classes."""
    index, weight = targets["index"], targets["weight"]
    batch, n_targets, most = index.shape
    n_classes = values.shape[-1]
    flat = ops.reshape(values, (batch, -1))
    places = index * n_classes + targets["class_id"][..., None]
    picked = ops.take_along_axis(flat, ops.reshape(places, (batch, -1)), axis=1)
    return ops.sum(ops.reshape(picked, (batch, n_targets, most)) * weight, axis=2)


def _overlaps(proposals: Proposals, targets: Any) -> Any:
    """Return the weighted means (B, K) of the IoU of the candidates with where they are to be."""
    own = _boxes_at(proposals.boxes, targets["index"])
    return ops.sum(overlap(own, targets["boxes"]) * targets["weight"], axis=2)


def _boxes_at(boxes: Any, index: Any) -> Any:
    """Return the boxes (B, K, M, 4) of candidates (B, K, M)."""
    batch = index.shape[0]
    flat = ops.reshape(index, (batch, -1, 1))
    picked = ops.take_along_axis(boxes, ops.repeat(flat, 4, axis=2), axis=1)
    return ops.reshape(picked, (*index.shape, 4))


# ---- finding the candidates ----------------------------------------------------------------------


def _find(
    outputs: Any, proposals: Proposals, targets: Any, details: Details
) -> tuple[Any, dict[str, Any]]:
    """Return the targets with all that was left open, and what is to be checked of it."""
    kept = keep(outputs, proposals, details.detector) if details.decodes else None
    index_of_kept = None if kept is None else match_kept(kept, proposals)
    per_target = [
        _find_one(proposals, kept, index_of_kept, {n: of[:, k] for n, of in targets.items()})
        for k in range(targets["class_id"].shape[1])
    ]
    filled = {name: ops.stack([one[name] for one, _ in per_target], axis=1) for name in targets}
    found = {
        name: ops.stack([of[name] for _, of in per_target], axis=1) for name in per_target[0][1]
    }
    return filled, found


def _find_one(
    proposals: Proposals, kept: Kept | None, index_of_kept: Any, asked: Any
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return one target of each sample, filled in, and what is to be checked of it."""
    found, n_kept = _of_box(proposals, asked), ops.zeros_like(asked["class_id"])
    if kept is not None:
        found, n_kept = _of_kept(kept, index_of_kept, asked, found)
    first = found["index"][:, :1]
    is_open = found["class_id"] == OPEN
    predicted = ops.take_along_axis(proposals.labels, first, axis=1)[:, 0]
    found["class_id"] = ops.where(is_open, predicted, found["class_id"])
    is_class = ops.arange(proposals.scores.shape[-1], dtype="int32") == found["class_id"][:, None]
    has_own = ops.logical_or(is_open, asked["mode"] == Mode.DETECTION)[:, None]
    own = _row_at(proposals.probabilities, first)
    found["classes"] = ops.where(has_own, own, ops.cast(is_class, "float32"))
    found["box"] = found["boxes"][:, 0]
    done = asked["is_found"]
    for name, value in found.items():
        is_done = ops.reshape(done, (-1, *[1] * (value.ndim - 1)))
        found[name] = ops.where(is_done, asked[name], value)
    checks = _to_check(proposals, kept, found, n_kept)
    return {**asked, **found, "is_found": ops.ones_like(done)}, checks


def _of_box(proposals: Proposals, asked: Any) -> dict[str, Any]:
    """Return what a box that is given, or missing, is made of."""
    box, class_id, most = asked["box"], asked["class_id"], asked["index"].shape[1]
    is_first = ops.arange(most, dtype="int32")[None] == 0
    index = ops.where(is_first, match_box(box, class_id, proposals)[:, None], 0)
    weight = ops.where(is_first, 1.0, ops.zeros_like(asked["weight"]))
    n_nearest = min(NEAREST, most, proposals.boxes.shape[1])
    nearest, overlaps = match_nearest(box, n_nearest, proposals)
    is_missing = (asked["mode"] == Mode.MISSING)[:, None]
    return {
        "index": ops.where(is_missing, _padded(nearest, most), index),
        "weight": ops.where(is_missing, _shares(_padded(ops.relu(overlaps), most)), weight),
        "boxes": ops.repeat(box[:, None], most, axis=1),
        "class_id": class_id,
    }


def _row_at(values: Any, index: Any) -> Any:
    """Return the row (B, C) of values (B, N, C) at an index (B, 1)."""
    places = ops.repeat(index[..., None], values.shape[-1], axis=2)
    return ops.take_along_axis(values, places, axis=1)[:, 0]


def _of_kept(
    kept: Kept, index_of_kept: Any, asked: Any, found: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """Return what is found, of the decoder's boxes where these are asked for.

    And how many of them there are, (B,).
    """
    most, n_kept = asked["index"].shape[1], kept.labels.shape[1]
    slots = ops.arange(n_kept, dtype="int32")[None]
    is_one = (asked["mode"] == Mode.DETECTION)[:, None]
    is_kept = ops.logical_or(is_one, (asked["mode"] == Mode.OBJECTS)[:, None])
    is_class = kept.labels == asked["class_id"][:, None]
    own = ops.where(is_one, slots == asked["rank"][:, None], is_class)
    own = ops.logical_and(own, slots < kept.n[:, None])
    # Those that are asked for come first, in their order.
    order = ops.cast(ops.argsort(ops.where(own, slots, slots + n_kept), axis=1), "int32")
    order = order[:, :most]
    there = ops.cast(ops.take_along_axis(own, order, axis=1), "float32")
    index = ops.take_along_axis(index_of_kept, order, axis=1)
    boxes = ops.take_along_axis(kept.boxes, ops.repeat(order[..., None], 4, axis=2), axis=1)
    label = ops.maximum(ops.take_along_axis(kept.labels, order[:, :1], axis=1)[:, 0], 0)
    filled = {
        "index": ops.where(is_kept, _padded(index, most), found["index"]),
        "weight": ops.where(is_kept, _padded(_shares(there), most), found["weight"]),
        "boxes": ops.where(is_kept[..., None], _padded(boxes, most), found["boxes"]),
        "class_id": ops.where(is_one[:, 0], label, found["class_id"]),
    }
    return filled, ops.sum(ops.cast(own, "int32"), axis=1)


def _to_check(proposals: Proposals, kept: Kept | None, filled: Any, n_found: Any) -> dict[str, Any]:
    """Return what tells whether a target is there, and whether the boxes were read right."""
    own = _boxes_at(proposals.boxes, filled["index"][:, None])[:, 0]
    first = overlap(ops.stop_gradient(own[:, 0]), filled["boxes"][:, 0])
    sizes = proposals.boxes[..., 2:] - proposals.boxes[..., :2]
    is_proper = ops.all(sizes > 0, axis=-1)
    is_large = ops.any(sizes > 1, axis=-1)
    found = {
        "iou": first,
        "n_found": n_found,
        "proper": ops.mean(ops.cast(is_proper, "float32"), axis=1),
        "large": ops.mean(ops.cast(is_large, "float32"), axis=1),
        "lowest": ops.min(proposals.logits, axis=(1, 2)),
        "highest": ops.max(proposals.logits, axis=(1, 2)),
        "box": own[:, 0],
        "confidence": ops.sigmoid(ops.max(proposals.best, axis=1)),
    }
    if kept is not None:
        found |= {"labels": kept.labels, "n_kept": kept.n}
    return {name: ops.stop_gradient(value) for name, value in found.items()}


def _padded(values: Any, n: int) -> Any:
    """Fill the second axis up with zeros."""
    rest = [[0, 0]] * (values.ndim - 2)
    return ops.pad(values, [[0, 0], [0, n - values.shape[1]], *rest])


def _shares(values: Any) -> Any:
    """Return values of (B, M) as shares of their sum; zeros stay zeros."""
    return values / ops.maximum(ops.sum(values, axis=1, keepdims=True), 1e-30)


# ---- at which layers it comes about --------------------------------------------------------------


@dataclass(frozen=True)
class SelectReaction:
    """What some candidates say of classes, and of their boxes: two scores, (B, 2)."""

    detector: Detector
    candidates: tuple[int, ...]

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        proposals = read_proposals(outputs, activation_of, self.detector, score)
        sums = []
        for values in (proposals.logits, proposals.boxes):
            n = values.shape[-1]
            some = ops.stack([values[:, k] for k in self.candidates], axis=1)
            # No two numbers alike, lest they cancel.
            weights = ops.cos(ops.arange(n * len(self.candidates), dtype="float32"))
            sums.append(ops.sum(some * ops.reshape(weights, (-1, n)), axis=(1, 2)))
        return ops.stack(sums, axis=1), {}


def count_reacting(activations: Any, gradients: list[Any], _: Any) -> Any:
    """Count the places with a gradient, per score; traced, int32 ``(B, K)``."""
    places = tuple(range(1, activations.ndim - 1))
    return ops.stack(
        [ops.sum(ops.cast(ops.any(one != 0, axis=-1), "int32"), axis=places) for one in gradients],
        axis=1,
    )

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

from eli5.keras.targets.boxes import clipped, overlap
from eli5.keras.targets.class_scores import check_batch
from eli5.keras.targets.detectors import Detector
from eli5.keras.targets.proposals import (
    Kept,
    Proposals,
    keep,
    match_boxes,
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
    own = _rows_at(proposals.boxes, targets["index"])
    return ops.sum(overlap(own, targets["boxes"]) * targets["weight"], axis=2)


# ---- finding the candidates ----------------------------------------------------------------------


def _find(
    outputs: Any, proposals: Proposals, targets: Any, details: Details
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the targets with all that was left open, and what is to be checked of it."""
    kept, n_kept = None, ops.zeros_like(targets["class_id"])
    found = _of_boxes(proposals, targets)
    if details.decodes:
        kept = keep(outputs, proposals, details.detector)
        found, n_kept = _of_kept(kept, match_kept(kept, proposals), targets, found)
    first = found["index"][..., 0]
    is_open = found["class_id"] == OPEN
    predicted = ops.take_along_axis(proposals.labels, first, axis=1)
    found["class_id"] = ops.where(is_open, predicted, found["class_id"])
    ids = ops.arange(proposals.scores.shape[-1], dtype="int32")
    is_class = ops.cast(ids == found["class_id"][..., None], "float32")
    has_own = ops.logical_or(is_open, targets["mode"] == Mode.DETECTION)[..., None]
    found["classes"] = ops.where(has_own, _rows_at(proposals.probabilities, first), is_class)
    found["box"] = found["boxes"][:, :, 0]
    done = targets["is_found"]
    for name, value in found.items():
        is_done = ops.reshape(done, (*done.shape, *[1] * (value.ndim - 2)))
        found[name] = ops.where(is_done, targets[name], value)
    checks = _to_check(proposals, kept, found, n_kept)
    return {**targets, **found, "is_found": ops.ones_like(done)}, checks


def _of_boxes(proposals: Proposals, asked: Any) -> dict[str, Any]:
    """Return what boxes that are given, or missing, are made of."""
    box, class_id, most = asked["box"], asked["class_id"], asked["index"].shape[2]
    is_first = ops.arange(most, dtype="int32") == 0
    index = ops.where(is_first, match_boxes(box, class_id, proposals)[..., None], 0)
    weight = ops.where(is_first, 1.0, ops.zeros_like(asked["weight"]))
    if most > 1:  # else none is missing
        n_nearest = min(NEAREST, proposals.boxes.shape[1])
        nearest, overlaps = match_nearest(box, n_nearest, proposals)
        is_missing = (asked["mode"] == Mode.MISSING)[..., None]
        index = ops.where(is_missing, _padded(nearest, most), index)
        weight = ops.where(is_missing, _shares(_padded(ops.relu(overlaps), most)), weight)
    boxes = ops.repeat(box[:, :, None], most, axis=2)
    return {"index": index, "weight": weight, "boxes": boxes, "class_id": class_id}


def _of_kept(
    kept: Kept, index_of_kept: Any, asked: Any, found: dict[str, Any]
) -> tuple[dict[str, Any], Any]:
    """Return what is found, of the decoder's boxes where these are asked for.

    And how many of them there are, (B, K).
    """
    most, n_kept = asked["index"].shape[2], kept.labels.shape[1]
    slots = ops.arange(n_kept, dtype="int32")
    is_one = asked["mode"] == Mode.DETECTION
    is_kept = ops.logical_or(is_one, asked["mode"] == Mode.OBJECTS)[..., None]
    is_class = kept.labels[:, None] == asked["class_id"][..., None]
    own = ops.where(is_one[..., None], slots == asked["rank"][..., None], is_class)
    own = ops.logical_and(own, slots < kept.n[:, None, None])
    # Those that are asked for come first, in their order.
    order = ops.cast(ops.argsort(ops.where(own, slots, slots + n_kept), axis=2), "int32")
    order = order[..., :most]
    there = ops.cast(ops.take_along_axis(own, order, axis=2), "float32")
    label = ops.maximum(_rows_at(kept.labels[..., None], order[..., 0])[..., 0], 0)
    index = _rows_at(index_of_kept[..., None], order)[..., 0]
    filled = {
        "index": ops.where(is_kept, _padded(index, most), found["index"]),
        "weight": ops.where(is_kept, _padded(_shares(there), most), found["weight"]),
        "boxes": ops.where(
            is_kept[..., None], _padded(_rows_at(kept.boxes, order), most), found["boxes"]
        ),
        "class_id": ops.where(is_one, label, found["class_id"]),
    }
    return filled, ops.sum(ops.cast(own, "int32"), axis=2)


def _to_check(proposals: Proposals, kept: Kept | None, filled: Any, n_found: Any) -> dict[str, Any]:
    """Return what tells whether targets are there, and whether the boxes were read right."""
    own = ops.stop_gradient(_rows_at(proposals.boxes, filled["index"][..., 0]))
    sizes = proposals.boxes[..., 2:] - proposals.boxes[..., :2]
    is_proper, is_large = ops.all(sizes > 0, axis=-1), ops.any(sizes > 1, axis=-1)
    visible = proposals.visible[..., 2:] - proposals.visible[..., :2]
    per_sample = {
        "proper": ops.mean(ops.cast(is_proper, "float32"), axis=1),
        "large": ops.mean(ops.cast(is_large, "float32"), axis=1),
        "inside": ops.mean(ops.cast(ops.all(visible > 0, axis=-1), "float32"), axis=1),
        "lowest": ops.min(proposals.logits, axis=(1, 2)),
        "highest": ops.max(proposals.logits, axis=(1, 2)),
        "confidence": ops.sigmoid(ops.max(proposals.best, axis=1)),
    }
    if kept is not None:
        per_sample |= {"labels": kept.labels, "n_kept": kept.n}
    n_targets = n_found.shape[1]
    found = {name: ops.repeat(of[:, None], n_targets, axis=1) for name, of in per_sample.items()}
    wanted = filled["boxes"][:, :, 0]
    within = (clipped(boxes, proposals.size) for boxes in (own, wanted))
    # Decoders may cut boxes off at the picture's edge or not.
    found["iou"] = ops.maximum(overlap(own, wanted), overlap(*within))
    found |= {"n_found": n_found, "box": own}
    return {name: ops.stop_gradient(value) for name, value in found.items()}


def _rows_at(values: Any, index: Any) -> Any:
    """Return the rows of values (B, N, C) at places (B, ...): (B, ..., C)."""
    batch, n = index.shape[0], values.shape[-1]
    flat = ops.repeat(ops.reshape(index, (batch, -1, 1)), n, axis=2)
    return ops.reshape(ops.take_along_axis(values, flat, axis=1), (*index.shape, n))


def _padded(values: Any, n: int) -> Any:
    """Fill the third axis up with zeros."""
    rest = [[0, 0]] * (values.ndim - 3)
    return ops.pad(values, [[0, 0], [0, 0], [0, n - values.shape[2]], *rest])


def _shares(values: Any) -> Any:
    """Return values of (B, K, M) as shares of their sum; zeros stay zeros."""
    return values / ops.maximum(ops.sum(values, axis=2, keepdims=True), 1e-30)


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

"""What a detector says of each candidate, in one form whatever the model; and which are kept.

All of it is traced. Boxes are ``xyxy`` in pixels, float32. Nothing of what chooses among candidates
is differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from keras import ops

from eli5.keras.targets.boxes import Size, clipped, overlap, traced_in_pixels
from eli5.keras.targets.class_scores import Others, float32
from eli5.keras.targets.detectors import Detector
from eli5.targets import Candidates

MOST_KEPT = 100  # boxes, by our own non-maximum suppression
# Ours keeps boxes above this confidence, of those above this IoU the best.
CONFIDENCE, SAME_OBJECT = 0.5, 0.5
# Boxes of which the IoU differs by less are not told apart by it.
ALIKE = 1e-3
_OWN = 0.99  # the least IoU of a box with the candidate that it is the box of
_NEVER = -1e9  # log-odds of what is no class
_LEAST = 1e-7  # of a probability, whose logarithm is taken


class Proposals(NamedTuple):
    """What a detector says of N candidates."""

    boxes: Any  # (B, N, 4)
    scores: Any  # (B, N, C): the model's own
    logits: Any  # (B, N, C): the same where no logits are known
    log_odds: Any  # (B, N, C): of the class, objectness taken into account
    # (B, N, C): the same without a gradient, and lowest of the background. Candidates are compared
    # by them, as probabilities are 1 long before they are at their largest.
    ranked: Any
    objectness: Any  # (B, N): without a gradient; the highest probability if there is no other
    size: Size

    @property
    def probabilities(self) -> Any:
        """Those of the classes, (B, N, C), without a gradient; 0 of the background."""
        return ops.sigmoid(self.ranked)

    @property
    def best(self) -> Any:
        """The highest log-odds of a class, (B, N)."""
        return ops.max(self.ranked, axis=-1)

    @property
    def labels(self) -> Any:
        """The class of the highest log-odds, int32 (B, N)."""
        return ops.cast(ops.argmax(self.ranked, axis=-1), "int32")

    @property
    def visible(self) -> Any:
        """The boxes within the picture, without a gradient: decoders may cut them off or not."""
        return clipped(ops.stop_gradient(self.boxes), self.size)


class Kept(NamedTuple):
    """What a decoder keeps, D boxes of which `n` count; no gradient."""

    boxes: Any  # (B, D, 4)
    labels: Any  # int32 (B, D)
    confidence: Any  # (B, D)
    n: Any  # int32 (B,)
    index: Any = None  # int32 (B, D): of which candidate each is, if that is known


def read_proposals(
    outputs: Any, activation_of: Callable[[Any], Any], detector: Detector, adapter: Any
) -> Proposals:
    """Read the outputs of a model."""
    found = detector.candidates(outputs, adapter)
    scores = float32(found.scores)
    found, logits = _as_logits(found, activation_of)
    log_odds = _log_odds(logits, found.activation)
    boxes = traced_in_pixels(found.boxes, found.format, detector.size)
    objectness = None
    if found.objectness is not None:
        log_odds = _of_both(found.objectness, log_odds)
        objectness = ops.stop_gradient(ops.sigmoid(found.objectness))
    ranked = ops.stop_gradient(log_odds)
    if found.background is not None:
        n_classes = scores.shape[-1]
        is_background = ops.arange(n_classes) == found.background % n_classes
        ranked = ops.where(is_background, _NEVER, ranked)
    if objectness is None:
        objectness = ops.sigmoid(ops.max(ranked, axis=-1))
    return Proposals(boxes, scores, logits, log_odds, ranked, objectness, detector.size)


def _as_logits(found: Candidates, activation_of: Callable[[Any], Any]) -> tuple[Candidates, Any]:
    """Return the candidates with objectness as logits, float32, and the logits of the classes."""
    objectness = found.objectness
    if objectness is not None:
        made = activation_of(objectness)
        if made is not None and made.name == "sigmoid":
            objectness = float32(made.logits)
        else:
            objectness = float32(objectness)
            objectness = objectness if found.are_logits else _logit(objectness)
    made = activation_of(found.scores)
    if made is not None and made.name in ("sigmoid", "softmax"):
        found, logits = found._replace(activation=made.name), float32(made.logits)
    elif found.are_logits:
        logits = float32(found.scores)
    elif found.activation == "softmax":
        logits = ops.log(ops.maximum(float32(found.scores), _LEAST))
    else:
        logits = _logit(float32(found.scores))
    return found._replace(objectness=objectness), logits


def _logit(probabilities: Any) -> Any:
    inside = ops.clip(probabilities, _LEAST, 1 - _LEAST)
    return ops.log(inside) - ops.log(1 - inside)


def _log_odds(logits: Any, activation: str) -> Any:
    """Return the log-odds of each class, of what goes into an activation."""
    if activation == "sigmoid" or logits.shape[-1] == 1:
        return logits
    ids = ops.arange(logits.shape[-1], dtype="int32")
    return Others(logits).log_odds(logits, ops.broadcast_to(ids, logits.shape))


def _of_both(objectness: Any, log_odds: Any) -> Any:
    """Return ``log(p / (1 - p))`` of the product p of both probabilities, of the logits of each.

    ``1 - p`` is summed up of parts that are not negative, so that no digits are lost.
    """
    there, absent = (ops.log_sigmoid(sign * objectness)[..., None] for sign in (1, -1))
    is_class, is_other = (ops.log_sigmoid(sign * log_odds) for sign in (1, -1))
    return there + is_class - ops.logaddexp(absent + ops.zeros_like(log_odds), there + is_other)


# ---- which are kept ------------------------------------------------------------------------------


def keep(outputs: Any, proposals: Proposals, detector: Detector) -> Kept:
    """Return what the model's own decoder keeps, or ours if it has none."""
    if not detector.has_decoder:
        return suppress(proposals)
    kept = detector.decoded(outputs)
    boxes = traced_in_pixels(kept["boxes"], detector.decoded_format, detector.size)
    labels, n = (ops.cast(kept[name], "int32") for name in ("labels", "num_detections"))
    return Kept(boxes, labels, float32(kept["confidence"]), n)


def suppress(proposals: Proposals) -> Kept:
    """Return what non-maximum suppression per class keeps, the highest confidence first.

    Of equals it is the first.
    """
    boxes, labels = ops.stop_gradient(proposals.boxes), proposals.labels
    best_odds = proposals.best
    batch, n_candidates = best_odds.shape
    ids = ops.arange(n_candidates, dtype="int32")
    left = ops.where(ops.sigmoid(best_odds) > CONFIDENCE, best_odds, _NEVER)
    slots = ops.arange(MOST_KEPT, dtype="int32")[None]
    chosen = ops.zeros((batch, MOST_KEPT), "int32")

    def is_any_left(left: Any, chosen: Any, n: Any, step: Any) -> Any:
        return ops.logical_and(ops.max(left) > _NEVER, step < MOST_KEPT)

    def take(left: Any, chosen: Any, n: Any, step: Any) -> tuple[Any, Any, Any, Any]:
        best = ops.cast(ops.argmax(left, axis=1), "int32")[:, None]
        is_one = ops.max(left, axis=1, keepdims=True) > _NEVER
        own = ops.take_along_axis(boxes, best[..., None], axis=1)
        own_label = ops.take_along_axis(labels, best, axis=1)
        is_same = ops.logical_and(overlap(own, boxes) > SAME_OBJECT, labels == own_label)
        gone = ops.logical_or(is_same, ids[None] == best)
        left = ops.where(ops.logical_and(gone, is_one), _NEVER, left)
        chosen = ops.where(ops.logical_and(slots == step, is_one), best, chosen)
        return left, chosen, n + ops.cast(is_one[:, 0], "int32"), step + 1

    start = left, chosen, ops.zeros((batch,), "int32"), ops.zeros((), "int32")
    _, index, n, _ = ops.while_loop(is_any_left, take, start)
    return Kept(
        ops.take_along_axis(boxes, index[..., None], axis=1),
        ops.take_along_axis(labels, index, axis=1),
        ops.sigmoid(ops.take_along_axis(best_odds, index, axis=1)),
        n,
        index,
    )


def match_kept(kept: Kept, proposals: Proposals) -> Any:
    """Return of which candidate each kept box is, int32 (B, D): the rule of `Detection`."""
    if kept.index is not None:
        return kept.index
    overlaps = _overlaps(kept.boxes, proposals)
    best = ops.max(overlaps, axis=2, keepdims=True)
    labels = ops.maximum(kept.labels, 0)  # -1 where there is none
    distances = ops.abs(_of_class(proposals.probabilities, labels) - kept.confidence[..., None])
    return _first_largest(ops.where(overlaps >= best - ALIKE, -distances, float("-inf")))


def match_boxes(boxes: Any, classes: Any, proposals: Proposals) -> Any:
    """Return the candidates of boxes (B, K, 4) and classes (B, K), int32 (B, K): the rule of `Box`.

    A class below 0 is any.
    """
    overlaps = _overlaps(boxes, proposals)
    odds = _of_class(proposals.ranked, ops.maximum(classes, 0))
    odds = ops.where(classes[..., None] < 0, proposals.best[:, None], odds)
    best = ops.max(overlaps, axis=2, keepdims=True)
    is_own = overlaps >= ops.maximum(best - ALIKE, _OWN)
    own = _first_largest(ops.where(is_own, odds, 2 * _NEVER))
    other = _first_largest(overlaps * ops.maximum(ops.sigmoid(odds), _LEAST))
    return ops.where(best[..., 0] >= _OWN, own, other)


def match_nearest(boxes: Any, n: int, proposals: Proposals) -> tuple[Any, Any]:
    """Return the n candidates that overlap boxes (B, K, 4) the most, int32 (B, K, n), and IoU."""
    overlaps = _overlaps(boxes, proposals)
    ids = ops.arange(overlaps.shape[2], dtype="int32")
    found, values = [], []
    for _ in range(n):  # no `top_k`, which on PyTorch leaves open which of two equals comes first
        best = _first_largest(overlaps)
        found.append(best)
        values.append(ops.max(overlaps, axis=2))
        overlaps = ops.where(ids == best[..., None], -1.0, overlaps)
    return ops.stack(found, axis=2), ops.stack(values, axis=2)


def _overlaps(boxes: Any, proposals: Proposals) -> Any:
    """Return the IoU (B, K, N) of boxes (B, K, 4) with the candidates, within the picture."""
    return overlap(clipped(boxes, proposals.size)[:, :, None], proposals.visible[:, None])


def _of_class(values: Any, classes: Any) -> Any:
    """Return what values (B, N, C) say of one class each, (B, K): (B, K, N)."""
    by_class = ops.transpose(values, (0, 2, 1))
    return ops.take_along_axis(by_class, ops.repeat(classes[..., None], values.shape[1], axis=2), 1)


def _first_largest(values: Any) -> Any:
    return ops.cast(ops.argmax(values, axis=-1), "int32")

"""The scores of classes, traced into the engine's program: log-odds, logits, outputs.

A score is asked for as a `ScoreKind`. All K targets of a sample are picked at once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import keras
from keras import ops

from eli5.keras.targets.target import Head, ScoreKind

TOP = -1  # in an array of targets: the likeliest class; -2 the next, and so on

_LARGEST_MASK = 1 << 17  # numbers per sample


@dataclass(frozen=True)
class SelectClasses:
    """Picks the scores of classes; see `eli5.keras.targets.target.Target.select`."""

    output: int
    head: Head
    kinds: tuple[ScoreKind, ...]
    sign: int
    reported: tuple[ScoreKind, ...]

    def __call__(
        self, outputs: Any, activation_of: Callable[[Any], Any], targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the scores, (B, K * len(kinds)), and a report, see `eli5.keras.engine.Query`.

        In `targets`, (B, K), ``TOP - k`` stands for the class with the k-th highest output, k = 0
        for the highest.
        """
        chosen = keras.tree.flatten(outputs)[self.output]
        activation = activation_of(chosen)
        if len(chosen.shape) == 1:
            chosen = chosen[:, None]
            activation = activation and activation._replace(logits=activation.logits[:, None])
        units = units_of(chosen, activation, self.head)
        check_batch(chosen, targets)
        classes = _ranked(units.values, targets) if self.reported else targets
        blocks = [_scores(units, classes, kind) for kind in self.kinds]
        scores = blocks[0] if len(blocks) == 1 else ops.concatenate(blocks, axis=1)
        return self.sign * scores, self._report(units, classes) if self.reported else {}

    def _report(self, units: Units, classes: Any) -> dict[str, Any]:
        explained = [float32(_scores(units, classes, kind)) for kind in self.reported]
        report = {
            "targets": classes,
            "outputs": float32(_pick(units.values, classes)),
            "explained": ops.stack(explained, axis=2),
        }
        if self.head.has_logits and not self.head.has_probabilities:
            odds = _scores(units, classes, ScoreKind("log-odds"))
            report["probabilities"] = ops.sigmoid(float32(odds))
        return report


class Units(NamedTuple):
    """What an output says of each class, tensors of shape (..., n_classes)."""

    values: Any  # the model's own output
    logits: Any  # the same where no logits are known
    are_independent: bool  # whether a class's logit is its log-odds, as that of a sigmoid is


def units_of(chosen: Any, activation: Any, head: Head) -> Units:
    """Return what an output ``(..., n_units)`` says; `activation` is what it comes from."""
    values, logits = chosen, chosen if activation is None else activation.logits
    if head.is_binary:
        # In float32, or half precision would round what is left of one.
        values, logits = float32(values), float32(logits)
        other = -values if activation is None else 1 - values
        values = ops.concatenate([other, values], axis=-1)
        logits = ops.concatenate([-logits, logits], axis=-1)
    is_sigmoid = activation is not None and activation.name == "sigmoid"
    return Units(values, logits, is_sigmoid or head.n_units == 1)


def _scores(units: Units, classes: Any, kind: ScoreKind) -> Any:
    """Return the scores of one kind, shape (B, K)."""
    if kind.name == "log-odds" and not units.are_independent:
        return log_odds(units.logits, classes)
    scored = units.values if kind.name == "output" else units.logits
    return _pick(scored, classes) if kind.contrast is None else _less(scored, classes, kind)


def log_odds(logits: Any, classes: Any) -> Any:
    """Return ``y_c - log sum_{k != c} exp y_k``, float32 of shape (B, K), for classes (B, K)."""
    logits = float32(logits)
    others = Others(logits)
    return others.log_odds(_pick(logits, classes), classes)


def likeliest(logits: Any) -> Any:
    """Return the class with the highest logit, int32 of shape (...)."""
    return ops.cast(ops.argmax(logits, axis=-1), "int32")


class Others:
    """What all other classes speak for, of logits of shape (..., n_classes), float32.

    The log-odds are ``log(p_c / (1 - p_c))`` of the softmax p, exact also where that is 0 or 1. Of
    all classes but the likeliest, what the others sum up to has the likeliest's 1 in it, so that
    taking a class out of the sum loses no digits; the others of the likeliest itself are summed up
    without it. So nothing but the picked scores has a row per class and target.
    """

    def __init__(self, logits: Any, top: Any = None) -> None:
        # The likeliest class, (..., 1), where it is known already.
        self.top = likeliest(logits)[..., None] if top is None else top
        ids = ops.arange(logits.shape[-1], dtype="int32")
        self._largest = ops.stop_gradient(ops.max(logits, axis=-1, keepdims=True))
        self._total = ops.sum(ops.exp(logits - self._largest), axis=-1, keepdims=True)
        rest = ops.where(ids == self.top, float("-inf"), logits)
        second = ops.stop_gradient(ops.max(rest, axis=-1, keepdims=True))
        self._beside_top = second + ops.log(ops.sum(ops.exp(rest - second), axis=-1, keepdims=True))

    def log_odds(self, own: Any, classes: Any) -> Any:
        """Return the log-odds of classes (..., K) whose own logits are of the same shape."""
        is_top = classes == self.top
        # A 1 where it is not used, as the gradient of a logarithm of 0 is not finite.
        others = ops.where(is_top, 1.0, self._total - ops.exp(own - self._largest))
        return own - ops.where(is_top, self._beside_top, self._largest + ops.log(others))


def _ranked(outputs: Any, targets: Any) -> Any:
    # Sorted and not `top_k`, which on PyTorch leaves open which of two equal outputs comes first.
    order = ops.cast(ops.argsort(-float32(outputs), axis=1), "int32")
    ranks = ops.maximum(TOP - targets, 0)
    return ops.where(targets <= TOP, ops.take_along_axis(order, ranks, axis=1), targets)


def _less(scored: Any, classes: Any, kind: ScoreKind) -> Any:
    """Return the scores of classes less those of similar ones; see `SimilarClasses`."""
    contrast: Any = kind.contrast
    own = _pick(scored, classes)
    n_similar = min(contrast.n_similar, scored.shape[1] - 1)
    fixed = float32(ops.stop_gradient(scored))
    columns = []
    for k in range(classes.shape[1]):
        distances = ops.abs(fixed - _pick(fixed, classes[:, k : k + 1]))
        is_own = ops.arange(scored.shape[1], dtype="int32")[None] == classes[:, k : k + 1]
        nearest = ops.argsort(ops.where(is_own, float("inf"), distances), axis=1)[:, :n_similar]
        similar = _pick(scored, ops.cast(nearest, "int32"))
        columns.append(own[:, k] - contrast.gamma * ops.mean(similar, axis=1))
    return ops.stack(columns, axis=1)


def _pick(outputs: Any, classes: Any) -> Any:
    """Return the outputs (B, n) of some classes (B, K).

    A sum over a mask, whose gradient is the mask: taking along an axis costs TensorFlow many small
    operations, back and forth. For many classes the mask would be too large.
    """
    if classes.shape[1] * outputs.shape[1] > _LARGEST_MASK:
        return ops.take_along_axis(outputs, classes, axis=1)
    ids = ops.arange(outputs.shape[1], dtype="int32")
    is_class = ids[None, None] == classes[:, :, None]
    return ops.sum(ops.where(is_class, outputs[:, None], 0), axis=2)


def check_batch(outputs: Any, targets: Any) -> None:
    """Raise ValueError unless there is one row of outputs per row of targets."""
    if int(outputs.shape[0]) != int(targets.shape[0]):
        raise ValueError(
            f"Expected a model that gives one row of outputs per sample, {targets.shape[0]} here. "
            f"Received: outputs of shape {tuple(outputs.shape)}"
        )


def float32(tensor: Any) -> Any:
    """Return a tensor in float32, whatever the model computes in."""
    return ops.cast(tensor, "float32")

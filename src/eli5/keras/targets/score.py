"""From a model's outputs to the scores that are explained; traced into the engine's program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

import keras
from eli5.keras.targets.classes import TOP, score_name
from keras import ops


@dataclass(frozen=True)
class Contrast:
    """A score less that of similar classes: ``y_c - gamma * mean(y_d)``, arXiv:2501.11309.

    Similar are the `n_similar` classes ``d`` whose scores are closest to ``y_c``, or all others if
    there are fewer.
    """

    n_similar: int
    gamma: float


@dataclass(frozen=True)
class Select:
    """Picks the scores; equal ones make one program.

    Attributes
    ----------
    output : int, optional
        Which output, in the order of `keras.tree.flatten`. A callable score gets this one, or all
        of them as the model returned them if it is None.
    sign : int
        -1 to explain what lowers the score.
    contrasts : tuple of Contrast or None
        One block of K columns of scores for each; None is the class score itself.
    reports : bool
        False if all class ids are known and the scores are all that is wanted: many samples are
        then not ranked for nothing.
    """

    output: int | None
    sign: int = 1
    contrasts: tuple[Contrast | None, ...] = (None,)
    reports: bool = True

    def __call__(
        self, outputs: Any, activation_of: Callable[[Any], Any], targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Pick the scores to differentiate.

        Parameters
        ----------
        outputs : Any
            The model's own outputs.
        activation_of : callable
            Gives the softmax or sigmoid that made a tensor, with the logits that went in, or None.
        targets : tensor of int32, shape (B, K)
            Class ids; `TOP` in column k stands for the class with the k-th highest output.
        score : {"auto", "output", "logit"} or callable
            See `eli5.keras.explain_prediction.explain_prediction_keras_image`.

        Returns
        -------
        scores : tensor, shape (B, K * len(contrasts))
        report : dict of tensors, shape (B, K)
            ``classes`` and the model's own ``outputs`` for them. Empty if there is none.
        """
        chosen = outputs if self.output is None else keras.tree.flatten(outputs)[self.output]
        if callable(score):
            scores = _one_per_sample(score(chosen), targets, score)
            report = {"classes": targets, "outputs": ops.cast(scores, "float32")}
            return self.sign * scores, report
        activation = None if score == "output" else activation_of(chosen)
        scored = chosen if activation is None else activation.logits
        if len(chosen.shape) == 1:
            chosen, scored = chosen[:, None], scored[:, None]
        _check_batch(chosen, targets)
        classes = _classes(chosen, targets) if self.reports else targets
        blocks = [_contrasted(scored, classes, contrast) for contrast in self.contrasts]
        scores = blocks[0] if len(blocks) == 1 else ops.concatenate(blocks, axis=1)
        if not self.reports:
            return self.sign * scores, {}
        values = ops.cast(_pick(chosen, classes), "float32")
        return self.sign * scores, {"classes": classes, "outputs": values}


def _classes(outputs: Any, targets: Any) -> Any:
    # Sorted and not `top_k`, which on PyTorch leaves open which of two equal outputs comes first.
    ranked = ops.argsort(-ops.cast(outputs, "float32"), axis=1)[:, : targets.shape[1]]
    return ops.where(targets == TOP, ops.cast(ranked, "int32"), targets)


def _contrasted(scored: Any, classes: Any, contrast: Contrast | None) -> Any:
    own = _pick(scored, classes)
    if contrast is None:
        return own
    n_similar = min(contrast.n_similar, scored.shape[1] - 1)
    fixed = ops.cast(ops.stop_gradient(scored), "float32")
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
    operations, back and forth.
    """
    ids = ops.arange(outputs.shape[1], dtype="int32")
    is_class = ids[None, None] == classes[:, :, None]
    return ops.sum(ops.where(is_class, outputs[:, None], 0), axis=2)


def _check_batch(outputs: Any, targets: Any) -> None:
    if int(outputs.shape[0]) != int(targets.shape[0]):
        raise ValueError(
            f"Expected a model that gives one row of outputs per sample, {targets.shape[0]} here. "
            f"Received: outputs of shape {tuple(outputs.shape)}"
        )


def _one_per_sample(scores: Any, targets: Any, score: Callable[..., Any]) -> Any:
    batch = int(targets.shape[0])
    shape = tuple(scores.shape) if ops.is_tensor(scores) else None
    if shape is None or int(np.prod(shape)) != batch:
        raise ValueError(
            f"Expected the callable `score` to return a tensor with one number per sample, shape "
            f"({batch},). Received: {score_name(score)} returned "
            f"{'shape ' + str(shape) if shape is not None else repr(scores)}"
        )
    return ops.reshape(scores, (batch, 1))

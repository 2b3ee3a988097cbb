"""Classes as targets: those that are asked for, or the likeliest, and the score of each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.base import TargetExplanation
from eli5.checks import (
    expect_choice,
    expect_integer,
    expect_one_of,
    expect_type,
    is_integer,
    listed,
    shown,
    wrong_type,
)
from eli5.keras.targets.callable_score import CallableScore
from eli5.keras.targets.target import Array, Select, Target

ClassNames = Sequence[str] | Mapping[int, str] | Callable[[int], str]

SCORES = ("auto", "output", "logit")

# Names of final activations whose result is a probability (log_softmax gives none).
_PROBABILITIES = ("softmax", "sigmoid")

_TOP = -1  # in an array of targets: "the class of this rank", not a class id


class ClassTarget(Target):
    """Classes of a classifier: those of a doc, or the likeliest; see `eli5.explain_prediction`."""

    has_class = True

    def __init__(
        self, score: str, top_targets: int | None = None, class_names: ClassNames | None = None
    ) -> None:
        self.score = score
        self._top_targets = top_targets
        self._class_names = class_names

    def check(self, spec: keras.KerasTensor, activation: str | None) -> int:
        shape = tuple(spec.shape)
        if len(shape) not in (1, 2):
            raise ValueError(
                "Expected a classifier, a model with an output of shape (1, n_classes). Received: "
                f"a model with output shape {shape}. Give `score=` a callable that takes the "
                "outputs and returns the number to explain, or name another output: `output=`."
            )
        if self.score == "logit" and activation is None:
            raise ValueError(
                'Expected a model that ends in a softmax or a sigmoid for score="logit". Received: '
                'a model without one at its end. If it ends in logits, use score="output".'
            )
        return 1 if len(shape) == 1 else int(shape[1])

    def rows(self, ids: Sequence[int] | None, n_classes: int | None) -> Array:
        most = n_classes or 1
        if ids is None:
            n_targets = self._top_targets or 1
            if n_targets > most:
                raise ValueError(
                    f"Expected `top_targets` of at most {most}, the number of the model's "
                    f"classes. Received: top_targets={n_targets}"
                )
            return np.full((1, n_targets), _TOP, dtype="int32")
        if not all(0 <= class_id < most for class_id in ids):
            raise ValueError(
                f"Expected a class id in [0, {most}), as the model's output has shape "
                f"(1, {most}). Received: targets={list(ids)!r}"
            )
        return np.array([ids], dtype="int32")

    def select(
        self,
        output: int,
        sign: int = 1,
        contrasts: tuple[Any, ...] = (None,),
        *,
        reports: bool = True,
    ) -> Select:
        return _SelectClasses(output, sign, contrasts, reports)

    def name(self, activation: str | None) -> str:
        if self.score == "output" or activation is None:
            return "the model's output"
        return f"the score before the final {activation}"

    def is_regression(self, n_classes: int | None, activation: str | None) -> bool:
        return n_classes == 1 and activation is None

    def explanation(
        self, class_id: int, value: float, n_classes: int | None, activation: str | None
    ) -> TargetExplanation:
        return TargetExplanation(
            class_id,
            proba=value if activation in _PROBABILITIES else None,
            score=value,
            class_name=_class_name(self._class_names, class_id, n_classes),
        )


def make_target(
    score: Any, targets: Any, top_targets: Any, class_names: Any, output: Any
) -> Target:
    """Return the target that a caller asks for, checked; see `eli5.explain_prediction`.

    Of `targets` it is only looked at whether they are given.
    """
    _check_class_names(class_names)
    if callable(score):
        if targets is not None or top_targets is not None:
            raise ValueError(
                "Expected no `targets` and no `top_targets` beside a callable `score`, which picks "
                f"its number itself. Received: targets={shown(targets)}, "
                f"top_targets={top_targets!r}"
            )
        return CallableScore(score, takes_all=output is None)
    expect_choice("score", score, SCORES, " or a callable")
    if top_targets is not None:
        expect_integer("top_targets", top_targets, least=1, expected="None or an integer")
        expect_one_of(targets=targets, top_targets=top_targets)
    return ClassTarget(score, top_targets, class_names)


def check_targets(targets: Any) -> None:
    """Raise TypeError or ValueError if `targets` is neither None nor a list with one integer."""
    expect_type("targets", targets, list | None, "None or a list with one class id")
    if targets is None:
        return
    if len(targets) != 1:
        raise ValueError(
            "Expected `targets` to be a list with one class id. "
            f"Received: targets={targets!r} with {len(targets)} items"
        )
    if not is_integer(targets[0]):
        raise TypeError(
            "Expected the class id in `targets` to be an integer. "
            f"Received: targets={targets!r} with an item of type {type(targets[0]).__name__}"
        )


def as_class_ids(targets: Any) -> list[int]:
    """Return one doc's class ids as a list; TypeError if it is neither an id nor a list of them."""
    items = listed(targets)
    ids = [targets] if items is None else items
    if not ids or not all(map(is_integer, ids)):
        raise TypeError(
            "Expected a doc's entry in `targets` to be a class id or a list of them. Received: "
            f"{shown(targets)} (of type {type(targets).__name__})"
        )
    return [int(one) for one in ids]


def _check_class_names(class_names: Any) -> None:
    is_list = isinstance(class_names, Sequence | np.ndarray) and not isinstance(class_names, str)
    is_known = class_names is None or is_list or isinstance(class_names, Mapping)
    if not (is_known or callable(class_names)):
        expected = "a sequence, a mapping of class ids or a callable"
        raise wrong_type("class_names", class_names, expected)


def _class_name(class_names: ClassNames | None, class_id: int, n_classes: int | None) -> str | None:
    if class_names is None:
        return None
    if callable(class_names):
        return str(class_names(class_id))
    if n_classes == 1 and len(class_names) == 2:
        class_id = 1  # one unit for two classes: it is high for the second
    keys = (class_id, str(class_id)) if isinstance(class_names, Mapping) else (class_id,)
    for key in keys:
        try:
            return str(class_names[key])  # type: ignore[index]
        except (LookupError, TypeError):  # fewer names than classes: the id must do
            continue
    return None


# ---- traced into the engine's program ------------------------------------------------------------


@dataclass(frozen=True)
class Contrast:
    """A score less that of similar classes: ``y_c - gamma * mean(y_d)``, arXiv:2501.11309.

    Similar are the `n_similar` classes ``d`` whose scores are closest to ``y_c``, or all others if
    there are fewer.
    """

    n_similar: int
    gamma: float


@dataclass(frozen=True)
class _SelectClasses:
    """Picks the scores of classes; see `eli5.keras.targets.target.Target.select`."""

    output: int
    sign: int
    contrasts: tuple[Contrast | None, ...]
    reports: bool

    def __call__(
        self, outputs: Any, activation_of: Callable[[Any], Any], targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        """Return the scores, (B, K * len(contrasts)), and a report, see `eli5.keras.engine.Query`.

        In `targets`, (B, K), `_TOP` in column k stands for the class with the k-th highest output.
        The report has the ``classes`` and the model's own ``outputs`` for them, (B, K).
        """
        chosen = keras.tree.flatten(outputs)[self.output]
        activation = None if score == "output" else activation_of(chosen)
        scored = chosen if activation is None else activation.logits
        if len(chosen.shape) == 1:
            chosen, scored = chosen[:, None], scored[:, None]
        _check_batch(chosen, targets)
        classes = _ranked(chosen, targets) if self.reports else targets
        blocks = [_contrasted(scored, classes, contrast) for contrast in self.contrasts]
        scores = blocks[0] if len(blocks) == 1 else ops.concatenate(blocks, axis=1)
        if not self.reports:
            return self.sign * scores, {}
        values = ops.cast(_pick(chosen, classes), "float32")
        return self.sign * scores, {"classes": classes, "outputs": values}


def _ranked(outputs: Any, targets: Any) -> Any:
    # Sorted and not `top_k`, which on PyTorch leaves open which of two equal outputs comes first.
    ranked = ops.argsort(-ops.cast(outputs, "float32"), axis=1)[:, : targets.shape[1]]
    return ops.where(targets == _TOP, ops.cast(ranked, "int32"), targets)


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

"""A number of the user's own as target: any function of the model's outputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.advice import traced
from eli5.base import TargetExplanation
from eli5.keras.targets.target import Array, Head, Output, ScoreKind, Select, SimilarClasses, Target


class CallableScore(Target):
    """A user's ``score(outputs) -> one number per sample``.

    If it `takes_all`, it gets all outputs as the model returned them, else the explained one.
    """

    has_class = False
    argument = "a callable `score`"

    def __init__(self, score: Callable[..., Any], *, takes_all: bool) -> None:
        self.score: Any = score
        self.takes_all = takes_all

    def check(self, output: Output) -> Head:
        # What it returns shows only when it runs.
        return Head(activation=output.activation, is_regression=True)

    def outputs_of(self, output: int, outputs: Any) -> list[int]:
        specs = keras.tree.flatten(outputs)
        # Beside the classes another output may be there to be looked at.
        tensors = [k for k, spec in enumerate(specs) if spec is not None]
        are_maps = all(len(specs[k].shape) > 2 for k in tensors)
        return tensors if self.takes_all and are_maps else [output]

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Array:
        return np.zeros((1, 1), "int32")

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        return ScoreKind(_name(self.score))

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return _SelectNumber(None if self.takes_all else output, sign)

    def name(self, head: Head, kind: ScoreKind) -> str:
        return f"{kind.name}(outputs)"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        value = numbers["outputs"]
        return TargetExplanation(kind.name, score=value, explained=value, explained_name=kind.name)


@dataclass(frozen=True)
class _SelectNumber:
    """Calls the user's score, of one output or, if that is None, of all."""

    output: int | None
    sign: int

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        chosen = outputs if self.output is None else keras.tree.flatten(outputs)[self.output]
        with traced(score, "the callable `score`"):
            numbers = score(chosen)
        scores = _one_per_sample(numbers, int(targets.shape[0]), score)
        values = ops.cast(scores, "float32")
        report = {"targets": targets, "outputs": values, "explained": values[..., None]}
        return self.sign * scores, report


def _one_per_sample(scores: Any, batch: int, score: Callable[..., Any]) -> Any:
    shape = tuple(scores.shape) if ops.is_tensor(scores) else None
    if shape is None or int(np.prod(shape)) != batch:
        raise ValueError(
            f"Expected the callable `score` to return a tensor with one number per sample, shape "
            f"({batch},). Received: {_name(score)} returned "
            f"{'shape ' + str(shape) if shape is not None else repr(scores)}"
        )
    return ops.reshape(scores, (batch, 1))


def _name(score: Callable[..., Any]) -> str:
    return getattr(score, "__name__", type(score).__name__)

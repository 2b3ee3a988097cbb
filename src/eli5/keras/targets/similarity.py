"""The cosine of the model's output with an embedding as target."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from keras import ops

from eli5.base import TargetExplanation
from eli5.checks import wrong_type
from eli5.keras.targets.class_names import Names
from eli5.keras.targets.class_scores import check_batch, float32
from eli5.keras.targets.target import (
    Array,
    Head,
    Output,
    ScoreKind,
    Select,
    SimilarClasses,
    Target,
)
from eli5.targets import Similarity


class SimilarityTarget(Target):
    """How alike the output is to embeddings; see `eli5.targets.Similarity`."""

    has_class = False
    argument = "`target`, a similarity"

    def __init__(self, asked: Sequence[Any], score: str, names: Names) -> None:
        if score != "auto":
            raise ValueError(
                "Expected no `score` beside a Similarity, which is the cosine of outputs. "
                f"Received: score={score!r}"
            )
        self.score: str = "cosine"
        self._asked = asked

    def check(self, output: Output) -> Head:
        n_numbers = math.prod(output.shape[1:])
        return Head(0, n_numbers, output.activation, is_regression=True, details=output.shape)

    def rows(self, asked: Sequence[Any] | None, head: Head) -> Array:
        """Return the embeddings of one doc, float32 of shape (1, K, D)."""
        return np.stack([_row(one, head) for one in (self._asked if asked is None else asked)])[
            None
        ]

    def kind(
        self, head: Head, contrast: SimilarClasses | None = None, *, on_logits: bool
    ) -> ScoreKind:
        return ScoreKind("cosine")

    def select(
        self,
        output: int,
        head: Head,
        kinds: tuple[ScoreKind, ...],
        sign: int = 1,
        reported: tuple[ScoreKind, ...] = (),
    ) -> Select:
        return _SelectCosine(output, sign)

    def name(self, head: Head, kind: ScoreKind) -> str:
        return "the cosine of the output with the embedding"

    def explanation(
        self, target: Any, numbers: Mapping[str, float], head: Head, kind: ScoreKind
    ) -> TargetExplanation:
        value = numbers["explained"]
        return TargetExplanation(
            "similarity", score=value, explained=value, explained_name="cosine"
        )


def _row(asked: Any, head: Head) -> Array:
    if not isinstance(asked, Similarity):
        raise wrong_type("target", asked, "an eli5.targets.Similarity, as the others are")
    embedding = asked.embedding
    if embedding.shape not in (head.details, head.details[1:]):
        raise ValueError(
            f"Expected `embedding` of the output's shape, {head.details[1:]}. Received: "
            f"embedding.shape={embedding.shape}"
        )
    return embedding.astype("float64").ravel().astype("float32")


@dataclass(frozen=True)
class _SelectCosine:
    """``o · e / (|o| |e|)`` of an output and each of K embeddings; they are the targets."""

    output: int
    sign: int

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, dict[str, Any]]:
        chosen = float32(keras.tree.flatten(outputs)[self.output])
        check_batch(chosen, targets)
        own = ops.reshape(chosen, (chosen.shape[0], 1, -1))
        # Summed up and no matrix product, which some devices round to few digits.
        products = ops.sum(own * targets, axis=2)
        cosines = products / ops.maximum(_length(own) * _length(targets), 1e-30)
        report = {"targets": targets, "outputs": cosines, "explained": cosines[..., None]}
        return self.sign * cosines, report


def _length(vectors: Any) -> Any:
    """Return the lengths of vectors, without a gradient that is not finite at zero."""
    squares = ops.sum(ops.square(vectors), axis=2)
    is_zero = squares == 0
    return ops.where(is_zero, 0.0, ops.sqrt(ops.where(is_zero, 1.0, squares)))

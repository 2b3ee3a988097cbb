"""The head of a model on the tokens of each of its blocks, in one run.

A block's tokens go on to the next one without a gradient, and are also kept. Behind the last block
the tokens of all of them take the place of its own, one block after the other in the batch: the
head gives a score for each, whose gradient reaches the block that it came from and no other.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from eli5.keras.engine.hooks import Hook


def tower_hooks(n_stories: int) -> list[Hook]:
    """Return a hook for the output of each block, the first first; of one run alone."""
    kept: list[Any] = []

    def keep(tokens: Any) -> Any:
        kept.append(tokens)
        return ops.stop_gradient(tokens)

    def put_together(tokens: Any) -> Any:
        return ops.concatenate([*kept, tokens], axis=0)

    keep_first, put_first = (lambda x, f=f: on_first(f, x) for f in (keep, put_together))
    return [keep_first] * (n_stories - 1) + [put_first] * (n_stories > 0)


def on_first(change: Hook, output: Any) -> Any:
    """Return an output with its first tensor changed: a block may give its tokens and more."""
    if not isinstance(output, tuple | list):
        return change(output)
    return type(output)([change(output[0]), *output[1:]])


@dataclass(frozen=True)
class SelectOfAll:
    """Picks the sum of the scores of all stories, and reports of the last one: the model's own."""

    select: Any  # see `eli5.keras.engine.Query`
    n_stories: int

    def __call__(
        self, outputs: Any, activation_of: Any, targets: Any, score: Any
    ) -> tuple[Any, Any]:
        """Return the scores, shape (B, K), and the report of B samples."""

        def of_all(rows: Any) -> Any:
            return ops.concatenate([rows] * self.n_stories, axis=0)

        # Which classes are the likeliest, the model's own outputs tell.
        own, activation_of_own = self._own(outputs, activation_of)
        _, report = self.select(own, activation_of_own, targets, score)
        targets = keras.tree.map_structure(of_all, report.get("targets", targets))
        scores, _ = self.select(outputs, activation_of, targets, score)
        summed = ops.sum(ops.reshape(scores, (self.n_stories, -1, scores.shape[-1])), axis=0)
        return summed, report

    def _own(self, outputs: Any, activation_of: Any) -> tuple[Any, Any]:
        """Return the outputs of the last story, and what tells the activation of one of them."""
        known: list[tuple[Any, Any]] = []

        def of_last(rows: Any) -> Any:
            return rows[(self.n_stories - 1) * (rows.shape[0] // self.n_stories) :]

        def take(output: Any) -> Any:
            if not ops.is_tensor(output):
                return output
            last, activation = of_last(output), activation_of(output)
            known.append(
                (last, activation and activation._replace(logits=of_last(activation.logits)))
            )
            return last

        def activation_of_own(output: Any) -> Any:
            return next((activation for last, activation in known if last is output), None)

        return keras.tree.map_structure(take, outputs), activation_of_own

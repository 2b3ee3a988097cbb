"""A target: the object that knows what is explained.

It is checked against the model's outputs, picks the number that is differentiated, and says what
that is called. Methods and engine know none of this. A new kind of target is one file with one
such class.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any

import numpy as np

import keras
from eli5.base import TargetExplanation

Array = np.ndarray[Any, Any]

# ``select(outputs, activation_of, targets, score) -> (scores (B, K), report)``, traced into the
# engine's program; hashable, as equal ones make one program. See `eli5.keras.engine.Query`.
Select = Callable[..., tuple[Any, dict[str, Any]]]


class Target:
    """What is explained.

    Attributes
    ----------
    score : Hashable
        What tells programs for one target from those for another.
    has_class : bool
        Whether it is the score of a class, which methods may contrast with those of others.
    """

    score: Hashable
    has_class: bool

    def check(self, spec: keras.KerasTensor, activation: str | None) -> int | None:
        """Return the number of classes of an output, or None if this target has no classes.

        Parameters
        ----------
        spec : keras.KerasTensor
            Shape and dtype of the model's output for one sample.
        activation : str or None
            The softmax or sigmoid that the output comes from.

        Raises
        ------
        ValueError
            If the model has no such number.
        """
        raise NotImplementedError

    def rows(self, ids: Sequence[int] | None, n_classes: int | None) -> Array:
        """Return the targets of one doc as `select` takes them, int32 of shape (1, K).

        Raises
        ------
        ValueError
            If one of them is not in the model's output.
        """
        raise NotImplementedError

    def select(
        self,
        output: int,
        sign: int = 1,
        contrasts: tuple[Any, ...] = (None,),
        *,
        reports: bool = True,
    ) -> Select:
        """Return what picks the scores in the engine's program.

        Parameters
        ----------
        output : int
            Which output of the model, in the order of `keras.tree.flatten`.
        sign : int
            -1 to explain what lowers the score.
        contrasts : tuple of Contrast or None
            One block of K columns of scores for each; None is the score itself.
        reports : bool
            False if all class ids are known and the scores are all that is wanted: many samples are
            then not ranked for nothing.
        """
        raise NotImplementedError

    def name(self, activation: str | None) -> str:
        """Name the number that is differentiated, for people: ``"the model's output"``."""
        raise NotImplementedError

    def is_regression(self, n_classes: int | None, activation: str | None) -> bool:
        """Tell whether a value and not a class is explained."""
        raise NotImplementedError

    def explanation(
        self, class_id: int, value: float, n_classes: int | None, activation: str | None
    ) -> TargetExplanation:
        """Return the explanation of one target, without its maps."""
        raise NotImplementedError

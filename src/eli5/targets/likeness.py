"""What is asked of two things: how alike they are, and why one and not the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.checks import expect_array, shown, wrong_value
from eli5.targets.asked import Asked, check_class
from eli5.targets.regions import Pixel, Region

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Similarity(Asked):
    """How alike the model's output is to an embedding: the cosine of the angle between them.

    Parameters
    ----------
    embedding : numpy.ndarray
        Another doc's output of the same model, say, ``(D,)`` or ``(1, D)``.

    Raises
    ------
    TypeError
        If it is no array of numbers.
    ValueError
        If a number in it is not finite, or all are zero, which has no direction.
    """

    embedding: NDArray[Any]

    def __post_init__(self) -> None:
        array = expect_array("embedding", self.embedding, kinds="fiu")
        if not np.isfinite(array).all() or not array.any():
            raise wrong_value(
                "embedding",
                self.embedding,
                "to be finite, and not zero, which has no direction",
                "model.predict(other_doc) gives one",
            )
        object.__setattr__(self, "embedding", array)


@dataclass(frozen=True, eq=False, repr=False)
class Contrast(Asked):
    """Why `a` and not `b`: the difference of two scores.

    Of two classes by default that of their logits, ``y_a - y_b = log(p_a / p_b)``; of two regions
    or pixels that of their scores.

    Parameters
    ----------
    a, b : int, str, Region or Pixel
        Classes by id or by name (of `class_names`), or two regions or pixels of a segmenter.

    Raises
    ------
    TypeError
        If they are neither two classes nor two of a segmenter's.
    ValueError
        If a class id is negative, or both are the same.
    """

    a: Any
    b: Any

    def __post_init__(self) -> None:
        are_pixels = [isinstance(one, Region | Pixel) for one in (self.a, self.b)]
        if not all(are_pixels):
            check_class("a", self.a)
            check_class("b", self.b)
        if self.a == self.b:
            raise wrong_value("b", self.b, f"to be another than a={shown(self.a)}")

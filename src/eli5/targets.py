"""What can be asked of a prediction beside its classes: a region, a pixel, a likeness, a contrast.

Plain objects for ``target=`` of `eli5.explain_prediction`; they know nothing of Keras. Each says
what is asked of one picture; several, in a list, share one run of the model. Those of a place in
the picture come back in ``region`` of a `TargetExplanation`, with all that was found out: a region
that was left open has its mask, a pixel its class.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.checks import expect_array, expect_integer, is_integer, shown, wrong_type, wrong_value

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Contrast", "Pixel", "Region", "Similarity"]


class _Asked:
    """Equality by the fields, arrays among them, and a short text."""

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        pairs = zip(self._values(), other._values(), strict=True)
        return all(np.array_equal(one, another) for (_, one), (_, another) in pairs)

    __hash__ = None  # type: ignore[assignment]  # an array has none

    def __repr__(self) -> str:
        given = [f"{name}={shown(value)}" for name, value in self._values() if value is not None]
        return f"{type(self).__name__}({', '.join(given)})"

    def _values(self) -> Iterator[tuple[str, Any]]:
        yield from ((one.name, getattr(self, one.name)) for one in fields(self))  # type: ignore[arg-type]


@dataclass(frozen=True, eq=False, repr=False)
class Region(_Asked):
    """A segmenter's class over a region: Seg-Grad-CAM, arXiv:2002.11434, equation 2.

    The score is the mean over the region's pixels of what `score` says: by default of the log-odds
    of the class at each of them, ``y_c - log sum_{k != c} exp y_k``.

    Parameters
    ----------
    class_id : int or str
        The class, by id or by name (of `class_names`). A model with one channel, a sigmoid or its
        logit, has two classes: 1 is where it is high, 0 the rest.
    mask : numpy.ndarray of bool, shape (H, W), optional
        Which pixels; 0 and 1 do as well. Of the output's size or of the input's; of the latter the
        output's pixels take the nearest. If not given: where the model predicts the class, the
        likeliest of all or, of masks that are independent of each other, with a probability above
        1/2.

    Raises
    ------
    TypeError
        If `class_id` is no integer or name, or `mask` no array of truth values.
    ValueError
        If the id is negative, or the mask has no pixel.
    """

    class_id: int | str
    mask: NDArray[Any] | None = None

    def __post_init__(self) -> None:
        _check_class("class_id", self.class_id)
        if self.mask is not None:
            object.__setattr__(self, "mask", _read_mask(self.mask))

    @property
    def phrase(self) -> str:
        """Where it is, for people: ``"over 412 pixels"``."""
        if self.mask is None:
            return "where it is predicted"
        n = int(self.mask.sum())
        return f"over {n} pixel" + "s" * (n != 1)


@dataclass(frozen=True, eq=False, repr=False)
class Pixel(_Asked):
    """A segmenter's class at one pixel.

    Parameters
    ----------
    row, column : int
        Of the input, counted from 0 at the top left; the output's pixel that covers it is
        explained.
    class_id : int or str, optional
        The class, by id or by name; that which is predicted there if not given.

    Raises
    ------
    TypeError
        If `row` or `column` is no integer, or `class_id` no integer or name.
    ValueError
        If one of them is negative.
    """

    row: int
    column: int
    class_id: int | str | None = None

    def __post_init__(self) -> None:
        expect_integer("row", self.row, least=0)
        expect_integer("column", self.column, least=0)
        if self.class_id is not None:
            _check_class("class_id", self.class_id)

    @property
    def phrase(self) -> str:
        """Where it is, for people: ``"at row 10, column 20"``."""
        return f"at row {self.row}, column {self.column}"


@dataclass(frozen=True, eq=False, repr=False)
class Similarity(_Asked):
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
class Contrast(_Asked):
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
            _check_class("a", self.a)
            _check_class("b", self.b)
        if self.a == self.b:
            raise wrong_value("b", self.b, f"to be another than a={shown(self.a)}")


# What a place in the input may be, by what it is called in files.
LOCATED: dict[str, type] = {"region": Region, "pixel": Pixel}


def _check_class(name: str, value: Any) -> None:
    if not (is_integer(value) or isinstance(value, str)):
        raise wrong_type(name, value, "a class id, or the name of a class")
    if not isinstance(value, str) and value < 0:
        raise wrong_value(name, value, ">= 0")


def _read_mask(mask: Any) -> NDArray[np.bool_]:
    """Return a mask as truth values; TypeError or ValueError if it is none."""
    array = expect_array("mask", mask, "biuf", "truth values")
    if array.dtype.kind != "b":
        if not np.isin(array, (0, 1)).all():
            raise wrong_value(
                "mask", mask, "to hold truth values, or 0 and 1", "Say which: mask=labels == 3"
            )
        array = array == 1
    if not array.any():
        raise ValueError(
            "Expected `mask` to have at least one pixel. Received: a mask of shape "
            f"{array.shape} without any"
        )
    return array


def __dir__() -> list[str]:
    return [*(name for name in globals() if name.startswith("__")), *__all__]

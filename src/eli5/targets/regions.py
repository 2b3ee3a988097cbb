"""What is asked of a segmenter: a class over a region, or at a pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from eli5.checks import expect_array, expect_integer, wrong_value
from eli5.targets.asked import Asked, check_class

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Region(Asked):
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
        check_class("class_id", self.class_id)
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
class Pixel(Asked):
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
            check_class("class_id", self.class_id)

    @property
    def phrase(self) -> str:
        """Where it is, for people: ``"at row 10, column 20"``."""
        return f"at row {self.row}, column {self.column}"


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

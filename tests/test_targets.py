"""The objects that say what is asked: what they take, their equality, and their text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from eli5.targets import (
    Box,
    Contrast,
    Detection,
    Missing,
    Objects,
    Pixel,
    Region,
    Similarity,
)

MASK = np.eye(3, dtype=bool)


def test_masks_of_numbers_become_truth_values() -> None:
    for given in (MASK, MASK.astype(int), MASK.astype(float)):
        mask = Region(1, given).mask
        assert mask is not None
        assert mask.dtype == bool
        assert (mask == MASK).all()


def test_equal_ones_are_equal() -> None:
    assert Region(1, MASK) == Region(1, MASK.astype(int))
    assert Region(1, MASK) != Region(1)
    assert Region(1, MASK) != Region(1, ~MASK)
    assert Pixel(1, 2) == Pixel(1, 2, None)
    assert Pixel(1, 2) != Pixel(1, 2, 0)
    assert Pixel(1, 2) != (1, 2)
    assert Similarity(np.arange(3)) == Similarity(np.arange(3.0))
    assert Contrast(Region(1, MASK), Pixel(1, 2)) == Contrast(Region(1, MASK), Pixel(1, 2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Region(1))


def test_they_are_short_as_text() -> None:
    assert repr(Pixel(1, 2)) == "Pixel(row=1, column=2)"
    assert repr(Contrast(0, "dog")) == "Contrast(a=0, b='dog')"
    assert repr(Region(1, np.ones((9, 9)))) == (
        "Region(class_id=1, mask=<ndarray of shape (9, 9), dtype bool>)"
    )


def test_they_say_where_they_are() -> None:
    assert Region(1, MASK).phrase == "over 3 pixels"
    assert Region(1, MASK & (np.arange(3) == 1)).phrase == "over 1 pixel"
    assert Region(1).phrase == "where it is predicted"
    assert Pixel(1, 2).phrase == "at row 1, column 2"
    assert Box((10, 20, 60.4, 80)).phrase == "in the box (10, 20, 60, 80)"
    assert Box((1, 2, 3, 4), objective="box").phrase == "for the place of the box (1, 2, 3, 4)"
    assert Box((0, 0.25, 1, 0.5), format="rel_xyxy").phrase == (
        "in the box (0, 0.25, 1, 0.5) (rel_xyxy)"
    )
    assert Missing((1, 2, 3, 4), 0, "yxyx").phrase == "missing in the box (1, 2, 3, 4) (yxyx)"
    assert Objects(1).phrase == "in all boxes"
    assert Objects(1, np.ones((1, 4))).phrase == "in 1 box"


@pytest.mark.parametrize(
    ("make", "error", "match"),
    [
        (lambda: Region(1.5), TypeError, "`class_id` to be a class id, or the name"),  # type: ignore[arg-type]
        (lambda: Region(-1), ValueError, "`class_id` >= 0. Received: class_id=-1"),
        (lambda: Region(1, [[True]]), TypeError, "`mask` to be a NumPy array of truth values"),  # type: ignore[arg-type]
        (lambda: Region(1, np.array([[0, 2]])), ValueError, "truth values, or 0 and 1"),
        (lambda: Region(1, ~np.ones((4, 5), bool)), ValueError, r"one pixel.*shape \(4, 5\)"),
        (lambda: Pixel(1.5, 0), TypeError, "`row` to be an integer"),  # type: ignore[arg-type]
        (lambda: Pixel(0, -1), ValueError, "`column` >= 0"),
        (lambda: Pixel(0, 1, 1.5), TypeError, "`class_id` to be a class id"),  # type: ignore[arg-type]
        (lambda: Similarity([1, 2]), TypeError, "`embedding` to be a NumPy array"),  # type: ignore[arg-type]
        (lambda: Similarity(np.zeros(3)), ValueError, "not zero, which has no direction"),
        (lambda: Similarity(np.array([1, np.nan])), ValueError, "to be finite"),
        (lambda: Contrast(1, Region(2)), TypeError, "`b` to be a class id"),
        (lambda: Contrast(Region(2), 1), TypeError, "`a` to be a class id"),
        (lambda: Contrast(1, 1), ValueError, "`b` to be another than a=1"),
        (lambda: Contrast(Region(1), Region(1)), ValueError, "to be another than a=Region"),
        (lambda: Box((1, 2, 3)), TypeError, "a box, four numbers, 'xyxy' of one"),
        (lambda: Box("box"), TypeError, "a box, four numbers"),  # type: ignore[arg-type]
        (lambda: Box((1, 2, 3, np.inf)), ValueError, "of finite numbers"),
        (lambda: Box((9, 2, 3, 4)), ValueError, "ends last.*such as format='xywh'"),
        (lambda: Box((3, 2, 9, 2)), ValueError, "with its ends last"),
        (lambda: Box((3, 2, 9, 0), format="xywh"), ValueError, "of width and height > 0"),
        (lambda: Box((0.1, 0.1, 0.5, 0.9)), ValueError, "in pixels.*format='rel_xyxy'"),
        (lambda: Box((1, 2, 3, 4), format="rel_xyxy"), ValueError, "shares.*format='xyxy'"),
        (lambda: Box((1, 2, 3, 4), format="cxcywh"), ValueError, "`format` to be one of"),
        (lambda: Box((1, 2, 3, 4), objective="iou"), ValueError, "`objective` to be one of"),
        (lambda: Box((1, 2, 3, 4), -1), ValueError, "`class_id` >= 0"),
        (lambda: Missing((1, 2, 3, 4), None), TypeError, "`class_id` to be a class id"),  # type: ignore[arg-type]
        (lambda: Missing((3, 2, 1, 4), 0), ValueError, "with its ends last"),
        (lambda: Objects(-1), ValueError, "`class_id` >= 0"),
        (lambda: Detection(-1), ValueError, "`k` >= 0"),
        (lambda: Detection("first"), TypeError, "`k` to be an integer"),  # type: ignore[arg-type]
    ],
    ids=range(31),
)
def test_what_they_refuse(make: Any, error: type[Exception], match: str) -> None:
    with pytest.raises(error, match=match):
        make()

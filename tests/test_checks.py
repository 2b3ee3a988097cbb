"""An error tells what came, whatever it is; what is large or masked is noticed."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

from eli5.checks import expect_array, expect_count, expect_list, expect_number, listed, shown

HUGE: list[Any] = [10**400, -(10**400), Fraction(10**400), float("inf"), float("nan")]


@pytest.mark.parametrize("number", HUGE, ids=["int", "negative", "fraction", "infinity", "nan"])
def test_a_number_larger_than_any_float_is_not_finite(number: Any) -> None:
    with pytest.raises(ValueError, match=r"Expected `alpha` to be finite\. Received: alpha="):
        expect_number("alpha", number)
    with pytest.raises(ValueError, match=r"Expected `alpha` to be finite and >= 0\. Received"):
        expect_number("alpha", number, least=0)


class Unspeakable:
    def __repr__(self) -> str:
        raise KeyError("no name")


@pytest.mark.parametrize(
    ("value", "start"),
    [(Unspeakable(), "<test_checks.Unspeakable object"), (10**9999, "<int obj")],
    ids=["object", "integer"],
)
def test_what_cannot_be_written_is_shown_by_its_type(value: Any, start: str) -> None:
    assert shown(value).startswith(start)
    with pytest.raises(TypeError, match=r"Expected `names` to be a list\. Received: names=<"):
        expect_list("names", value, callable, "a list")


def test_masked_numbers_are_not_taken_for_numbers() -> None:
    masked = np.ma.masked_array([0.5, 0.25, 0.125], [False, True, True])
    match = (
        r"Expected `heatmap` without masked values.* 2 of 3 values masked.* heatmap\.filled\(0\)"
    )
    with pytest.raises(ValueError, match=match):
        expect_array("heatmap", masked)
    with pytest.raises(TypeError, match="Expected `classes` to be a list of floats"):
        expect_list("classes", masked, lambda one: isinstance(one, float), "a list of floats")


@pytest.mark.filterwarnings("ignore:the matrix subclass")
def test_subclasses_become_plain_arrays() -> None:
    for array in (np.matrix([[1.0, 2.0]]), np.ma.masked_array([[1.0, 2.0]])):
        plain = expect_array("heatmap", array)
        assert type(plain) is np.ndarray
        np.testing.assert_array_equal(plain, [[1.0, 2.0]])
    assert listed(np.ma.masked_array([1, 2])) == [1, 2]


def test_what_would_never_end_is_refused() -> None:
    assert expect_count("n_samples", 1_000_000) == 1_000_000
    for count in (1_000_001, 2**70):
        with pytest.raises(
            ValueError, match=r"Expected `n_samples` <= 1000000\. Received: n_sampl"
        ):
            expect_count("n_samples", count)
    with pytest.raises(ValueError, match="Expected `n_samples` >= 2"):
        expect_count("n_samples", 1, least=2)


def test_a_warning_reaches_code_that_has_no_module() -> None:
    with pytest.warns(UserWarning, match="mind the gap"):
        exec("from eli5.checks import warn; warn('mind the gap')", {})

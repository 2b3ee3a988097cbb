"""An error of the package ends at the public function; all others tell where they come from."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from typing import Any

import pytest

from eli5.checks import did_you_mean, expect_count, expect_integer, expect_list, need
from eli5.tracebacks import ShortErrors


def public(function: Callable[..., Any], *arguments: Any) -> Any:
    with ShortErrors():
        return function(*arguments)


def outer(function: Callable[..., Any], *arguments: Any) -> Any:
    with ShortErrors():
        return public(function, *arguments)


def functions_in(error: BaseException) -> list[str]:
    """Return the functions of the traceback, without the test's own."""
    return [frame.name for frame in traceback.extract_tb(error.__traceback__)][1:]


@pytest.mark.parametrize(("value", "kind"), [("3", TypeError), (10**7, ValueError)])
def test_an_error_ends_at_the_public_function(value: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="Expected `n`") as caught:
        public(expect_count, "n", value)
    assert functions_in(caught.value) == ["public"]


def test_the_outermost_public_function_is_shown() -> None:
    with pytest.raises(TypeError, match="Expected `n` to be an integer") as caught:
        outer(expect_integer, "n", "3")
    # `public` of this file stands for a caller's own code, which is kept.
    assert functions_in(caught.value) == ["outer", "public"]


def is_even(item: Any) -> bool:
    return expect_integer("item", item) % 2 == 0


def test_the_callers_own_functions_are_kept() -> None:
    with pytest.raises(TypeError, match="Expected `item` to be an integer") as caught:
        public(expect_list, "n", [2, "4"], is_even, "a list")
    assert functions_in(caught.value) == ["public", "is_even"]


def test_a_mishap_keeps_its_traceback() -> None:
    with pytest.raises(TypeError, match="not iterable") as caught:
        public(did_you_mean, "name", 3)  # in the package, but no `raise` of its own
    assert functions_in(caught.value) == ["public", "did_you_mean"]

    def fail(item: Any) -> bool:
        raise ValueError("of the caller's own")

    with pytest.raises(ValueError, match="of the caller's own") as own:
        public(expect_list, "n", [2], fail, "a list")
    assert functions_in(own.value) == ["public", "expect_list", "fail"]


def test_a_cause_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="Expected pandas to be installed") as caught:
        public(need, "pandas")
    assert functions_in(caught.value) == ["public"]
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_nothing_happens_without_an_error() -> None:
    assert public(expect_integer, "n", 3) == 3

"""Items made ahead on another thread: in order, one at a time, and errors arrive."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import numpy as np
import pytest

from eli5.keras.methods.gradients import prefetch


def noting(made: list[int], n: int = 5, fails_at: int = -1) -> Iterator[int]:
    for k in range(n):
        if k == fails_at:
            raise ValueError(f"no item {k}")
        made.append(k)
        yield k


def until(made: list[int], n: int) -> None:
    """Wait until as many items are made, and a little longer for one too many."""
    deadline = time.monotonic() + 10
    while len(made) < n and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)


@pytest.mark.parametrize("n", [0, 1, 5])
def test_all_items_come_in_order(n: int) -> None:
    assert list(prefetch(range(n))) == list(range(n))


def test_one_is_made_while_the_one_before_is_in_use() -> None:
    made: list[int] = []
    for k in prefetch(noting(made)):
        until(made, min(k + 2, 5))
        assert made == list(range(min(k + 2, 5)))


def test_what_making_one_raises_arrives_in_its_turn() -> None:
    items = prefetch(noting([], fails_at=2))
    assert [next(items), next(items)] == [0, 1]
    with pytest.raises(ValueError, match="no item 2"):
        next(items)


def test_an_error_in_between_stops_the_thread() -> None:
    made: list[int] = []

    def use() -> None:
        for _ in prefetch(noting(made, n=1000)):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert not [t for t in threading.enumerate() if t.name.startswith("eli5-prefetch")]
    assert len(made) <= 2


def test_floating_point_errors_are_told_as_on_the_calling_thread() -> None:
    with np.errstate(over="ignore"):
        (found,) = prefetch(np.float32(1e38) * factor for factor in [np.float32(1e5)])
    assert np.isinf(found)
    with np.errstate(over="raise"), pytest.raises(FloatingPointError, match="overflow"):
        list(prefetch(np.float32(1e38) * factor for factor in [np.float32(1e5)]))

"""Make the next batch while the device computes with this one."""

from __future__ import annotations

import contextvars
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def prefetch(items: Iterable[T]) -> Iterator[T]:
    """Yield the items, each made on another thread while the one before it is in use.

    Two at most are in memory. What making one raises is raised here. Whoever stops early waits for
    no more than the one that is being made.
    """
    source, end = iter(items), object()
    # As on this thread: NumPy keeps in the context which floating-point errors are told.
    context = contextvars.copy_context()

    def make() -> Any:
        return context.run(next, source, end)

    with ThreadPoolExecutor(1, "eli5-prefetch") as worker:
        following = worker.submit(make)
        while (item := following.result()) is not end:
            following = worker.submit(make)
            yield item
            del item

"""Docs into explanations, batch by batch: explained, and handed on in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.loading.errors import UserError, shortened

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["Explained", "Item", "explained", "is_explained"]

_WRONG = (TypeError, ValueError)  # what says that something does not fit the model
_FAILED = (*_WRONG, RuntimeError)  # and what PyTorch says, also of a lack of memory


class Item(NamedTuple):
    """One picture or text.

    Attributes
    ----------
    number : int
        Its place among all.
    doc : numpy.ndarray, optional
    beside : Any
        What belongs to the doc, such as the picture.
    problem : str
        Why it cannot be explained, if so.
    """

    number: int
    doc: Any = None
    beside: Any = None
    problem: str = ""


class Explained(NamedTuple):
    """What came of one item: explanations, one per method, or a problem."""

    number: int
    explanations: list[Explanation]
    problem: str = ""


def explained(
    explain: Callable[..., Any],
    items: Iterable[Item],
    classes: list[int] | None = None,
    *,
    works: bool = False,
    tried: Callable[[], bool] | None = None,
) -> Iterator[Explained]:
    """Explain one item after the other.

    Parameters
    ----------
    explain : callable
        Takes ``docs``, ``beside`` and ``targets``, which may be iterators, and explains one after
        the other, as `eli5.explain_predictions` does.
    items : iterable of Item
        At most one batch of them is in memory.
    classes : list of int, optional
        What is explained of each.
    works : bool
        Whether it is known that the model can be explained, so that no item raises.
    tried : callable, optional
        Tries something that the model should take, and tells whether it can be explained. It is
        asked if nothing in the first batch can, to find out whose fault that is.

    Yields
    ------
    Explained
        One per item, in their order.

    Raises
    ------
    UserError
        If not one item of the first batch can be explained, nor what is tried instead.
    """
    source = _Source(items)
    while True:
        taken: deque[Item] = deque()  # and not handed on yet
        try:
            for one in _explained(explain, source, taken, classes):
                works = works or not one.problem
                yield one
            return
        except _FAILED as error:
            if source.has_failed:
                raise
            # Of the model, and then nothing can be explained; or of an item, such as a picture
            # that is too small for a model that takes any size.
            singly = [_alone(explain, item, classes) for item in taken]
            works = works or any(one.explanations for one in singly)
            if not works and not (tried is not None and tried()):
                if not isinstance(error, _WRONG):
                    raise
                raise UserError(shortened(str(error))) from error
            works = True
            yield from singly


def is_explained(explain: Callable[..., Any], item: Item) -> bool:
    """Tell whether one item can be explained."""
    return bool(_alone(explain, item, None).explanations)


class _Source:
    """Gives items, and remembers if that has failed."""

    def __init__(self, items: Iterable[Item]) -> None:
        self.items = iter(items)
        self.has_failed = False

    def __iter__(self) -> Iterator[Item]:
        self.has_failed = True
        for item in self.items:
            self.has_failed = False
            yield item
            self.has_failed = True
        self.has_failed = False


def _explained(
    explain: Callable[..., Any],
    source: Iterable[Item],
    taken: deque[Item],
    classes: list[int] | None,
) -> Iterator[Explained]:
    beside: deque[Any] = deque()
    targets: deque[Any] = deque()

    def docs() -> Iterator[Any]:
        for item in source:
            taken.append(item)
            if not item.problem:
                beside.append(item.beside)
                targets.append(classes)
                yield item.doc

    listed = None if classes is None else _emptied(targets)
    for explanations in explain(docs=docs(), beside=_emptied(beside), targets=listed):
        yield from _problems(taken)
        yield Explained(taken.popleft().number, explanations)
    yield from _problems(taken)


def _emptied(queue: deque[Any]) -> Iterator[Any]:
    """Yield what is put into a queue, as long as it is asked for right then."""
    while queue:
        yield queue.popleft()


def _problems(taken: deque[Item]) -> Iterator[Explained]:
    while taken and taken[0].problem:
        item = taken.popleft()
        yield Explained(item.number, [], item.problem)


def _alone(explain: Callable[..., Any], item: Item, classes: list[int] | None) -> Explained:
    if item.problem:
        return Explained(item.number, [], item.problem)
    try:
        listed = None if classes is None else [classes]
        (explanations,) = explain(docs=[item.doc], beside=[item.beside], targets=listed)
    except _FAILED as error:
        return Explained(item.number, [], shortened(str(error)))
    return Explained(item.number, explanations)

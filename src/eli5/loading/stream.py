"""Explain a stream of docs, batch by batch and in their order; a bad one does not end it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from eli5.loading.errors import UserError, shortened

if TYPE_CHECKING:
    from eli5.base import Explanation

_WRONG = (TypeError, ValueError)  # what says that something does not fit the model
_FAILED = (*_WRONG, RuntimeError)  # and what PyTorch says, also of a lack of memory


class StreamItem(NamedTuple):
    """One picture or text: its doc, or the problem because of which it cannot be explained."""

    number: int  # its index among all
    doc: Any = None
    metadata: Any = None  # what belongs to the doc, such as the picture
    problem: str = ""
    note: str = ""  # what must be known of it


class StreamResult(NamedTuple):
    """What came of one item: explanations, one per method, or a problem."""

    number: int
    explanations: list[Explanation]
    problem: str = ""
    note: str = ""


def explain_stream(
    explain: Callable[..., Any],
    items: Iterable[StreamItem],
    batch_size: int = 1,
    *,
    has_worked: bool = False,
    try_model: Callable[[], bool] | None = None,
) -> Iterator[StreamResult]:
    """Explain one item after the other; `batch_size` of them are in memory.

    `explain` takes lists of ``docs`` and ``metadata``, and gives what `explain_predictions` does.
    UserError if not one item of the first batch can be explained, unless the model `has_worked`
    before, or `try_model` tells that it does with what it should take: then the items are at fault.
    """
    source = iter(items)
    while batch := list(itertools.islice(source, batch_size)):
        try:
            results = _explain(explain, batch)
        except _FAILED as error:
            # Of the model, and then nothing can be explained; or of an item, such as a picture
            # that is too small for a model that takes any size.
            results = [_explain_alone(explain, item) for item in batch]
            works = has_worked or any(result.explanations for result in results)
            if not (works or (try_model is not None and try_model())):
                if not isinstance(error, _WRONG):
                    raise
                raise UserError(shortened(str(error))) from error
            has_worked = True
        has_worked = has_worked or any(result.explanations for result in results)
        del batch  # before the next is read: the pictures are what takes memory
        while results:
            yield results.pop(0)


def can_explain(explain: Callable[..., Any], item: StreamItem) -> bool:
    """Tell whether one item can be explained."""
    return bool(_explain_alone(explain, item).explanations)


def _explain(explain: Callable[..., Any], batch: Sequence[StreamItem]) -> list[StreamResult]:
    good = [item for item in batch if not item.problem]
    docs, metadata = [item.doc for item in good], [item.metadata for item in good]
    explained = iter(explain(docs=docs, metadata=metadata) if good else ())
    return [
        StreamResult(item.number, [] if item.problem else next(explained), item.problem, item.note)
        for item in batch
    ]


def _explain_alone(explain: Callable[..., Any], item: StreamItem) -> StreamResult:
    try:
        return _explain(explain, [item])[0]
    except _FAILED as error:
        return StreamResult(item.number, [], shortened(str(error)))

"""The spans of a text as nested lists, which is how JSON and `eli5.format_as_dict` show them."""

from __future__ import annotations

from typing import Any

__all__ = ["listed_spans", "tupled_spans"]


def listed_spans(spans: Any, where: str) -> list[Any]:
    """Turn ``[(token, [(start, end), ...], weight), ...]`` into lists.

    A text has thousands of them, and a tuple as such takes three times as much room in a file.

    Raises
    ------
    TypeError
        If it has another shape, which would not come back; the message names the place.
    """
    if type(spans) is not list:
        _refuse(spans, where)
    for k, span in enumerate(spans):
        if not _is_span(span):
            _refuse(span, f"{where}[{k}]")
    return [[token, [list(place) for place in places], weight] for token, places, weight in spans]


def _is_span(span: Any) -> bool:
    is_triple = type(span) is tuple and len(span) == 3
    return (
        is_triple
        and type(span[1]) is list
        and all(type(place) is tuple and len(place) == 2 for place in span[1])
    )


def _refuse(value: Any, where: str) -> None:
    kind = "(token, [(start, end), ...], weight)" if where.endswith("]") else "a list of tuples"
    raise TypeError(
        f"Expected {where} to be {kind}, to be saved. Received: a value of type "
        f"{type(value).__name__}: {value!r:.100}"
    )


def tupled_spans(spans: Any) -> list[Any]:
    """Turn what `listed_spans` gave back; of anything else, raise an error of any type."""
    return [
        (token, [(start, end) for start, end in places], weight) for token, places, weight in spans
    ]

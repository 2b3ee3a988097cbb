"""The tokens of explained texts as rows of a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from eli5.formatters.texts.weighted_text import texts_of, tokens_of

if TYPE_CHECKING:
    from eli5.base import Explanation

__all__ = ["TOKEN_TYPES", "table_text", "token_rows"]

TOKEN_TYPES = {
    "explanation": "int64",
    "method": "string",
    "target": "Int64",
    "class_name": "string",
    "text": "int64",
    "position": "int64",
    "token": "string",
    "start": "Int64",
    "end": "Int64",
    "weight": "float64",
}


def token_rows(number: int, expl: Explanation) -> Iterator[dict[str, Any]]:
    """Yield a row for each target and token; see `eli5.format_as_dataframe`."""
    for target in expl.targets or ():
        is_name = isinstance(target.target, str)
        of_target = {
            "explanation": number,
            "method": table_text(expl.method),
            "target": table_text(target.target) if is_name else target.target,
            "class_name": table_text(target.class_name),
        }
        for text_number, text in enumerate(texts_of(target)):
            for position, token in enumerate(tokens_of(text)):
                start, end = token.places[0] if token.places else (None, None)
                yield of_target | {
                    "text": text_number,
                    "position": position,
                    "token": table_text(token.name),
                    "start": start,
                    "end": end,
                    "weight": token.weight,
                }


def table_text(value: Any) -> str | None:
    """Give a text that can be written to a file: half characters, of odd file names, become "?"."""
    return None if value is None else str(value).encode(errors="replace").decode()

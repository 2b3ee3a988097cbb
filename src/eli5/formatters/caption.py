"""The lines of text over a picture: what is explained, and by what."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import TYPE_CHECKING

from eli5.formatters.fonts import drawable, text_width
from eli5.formatters.labels import number, one_line, target_label, target_name

if TYPE_CHECKING:
    from eli5.base import Explanation, TargetExplanation

_LONGEST_NAME = 160  # letters


def headings(explanations: Sequence[Explanation]) -> list[str]:
    """Name what tells explanations apart: method, layer, model, as far as they differ."""
    facts = [
        [one_line(getattr(expl, name) or "") for expl in explanations]
        for name in ("method", "layer", "estimator")
    ]
    differing = [values for values in facts if len(set(values)) > 1]
    return [" · ".join(filter(None, values)) for values in zip(*differing, strict=True)] or [
        "" for _ in explanations
    ]


def caption_lines(
    heading: str, target: TargetExplanation, font_size: int, width: float
) -> list[str]:
    """Write a heading, and name and score of a target, in at most five lines."""
    # The score has a line of its own, or it would wander to the left of a name that is read right
    # to left.
    texts = [drawable(heading), _drawable_name(target), number(target.score)]
    return [line for text in texts if text for line in wrapped(text, font_size, width)]


def title_lines(
    expl: Explanation, target: TargetExplanation, font_size: int, width: float
) -> list[str]:
    """Write class, score and method in at most four lines, for a figure."""
    kind = "Output" if expl.is_regression else "Class"
    is_number = not target.class_name and not isinstance(target.target, str)
    name = f"{kind} {target_name(target)}" if is_number else _drawable_name(target)
    score = f"score {number(target.score)}" if target.score is not None else ""
    facts = " · ".join(fact for fact in (score, drawable(one_line(expl.method or ""))) if fact)
    return [line for text in (name, facts) if text for line in wrapped(text, font_size, width)]


def _drawable_name(target: TargetExplanation) -> str:
    """Name a target in letters that can be drawn, and by its class id where some cannot."""
    name = target_name(target)[:_LONGEST_NAME]
    return name if drawable(name) == name else drawable(target_label(target)[:_LONGEST_NAME])


def wrapped(text: str, font_size: int, width: float) -> list[str]:
    """Break a text into at most two lines of a width, the second cut short if need be."""
    head = _fitting(text, font_size, width)
    if head == text:
        return [text]
    if " " in head and text[len(head)] != " ":
        head = head.rpartition(" ")[0]
    rest = text[len(head) :].strip()
    if _fitting(rest, font_size, width) != rest:
        rest = _fitting(rest, font_size, width - text_width("…", font_size)).rstrip() + "…"
    return [head.rstrip(), rest]


def _fitting(text: str, font_size: int, width: float) -> str:
    """Return as much of a text's beginning as has room."""
    lengths = range(1, len(text) + 1)
    n_fitting = bisect_right(lengths, width, key=lambda n: text_width(text[:n], font_size))
    return text[: max(n_fitting, 1)]  # one letter at least, however narrow it is

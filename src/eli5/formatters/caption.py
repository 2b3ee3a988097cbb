"""The lines of text over a picture: what is explained, and by what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from eli5.formatters.fonts import drawable, text_width, write
from eli5.formatters.labels import number, one_line, target_label, target_name

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from eli5.base import Explanation, TargetExplanation

__all__ = [
    "Line",
    "caption_height",
    "draw_caption",
    "heading_lines",
    "headings",
    "name_lines",
    "title_lines",
]

_LONGEST_NAME = 160  # letters
_FACTS = ("method", "layer", "estimator")


class Line(NamedTuple):
    """A line of a caption; the score is written apart, behind the text."""

    text: str
    score: str = ""
    bold: bool = False


def headings(explanations: Sequence[Explanation]) -> list[str]:
    """Name what tells explanations apart: method, layer, model, as far as they differ."""
    facts = [[one_line(getattr(expl, name) or "") for expl in explanations] for name in _FACTS]
    differing = [values for values in facts if len(set(values)) > 1]
    return [
        " · ".join(values[k] for values in differing if values[k]) for k in range(len(explanations))
    ]


def heading_lines(heading: str, font_size: int, width: float) -> list[Line]:
    """Write a heading in at most two bold lines, or none if it is empty."""
    parts = _wrapped(drawable(heading), font_size, width, width, bold=True) if heading else []
    return [Line(part, bold=True) for part in parts]


def name_lines(target: TargetExplanation, font_size: int, width: float) -> list[Line]:
    """Write name and score of a target in at most two lines, the name cut short if it must be."""
    score = number(target.score)
    # Written apart, or the score would wander to the left of a name that is read right to left.
    room = width - text_width(score, font_size) - _space(font_size) if score else width
    *head, last = _wrapped(_drawable_name(target), font_size, width, room)
    return [*map(Line, head), Line(last, score)]


def title_lines(
    expl: Explanation, target: TargetExplanation, font_size: int, width: float
) -> list[str]:
    """Write class, score and method in at most four lines, for a figure."""
    kind = "Output" if expl.is_regression else "Class"
    is_number = not target.class_name and not isinstance(target.target, str)
    name = f"{kind} {target_name(target)}" if is_number else _drawable_name(target)
    score = f"score {number(target.score)}" if target.score is not None else ""
    facts = " · ".join(fact for fact in (score, drawable(one_line(expl.method or ""))) if fact)
    return [
        line for text in (name, facts) if text for line in _wrapped(text, font_size, width, width)
    ]


def caption_height(lines: Sequence[Line], font_size: int) -> int:
    """Return the height of lines with the space below them, in pixels."""
    return round((1.3 * len(lines) + 0.3) * font_size) if lines else 0


def draw_caption(
    draw: ImageDraw, corner: tuple[int, int], lines: Sequence[Line], font_size: int
) -> None:
    """Write lines in black; `corner` is the upper left one of the first."""
    x, y = corner
    for k, line in enumerate(lines):
        place = x, y + round(1.3 * k * font_size)
        write(draw, place, line.text, font_size, line.bold)
        if line.score:
            behind = text_width(line.text, font_size) + _space(font_size) if line.text else 0
            write(draw, (x + behind, place[1]), line.score, font_size)


def _space(font_size: int) -> float:
    return 0.7 * font_size


def _drawable_name(target: TargetExplanation) -> str:
    """Name a target in letters that can be drawn, and by its class id where some cannot."""
    name = target_name(target)[:_LONGEST_NAME]
    return name if drawable(name) == name else drawable(target_label(target)[:_LONGEST_NAME])


def _wrapped(
    text: str, size: int, width: float, last_width: float, bold: bool = False
) -> list[str]:
    """Break a text into at most two lines, the last of another width and cut short if need be."""
    if text_width(text, size, bold) <= last_width:
        return [text]
    head = _cut(text, size, width, bold)
    if " " in head and len(head) < len(text) and text[len(head)] != " ":
        head = head.rpartition(" ")[0]
    rest = text[len(head) :].strip()
    if text_width(rest, size, bold) > last_width:
        rest = _cut(rest, size, last_width - text_width("…", size, bold), bold).rstrip() + "…"
    return [head.rstrip(), rest]


def _cut(text: str, size: int, width: float, bold: bool) -> str:
    """Return as much of a text's beginning as has room."""
    fitting = (k for k in range(len(text), 0, -1) if text_width(text[:k], size, bold) <= width)
    return text[: next(fitting, 0)]

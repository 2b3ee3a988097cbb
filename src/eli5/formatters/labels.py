"""Names and numbers as all formats show them, with nothing in them that could do harm."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unicodedata import category

from eli5.checks import as_float

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.base import Explanation, Grade, TargetExplanation

_UNSHOWN = ("Cc", "Cs")
# Embeddings, overrides and isolates, and what ends them (Unicode Standard Annex 9, table 4).
_BIDI_CONTROLS = dict.fromkeys([*range(0x202A, 0x202F), *range(0x2066, 0x206A)], "\ufffd")


def is_against(target: TargetExplanation) -> bool:
    """Tell whether a target's heatmap and weights show what speaks against it."""
    return target.sign == "negative"


def headings(explanations: Sequence[Explanation]) -> list[str]:
    """Name what tells explanations apart: source, method, layer, model, as far as they differ."""
    names = ("source", "method", "layer", "estimator")
    facts = [[one_line(getattr(expl, name) or "") for expl in explanations] for name in names]
    differing = [values for values in facts if len(set(values)) > 1]
    lines = [" · ".join(filter(None, values)) for values in zip(*differing, strict=True)]
    return lines or [""] * len(explanations)


def target_label(target: TargetExplanation) -> str:
    """Name what is shown of a target with its class id, ``"tabby (281)"``.

    By the id alone if it has no name; ``"against tabby (281)"`` if that speaks against it.
    """
    return f"against {_label(target)}" if is_against(target) else _label(target)


def of_target(target: TargetExplanation) -> str:
    """Say whose heatmap it is: ``"of tabby (281)"``, or ``"against tabby (281)"``."""
    return f"{'against' if is_against(target) else 'of'} {_label(target)}"


def _label(target: TargetExplanation) -> str:
    name, class_id = class_name(target), one_line(target.target)
    label = class_id if name == class_id else f"{name} ({class_id})"
    return f"{label} {where(target)}".rstrip()


def where(target: TargetExplanation) -> str:
    """Say which place a target is about: ``"over 412 pixels"``; nothing if it is none.

    Nor of one whose name says it already, as a contrast's does.
    """
    if target.region is None or isinstance(target.target, str):
        return ""
    return one_line(target.region.phrase)


def target_name(target: TargetExplanation) -> str:
    """Name what is shown of a target in one line: ``"tabby"``, or ``"against tabby"``.

    With the place that it is about, if it is one: ``"dog over 412 pixels"``.
    """
    name = f"{class_name(target)} {where(target)}".rstrip()
    return f"against {name}" if is_against(target) else name


def class_name(target: TargetExplanation) -> str:
    """Name a target in one line: its class name, or the class id if it has none."""
    return one_line(target.class_name or "") or one_line(target.target)


def target_numbers(target: TargetExplanation) -> dict[str, str]:
    """Return the numbers of a target by what they are, each once, and which one is explained.

    A score that is a probability is that alone, and a number that is explained says so:
    ``{"Probability": "0.9700", "Log-odds (explained)": "3.476"}``. Its grade comes last.
    """
    numbers = {"Score": target.score, "Probability": target.proba}
    if _is_same(target.score, target.proba):
        del numbers["Score"]
    if target.explained is not None:
        own = one_line(target.explained_name or "number")
        others = (name for name, value in numbers.items() if _is_same(value, target.explained))
        explained = next(others, f"{own[:1].upper()}{own[1:]}")
        numbers[explained] = target.explained
        numbers = {
            f"{name} (explained)" if name == explained else name: value
            for name, value in numbers.items()
        }
    shown = {name: number(value) for name, value in numbers.items() if value is not None}
    return shown if target.grade is None else {**shown, "Grade": grade_in_words(target.grade)}


def grade_in_words(grade: Grade) -> str:
    """Write a grade: ``"0.93, supported"``; without a value the verdict alone."""
    verdict = one_line(grade.verdict)
    return verdict if grade.value is None else f"{as_float(grade.value):.2f}, {verdict}"


def grade_parts(grade: Grade) -> str:
    """Say in one line what a grade is made of, what could not be asked, and what it took."""
    parts = [
        f"{one_line(name)} {'not asked' if part is None else f'{as_float(part):.2f}'}"
        for name, part in grade.parts.items()
    ]
    passes = [f"{grade.passes} passes"] if grade.passes else []
    return " ".join(filter(None, [", ".join([*parts, *passes]), one_line(grade.reason)]))


def score_and_explained(target: TargetExplanation) -> str:
    """Write the score, and the number that is explained where it is another, in little room.

    ``"0.9700 · log-odds 3.476"``.
    """
    explained = target.explained if not _is_same(target.score, target.explained) else None
    name = one_line(target.explained_name or "explained")
    parts = number(target.score), f"{name} {number(explained)}" if explained is not None else ""
    return " · ".join(filter(None, parts))


def _is_same(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return False
    one, other = as_float(one), as_float(other)  # those of NumPy may overflow beside each other
    return one == other or (one != one and other != other)


def number(value: float | None) -> str:
    """Write a number with four significant digits, or nothing for ``None``."""
    if value is None:
        return ""
    value = as_float(value)
    if 9999.5 <= abs(value) < 1e7:
        return f"{value:.0f}"  # where "g" would turn to 1.235e+04
    return f"{value:#.4g}".removesuffix(".")


def signed_number(value: float) -> str:
    """Write a number as `number` does, with its sign."""
    return number(value) if value < 0 else f"+{number(value)}"


def one_line(text: object) -> str:
    """Join the lines of a name, and replace what cannot be shown; see `printable`."""
    return printable(" ".join(str(text).split()))


def printable(text: object) -> str:
    r"""Replace what no terminal, page or font can show: control characters and half surrogates.

    They come from class names read off odd file names, and could otherwise drive the terminal.
    Every kind of line break becomes ``"\n"``.
    """
    lines = "\n".join(str(text).splitlines())
    return "".join(c if c in "\n\t" or category(c) not in _UNSHOWN else "\ufffd" for c in lines)


def printable_part(text: str) -> str:
    """Do as `printable` does with a part of a text, which may end in a line break that counts."""
    if text.isprintable():
        return text
    return printable(f"{text}|")[:-1]


def without_bidi_controls(text: str) -> str:
    """Replace, for a terminal, the characters that turn the rest of its row around.

    HTML keeps what they do to a name inside of an element, ``<bdi>``; a terminal has nothing like
    it. Letters that are written from right to left say that themselves, and need none of these.
    """
    return text.translate(_BIDI_CONTROLS)

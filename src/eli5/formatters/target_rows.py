"""The targets of an explanation as rows in HTML, each with its heat layer."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.series.peaks import peak_note
from eli5.formatters.text import number, one_line, target_label, target_name

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.base import Explanation, TargetExplanation
    from eli5.formatters.overlay.data_uri import Room

__all__ = ["escaped", "target_choice", "target_facts", "target_rows"]


def target_rows(expl: Explanation, room: Room | None) -> str:
    """Format the targets of an explanation.

    Parameters
    ----------
    expl : Explanation
        See `eli5.format_as_html`.
    room : Room or None
        See `eli5.formatters.overlay.data_uri.heat_layer`; ``None`` if there is no picture.

    Returns
    -------
    str
        One row per target: heat layer, name, score and probability. Where there is a layer to
        choose, each row is a radio button; the style sheet shows the layer behind the checked one.
        Empty if there is no target.
    """
    if not expl.targets:
        return ""
    layers = [_layer(expl, target, room) for target in expl.targets]
    if len(layers) == 1 or not any(layers):
        rows = [
            f'<div class="eli5-target">{layer}{target_facts(expl, target)}</div>'
            for target, layer in zip(expl.targets, layers, strict=True)
        ]
        return _joined('<div class="eli5-targets">', rows, "</div>")
    legend = f"<legend>Heatmap of the {_kind(expl).lower()}</legend>"
    rows = [
        target_choice(expl, target, layer, checked=k == 0)
        for k, (target, layer) in enumerate(zip(expl.targets, layers, strict=True))
    ]
    return _joined(f'<fieldset class="eli5-targets">{legend}', rows, "</fieldset>")


def _joined(begin: str, rows: Sequence[str], end: str) -> str:
    return "\n".join([begin, *rows, end])


def target_choice(
    expl: Explanation, target: TargetExplanation, layer: str = "", *, checked: bool
) -> str:
    """Make a radio button of a target, with its heat layer and facts."""
    state = " checked" if checked else ""
    return (
        '<label class="eli5-target">'
        f'<input type="radio" name="target"{state} aria-label="{_label(target)}">'
        f"{layer}{target_facts(expl, target)}</label>"
    )


def _layer(expl: Explanation, target: TargetExplanation, room: Room | None) -> str:
    if room is None or not has_canvas(expl) or target.heatmap is None:
        return ""
    if expl.image is None:
        from eli5.formatters.series.html import series_layer  # needs Pillow and matplotlib

        source, place = series_layer(expl, target, room), "behind the series"
    else:
        from eli5.formatters.overlay.data_uri import heat_layer
        from eli5.formatters.overlay.options import default_percentile

        source = heat_layer(target.heatmap, expl.image, room, default_percentile(expl))
        place = "laid over the picture"
    if source is None:
        return ""
    method = f"{expl.method} heatmap" if expl.method else "Heatmap"
    note = peak_note(expl, target)
    alt = escaped(f"{method} of {target_label(target)}, {place}{note and f'; {note}'}")
    return f'<img class="eli5-layer" alt="{alt}" src="{source}">'


def _label(target: TargetExplanation) -> str:
    facts = [f"{key.lower()} {value}" for key, value in _numbers(target).items()]
    return escaped(", ".join([target_label(target), *facts]))


def target_facts(expl: Explanation, target: TargetExplanation) -> str:
    """Name a target, with its numbers; one without a name is "Class 281"."""
    class_id, kind = one_line(target.target), _kind(expl)
    is_named = target_name(target) != class_id
    title = target_name(target) if is_named or isinstance(target.target, str) else ""
    parts = [
        f"<b><bdi>{escaped(title or f'{kind} {class_id}')}</bdi></b>",
        f'<span class="eli5-id">{kind.lower()} {escaped(class_id)}</span>' if is_named else "",
        _bar(target.proba),
        " ".join(f"<span>{key} {value}</span>" for key, value in _numbers(target).items()),
        _note(expl, target),
    ]
    return '<span class="eli5-facts">{}</span>'.format(" ".join(part for part in parts if part))


def _kind(expl: Explanation) -> str:
    return "Output" if expl.is_regression else "Class"


def _numbers(target: TargetExplanation) -> dict[str, str]:
    numbers = {"Score": number(target.score), "Probability": number(target.proba)}
    return {key: value for key, value in numbers.items() if value}


def _bar(probability: float | None) -> str:
    if probability is None or not 0 <= probability <= 1:
        return ""
    return (
        '<svg class="eli5-bar" viewBox="0 0 100 1" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect width="{100 * probability:.4g}" height="1"/></svg>'
    )


def _note(expl: Explanation, target: TargetExplanation) -> str:
    """Say why there is no heat to be seen on the picture, or where it is on a series."""
    if not has_canvas(expl):
        return ""
    if target.heatmap is not None and target.heatmap.any():
        note = peak_note(expl, target)
        return f"<span>{escaped(note[0].upper() + note[1:])}</span>" if note else ""
    what = "No heatmap" if target.heatmap is None else "The heatmap is empty"
    return f'<span class="eli5-note">{what}</span>'


def escaped(text: object) -> str:
    """Escape a name, in one line."""
    return escape(one_line(text), quote=True)

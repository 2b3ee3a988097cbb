"""One explanation as a card in HTML: its picture, what is explained, and how it is shown."""

from __future__ import annotations

from functools import cache
from html import escape
from typing import TYPE_CHECKING

from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.target_rows import escaped, target_rows
from eli5.formatters.text import printable, target_label
from eli5.formatters.texts.text_rows import text_legend, text_rows
from eli5.formatters.texts.weighted_text import has_texts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from eli5.base import Explanation
    from eli5.formatters.overlay.data_uri import Room

__all__ = ["card", "has_layers", "legend", "open_form", "slider"]

_FEW_PIXELS = 64  # a side of so many is shown with its pixels, larger pictures are smoothed

# A form keeps its radio buttons apart from those of all others on a page without any id, which
# would have to differ between equal explanations. A dialog's form goes nowhere when it is sent.
_FORM = '<form class="{classes}" method="dialog" autocomplete="off"{more}>'


def card(expl: Explanation, room: Room | None, shared: Mapping[str, str] | None = None) -> str:
    """Format one explanation as a card.

    Parameters
    ----------
    expl : Explanation
        See `eli5.format_as_html`.
    room : Room or None
        How large picture and heat layers may be; ``None`` if there is no picture.
    shared : mapping, optional
        The ``estimator`` and the beginning of the ``description`` that a gallery names for all of
        its cards, so that none repeats them; also the gallery shows the legend. ``None`` for a card
        on its own.

    Returns
    -------
    str
        A ``<form>`` with the picture, the heat layer and facts of each target, and the rest of the
        explanation as text.
    """
    picture = "" if room is None else _picture(expl, room)
    rows = text_rows(expl) if has_texts(expl) else target_rows(expl, room)
    parts = [
        open_form(_classes(expl), _label(expl) + _ratio(expl)),
        picture,
        '<div class="eli5-side">',
        _facts(expl, shared or {}),
        _error(expl),
        _text_controls(expl) if shared is None and has_texts(expl) else "",
        rows,
        _controls(expl, is_alone=shared is None) if has_layers(rows) else "",
        _description(expl, shared or {}),
        _cut_off(expl) if has_layers(rows) else "",
        "</div>",
        "</form>",
    ]
    return "\n".join(part for part in parts if part)


def has_layers(html: str) -> bool:
    """Tell whether there is a heat layer in it, whatever names stand there, too."""
    return 'class="eli5-layer"' in html


def open_form(classes: str, more: str = "") -> str:
    """Open a form whose radio buttons are on their own and which is never sent."""
    return _FORM.format(classes=classes, more=more)


def slider() -> str:
    """Return the opacity slider; it shows itself only where scripts run."""
    from eli5.formatters.overlay.data_uri import DEFAULT_OPACITY  # needs Pillow and matplotlib

    percent = round(DEFAULT_OPACITY * 100)
    return (
        f'<label class="eli5-slider">Opacity <input type="range" min="0" max="100" step="5" '
        f'value="{percent}" aria-label="Opacity of the heatmap in percent">'
        f"<output>{percent} %</output></label>"
    )


@cache
def legend() -> str:
    """Return the colours of the heatmap from 0 to 1."""
    from eli5.formatters.overlay.data_uri import legend_colours

    alt = "from dark violet over green to yellow"
    return (
        '<span class="eli5-legend">Heatmap <span>0</span>'
        f'<img alt="{alt}" src="{legend_colours()}"><span>1</span></span>'
    )


def _classes(expl: Explanation) -> str:
    if expl.image is None:
        kinds = {"eli5-read": has_texts(expl), "eli5-wide eli5-series": expl.series is not None}
        return " ".join(["eli5-card", *(kind for kind, fits in kinds.items() if fits)])

    from eli5.formatters.sheet import is_wide

    kinds = {
        "eli5-card": True,
        "eli5-wide": is_wide(expl.image),  # a strip of many small slices would be too low
        "eli5-small": max(expl.image.size) <= _FEW_PIXELS,
    }
    return " ".join(kind for kind, fits in kinds.items() if fits)


def _label(expl: Explanation) -> str:
    shown = [expl.method or "Explanation", *(target_label(t) for t in (expl.targets or [])[:1])]
    return f' role="group" aria-label="{escaped(": ".join(shown))}"'


def _ratio(expl: Explanation) -> str:
    """Give the shape of the picture and all layers; their own may differ, for they are rounded."""
    if not has_canvas(expl):
        return ""
    size = _chart_size(expl) if expl.image is None else expl.image.size
    return f' style="--eli5-ratio: {size[0]} / {size[1]}"'


def _chart_size(expl: Explanation) -> tuple[int, int]:
    from eli5.formatters.series.picture import chart_size  # needs Pillow and matplotlib

    return chart_size(expl)


def _picture(expl: Explanation, room: Room) -> str:
    if not has_canvas(expl):
        return ""
    if expl.image is None:
        from eli5.formatters.series.html import series_picture, series_words

        alt, source = escaped(series_words(expl)), series_picture(expl)
        return f'<img class="eli5-picture" alt="{alt}" src="{source}">'

    from eli5.formatters.overlay.data_uri import picture_layer

    source = picture_layer(expl.image, room)
    return f'<img class="eli5-picture" alt="The explained picture" src="{source}">'


def _facts(expl: Explanation, shared: Mapping[str, str]) -> str:
    facts = {"model": "" if "estimator" in shared else expl.estimator, "layer": expl.layer}
    rest = " · ".join(f"{key} <bdi>{escaped(fact)}</bdi>" for key, fact in facts.items() if fact)
    method = f"<b>{escaped(expl.method)}</b>" if expl.method else ""
    parts = " ".join(part for part in (method, rest and f"<span>{rest}</span>") if part)
    return f'<p class="eli5-head">{parts}</p>' if parts else ""


def _error(expl: Explanation) -> str:
    return f'<p class="eli5-error"><b>Error</b>: {_lines(expl.error)}</p>' if expl.error else ""


def _controls(expl: Explanation, *, is_alone: bool) -> str:
    # A series has its legend in the chart.
    parts = [slider(), legend()] if is_alone and expl.image is not None else [slider()]
    return '<div class="eli5-controls">{}</div>'.format("\n".join(parts))


def _text_controls(expl: Explanation) -> str:
    return f'<div class="eli5-controls">{text_legend([expl])}</div>'


def _description(expl: Explanation, shared: Mapping[str, str]) -> str:
    rest = (expl.description or "").removeprefix(shared.get("description", "")).strip()
    return f'<p class="eli5-description">{_lines(rest)}</p>' if rest else ""


def _cut_off(expl: Explanation) -> str:
    """Say so where the legend's 1 is not the heatmap's."""
    from eli5.formatters.overlay.options import default_percentile

    share = 100 - default_percentile(expl)
    text = f"The strongest {share:g} % of the pixels are drawn alike."
    return f'<p class="eli5-description">{text}</p>' if share else ""


def _lines(text: object) -> str:
    return escape(printable(text), quote=True)

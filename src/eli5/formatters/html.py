"""Format explanations as HTML: a fragment for a notebook cell, or a whole page."""

from __future__ import annotations

import hashlib
import itertools
import re
from base64 import b64encode
from collections.abc import Iterable
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from eli5.base import Explanation
from eli5.formatters.card import card, has_layers, legend, open_form, slider
from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.target_rows import escaped
from eli5.formatters.texts.text_rows import text_legend
from eli5.formatters.texts.weighted_text import has_texts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from eli5.formatters.overlay.data_uri import Room

    Several = Iterable[Explanation | Iterable[Explanation]]

__all__ = ["format_as_html", "format_as_page"]

_LINK = '<label class="eli5-link"><input type="checkbox" checked>Same for all</label>'

_POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
    "base-uri 'none'; form-action 'none'"
)

_PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
{styles}
</head>
<body>
<main>
<h1><bdi>{title}</bdi></h1>
{body}
</main>
{script}
</body>
</html>
"""


def format_as_html(expl: Explanation | Several, include_styles: bool = True) -> str:
    """Format one or several explanations as an HTML fragment that needs nothing else.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation, with or without targets, a picture or an error; or several, as ``methods=``
        and `eli5.explain_predictions` give. Lists in it are taken apart.
    include_styles : bool
        Whether the fragment comes with its ``<style>`` and its ``<script>``. All rules are about
        the class ``eli5-explanation``. Once per page is enough.

    Returns
    -------
    str
        For one explanation: the picture, or the series drawn as one, and over it the heatmap of the
        target chosen by a radio button; class, score and probability of each target; model, method,
        layer and description; a slider for the heatmap's opacity and a legend. Of a text, for each
        target the text with its words coloured by their weights, which the tooltips tell; that
        needs neither Pillow nor matplotlib. For several explanations: a grid of such cards with one
        slider for all. The script only moves the opacity; without it the heatmaps look as
        `eli5.format_as_image` draws them. No reference to anything outside, and all text escaped.

    Raises
    ------
    TypeError
        If `expl` holds anything but explanations.
    TypeError, ValueError
        If an image, a series or a heatmap cannot be drawn; see `eli5.format_as_image`.
    """
    explanations = list(_flat(expl))
    body = _body(explanations)
    return f"{_styles(explanations)}\n{body}\n{_script()}" if include_styles else body


def format_as_page(expl: Explanation | Several, title: str = "What the model looked at") -> str:
    """Format one or several explanations as a complete HTML document.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        See `format_as_html`.
    title : str
        Title of the document, and its headline.

    Returns
    -------
    str
        A document in one piece that works from a file; write it with ``encoding="utf-8"``. Its
        Content-Security-Policy forbids any request, and any script but its own.

    Raises
    ------
    TypeError, ValueError
        See `format_as_html`.
    """
    explanations = list(_flat(expl))
    return _PAGE.format(
        policy=_POLICY.format(digest=_digest(_asset("eli5.js"))),
        title=escaped(title),
        styles=_styles(explanations, "page.css"),
        body=_body(explanations),
        script=_script(),
    )


def _flat(expl: Any) -> Iterator[Explanation]:
    if isinstance(expl, Explanation):
        yield expl
    elif isinstance(expl, Iterable) and not isinstance(expl, str | bytes):
        for one in expl:
            yield from _flat(one)
    else:
        raise TypeError(
            "Expected an Explanation, or several of them. "
            f"Received: {expl!r} of type {type(expl).__name__}. "
            "eli5.explain_prediction gives an Explanation."
        )


def _body(explanations: Sequence[Explanation]) -> str:
    if not explanations:
        return f"{_open_section('')}\n<p>No explanations</p>\n</section>"
    room = _room(explanations)
    if len(explanations) == 1:
        return f"{_open_section('')}\n{card(explanations[0], room)}\n</section>"
    shared = _shared(explanations)
    cards = [card(one, room, shared) for one in explanations]
    reading = [one for one in explanations if has_texts(one)]
    has_heat = any(map(has_layers, cards))
    has_pictures = any(one.image is not None for one in explanations)
    legends = [legend()] if has_heat and has_pictures else []  # a series has its own in the chart
    legends += [text_legend(reading)] if reading else []
    parts = [
        _open_section(" eli5-gallery eli5-reading" if reading else " eli5-gallery"),
        _shared_facts(shared),
        _toolbar(len(cards), legends, has_slider=has_heat) if has_heat or legends else "",
        '<div class="eli5-grid">',
        *cards,
        "</div>",
        "</section>",
    ]
    return "\n".join(part for part in parts if part)


def _room(explanations: Sequence[Explanation]) -> Room | None:
    shown = [one for one in explanations if has_canvas(one)]
    if not shown:
        return None

    from eli5.formatters.overlay.data_uri import room_on_page  # needs Pillow and matplotlib

    return room_on_page(len(shown), sum(len(one.targets or []) for one in shown))


def _open_section(kind: str) -> str:
    # JupyterLab would take the arrow keys for itself: they choose a cell there.
    keys = 'data-lm-suppress-shortcuts="true"'
    return f'<section class="eli5-explanation{kind}" dir="ltr" {keys}>'


def _shared(explanations: Sequence[Explanation]) -> dict[str, str]:
    """Return what all cards would say alike: the model, and the first sentences about the maps."""
    shared = {}
    if len({one.estimator for one in explanations}) == 1:
        shared["estimator"] = explanations[0].estimator
    texts = [one.description or "" for one in explanations if not one.error]
    sentences = zip(*(re.split(r"(?<=\.)\s", text) for text in texts), strict=False)
    alike = itertools.takewhile(lambda row: len(set(row)) == 1, sentences)
    description = " ".join(row[0] for row in alike)
    return shared | ({"description": description} if description else {})


def _shared_facts(shared: Mapping[str, str]) -> str:
    facts = [
        f"model <bdi>{escaped(shared['estimator'])}</bdi>" if "estimator" in shared else "",
        escaped(shared.get("description", "")),
    ]
    shown = "<br>".join(fact for fact in facts if fact)
    return f'<p class="eli5-description">{shown}</p>' if shown else ""


def _toolbar(n_cards: int, legends: Sequence[str], *, has_slider: bool) -> str:
    sliders = [slider(), _LINK] if has_slider else []
    parts = [*sliders, *legends, f'<span class="eli5-count">{n_cards} explanations</span>']
    return "\n".join([open_form("eli5-toolbar eli5-controls"), *parts, "</form>"])


@cache
def _asset(name: str) -> str:
    folder = resources.files(__package__) / "templates"
    return folder.joinpath(name).read_text(encoding="utf-8").strip()


def _styles(explanations: Sequence[Explanation], *more: str) -> str:
    names = ["eli5.css", *(["text.css"] if any(map(has_texts, explanations)) else []), *more]
    return "<style>\n{}\n</style>".format("\n".join(map(_asset, names)))


def _script() -> str:
    return f"<script>{_asset('eli5.js')}</script>"


def _digest(script: str) -> str:
    return b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")

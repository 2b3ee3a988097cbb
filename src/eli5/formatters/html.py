"""Format explanations as HTML: a fragment for a notebook cell, or a whole page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from eli5.base import Explanation, flattened
from eli5.formatters.card import Data, card_data
from eli5.formatters.jinja import render
from eli5.formatters.overlay.drawable import has_canvas

if TYPE_CHECKING:
    from collections.abc import Sequence

    from eli5.formatters.overlay.data_uri import PixelBudget

    Several = Iterable[Explanation | Iterable[Explanation]]


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
    return render("fragment.html", include_styles=include_styles, **_section_data(expl))


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
    return format_as_linked_page(expl, title, links=())


def format_as_linked_page(
    expl: Explanation | Several, title: str, links: Sequence[tuple[str, str]]
) -> str:
    """Format a page as `format_as_page` does, with links above and below the explanations.

    Each link is a text and an address, which is empty for what is not to be followed.
    """
    return render("page.html", title=title, links=links, **_section_data(expl))


def _section_data(expl: Explanation | Several) -> Data:
    """Give the values of ``templates/section.html``."""
    explanations = list(flattened(expl))
    shared = _shared(explanations if len(explanations) > 1 else [])
    budget = _pixel_budget(explanations)
    cards = [card_data(one, budget, shared) for one in explanations]
    has_heat = any(card["has_heat"] for card in cards)
    text_cards = [card for card in cards if card["is_text"]]
    return {
        "cards": cards,
        "shared": shared,
        "heat": _heat_controls(explanations) if has_heat else None,
        "words": _word_legend(text_cards) if text_cards else None,
    }


def _shared(explanations: Sequence[Explanation]) -> Data:
    """Return what all cards would say alike: the model, and the first sentences about the maps."""
    models = {one.estimator for one in explanations}
    # A failed one has no sentences about its maps, and is not to keep the others from sharing.
    texts = [one.description or "" for one in explanations if not one.error]
    sentences = zip(*(re.split(r"(?<=\.)\s", text) for text in texts), strict=False)
    alike = itertools.takewhile(lambda row: len(set(row)) == 1, sentences)
    return {
        "model": models.pop() if len(models) == 1 else None,
        "description": " ".join(row[0] for row in alike),
    }


# What needs Pillow and matplotlib is imported only where there is a picture or a series.
def _pixel_budget(explanations: Sequence[Explanation]) -> PixelBudget | None:
    shown = [one for one in explanations if has_canvas(one)]
    if not shown:
        return None

    from eli5.formatters.overlay.data_uri import pixel_budget

    return pixel_budget(len(shown), sum(len(one.targets or []) for one in shown))


def _heat_controls(explanations: Sequence[Explanation]) -> Data:
    from eli5.formatters.overlay.data_uri import DEFAULT_OPACITY, legend_colours

    has_pictures = any(one.image is not None for one in explanations)
    colours = legend_colours() if has_pictures else None  # a series has its legend in the chart
    return {"percent": round(DEFAULT_OPACITY * 100), "colours": colours}


def _word_legend(text_cards: Sequence[Data]) -> Data:
    """Say what the colours mean, with the largest weight where there is one explanation.

    "Against" is there only if something speaks against: many methods never show that.
    """
    targets = [target for card in text_cards for target in card["targets"]]
    return {
        "has_against": any(text["has_against"] for one in targets for text in one["texts"]),
        "strongest": text_cards[0]["largest_weight"] if len(text_cards) == 1 else 0.0,
    }

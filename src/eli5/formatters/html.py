"""Format explanations as HTML: a fragment for a notebook cell, or a whole page."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation
from eli5.checks import expect_flag, expect_type
from eli5.formatters.explanation_fields import flattened
from eli5.formatters.jinja import render
from eli5.formatters.labels import (
    class_name,
    grade_parts,
    is_against,
    one_line,
    printable_part,
    signed_number,
    target_label,
    target_numbers,
    where,
)
from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.series.timeline import peaks_in_words
from eli5.formatters.texts.weighted_text import (
    Token,
    has_texts,
    heaviest,
    largest_weight,
    parts_of,
    texts_of,
    token_name,
    tokens_of,
    tokens_outside,
)

if TYPE_CHECKING:
    from eli5.formatters.overlay.data_uri import PixelBudget

    Several = Iterable[Explanation | Iterable[Explanation]]

Data = dict[str, Any]
"""The values of a template, by the names that stand there."""

Word = tuple[str, str, str, str]
"""The tag of a word, its share of the largest weight, its tooltip, and the word."""

_FEW_PIXELS = 64  # a side of so many is shown with its pixels, larger pictures are smoothed
_MOST_STRONGEST = 5
_MOST_OUTSIDE = 20  # tokens that are not in the text
_MOST_IN_TOOLTIP = 4


def format_as_html(
    expl: Explanation | Several,
    include_styles: bool = True,
    *,
    resampling_filter: int | None = None,
    colormap: str | Callable[..., Any] | None = None,
    alpha_limit: float | None = 0.65,
    percentile: float | None = None,
    signed: bool = False,
) -> str:
    """Format one or several explanations as an HTML fragment that needs nothing else.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        An explanation, with or without targets, a picture or an error; or several, as ``methods=``
        and `eli5.explain_predictions` give. Lists in it are taken apart.
    include_styles : bool
        Whether the fragment comes with its ``<style>`` and its ``<script>``. All rules are about
        the class ``eli5-explanation``. Once per page is enough.
    resampling_filter, colormap, alpha_limit, percentile, signed
        How heatmaps look, as in `eli5.format_as_image`; what is None there by default or here is as
        if it were not given, but that an `alpha_limit` of None is no limit. It is where the slider
        stands at first. Texts have colours of their own.

    Returns
    -------
    str
        For one explanation: the picture, or the series drawn as one, and over it the heatmap of the
        target chosen by a radio button; class, score and probability of each target; model, method,
        layer and description; a slider for the heatmap's opacity and a legend, which shows the
        colours as they are over a picture. Of a text, for each
        target the text with its words coloured by their weights, which the tooltips tell; that
        needs neither Pillow nor matplotlib. For several explanations: a grid of such cards, each
        headed by its ``source``, with one slider for all. What is equal on all of them stands once
        at the top, and those with an error are listed with their reason. They can be enlarged,
        filtered by their first class, and sorted by source, probability and the grade of their
        first target, if it has one. A script does that and moves the opacity; without it the
        heatmaps look as `eli5.format_as_image` draws them. No reference to anything outside, and
        all text escaped.

    Raises
    ------
    TypeError
        If `expl` holds anything but explanations.
    TypeError, ValueError
        If an image, a series or a heatmap cannot be drawn; see `eli5.format_as_image`.
    """
    expect_flag("include_styles", include_styles)
    look = _look(resampling_filter, colormap, alpha_limit, percentile, signed)
    return render("fragment.html", include_styles=include_styles, **section_data(expl, look))


def format_as_page(
    expl: Explanation | Several,
    title: str = "What the model looked at",
    *,
    resampling_filter: int | None = None,
    colormap: str | Callable[..., Any] | None = None,
    alpha_limit: float | None = 0.65,
    percentile: float | None = None,
    signed: bool = False,
) -> str:
    """Format one or several explanations as a complete HTML document.

    Parameters
    ----------
    expl : Explanation or iterable of Explanation
        See `format_as_html`.
    title : str
        Title of the document, and its headline.
    resampling_filter, colormap, alpha_limit, percentile, signed
        See `format_as_html`.

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
    look = _look(resampling_filter, colormap, alpha_limit, percentile, signed)
    return format_as_linked_page(expl, title, links=(), look=look)


def _look(
    resampling_filter: Any, colormap: Any, alpha_limit: Any, percentile: Any, signed: Any
) -> Data:
    """Bring together how heatmaps are to look; it is checked where there is one to be drawn."""
    look = {"resampling_filter": resampling_filter, "colormap": colormap}
    look |= {"alpha_limit": alpha_limit, "percentile": percentile}
    return look | {"signed": expect_flag("signed", signed)}


def format_as_linked_page(
    expl: Explanation | Several,
    title: str,
    links: Sequence[tuple[str, str]],
    look: Data | None = None,
) -> str:
    """Format a page as `format_as_page` does, with links above and below the explanations.

    Each link is a text and an address, which is empty for what is not to be followed; `look` holds
    options of `eli5.format_as_image`.
    """
    expect_type("title", title, str, "a string")
    return render("page.html", title=title, links=links, **section_data(expl, look or {}))


def section_data(
    expl: Explanation | Several, look: Data, *, is_gallery: bool | None = None
) -> Data:
    """Give the values of ``templates/section.html``; see `format_as_linked_page`.

    Several explanations are a gallery if nobody says otherwise.
    """
    explanations = list(flattened(expl))
    is_gallery = len(explanations) > 1 if is_gallery is None else is_gallery
    # An error without anything to show would be an empty card.
    failed = [one for one in explanations if is_gallery and one.error and not one.targets]
    shown = [one for one in explanations if not (is_gallery and one.error and not one.targets)]
    shared = _shared(shown if is_gallery else [])
    budget = _pixel_budget(shown)
    cards = [_card(one, budget, shared, look) for one in shown]
    has_heat = any(card["has_heat"] for card in cards)
    text_cards = [card for card in cards if card["is_text"]]
    return {
        "is_gallery": is_gallery,
        "cards": cards,
        "failed": failed,
        "shared": shared,
        "classes": sorted({card["first"]["class"] for card in cards if card["first"]["class"]}),
        "orders": _orders(cards),
        "heat": _heat_controls(shown, look) if has_heat else None,
        "words": _word_legend(text_cards) if text_cards else None,
    }


_FACTS = {"method": "method", "model": "estimator", "layer": "layer"}


def _shared(explanations: Sequence[Explanation]) -> Data:
    """Return what all cards would say alike: the facts, and the first sentences about the maps."""
    values = {name: {getattr(one, of) for one in explanations} for name, of in _FACTS.items()}
    texts = [one.description or "" for one in explanations]
    sentences = zip(*(re.split(r"(?<=\.)\s", text) for text in texts), strict=False)
    alike = itertools.takewhile(lambda row: len(set(row)) == 1, sentences)
    return {
        "facts": {name: one.pop() for name, one in values.items() if len(one) == 1},
        "description": " ".join(row[0] for row in alike),
    }


def _orders(cards: Sequence[Data]) -> list[str]:
    """Name what cards can be sorted by: that in which they differ."""
    names = ("name", "probability", "grade")
    return [name for name in names if len({card["first"][name] for card in cards} - {None}) > 1]


def _first(expl: Explanation) -> Data:
    """Return what a card is sorted by and filtered by: its name, and what its first target has."""
    target = next(iter(expl.targets or ()), None)
    return {
        "name": expl.source and one_line(expl.source),
        "class": target and target_label(target),
        "probability": target and target.proba,
        "grade": target and target.grade and target.grade.value,
    }


# What needs Pillow and matplotlib is imported only where there is a picture or a series.
def _pixel_budget(explanations: Sequence[Explanation]) -> PixelBudget | None:
    shown = [one for one in explanations if has_canvas(one)]
    if not shown:
        return None

    from eli5.formatters.overlay.data_uri import pixel_budget

    return pixel_budget(len(shown), sum(len(one.targets or []) for one in shown))


def _heat_controls(explanations: Sequence[Explanation], look: Data) -> Data:
    from eli5.formatters.page_layers import heat_controls

    return heat_controls([one for one in explanations if has_canvas(one)], look)


def _word_legend(text_cards: Sequence[Data]) -> Data:
    """Say what the colours mean, with the largest weight where there is one explanation.

    Each is there only if something has it: many methods never show what speaks against.
    """
    texts = [text for card in text_cards for one in card["targets"] for text in one["texts"]]
    has_against = any(text["has_against"] for text in texts)
    return {
        "has_for": any(text["has_for"] for text in texts) or not has_against,
        "has_against": has_against,
        "strongest": text_cards[0]["largest_weight"] if len(text_cards) == 1 else 0.0,
    }


# --- one card of a page ---------------------------------------------------------------------------


def _card(expl: Explanation, budget: PixelBudget | None, shared: Data, look: Data) -> Data:
    """Give what ``templates/card.html`` shows; `shared` is what a gallery names for all cards."""
    is_drawn = budget is not None and has_canvas(expl)
    targets, is_text, largest = expl.targets or [], has_texts(expl), largest_weight(expl)
    shared_facts = shared["facts"]
    facts = {name: getattr(expl, of) for name, of in _FACTS.items() if name not in shared_facts}
    head = expl.source or facts.pop("method", None)
    data: Data = {
        "expl": expl,
        "classes": _classes(expl, is_text),
        "head": head,
        "first": _first(expl),
        "label": ": ".join([head or expl.method or "Explanation", *map(target_label, targets[:1])]),
        "facts": {name: fact for name, fact in facts.items() if fact},
        "description": (expl.description or "").removeprefix(shared["description"]).strip(),
        "picture": _picture(expl, budget, look) if is_drawn else None,
        "kind": "Output" if expl.is_regression else "Class",
        "is_text": is_text,
        "map": "Attribution" if look.get("signed") else "Heatmap",
        "largest_weight": largest,
        "targets": [
            _target(expl, target)
            | {"texts": [_text(text, target, largest) for text in texts_of(target)]}
            | {"heat": _heat(expl, target, budget, look) if is_drawn and not is_text else None}
            for target in targets
        ],
    }
    heat = [target["heat"] for target in data["targets"] if target["heat"]]
    drawn = [one for one in heat if one["src"]]
    return data | {"has_heat": bool(drawn), "cut_off": drawn[0]["cut_off"] if drawn else ""}


def _picture(expl: Explanation, budget: Any, look: Data) -> Data:
    from eli5.formatters.page_layers import page_picture

    return page_picture(expl, budget, look)


def _heat(expl: Explanation, target: TargetExplanation, budget: Any, look: Data) -> Data:
    from eli5.formatters.page_layers import page_heat

    return page_heat(expl, target, budget, look)


def _classes(expl: Explanation, is_text: bool) -> str:
    if expl.image is None:
        kinds = {"eli5-read": is_text, "eli5-wide eli5-series": expl.series is not None}
    else:
        from eli5.formatters.overlay.picture import is_wide  # needs Pillow, as a picture does

        is_small = max(expl.image.size) <= _FEW_PIXELS
        # A strip of many small slices would be too low in a column.
        kinds = {"eli5-wide": is_wide(expl.image), "eli5-small": is_small}
    return " ".join(["eli5-card", *(kind for kind, fits in kinds.items() if fits)])


def _target(expl: Explanation, target: TargetExplanation) -> Data:
    """Name a target, with its numbers; the template calls one without a name "Class 281"."""
    # The name of a score is its target's id, too, and speaks for itself: "contrast", not "Class …".
    class_id, name = one_line(target.target), class_name(target)
    is_nameless = name == class_id and not isinstance(target.target, str)
    peak = peaks_in_words(expl, target, most=1)
    return {
        "target": target,
        "label": target_label(target),
        "name": "" if is_nameless else name,
        "is_against": is_against(target),
        "id": class_id,
        "has_own_id": name != class_id,
        "where": where(target),
        "numbers": target_numbers(target),
        "grade": target.grade and grade_parts(target.grade),
        "peak": peak and f"Peak at {peak}",
    }


def _text(text: DocWeightedSpans, target: TargetExplanation, largest: float) -> Data:
    tokens = tokens_of(text)
    outside = tokens_outside(tokens)
    word = partial(_word, for_sign=-1 if is_against(target) else 1, largest=largest)

    def listed(token: Token) -> tuple[Word, str]:
        return word(token_name(token), token.weight, [token]), signed_number(token.weight)

    words = [word(one.text, one.weight, one.tokens) for one in parts_of(text, tokens)]
    strongest = list(map(listed, _strongest(tokens)))
    seen = {shown[0] for shown in [*words, *(shown for shown, _ in strongest)]}
    return {
        "name": text.vec_name,
        "has_for": "b" in seen,
        "has_against": "i" in seen,
        "words": words,
        "strongest": strongest,
        "outside": list(map(listed, heaviest(outside, _MOST_OUTSIDE))),
        "n_more": max(len(outside) - _MOST_OUTSIDE, 0),
    }


def _strongest(tokens: Sequence[Token]) -> list[Token]:
    """Return the heaviest tokens; of one that comes several times, the heaviest of them."""
    by_name: dict[str, Token] = {}
    for token in heaviest(tokens, len(tokens)):
        by_name.setdefault(token.name, token)
    return list(by_name.values())[:_MOST_STRONGEST]


def _word(
    text: str, weight: float, tokens: Sequence[Token], *, for_sign: int, largest: float
) -> Word:
    percent = round(100 * abs(weight / largest)) if weight else 0
    # What would have no colour needs no element: in a long text most words are of that kind.
    if not percent:
        return "", "", "", printable_part(text)
    named = [f"{token_name(one)} {signed_number(one.weight)}" for one in tokens[:_MOST_IN_TOOLTIP]]
    more = [f"{len(tokens) - len(named)} more"] if len(tokens) > len(named) else []
    tag = "b" if weight * for_sign > 0 else "i"
    return tag, f"{min(percent, 100) / 100:g}", ", ".join(named + more), printable_part(text)

"""What ``templates/card.html`` shows of one explanation, as plain data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from eli5.formatters.labels import (
    number,
    one_line,
    printable_part,
    signed_number,
    target_label,
    target_name,
)
from eli5.formatters.overlay.drawable import has_canvas
from eli5.formatters.series.peaks import peak_note
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
    from eli5.base import DocWeightedSpans, Explanation, TargetExplanation
    from eli5.formatters.overlay.data_uri import PixelBudget

Data = dict[str, Any]
"""The values of a template, by the names that stand there."""

Word = tuple[str, str, str, str]
"""The tag of a word, its share of the largest weight, its tooltip, and the word."""

_FEW_PIXELS = 64  # a side of so many is shown with its pixels, larger pictures are smoothed
_MOST_STRONGEST = 5
_MOST_OUTSIDE = 20  # tokens that are not in the text
_MOST_IN_TOOLTIP = 4


def card_data(expl: Explanation, budget: PixelBudget | None, shared: Data) -> Data:
    """Prepare one explanation.

    Parameters
    ----------
    expl : Explanation
        See `eli5.format_as_html`.
    budget : PixelBudget or None
        How large picture and heat layers may be; ``None`` if there is no picture.
    shared : dict
        The ``model`` and the beginning of the ``description`` that a gallery names for all of its
        cards, so that none repeats them; ``None`` and ``""`` where there is nothing of the kind.
    """
    picture = _picture(expl, budget) if budget and has_canvas(expl) else None
    targets, is_text, largest = expl.targets or [], has_texts(expl), largest_weight(expl)
    facts = {"model": expl.estimator if shared["model"] is None else "", "layer": expl.layer}
    data: Data = {
        "expl": expl,
        "classes": _classes(expl, is_text),
        "label": ": ".join([expl.method or "Explanation", *map(target_label, targets[:1])]),
        "facts": {name: fact for name, fact in facts.items() if fact},
        "description": (expl.description or "").removeprefix(shared["description"]).strip(),
        "picture": picture,
        "kind": "Output" if expl.is_regression else "Class",
        "is_text": is_text,
        "largest_weight": largest,
        "targets": [
            _target(expl, target)
            | {"texts": [_text(text, largest) for text in texts_of(target)]}
            | {"heat": _heat(expl, target, budget) if budget and picture and not is_text else None}
            for target in targets
        ],
    }
    heat = [target["heat"] for target in data["targets"] if target["heat"]]
    return data | {
        "has_heat": bool(heat),
        "percent_cut_off": heat[0]["percent_cut_off"] if heat else 0,
    }


def _picture(expl: Explanation, budget: PixelBudget) -> Data:
    """Give the picture and its shape; that of the layers may differ, for they are rounded."""
    if expl.image is None:
        from eli5.formatters.series.html import series_picture, series_words
        from eli5.formatters.series.picture import chart_size

        shown = {"src": series_picture(expl), "alt": one_line(series_words(expl))}
        return shown | {"size": chart_size(expl)}

    from eli5.formatters.overlay.data_uri import picture_layer

    shown = {"src": picture_layer(expl.image, budget), "alt": "The explained picture"}
    return shown | {"size": expl.image.size}


def _classes(expl: Explanation, is_text: bool) -> str:
    if expl.image is None:
        kinds = {"eli5-read": is_text, "eli5-wide eli5-series": expl.series is not None}
    else:
        from eli5.formatters.sheet import is_wide  # needs Pillow and matplotlib, as a picture does

        is_small = max(expl.image.size) <= _FEW_PIXELS
        # A strip of many small slices would be too low in a column.
        kinds = {"eli5-wide": is_wide(expl.image), "eli5-small": is_small}
    return " ".join(["eli5-card", *(kind for kind, fits in kinds.items() if fits)])


def _target(expl: Explanation, target: TargetExplanation) -> Data:
    """Name a target, with its numbers; the template calls one without a name "Class 281"."""
    # The name of a score is its target's id, too, and speaks for itself: "contrast", not "Class …".
    class_id, name = one_line(target.target), target_name(target)
    is_nameless = name == class_id and not isinstance(target.target, str)
    numbers = {"Score": number(target.score), "Probability": number(target.proba)}
    peak = peak_note(expl, target)
    return {
        "target": target,
        "label": target_label(target),
        "name": "" if is_nameless else name,
        "id": class_id,
        "has_own_id": name != class_id,
        "numbers": {key: value for key, value in numbers.items() if value},
        "peak": f"{peak[:1].upper()}{peak[1:]}",
    }


def _heat(expl: Explanation, target: TargetExplanation, budget: PixelBudget) -> Data | None:
    if target.heatmap is None:
        return None

    from eli5.formatters.overlay.data_uri import heat_layer
    from eli5.formatters.overlay.options import default_percentile

    percentile = default_percentile(expl)
    if expl.image is None:
        from eli5.formatters.series.html import series_layer

        source, where = series_layer(expl, target, budget), "behind the series"
    else:
        source = heat_layer(target.heatmap, expl.image, budget, percentile)
        where = "laid over the picture"
    if source is None:  # all zeros: the card says so in words
        return None
    method = f"{expl.method} heatmap" if expl.method else "Heatmap"
    peak = peak_note(expl, target)
    alt = f"{method} of {target_label(target)}, {where}{peak and f'; {peak}'}"
    return {"src": source, "alt": alt, "percent_cut_off": 100 - percentile}


def _text(text: DocWeightedSpans, largest: float) -> Data:
    tokens = tokens_of(text)
    outside = tokens_outside(tokens)
    return {
        "name": text.vec_name,
        "has_against": any(token.weight < 0 for token in tokens),
        "words": [
            _word(one.text, one.weight, one.tokens, largest) for one in parts_of(text, tokens)
        ],
        "strongest": [_listed(token, largest) for token in _strongest(tokens)],
        "outside": [_listed(token, largest) for token in heaviest(outside, _MOST_OUTSIDE)],
        "n_more": max(len(outside) - _MOST_OUTSIDE, 0),
    }


def _strongest(tokens: Sequence[Token]) -> list[Token]:
    """Return the heaviest tokens; of one that comes several times, the heaviest of them."""
    by_name: dict[str, Token] = {}
    for token in heaviest(tokens, len(tokens)):
        by_name.setdefault(token.name, token)
    return list(by_name.values())[:_MOST_STRONGEST]


def _listed(token: Token, largest: float) -> tuple[Word, str]:
    shown = _word(token_name(token), token.weight, [token], largest)
    return shown, signed_number(token.weight)


def _word(text: str, weight: float, tokens: Sequence[Token], largest: float) -> Word:
    percent = round(100 * abs(weight / largest)) if weight else 0
    # What would have no colour needs no element: in a long text most words are of that kind.
    if not percent:
        return "", "", "", printable_part(text)
    named = [f"{token_name(one)} {signed_number(one.weight)}" for one in tokens[:_MOST_IN_TOOLTIP]]
    more = [f"{len(tokens) - len(named)} more"] if len(tokens) > len(named) else []
    tag = "b" if weight > 0 else "i"
    return tag, f"{min(percent, 100) / 100:g}", ", ".join(named + more), printable_part(text)

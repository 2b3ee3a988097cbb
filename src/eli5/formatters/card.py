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
    is_text = has_texts(expl)
    largest = largest_weight(expl)
    targets = [
        _target(expl, target)
        | {"heat": _heat(expl, target, budget) if budget and not is_text else None}
        | {"texts": [_text(text, largest) for text in texts_of(target)]}
        for target in expl.targets or ()
    ]
    has_heat = any(target["heat"] for target in targets)
    first = (expl.targets or [])[:1]
    description = (expl.description or "").removeprefix(shared["description"]).strip()
    facts = {"model": expl.estimator if shared["model"] is None else "", "layer": expl.layer}
    return {
        "expl": expl,
        "classes": _classes(expl, is_text),
        "label": ": ".join([expl.method or "Explanation", *map(target_label, first)]),
        "facts": {name: fact for name, fact in facts.items() if fact},
        "description": description,
        "picture": picture,
        "kind": "output" if expl.is_regression else "class",
        "is_text": is_text,
        "targets": targets,
        "has_heat": has_heat,
        "percent_cut_off": _percent_cut_off(expl) if has_heat else 0,
    }


def _classes(expl: Explanation, is_text: bool) -> str:
    if expl.image is None:
        kinds = {"eli5-read": is_text, "eli5-wide eli5-series": expl.series is not None}
    else:
        from eli5.formatters.sheet import is_wide  # needs Pillow and matplotlib, as a picture does

        is_small = max(expl.image.size) <= _FEW_PIXELS
        # A strip of many small slices would be too low in a column.
        kinds = {"eli5-wide": is_wide(expl.image), "eli5-small": is_small}
    return " ".join(["eli5-card", *(kind for kind, fits in kinds.items() if fits)])


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


def _heat(expl: Explanation, target: TargetExplanation, budget: PixelBudget) -> Data | None:
    if not has_canvas(expl) or target.heatmap is None:
        return None
    if expl.image is None:
        from eli5.formatters.series.html import series_layer

        source, where = series_layer(expl, target, budget), "behind the series"
    else:
        from eli5.formatters.overlay.data_uri import heat_layer
        from eli5.formatters.overlay.options import default_percentile

        source = heat_layer(target.heatmap, expl.image, budget, default_percentile(expl))
        where = "laid over the picture"
    if source is None:
        return None
    method = f"{expl.method} heatmap" if expl.method else "Heatmap"
    peak = peak_note(expl, target)
    alt = f"{method} of {target_label(target)}, {where}{peak and f'; {peak}'}"
    return {"src": source, "alt": one_line(alt)}


def _percent_cut_off(expl: Explanation) -> float:
    from eli5.formatters.overlay.options import default_percentile

    return 100 - default_percentile(expl)


def _target(expl: Explanation, target: TargetExplanation) -> Data:
    """Name a target, with its numbers; one without a name is "Class 281"."""
    kind = "Output" if expl.is_regression else "Class"
    class_id, name = one_line(target.target), target_name(target)
    is_bare = name == class_id and not isinstance(target.target, str)
    numbers = {"Score": number(target.score), "Probability": number(target.proba)}
    numbers = {key: value for key, value in numbers.items() if value}
    facts = [f"{key.lower()} {value}" for key, value in numbers.items()]
    bar = 100 * target.proba if target.proba is not None and 0 <= target.proba <= 1 else None
    peak = peak_note(expl, target)
    return {
        "label": ", ".join([target_label(target), *facts]),
        "name": f"{kind} {class_id}".strip() if is_bare or not name else name,
        "id": "" if name == class_id else f"{kind.lower()} {class_id}",
        "bar": None if bar is None else f"{bar:.4g}",
        "numbers": numbers,
        "peak": one_line(f"{peak[:1].upper()}{peak[1:]}"),
        "why_no_heat": _why_no_heat(target) if has_canvas(expl) else "",
    }


def _why_no_heat(target: TargetExplanation) -> str:
    if target.heatmap is None:
        return "No heatmap"
    return "" if target.heatmap.any() else "The heatmap is empty"


def _text(text: DocWeightedSpans, largest: float) -> Data:
    tokens = tokens_of(text)
    outside = tokens_outside(tokens)
    return {
        "name": text.vec_name,
        "words": [
            _word(part.text, part.weight, largest, part.tokens) for part in parts_of(text, tokens)
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


def _listed(token: Token, largest: float) -> Data:
    shown = _word(token_name(token), token.weight, largest, [token])
    return {"word": shown, "weight": signed_number(token.weight)}


def _word(
    text: str, weight: float, largest: float, tokens: Sequence[Token]
) -> tuple[str, str, str, str]:
    """Return the tag of a word, its share of the largest weight, its tooltip, and the word."""
    share = round(100 * abs(weight / largest)) if weight else 0
    # What would have no colour needs no element: in a long text most words are of that kind.
    if not share:
        return "", "", "", printable_part(text)
    tag = "b" if weight > 0 else "i"
    return tag, f"{min(share, 100) / 100:g}", _tooltip(tokens), printable_part(text)


def _tooltip(tokens: Sequence[Token]) -> str:
    named = [f"{token_name(one)} {signed_number(one.weight)}" for one in tokens[:_MOST_IN_TOOLTIP]]
    more = len(tokens) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])])

"""The targets of an explained text in HTML: each with the text, its weighted words coloured."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from typing import TYPE_CHECKING

from eli5.formatters.target_rows import escaped, target_choice, target_facts
from eli5.formatters.text import number, printable_part
from eli5.formatters.texts.weighted_text import (
    apart,
    heaviest,
    largest_weight,
    parts_of,
    signed,
    texts_of,
    token_name,
    tokens_of,
)

if TYPE_CHECKING:
    from eli5.base import DocWeightedSpans, Explanation, TargetExplanation
    from eli5.formatters.texts.weighted_text import Token

__all__ = ["text_legend", "text_rows"]

_MOST_NAMED = 20  # tokens that are not in the text
_MOST_STRONGEST = 5
_MOST_IN_TOOLTIP = 4


def text_rows(expl: Explanation) -> str:
    """Format the targets of an explanation of texts.

    Parameters
    ----------
    expl : Explanation
        See `eli5.format_as_html`; one of texts.

    Returns
    -------
    str
        Name, score and probability of each target, and the text, in which ``<b>`` is what speaks
        for it and ``<i>`` what speaks against it; ``--w`` is the weight's share of the largest in
        the explanation. Of several targets each is a radio button; the style sheet shows the text
        behind the checked one. The tooltip is a ``title``, which is also what a screen reader finds
        as the description: an ``aria-label`` would not be allowed on words.
    """
    largest = largest_weight(expl)
    texts = [_texts(target, largest) for target in expl.targets]
    if len(texts) == 1:
        facts = target_facts(expl, expl.targets[0])
        row = f'<div class="eli5-target">{facts}</div>'
        return _joined('<div class="eli5-targets">', [row, *texts], "</div>")
    choices = [
        f"{target_choice(expl, target, checked=k == 0)}\n{text}"
        for k, (target, text) in enumerate(zip(expl.targets, texts, strict=True))
    ]
    legend = "<legend>What speaks for or against</legend>"
    return _joined(f'<fieldset class="eli5-targets eli5-tabs">{legend}', choices, "</fieldset>")


def _joined(begin: str, rows: Sequence[str], end: str) -> str:
    return "\n".join([begin, *rows, end])


def text_legend(explanations: Sequence[Explanation]) -> str:
    """Say what the colours mean, with the largest weight where there is one explanation.

    "Against" is there only if something speaks against: many methods never show that.
    """
    tokens = (token for expl in explanations for token in _all_tokens(expl))
    against = '<i style="--w:1">against</i>' if any(token.weight < 0 for token in tokens) else ""
    largest = largest_weight(explanations[0]) if len(explanations) == 1 else 0.0
    strongest = f"<span>strongest: {number(largest)}</span>" if largest else ""
    marks = f'<span class="eli5-words"><b style="--w:1">for</b> {against}</span>'
    return f'<span class="eli5-legend">Words {marks}{strongest}</span>'


def _all_tokens(expl: Explanation) -> Iterator[Token]:
    for target in expl.targets or ():
        for text in texts_of(target):
            yield from tokens_of(text)


def _texts(target: TargetExplanation, largest: float) -> str:
    texts = texts_of(target)
    shown = "\n".join(_text(text, largest) for text in texts)
    return f'<div class="eli5-text">{shown or _note("No text")}</div>'


def _text(text: DocWeightedSpans, largest: float) -> str:
    tokens = tokens_of(text)
    strongest = _strongest(tokens)
    parts = [
        f"<p><b><bdi>{escaped(text.vec_name)}</bdi></b></p>" if text.vec_name else "",
        f'<div class="eli5-words" dir="auto">{_marked(text, tokens, largest)}</div>',
        _listed("Strongest", strongest, largest) if strongest else _note("No word has a weight"),
        _apart(tokens, largest),
    ]
    return "\n".join(part for part in parts if part)


def _strongest(tokens: Sequence[Token]) -> list[Token]:
    """Return the heaviest tokens, and of one that comes again and again its heaviest place."""
    found: dict[str, Token] = {}
    for token in heaviest(tokens, len(tokens)):
        found.setdefault(token.name, token)
    return list(found.values())[:_MOST_STRONGEST]


def _note(what: str) -> str:
    return f'<p class="eli5-note">{what}</p>'


def _marked(text: DocWeightedSpans, tokens: Sequence[Token], largest: float) -> str:
    document = text.document
    return "".join(
        _mark(part.weight / largest, document[part.start : part.end], part.tokens)
        if part.weight
        else _escaped_part(document[part.start : part.end])
        for part in parts_of(text, tokens)
    )


def _mark(share: float, shown: str, tokens: Sequence[Token]) -> str:
    percent = min(round(100 * abs(share)), 100)
    inside = _escaped_part(shown)
    # What would have no colour needs no element: in a long text most words are of that kind.
    if not percent:
        return inside
    tag = "b" if share > 0 else "i"
    return f'<{tag} style="--w:{percent / 100:g}" title="{_tooltip(tokens)}">{inside}</{tag}>'


def _escaped_part(text: str) -> str:
    return escape(printable_part(text), quote=False)


def _tooltip(tokens: Sequence[Token]) -> str:
    named = [f"{token_name(token)} {signed(token.weight)}" for token in tokens[:_MOST_IN_TOOLTIP]]
    more = len(tokens) - len(named)
    return escape(", ".join([*named, *([f"{more} more"] if more else [])]), quote=True)


def _apart(tokens: Sequence[Token], largest: float) -> str:
    found = apart(tokens)
    if not found:
        return ""
    more = len(found) - _MOST_NAMED
    rest = f", and {more} more" if more > 0 else ""
    return _listed("Not in the text", heaviest(found, _MOST_NAMED), largest, rest)


def _listed(what: str, tokens: Iterable[Token], largest: float, rest: str = "") -> str:
    named = ", ".join(
        f"<bdi>{_mark(token.weight / largest, token_name(token), [token])}</bdi>"
        f"&nbsp;{signed(token.weight)}"
        for token in tokens
    )
    return f'<p class="eli5-listed">{what}: <span class="eli5-words">{named}</span>{rest}</p>'

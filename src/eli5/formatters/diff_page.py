"""A page of docs whose evidence has moved: what the old and the new model look at, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from eli5.formatters.diff_report import class_label
from eli5.formatters.html import section_data
from eli5.formatters.jinja import render
from eli5.formatters.labels import number, one_line

Data = dict[str, Any]
"""The values of a template, by the names that stand there."""


def format_as_diff_page(diff: Any, look: Data | None = None) -> str:
    """Return a complete HTML document of an `eli5.testing.EvidenceDiff`.

    It has the docs whose explanations are held, the furthest moved first, and lists those that
    could not be explained. It works from a file; its Content-Security-Policy forbids any request,
    and any script but its own. `look` holds options of `eli5.format_as_image`.
    """
    shown = [one for one in diff.ranked if one.old is not None]
    # The headline of a pair is that of both.
    explanations = [replace(expl, source=None) for one in shown for expl in (one.old, one.new)]
    # Two alone would be no gallery: its cards are as wide as their place.
    section = section_data(explanations, look or {}, is_gallery=True)
    pairs = zip(section["cards"][::2], section["cards"][1::2], strict=True)
    return render(
        "diff.html",
        title=f"What has moved from {diff.old or 'the old model'} to {diff.new or 'the new'}",
        diff=diff,
        facts=_facts(diff, len(shown)),
        failed=[(one_line(one.name), one_line(one.error)) for one in diff.failed],
        pairs=[_pair(change, cards, diff) for change, cards in zip(shown, pairs, strict=True)],
        **{name: section[name] for name in ("heat", "words", "is_gallery", "shared")},
    )


def _facts(diff: Any, n_shown: int) -> list[str]:
    n = len(diff.ranked)
    facts = [
        f"{len(diff.beyond)} of {n} beyond the tolerance of {diff.tolerance:g}",
        f"{len(diff.predicted_otherwise)} predicted otherwise",
    ]
    if n:
        mean = sum(one.distance for one in diff.ranked) / n
        facts.append(f"{mean:.3f} on average")
    if n_shown < n:
        facts.append(f"the {n_shown} that have moved most are shown")
    return facts


def _pair(change: Any, cards: Sequence[Data], diff: Any) -> Data:
    sides = (("Old", change.before, cards[0]), ("New", change.after, cards[1]))
    return {
        "name": one_line(change.name),
        "distance": f"{change.distance:.3f}",
        "percent": f"{100 * change.distance:.4g}",
        "is_beyond": change.distance > diff.tolerance,
        "is_predicted_otherwise": change.is_predicted_otherwise,
        "class": class_label(change.target, change.class_name),
        "sides": [
            {
                "name": name,
                "card": card,
                "score": number(seen.score),
                "top": class_label(seen.top, seen.top_name),
                "top_score": number(seen.top_score),
            }
            for name, seen, card in sides
        ],
    }

"""Explanations of texts, made by hand."""

from __future__ import annotations

import re

import numpy as np

from eli5.base import DocWeightedSpans, Explanation, TargetExplanation, WeightedSpans

REVIEW = "This was not boring:\n\ta great cast."
WEIGHTS = {"not": 0.25, "boring": -0.5, "great": 1.0, "cast": 0.001}


def weighted(text: str, weights: dict[str, float], vec_name: str | None = None) -> DocWeightedSpans:
    """Return a text whose tokens are its words and marks; what is not named weighs nothing."""
    found = re.finditer(r"\w+|[^\w\s]", text)
    spans = [(m[0], [m.span()], weights.get(m[0], 0.0)) for m in found]
    return DocWeightedSpans(text, spans, vec_name=vec_name)


def of_texts(*texts: DocWeightedSpans, names: str = "positive negative neutral") -> Explanation:
    """Return an explanation with a target for each text."""
    targets = []
    for k, (text, name) in enumerate(zip(texts, names.split(), strict=False)):
        with np.errstate(over="ignore"):
            weights = np.array([weight for *_, weight in text.spans]).astype(np.float32)
        heat = np.maximum(np.nan_to_num(weights), 0)
        targets.append(
            TargetExplanation(
                k,
                score=2.5 - k,
                proba=0.5,
                class_name=name,
                heatmap=heat / max(heat.max(initial=0), 1e-9),
                attribution=weights,
                weighted_spans=WeightedSpans([text]),
            )
        )
    return Explanation("net", method="Occlusion", layer="embedding", targets=targets)


def negated(text: DocWeightedSpans) -> DocWeightedSpans:
    return DocWeightedSpans(text.document, [(t, places, -w) for t, places, w in text.spans])


def review() -> Explanation:
    """Return an explanation of two targets, with tokens that are not in the text."""
    text = weighted(REVIEW, WEIGHTS)
    text.spans = [("[CLS]", [], 0.125), *text.spans, ("[SEP]", [], 0.0)]
    return of_texts(text, negated(text))

"""The evidence of two models for the same class, of a batch of docs that are in memory."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NamedTuple

from eli5.base import Explanation, TargetExplanation
from eli5.explain import explain_predictions
from eli5.testing.distance import Heat, find_heat, heat_distance
from eli5.testing.evidence_diff import EvidenceChange, Prediction


class Doc(NamedTuple):
    """A doc as both models take it, and what is known of it."""

    number: int
    name: str
    old: Any
    new: Any
    target: int | str | None = None  # the class; for a score that is a function its name
    image: Any = None
    tokens: Any = None


class Seen(NamedTuple):
    """The explanation of the class that is compared, and the class that a model predicts."""

    explanation: Explanation
    top: TargetExplanation

    @property
    def target(self) -> TargetExplanation:
        """The class that is compared."""
        target: TargetExplanation = self.explanation.targets[0]
        return target


def compare_batch(
    old: Any,
    new: Any,
    batch: Sequence[Doc],
    options: Mapping[str, Any],
    new_options: Mapping[str, Any],
) -> list[EvidenceChange]:
    """Compare docs that are in memory; the class of each is its target, or the old model's top."""
    with without_warnings_of_empty_maps():
        before = _explain(old, batch, [one.old for one in batch], options)
        pairs = zip(batch, before, strict=True)
        chosen = [one._replace(target=seen.target.target) for one, seen in pairs]
        after = _explain(new, chosen, [one.new for one in batch], new_options)
    return [_change(*row) for row in zip(batch, before, after, strict=True)]


@contextmanager
def without_warnings_of_empty_maps() -> Iterator[None]:
    """Keep quiet of maps without evidence: results tell, and only of those that are compared."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*heatmap of .* is empty", category=UserWarning)
        yield


def _explain(
    model: Any, batch: Sequence[Doc], docs: Sequence[Any], options: Mapping[str, Any]
) -> list[Seen]:
    """Explain the class of each doc, and its top prediction where that is another."""
    tops = _explanations(model, batch, docs, options)
    others = [
        k
        for k, (doc, expl) in enumerate(zip(batch, tops, strict=True))
        if doc.target not in (None, expl.targets[0].target)
    ]
    seen = [Seen(expl, expl.targets[0]) for expl in tops]
    if others:
        some = [batch[k] for k in others]
        asked = _explanations(
            model, some, [docs[k] for k in others], options, [one.target for one in some]
        )
        for k, expl in zip(others, asked, strict=True):
            seen[k] = Seen(expl, seen[k].top)
    return seen


def _explanations(
    model: Any,
    batch: Sequence[Doc],
    docs: Sequence[Any],
    options: Mapping[str, Any],
    targets: Sequence[Any] | None = None,
) -> list[Explanation]:
    about: dict[str, Any] = {"images": [one.image for one in batch]}
    about["tokens"] = [one.tokens for one in batch]
    given = {name: values for name, values in about.items() if values[0] is not None}
    return list(explain_predictions(model, iter(docs), targets=targets, **given, **options))


def _change(doc: Doc, before: Seen, after: Seen) -> EvidenceChange:
    target = before.target
    heats = [find_heat(seen.explanation) for seen in (before, after)]
    return EvidenceChange(
        doc.number,
        doc.name,
        target.target,
        target.class_name,
        heat_distance(*heats),
        _prediction(before, heats[0]),
        _prediction(after, heats[1]),
        replace(before.explanation, source=doc.name),
        replace(after.explanation, source=doc.name),
    )


def _prediction(seen: Seen, heat: Heat) -> Prediction:
    top, has_evidence = seen.top, bool(heat.values.any())
    return Prediction(top.target, top.class_name, _score(top), _score(seen.target), has_evidence)


def _score(target: TargetExplanation) -> float | None:
    return target.score if target.proba is None else target.proba

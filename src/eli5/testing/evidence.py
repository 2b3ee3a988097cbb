"""Two models side by side, doc by doc: how far the evidence for the same class has moved."""

from __future__ import annotations

import heapq
import itertools
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

from eli5.base import Explanation, TargetExplanation
from eli5.checks import (
    expect_count,
    expect_integer,
    expect_number,
    expect_type,
    need,
    wrong_value,
)
from eli5.explain import explain_predictions
from eli5.formatters.diff_page import format_as_diff_page
from eli5.formatters.diff_report import as_json, as_junit, as_text, change_as_dict
from eli5.keras.inputs.dataset import read_docs
from eli5.keras.inputs.model_inputs import check_model
from eli5.keras.inputs.sample import DocOptions
from eli5.saving.atomic_write import write_atomically
from eli5.testing.distance import Heat, find_heat, heat_distance

TOLERANCE = 0.1
"""How far evidence may move if nothing else is said, see `evidence_distance`: a tenth of the
diagonal of a picture."""

KEPT = 50  # explanations that a diff holds, of each model, if nothing else is said

# What would give several maps of a doc, or another class of each model.
_REFUSED = ("methods", "classes", "top_targets", "images", "tokens")


class Prediction(NamedTuple):
    """What a model takes a doc for, and what it gives the class that is compared.

    Attributes
    ----------
    top : int or str
        The class with the highest output.
    top_name : str or None
    top_score : float or None
        Its probability, or the model's output where that is none.
    score : float or None
        The same of the class that is compared.
    has_evidence : bool
        Whether anything speaks for that class: whether its map is more than zeros.
    """

    top: Any
    top_name: str | None
    top_score: float | None
    score: float | None
    has_evidence: bool = True


@dataclass(eq=False)
class EvidenceChange:
    """How far the evidence of one doc has moved.

    Parameters
    ----------
    number : int
        Of the doc, counted from 0.
    name : str
        What the doc is called.
    target : int or str
        The class that both maps explain.
    class_name : str, optional
    distance : float
        See `evidence_distance`; NaN if there is an `error`.
    before, after : Prediction, optional
        Of the old and of the new model.
    old, new : Explanation, optional
        With the maps; a diff keeps those of the docs that have moved most.
    error : str
        Why the doc could not be explained; empty if it was.
    """

    number: int
    name: str
    target: Any = None
    class_name: str | None = None
    distance: float = float("nan")
    before: Prediction | None = None
    after: Prediction | None = None
    old: Explanation | None = None
    new: Explanation | None = None
    error: str = ""

    @property
    def is_predicted_otherwise(self) -> bool:
        """Whether the two models predict different classes."""
        return (
            self.before is not None
            and self.after is not None
            and (self.before.top != self.after.top)
        )


@dataclass(eq=False, repr=False)
class EvidenceDiff:
    """What has become of the evidence from an old model to a new one.

    Parameters
    ----------
    tolerance : float
        How far the evidence of a doc may move.
    kept : int
        Of how many docs the explanations are held, those that have moved most.
    changes : list of EvidenceChange
        One per doc, in their order.
    old, new, method : str
        The names of the models, and of the method.
    """

    tolerance: float = TOLERANCE
    kept: int = KEPT
    changes: list[EvidenceChange] = field(default_factory=list)
    old: str = ""
    new: str = ""
    method: str = ""
    _held: list[tuple[float, int, EvidenceChange]] = field(default_factory=list, init=False)

    @property
    def distances(self) -> list[float]:
        """How far each doc has moved, in their order."""
        return [one.distance for one in self.changes]

    @property
    def ranked(self) -> list[EvidenceChange]:
        """Those that could be explained, the furthest moved first."""
        known = [one for one in self.changes if not one.error]
        return sorted(known, key=lambda one: -one.distance)

    @property
    def beyond(self) -> list[EvidenceChange]:
        """Those that have moved further than the tolerance, the furthest first."""
        return [one for one in self.ranked if one.distance > self.tolerance]

    @property
    def predicted_otherwise(self) -> list[EvidenceChange]:
        """Those that the two models take for different classes, the furthest moved first."""
        return [one for one in self.ranked if one.is_predicted_otherwise]

    @property
    def failed(self) -> list[EvidenceChange]:
        """Those that could not be explained."""
        return [one for one in self.changes if one.error]

    @property
    def table(self) -> Any:
        """A row per doc as a `pandas.DataFrame`; ModuleNotFoundError without pandas."""
        return need("pandas").DataFrame([change_as_dict(one) for one in self.changes])

    def add(self, change: EvidenceChange) -> None:
        """Take in one more, and let go of the explanations of the one that has moved least."""
        self.changes.append(change)
        if change.old is None or change.new is None:
            return
        self.old = self.old or change.old.estimator
        self.new = self.new or change.new.estimator
        self.method = self.method or change.old.method or ""
        heapq.heappush(self._held, (change.distance, -len(self.changes), change))
        if len(self._held) > self.kept:
            *_, least = heapq.heappop(self._held)
            least.old = least.new = None

    def save(self, path: Any) -> None:
        """Write it to a file: a page (``.html``), JSON (``.json``) or JUnit's XML (``.xml``).

        The page has the docs whose explanations are held, the furthest moved first, with both maps
        side by side. JUnit's file has a test case per doc; those beyond the tolerance fail.

        Raises
        ------
        ValueError
            If the name has another ending.
        """
        formats = {".html": format_as_diff_page, ".json": as_json, ".xml": as_junit}
        ending = Path(path).suffix.lower()
        if ending not in formats:
            raise wrong_value("path", str(path), f"to end in one of {', '.join(formats)}")
        write_atomically(path, formats[ending](self).encode())

    def __repr__(self) -> str:
        """Show how far docs have moved, and the furthest of them."""
        return as_text(self)


def compare_evidence(
    old: Any,
    new: Any,
    docs: Any,
    tolerance: float = TOLERANCE,
    *,
    new_docs: Any = None,
    targets: Iterable[Any] | None = None,
    names: Iterable[str] | None = None,
    images: Iterable[Any] | None = None,
    tokens: Iterable[Any] | None = None,
    new_options: Mapping[str, Any] | None = None,
    kept: int = KEPT,
    batch_size: int = 32,
    **options: Any,
) -> EvidenceDiff:
    """Compare what two models look at, doc by doc, for the same class.

    Parameters
    ----------
    old, new : keras.Model
        Of the same classes; of any architecture.
    docs : Any
        See `eli5.explain_predictions`. A stream is gone through once, a batch at a time.
    tolerance : float
        How far the evidence of a doc may move, from 0 to 1; see `evidence_distance`.
    new_docs : Any, optional
        The same docs as the new model takes them, where it has another input size or
        preprocessing; `docs` if not given.
    targets : iterable of int, optional
        Per doc the class whose evidence is compared, such as its label; the old model's top
        prediction if not given.
    names : iterable of str, optional
        What docs are called; ``"doc 0"`` and so on if not given.
    images, tokens : iterable, optional
        See `eli5.explain_predictions`.
    new_options : dict, optional
        Those of `options` that are different for the new model, such as ``{"layer": "conv5"}``.
    kept : int
        The explanations of how many docs are held, for the page: those that have moved most.
    batch_size : int
        How many docs a model sees at once.
    **options
        Of both explanations, such as ``method``, ``layer``, ``score`` or ``class_names``; see
        `eli5.explain_predictions`.

    Returns
    -------
    EvidenceDiff
        With ``ranked``, ``beyond``, ``predicted_otherwise``, ``table`` and ``save(path)``.

    Raises
    ------
    TypeError, ValueError
        If these are no models, docs or options, or the docs of both are not as many; see
        `eli5.explain_predictions`.
    """
    for model in (old, new):
        check_model(model)
    _check_classes(old, new)
    own = expect_type("new_options", new_options or {}, Mapping, "a mapping from options to values")
    check_options({**options, **own})
    diff = EvidenceDiff(check_tolerance(tolerance), expect_count("kept", kept, least=0))
    size = expect_count("batch_size", batch_size)
    options["batch_size"] = size
    both = options, {**options, **own}
    about = {"targets": targets, "image": images, "tokens": tokens}
    pairs = _read_pairs(old, new, docs, new_docs, about, names)
    while batch := list(itertools.islice(pairs, size)):
        for change in compare_batch(old, new, batch, *both):
            diff.add(change)
    if not diff.changes:  # nothing would have been compared
        raise ValueError("Expected docs, at least one. Received: none")
    return diff


def _check_classes(old: Any, new: Any) -> None:
    """Raise ValueError if the models are known to have other numbers of classes."""
    # A subclassed model that was never called knows of no outputs.
    shapes = [getattr(model, "output_shape", None) for model in (old, new)]
    n_old, n_new = (shape[-1] if isinstance(shape, tuple) else None for shape in shapes)
    if None not in (n_old, n_new) and n_old != n_new:
        raise ValueError(
            f"Expected two models of the same classes. Received: `old` with {n_old} outputs and "
            f"`new` with {n_new}"
        )


def check_tolerance(tolerance: Any) -> float:
    """Return a tolerance; TypeError or ValueError if it is no number from 0 to 1."""
    number = expect_number("tolerance", tolerance, least=0)
    if number > 1:
        raise wrong_value("tolerance", tolerance, "from 0 to 1, the whole doc")
    return number


def check_options(options: Mapping[str, Any]) -> None:
    """Raise TypeError for options that would give several maps of a doc."""
    for name in _REFUSED:
        if options.get(name) is not None:
            raise TypeError(
                f"Expected one map of each doc, of one class. Received: {name}="
                f"{options[name]!r}. Give one `method`, and a class per doc as `targets`"
            )


class Doc(NamedTuple):
    """A doc as both models take it, and what is known of it."""

    number: int
    name: str
    old: Any
    new: Any
    target: int | str | None = None  # the class; for a score that is a function its name
    image: Any = None
    tokens: Any = None


def _read_pairs(
    old: Any, new: Any, docs: Any, new_docs: Any, about: dict[str, Any], names: Any
) -> Iterator[Doc]:
    """Yield the docs of both models, checked; ValueError if they are not as many."""
    stream = read_docs(old, docs, DocOptions(), about)
    others = None if new_docs is None else read_docs(new, new_docs, DocOptions(), {})
    titles = None if names is None else iter(names)
    number = -1
    for number, (doc, own) in enumerate(stream):
        other = doc if others is None else _next("new_docs", others, number)[0]
        name = f"doc {number}" if titles is None else str(_next("names", titles, number))
        yield Doc(number, name, doc, other, _one_class(own.targets), own.image, own.tokens)
    for title, rest in (("new_docs", others), ("names", titles)):
        if rest is not None and any(True for _ in rest):
            raise ValueError(
                f"Expected one entry in `{title}` per doc, {number + 1} of them. Received: more"
            )


def _next(name: str, entries: Iterator[Any], number: int) -> Any:
    try:
        return next(entries)
    except StopIteration:
        raise ValueError(
            f"Expected one entry in `{name}` per doc. Received: {number} for more docs"
        ) from None


def _one_class(ids: Sequence[int] | None) -> int | None:
    if ids is not None and len(ids) != 1:
        raise wrong_value("targets", ids, "to have one class for each doc")
    return None if ids is None else expect_integer("targets", ids[0])


# ---- one batch -----------------------------------------------------------------------------------


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
        return _compare(old, new, batch, options, new_options)


@contextmanager
def without_warnings_of_empty_maps() -> Iterator[None]:
    """Keep quiet of maps without evidence: results tell, and only of those that are compared."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*heatmap of .* is empty", category=UserWarning)
        yield


def _compare(
    old: Any,
    new: Any,
    batch: Sequence[Doc],
    options: Mapping[str, Any],
    new_options: Mapping[str, Any],
) -> list[EvidenceChange]:
    before = _explain(old, batch, [one.old for one in batch], options)
    pairs = zip(batch, before, strict=True)
    chosen = [one._replace(target=seen.target.target) for one, seen in pairs]
    after = _explain(new, chosen, [one.new for one in batch], new_options)
    return [_change(*row) for row in zip(batch, before, after, strict=True)]


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

"""Two models side by side, doc by doc: how far the evidence for the same class has moved."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from eli5.checks import (
    expect_count,
    expect_integer,
    expect_number,
    expect_type,
    wrong_value,
)
from eli5.keras.inputs.dataset import read_docs
from eli5.keras.inputs.model_inputs import check_model
from eli5.keras.inputs.sample import DocOptions
from eli5.testing.evidence_diff import KEPT, TOLERANCE, EvidenceDiff
from eli5.testing.evidence_of_batch import Doc, compare_batch

# What would give several maps of a doc, or another class of each model.
_REFUSED = ("methods", "classes", "top_targets", "images", "tokens")


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
    check_same_classes(old, new)
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


def check_same_classes(
    old: Any, new: Any, names: tuple[str, str] = ("`old`", "`new`")
) -> int | None:
    """Return how many classes two models have, None if that is not known of the old one.

    ValueError if they are known to have other numbers of them; `names` are what it calls them.
    """
    n_old, n_new = map(_n_classes, (old, new))
    if None not in (n_old, n_new) and n_old != n_new:
        raise ValueError(
            f"Expected two models of the same classes. Received: {names[0]} with {n_old} outputs "
            f"and {names[1]} with {n_new}"
        )
    return n_old


def _n_classes(model: Any) -> int | None:
    # A subclassed model that was never called knows of no outputs.
    shape = getattr(model, "output_shape", None)
    return shape[-1] if isinstance(shape, tuple) else None


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

"""Assertions for a test suite: what a model looks at, and that it stays so when it is trained anew.

They need no test runner. An AssertionError says that a model looks elsewhere; what is no model, doc
or mask is a TypeError or a ValueError, as everywhere.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from eli5.base import Explanation
from eli5.checks import expect_count, expect_number, wrong_type, wrong_value
from eli5.explain import explain_predictions
from eli5.formatters.diff_report import class_label, worst_lines
from eli5.formatters.html import format_as_page
from eli5.formatters.labels import number, one_line
from eli5.formatters.overlay.picture import outlined
from eli5.metrics.localisation import energy_share, mask_of
from eli5.metrics.maps import input_map, list_maps
from eli5.saving.atomic_write import write_atomically
from eli5.testing.evidence import check_options, compare_evidence
from eli5.testing.evidence_diff import KEPT, TOLERANCE, EvidenceDiff
from eli5.testing.evidence_of_batch import without_warnings_of_empty_maps
from eli5.tracebacks import ShortErrors

_SHOWN = 5  # docs of a message
_LONGEST = 60  # characters of an option in it; there may be a thousand names of classes


def assert_looks_at(
    model: Any,
    docs: Any,
    masks: Iterable[Any],
    share: float = 0.6,
    *,
    method: Any = "Grad-CAM",
    targets: Iterable[Any] | None = None,
    names: Iterable[str] | None = None,
    allow: int = 0,
    out: Any = None,
    **options: Any,
) -> None:
    """Assert that at least this share of the evidence of each doc lies in its mask.

    Parameters
    ----------
    model : keras.Model
    docs : Any
        See `eli5.explain_predictions`. A stream is gone through once, a batch at a time.
    masks : iterable
        Per doc where the object is: an array of the input's size, or a box, or a list of boxes; see
        `eli5.metrics.energy_inside`, which is the share that is asked for.
    share : float
        From 0 to 1.
    method : str or callable
    targets : iterable of int, optional
        Per doc the class, such as its label; the top prediction of each if not given.
    names : iterable of str, optional
        What docs are called in the message; ``"doc 0"`` and so on if not given.
    allow : int
        So many docs may have less.
    out : str or path, optional
        Where a page of the docs with less is written, the least share first: a file (``.html``), or
        a folder, in which it is ``assert_looks_at.html``.
    **options
        See `eli5.explain_predictions`.

    Raises
    ------
    AssertionError
        If more docs have less of their evidence, or no evidence at all. It lists the worst five
        with their classes and shares, and how to see them.
    TypeError, ValueError
        If these are no model, docs, masks or options, or masks are not as many as docs.
    """
    __tracebackhide__ = True
    with ShortErrors():
        least, page = _check_share(share), _check_out(out, "assert_looks_at")
        most = expect_count("allow", allow, least=0)
        check_options(options)
        given = {"method": method, "targets": targets, **options}
        looks = _Looks(least)
        with without_warnings_of_empty_maps():
            for look in _looks_at(model, docs, masks, names, given):
                looks.add(look)
        if len(looks.low) <= most:
            return
        message = _message_of_looks(looks, method, options)
        if page is not None:
            message += _write(page, format_as_page(looks.shown, "What was looked at elsewhere"))
    raise AssertionError(message)


def assert_same_evidence(
    old: Any,
    new: Any,
    docs: Any,
    tolerance: float = TOLERANCE,
    *,
    allow: int = 0,
    out: Any = None,
    new_docs: Any = None,
    targets: Iterable[Any] | None = None,
    names: Iterable[str] | None = None,
    new_options: Mapping[str, Any] | None = None,
    **options: Any,
) -> None:
    """Assert that two models look at the same places of each doc, for the same class.

    Parameters
    ----------
    old, new, docs, tolerance, new_docs, targets, names, new_options, **options
        See `compare_evidence`.
    allow : int
        The evidence of so many docs may move further.
    out : str or path, optional
        Where a page of the docs that have moved most is written: a file (``.html``), or a folder,
        in which it is ``assert_same_evidence.html``.

    Raises
    ------
    AssertionError
        If the evidence of more docs has moved further than the tolerance. It lists the five that
        have moved most, with their classes, the scores of both models and, where it is another, the
        class that the new one predicts, and how to see them.
    TypeError, ValueError
        If these are no models, docs or options; see `compare_evidence`.
    """
    __tracebackhide__ = True
    with ShortErrors():
        page = _check_out(out, "assert_same_evidence")
        most = expect_count("allow", allow, least=0)
        about: dict[str, Any] = {"targets": targets, "names": names, "new_docs": new_docs}
        options = {**about, "new_options": new_options, **options}
        diff = compare_evidence(old, new, docs, tolerance, **options)
        if len(diff.beyond) <= most:
            return
        message = _message_of_diff(diff)
        if page is not None:
            message += f"\nPage: {page}"
            page.parent.mkdir(parents=True, exist_ok=True)
            diff.save(page)
    raise AssertionError(message)


def _check_out(out: Any, name: str) -> Path | None:
    """Return the page that is meant; TypeError or ValueError if it cannot be one."""
    if out is None:
        return None
    try:
        path = Path(out)
    except TypeError:
        raise wrong_type("out", out, "a path, of a page or a folder") from None
    if path.suffix and not path.is_dir():
        if path.suffix.lower() != ".html":
            raise wrong_value("out", str(out), "to be a page, which ends in .html, or a folder")
        return path
    return path / f"{name}.html"


def _write(page: Path, content: str) -> str:
    """Write a page, and return the line that says where it is."""
    page.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(page, content.encode())
    return f"\nPage: {page}"


# ---- where the evidence lies ---------------------------------------------------------------------


class _Look(NamedTuple):
    """Which share of the evidence of a doc lies in its mask; NaN where there is none."""

    number: int
    name: str
    share: float
    explanation: Explanation
    mask: Any

    @property
    def in_words(self) -> str:
        target = self.explanation.targets[0]
        share = f"{self.share:.2f}" if self.share == self.share else "no evidence at all, so none"
        label = class_label(target.target, target.class_name)
        score = target.score if target.proba is None else target.proba
        return f"{one_line(self.name)}: {share} of class {label}, predicted {number(score)}"

    @property
    def on_page(self) -> Explanation:
        image = self.explanation.image
        if image is not None and self.mask.ndim == 2:
            image = outlined(image, self.mask)
        return replace(self.explanation, source=self.in_words, image=image)


class _Looks:
    """Counts docs, and holds those with too little in their mask, the worst with their pictures."""

    def __init__(self, least: float) -> None:
        self.least, self.n = least, 0
        self.low: list[tuple[float, int]] = []
        self.held: list[tuple[float, int, _Look]] = []

    def add(self, look: _Look) -> None:
        self.n += 1
        if look.share >= self.least:
            return
        share = look.share if look.share == look.share else -1.0
        self.low.append((share, look.number))
        heapq.heappush(self.held, (-share, -look.number, look))
        if len(self.held) > KEPT:
            heapq.heappop(self.held)

    @property
    def worst(self) -> list[_Look]:
        return [look for *_, look in sorted(self.held, reverse=True)]

    @property
    def shown(self) -> list[Explanation]:
        return [one.on_page for one in self.worst]


def _check_share(share: Any) -> float:
    if not 0 <= expect_number("share", share) <= 1:
        raise wrong_value("share", share, "from 0 to 1")
    return float(share)


def _looks_at(
    model: Any, docs: Any, masks: Any, names: Any, options: Mapping[str, Any]
) -> Iterator[_Look]:
    """Explain one doc after the other, and measure it; ValueError if masks are not as many."""
    if isinstance(masks, str | bytes | Mapping) or not hasattr(masks, "__iter__"):
        raise wrong_type("masks", masks, "a mask, or boxes, for each doc")
    streams = {"masks": iter(masks), **({} if names is None else {"names": iter(names)})}
    k = -1
    for k, expl in enumerate(explain_predictions(model, docs, **options)):
        own = {}
        for name, entries in streams.items():
            if (entry := next(entries, streams)) is streams:
                raise _wrong_number(name, str(k), "for more docs")
            own[name] = entry
        yield _look(k, str(own.get("names", f"doc {k}")), expl, own["masks"])
    if k < 0:  # such as of a fixture that finds no files: nothing would have been asserted
        raise ValueError("Expected docs, at least one. Received: none")
    for name, entries in streams.items():
        if any(True for _ in entries):
            raise _wrong_number(name, "more", f"than {k + 1} docs")


def _wrong_number(name: str, received: str, than: str) -> ValueError:
    return ValueError(f"Expected one entry in `{name}` per doc. Received: {received} {than}")


def _look(k: int, name: str, expl: Explanation, mask: Any) -> _Look:
    (target,) = list_maps(expl)
    values = input_map(target)
    mask = np.asarray(mask) if hasattr(mask, "__array__") else mask
    inside = mask_of(expl, values, mask, k)
    return _Look(k, name, energy_share(values, inside), expl, inside)


# ---- messages ------------------------------------------------------------------------------------


def _message_of_looks(looks: _Looks, method: Any, options: Mapping[str, Any]) -> str:
    name = looks.worst[0].explanation.method
    lines = [f"  {one.in_words}" for one in looks.worst[:_SHOWN]]
    more = len(looks.low) - _SHOWN
    first = looks.worst[0]
    asked = _call({"method": method, **options, "targets": [first.explanation.targets[0].target]})
    return "\n".join(
        [
            f"Expected at least {looks.least:g} of the evidence of each doc in its mask. Received: "
            f"less in {len(looks.low)} of {looks.n} docs ({name}):",
            *lines,
            *([f"  and {more} more"] if more > 0 else []),
            f"See one: eli5.show_prediction(model, docs[{first.number}:{first.number + 1}], "
            f"{asked}); all of them: out='looks.html'",
        ]
    )


def _message_of_diff(diff: EvidenceDiff) -> str:
    others = [one.number for one in diff.predicted_otherwise]
    some = ", ".join(map(str, others[:_SHOWN])) + (", …" if len(others) > _SHOWN else "")
    said = f"{len(others)} docs are predicted otherwise: {some}" if others else ""
    lines: Sequence[str] = worst_lines(diff.beyond, _SHOWN)
    return "\n".join(
        [
            f"Expected the evidence of each doc to move by at most {diff.tolerance:g}. Received: "
            f"more in {len(diff.beyond)} of {len(diff.changes)} docs ({diff.method}; from "
            f"{one_line(diff.old)} to {one_line(diff.new)}):",
            *lines,
            *([said] if said else []),
            "See them: eli5.testing.compare_evidence(old, new, docs).save('diff.html'), or "
            "out='diff.html'",
        ]
    )


def _call(options: Mapping[str, Any]) -> str:
    """Write options as they were given, but for those that a line has no room for."""
    plain = {k: repr(v) for k, v in options.items() if isinstance(v, str | int | float | list)}
    return ", ".join(f"{k}={text}" for k, text in plain.items() if len(text) <= _LONGEST)

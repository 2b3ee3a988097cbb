"""What has become of evidence, in lines for a log, in JSON, and as tests in JUnit's XML.

A diff and its changes are `eli5.testing.EvidenceDiff` and `eli5.testing.EvidenceChange`, of which
only the fields are known here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from typing import Any
from xml.etree import ElementTree

from eli5.formatters.labels import number, one_line

_SHOWN = 5  # lines of a text that is read in a log
_NO_XML = dict.fromkeys([0xFFFE, 0xFFFF], "\ufffd")  # what XML has no way to write, beside controls


def as_text(diff: Any) -> str:
    """Return how far docs have moved, and the furthest of them, in few lines."""
    known = [one.distance for one in diff.ranked]
    if not known:
        return f"no docs compared, {len(diff.failed)} could not be explained"
    head = (
        f"evidence of {len(known)} docs by {diff.method}, from {one_line(diff.old)} to "
        f"{one_line(diff.new)}: moved by {sum(known) / len(known):.3f} on average, "
        f"{known[0]:.3f} at most (0: looks at the same places, 1: from one end to the other)"
    )
    counts = (
        f"beyond the tolerance of {diff.tolerance:g}: {len(diff.beyond)}; predicted otherwise: "
        f"{len(diff.predicted_otherwise)}; not explained: {len(diff.failed)}"
    )
    return "\n".join([head, counts, *worst_lines(diff.ranked)])


def worst_lines(ranked: Sequence[Any], shown: int = _SHOWN) -> list[str]:
    """Return a line for each of the first, and how many there are beyond them."""
    more = len(ranked) - shown
    lines = [f"  {one_line(one.name)}: {in_words(one)}" for one in ranked[:shown]]
    return [*lines, *([f"  and {more} more"] if more > 0 else [])]


def in_words(change: Any) -> str:
    """Say how far the evidence of one doc has moved, of which class, and what the models say."""
    if change.error:
        return f"not explained: {one_line(change.error)}"
    old, new = change.before, change.after
    said = f"{class_label(change.target, change.class_name)} {number(old.score)}, now "
    said += number(new.score)
    for name, one in (("old", old), ("new", new)):
        said += "" if one.has_evidence else f"; nothing speaks for it in the {name} model"
    if change.is_predicted_otherwise:
        old_top, new_top = (class_label(one.top, one.top_name) for one in (old, new))
        said += f"; predicted was {old_top}, now {new_top} {number(new.top_score)}"
    return f"moved by {change.distance:.3f}, class {said}"


def class_label(target: Any, name: str | None) -> str:
    """Name a class with its id: ``"tabby (281)"``; by the id alone if it has no name."""
    return one_line(target) if name is None else f"{one_line(name)} ({one_line(target)})"


def change_as_dict(change: Any) -> dict[str, Any]:
    """Return the fields of a change as plain values, without the maps."""
    old, new = change.before, change.after
    row: dict[str, Any] = {"number": change.number, "name": change.name}
    if change.error:
        return row | {"error": change.error}
    return row | {
        "distance": change.distance,
        "target": change.target,
        "class_name": change.class_name,
        "old_score": _finite(old.score),
        "new_score": _finite(new.score),
        "old_has_evidence": old.has_evidence,
        "new_has_evidence": new.has_evidence,
        "old_top": old.top,
        "old_top_name": old.top_name,
        "old_top_score": _finite(old.top_score),
        "new_top": new.top,
        "new_top_name": new.top_name,
        "new_top_score": _finite(new.top_score),
        "is_predicted_otherwise": change.is_predicted_otherwise,
        "error": "",
    }


def _finite(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(value)


def as_json(diff: Any) -> str:
    """Return all docs, the furthest moved first, then those that could not be explained."""
    document = {
        **{name: getattr(diff, name) for name in ("old", "new", "method", "tolerance")},
        "n_docs": len(diff.changes),
        "n_beyond": len(diff.beyond),
        "n_predicted_otherwise": len(diff.predicted_otherwise),
        "n_failed": len(diff.failed),
        "docs": [change_as_dict(one) for one in [*diff.ranked, *diff.failed]],
    }
    return json.dumps(document, indent=1, allow_nan=False)


def as_junit(diff: Any) -> str:
    """Return a test suite with a case per doc, in their order; those beyond the tolerance fail."""
    suite = ElementTree.Element(
        "testsuite",
        name="eli5 diff",
        tests=str(len(diff.changes)),
        failures=str(len(diff.beyond)),
        errors=str(len(diff.failed)),
        skipped="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name in ("old", "new", "method", "tolerance"):
        value = _xml(getattr(diff, name))
        ElementTree.SubElement(properties, "property", name=name, value=value)
    _add_cases(suite, diff.changes, diff.tolerance)
    root = ElementTree.Element("testsuites")
    root.append(suite)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, "unicode")}\n'


def _add_cases(suite: ElementTree.Element, changes: Iterable[Any], tolerance: float) -> None:
    for change in changes:
        case = ElementTree.SubElement(
            suite, "testcase", classname="eli5.diff", name=_xml(change.name)
        )
        words = _xml(in_words(change))
        if change.error:
            ElementTree.SubElement(case, "error", type="NotExplained", message=words)
        elif change.distance > tolerance:
            message = f"{words}; the tolerance is {tolerance:g}"
            ElementTree.SubElement(case, "failure", type="EvidenceMoved", message=message)
        else:
            ElementTree.SubElement(case, "system-out").text = words


def _xml(value: object) -> str:
    return one_line(value).translate(_NO_XML)

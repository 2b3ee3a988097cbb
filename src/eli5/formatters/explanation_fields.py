"""What the fields of an explanation may hold: checked once, when it is read or before it is shown.

Formatters take it for granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from eli5.base import (
    DocWeightedSpans,
    Explanation,
    Grade,
    Placement,
    Series,
    TargetExplanation,
    WeightedSpans,
    is_picture,
)
from eli5.checks import is_integer, is_number, shown, wrong_type
from eli5.targets import LOCATED


def check_single(expl: Any, *, looks_inside: bool = True) -> None:
    """Raise TypeError for anything but one explanation, such as those that `methods=` gives.

    If it `looks_inside`, also for a field of another type; ValueError for a map that does not fit
    its placement.
    """
    if not isinstance(expl, Explanation):
        kind = type(expl).__name__
        received = f"{shown(expl)} (of type {kind}). eli5.explain_prediction gives one"
        if isinstance(expl, list | tuple):
            received = f"a {kind} of {len(expl)}. Take each of them"
        raise TypeError(f"Expected an Explanation. Received: {received}.")
    if looks_inside:
        _check_fields("expl", expl, Explanation)


def flattened(
    expl: Any, around: tuple[int, ...] = (), *, looks_inside: bool = True
) -> Iterator[Explanation]:
    """Yield an explanation, or those in an iterable and in the iterables that it holds.

    TypeError if there is anything else, when it is reached; see also `check_single`. `around` are
    the ids of what it is in, as a list may hold itself.
    """
    if isinstance(expl, Explanation):
        check_single(expl, looks_inside=looks_inside)
        yield expl
    elif (
        isinstance(expl, Iterable) and not isinstance(expl, str | bytes) and id(expl) not in around
    ):
        for one in expl:
            yield from flattened(one, (*around, id(expl)), looks_inside=looks_inside)
    else:
        advice = "eli5.explain_prediction gives an Explanation"
        raise wrong_type("expl", expl, "an Explanation, or several of them", advice)


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _is_number(value: Any) -> bool:
    return value is None or is_number(value)


def _is_list(value: Any) -> bool:
    return value is None or isinstance(value, list | tuple)


def _is_array(value: Any) -> bool:
    return value is None or isinstance(value, np.ndarray)


def _is_parts(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_number, value.values()))


# What the fields that are formatted may hold; the others may hold anything.
_FIELDS: dict[type, dict[str, tuple[Callable[[Any], bool], str]]] = {
    Explanation: {
        "estimator": (lambda value: isinstance(value, str), "a string"),
        **dict.fromkeys(
            ["description", "error", "method", "layer", "source"], (_is_text, "a string or None")
        ),
        "is_regression": (lambda value: isinstance(value, bool | np.bool_), "True or False"),
        "targets": (_is_list, "a list of TargetExplanation, or None"),
        "image": (
            lambda value: value is None or is_picture(value),
            "a PIL.Image.Image",
        ),
        "series": (lambda value: isinstance(value, Series | None), "an eli5.base.Series or None"),
    },
    TargetExplanation: {
        "target": (lambda value: is_integer(value) or isinstance(value, str), "a class id or name"),
        **dict.fromkeys(["proba", "score", "explained"], (_is_number, "a number or None")),
        **dict.fromkeys(["class_name", "explained_name"], (_is_text, "a string or None")),
        "sign": (lambda value: value in ("positive", "negative"), "'positive' or 'negative'"),
        **dict.fromkeys(["heatmap", "attribution"], (_is_array, "a NumPy array of numbers")),
        "placement": (
            lambda value: isinstance(value, Placement | None),
            "an eli5.base.Placement or None",
        ),
        "region": (
            lambda value: value is None or type(value) in LOCATED.values(),
            f"None or one of eli5.targets: {', '.join(one.__name__ for one in LOCATED.values())}",
        ),
        "grade": (lambda value: isinstance(value, Grade | None), "an eli5.base.Grade or None"),
    },
    Grade: {
        "value": (_is_number, "a number or None"),
        **dict.fromkeys(["verdict", "reason"], (lambda value: isinstance(value, str), "a string")),
        "parts": (_is_parts, "a dict of numbers, or None, by their names"),
        "passes": (is_integer, "an integer"),
    },
    WeightedSpans: {"docs_weighted_spans": (_is_list, "a list of DocWeightedSpans")},
    DocWeightedSpans: {
        "document": (lambda value: isinstance(value, str), "a string"),
        "spans": (
            lambda value: isinstance(value, list | tuple),
            "a list of tuples (token, [(start, end), ...], weight)",
        ),
        "vec_name": (_is_text, "a string or None"),
    },
}


def _check_fields(where: str, container: Any, kind: type) -> None:
    """Check the fields of a container of some kind, and of those in it."""
    for name, (fits, expected) in _FIELDS[kind].items():
        if not fits(getattr(container, name)):
            raise wrong_type(f"{where}.{name}", getattr(container, name), expected)
    if isinstance(container, Explanation):
        _check_items(f"{where}.targets", container.targets or (), TargetExplanation)
    elif isinstance(container, WeightedSpans):
        spans = container.docs_weighted_spans or ()
        _check_items(f"{where}.docs_weighted_spans", spans, DocWeightedSpans)
    elif isinstance(container, TargetExplanation):
        _check_placement(where, container)
        if container.grade is not None:
            _check_fields(f"{where}.grade", container.grade, Grade)
        if isinstance(container.weighted_spans, WeightedSpans):
            _check_fields(f"{where}.weighted_spans", container.weighted_spans, WeightedSpans)


def _check_items(where: str, items: Iterable[Any], kind: type) -> None:
    for k, item in enumerate(items):
        if not isinstance(item, kind):
            raise wrong_type(f"{where}[{k}]", item, f"a {kind.__name__}")
        _check_fields(f"{where}[{k}]", item, kind)


def _check_placement(where: str, target: TargetExplanation) -> None:
    if target.placement is None or target.heatmap is None:
        return
    cells, axes = target.heatmap.shape, target.placement.axes
    n_more = len(cells) - len(axes)  # slices, which lie side by side
    if n_more < 0 or 0 in target.placement.strides(cells[n_more:]):
        raise ValueError(
            f"Expected `{where}.placement` to tell where the cells of a heatmap of shape {cells} "
            f"lie. Received: {shown(target.placement)}. Set it to None"
        )

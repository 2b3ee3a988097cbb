"""The maps that are measured: of explanations, or plain ones, of one class each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from eli5.base import Explanation, TargetExplanation
from eli5.checks import is_integer, listed, wrong_type
from eli5.metrics.result import Array
from eli5.placement import lay_out, stretch


def list_maps(explanations: Any, targets: Any = None) -> list[TargetExplanation]:
    """Return the one target of each explanation whose map is meant; a plain map becomes one.

    Parameters
    ----------
    explanations : Explanation, an iterable of them, an array (N, *size) of maps or a list of maps
    targets : iterable of int, optional
        Per explanation the class; its first target if not given.

    Raises
    ------
    TypeError, ValueError
        If they are none of these, hold no map or none of that class, or numbers that are not
        finite.
    """
    items = [explanations] if isinstance(explanations, Explanation) else listed(explanations)
    if items is None:
        raise wrong_type("explanations", explanations, "an Explanation, or maps, for each doc")
    classes = _one_each(targets, len(items))
    return [_find_map(*row) for row in zip(items, classes, range(len(items)), strict=True)]


def _one_each(targets: Any, n: int) -> list[Any]:
    if targets is None:
        return [None] * n
    items = listed(targets)
    if items is None or not all(map(is_integer, items)):
        raise wrong_type("targets", targets, "one class id for each doc")
    if len(items) != n:
        raise ValueError(
            f"Expected one entry in `targets` per doc, {n} of them. Received: {len(items)}"
        )
    return [int(item) for item in items]


def _find_map(item: Any, target: int | None, number: int) -> TargetExplanation:
    if isinstance(item, Explanation):
        found = _find_target(item, target, number)
    elif isinstance(item, np.ndarray) and item.dtype.kind in "fiub" and item.ndim:
        found = TargetExplanation(target if target is not None else "", attribution=item)
    else:
        advice = "Measure one method at a time" if isinstance(item, list) else ""
        raise wrong_type(f"explanations[{number}]", item, "an Explanation, or a map", advice)
    if not np.isfinite(own_map(found)).all():
        raise ValueError(
            f"Expected maps that are finite. Received: explanations[{number}] with "
            f"{int((~np.isfinite(own_map(found))).sum())} numbers that are not"
        )
    return found


def _find_target(expl: Explanation, target: int | None, number: int) -> TargetExplanation:
    targets = [one for one in expl.targets or [] if own_map(one) is not None]
    known = [one.target for one in targets]
    for one in targets:
        if target is None or one.target == target:
            return one
    wanted = "" if target is None else f" of target {target}"
    error = f", as {expl.error}" if expl.error else ""
    raise ValueError(
        f"Expected an Explanation with a map{wanted}. Received: explanations[{number}] with maps "
        f"of targets {known}{error}"
    )


def own_map(target: TargetExplanation) -> Any:
    """Return the map as its formula gives it, signed, on its own grid."""
    return target.heatmap if target.attribution is None else target.attribution


def input_map(target: TargetExplanation, size: Sequence[int] | None = None) -> Array:
    """Return the map where its layer looked: of the input's own size, float64.

    Of tokens there is one number each, without padding around them. ValueError if nothing tells how
    the map lies in an input of this `size`.
    """
    values, placement = own_map(target), target.placement
    if target.weighted_spans is None and placement is None and size and values.shape != (*size,):
        if values.ndim != len(size) or target.heatmap is None:
            raise ValueError(
                f"Expected a map of the doc's size, {tuple(size)}. Received: one of shape "
                f"{values.shape}. Give the Explanation, which knows where its cells lie."
            )
        placement = stretch(values.shape, size)
    if target.weighted_spans is not None or placement is None:
        return np.asarray(values, "float64")
    return lay_out(values, placement).astype("float64")

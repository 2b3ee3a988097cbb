"""From what a caller asks for to the `Target` that is explained."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sized
from typing import Any

from eli5.checks import (
    expect_choice,
    expect_integer,
    expect_one_of,
    is_integer,
    listed,
    shown,
    wrong_type,
    wrong_value,
)
from eli5.keras.targets.callable_score import CallableScore
from eli5.keras.targets.class_names import Names
from eli5.keras.targets.classes import SCORES, TASKS, ClassTarget, check_classes
from eli5.keras.targets.contrast import ContrastTarget
from eli5.keras.targets.detections import BoxTarget
from eli5.keras.targets.detectors import check_detector
from eli5.keras.targets.pixels import PixelTarget
from eli5.keras.targets.similarity import SimilarityTarget
from eli5.keras.targets.target import Target
from eli5.targets import Box, Contrast, Detection, Missing, Objects, Pixel, Region, Similarity

# By what a caller gives: what explains it, made by ``kind(asked, score, names)``. Those that share
# one can be asked for together.
_KINDS: dict[type, Any] = {
    Region: PixelTarget,
    Pixel: PixelTarget,
    Similarity: SimilarityTarget,
    Contrast: ContrastTarget,
    **dict.fromkeys((Box, Detection, Objects, Missing), BoxTarget),
}


def make_target(
    *,
    score: Any,
    targets: Any,
    classes: Any,
    top_targets: Any,
    target: Any = None,
    names: Names,
    task: Any,
    output: Any,
    detector: Any = None,
) -> Target:
    """Return the target that a caller asks for, checked; see `eli5.explain_prediction`.

    Of `targets` it is only looked at whether they are given; `names` are read already.
    """
    if task is not None:
        expect_choice("task", task, TASKS, " or None")
    classes = None if classes is None else check_classes(classes)
    if callable(score):
        if not (targets is classes is top_targets is target is None):
            raise ValueError(
                "Expected no `targets`, no `classes`, no `top_targets` and no `target` beside a "
                f"callable `score`, which picks its number itself. Received: "
                f"targets={shown(targets)}, top_targets={top_targets!r}, "
                f"classes={shown(classes)}, target={shown(target)}"
            )
        return CallableScore(score, takes_all=output is None)
    expect_choice("score", score, SCORES, " or a callable")
    if top_targets is not None:
        expect_integer("top_targets", top_targets, least=1, expected="None or an integer")
    expect_one_of(targets=targets, top_targets=top_targets, classes=classes, target=target)
    if target is not None:
        return _make_object(target, score, names, task, detector)
    if detector is not None:
        raise _without_boxes(detector)
    if task == "regression":
        _check_regression(score, top_targets)
    return ClassTarget(score, top_targets, names, classes, task)


def _check_regression(score: str, top_targets: Any) -> None:
    if score == "log-odds":
        raise ValueError(
            "Expected a score that values have for task='regression'. Received: score='log-odds', "
            "which classes have. Leave `score` out."
        )
    if top_targets is not None:
        raise ValueError(
            "Expected no `top_targets` for task='regression', as values are not likelier than "
            f"others. Received: top_targets={top_targets}. Say which: "
            f"classes={list(range(min(top_targets, 3)))}"
        )


def is_target(value: Any) -> bool:
    """Tell whether it is one of `eli5.targets`."""
    return type(value) in _KINDS


def as_targets(target: Any) -> list[Any]:
    """Return what is asked of one doc as a list.

    TypeError if it is neither one of `eli5.targets` nor a list of them, ValueError if the list is
    empty or of several kinds.
    """
    items = [target] if is_target(target) else listed(target)
    if items is None or not all(map(is_target, items)):
        expected = "one of eli5.targets, or a list of them"
        asked = f"[{target}]" if is_integer(target) else "[281]"
        raise wrong_type(
            "target",
            target,
            expected,
            "One that works for a segmenter: eli5.targets.Region(1); for a detector: "
            "eli5.targets.Detection(0). A class of a classifier is "
            f"asked for with targets={asked}",
        )
    if not items:
        raise wrong_value("target", target, "to hold at least one of eli5.targets")
    if len({_KINDS[type(one)] for one in items}) > 1:
        names = ", ".join(dict.fromkeys(type(one).__name__ for one in items))
        raise wrong_value("target", target, "to be of one kind", f"Ask in a call each for {names}")
    return items


def split_target(target: Any) -> tuple[Any, Iterable[Any] | None]:
    """Return what is asked of many docs: what tells its kind, and an entry per doc if there are.

    `target` is one for all docs, or an iterable with one, or a list of them, per doc; of a stream
    the first entry is taken out and put back.
    """
    if target is None or is_target(target) or not isinstance(target, Iterable):
        return target, None
    if isinstance(target, Sized):
        return next(iter(target), None), target
    entries = iter(target)
    first = list(itertools.islice(entries, 1))
    return (first[0] if first else None), itertools.chain(first, entries)


def _make_object(target: Any, score: str, names: Names, task: Any, detector: Any) -> Target:
    asked = as_targets(target)
    if task == "regression":
        raise ValueError(
            "Expected no task='regression' beside `target`, which is about classes or embeddings. "
            f"Received: both, with target={shown(target)}. Leave `task` out"
        )
    make = _KINDS[type(asked[0])]
    if make is BoxTarget:
        check_detector(detector)
        return BoxTarget(asked, score, names, detector)
    if detector is not None:
        raise _without_boxes(detector)
    made: Target = make(asked, score, names)
    return made


def _without_boxes(detector: Any) -> ValueError:
    return ValueError(
        "Expected no `detector` without a box as target. Received: "
        f"detector={shown(detector)}. Ask for one: target=eli5.targets.Detection(0)"
    )
